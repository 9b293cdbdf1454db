/*
 * Policy files: documents, the two maps in them, and the manners of reading: every mistake has a
 * place and, where a word was meant, a suggestion.
 */
#include "admin/policy_read.h"

#include "codec/suggest.h"
#include "crypto/crypto.h"

#include <stdarg.h>

#include "base/banned.h"

/* Tenants of one call at most: as many as there are change counters. */
#define POLICY_TENANTS_MAX ((size_t)LH_COUNTER_SLOTS)
#define POLICY_TIERS_MAX   1024U
/* Most keys that one map of ours has. */
#define KEYS_MAX 16U
/* Entries of one list at most: a tenant's snapshot lies in every worker's memory. */
#define LIST_MAX 256U

void lh_policy_fini(struct lh_policy *policy)
{
    lh_map_fini(&policy->tiers_by_name);
    lh_map_fini(&policy->tenants_by_id);
    lh_arena_fini(&policy->arena);
}

void lh_policy_complain(struct lh_policy_reader *reader, struct lh_yaml_mark at, const char *format,
                        ...)
{
    reader->mistakes++;
    if (reader->mistakes > LH_POLICY_MISTAKES_MAX) {
        return;
    }
    char what[256];
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    int name_len = (int)(reader->document.len > 200 ? 200 : reader->document.len);
    int len = snprintf(line, sizeof(line), "%.*s:%zu:%zu: %s", name_len,
                       (const char *)reader->document.ptr, at.line, at.column, what);
    for (int i = 0; i < len && i < (int)sizeof(line) - 1; i++) {
        line[i] = line[i] >= 0x20 && line[i] < 0x7f ? line[i] : '?';
    }
    reader->options->on_mistake(reader->options->context, lh_slice_from_text(line));
}

static const char *kind_name(const struct lh_yaml_node *node)
{
    switch (node->kind) {
    case LH_YAML_MAP:
        return "a map";
    case LH_YAML_LIST:
        return "a list";
    case LH_YAML_SCALAR:
    default:
        return node->text.len == 0 ? "nothing" : "a text";
    }
}

bool lh_policy_is_map(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                      const char *what)
{
    if (node->kind != LH_YAML_MAP) {
        lh_policy_complain(reader, node->at, "%s is a map, not %s", what, kind_name(node));
    }
    return node->kind == LH_YAML_MAP;
}

bool lh_policy_is_list(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                       const char *what)
{
    if (node->kind != LH_YAML_LIST) {
        lh_policy_complain(reader, node->at, "%s is a list like [a, b], not %s", what,
                           kind_name(node));
    }
    return node->kind == LH_YAML_LIST;
}

bool lh_policy_is_text(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                       const char *what)
{
    bool is_text = node->kind == LH_YAML_SCALAR && node->text.len > 0;
    if (!is_text) {
        lh_policy_complain(reader, node->at, "%s is a text, not %s", what, kind_name(node));
    }
    return is_text;
}

static void complain_unknown(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                             const struct lh_policy_key *keys, size_t count)
{
    lh_slice words[KEYS_MAX];
    size_t known = 0;
    for (; known < count && known < KEYS_MAX; known++) {
        words[known] = lh_slice_from_text(keys[known].name);
    }
    size_t near = lh_suggest(node->key, words, known);
    int len = (int)(node->key.len > 64 ? 64 : node->key.len);
    if (near < known) {
        lh_policy_complain(reader, node->key_at, "unknown key \"%.*s\"; did you mean \"%s\"?", len,
                           (const char *)node->key.ptr, keys[near].name);
    } else {
        lh_policy_complain(reader, node->key_at, "unknown key \"%.*s\"", len,
                           (const char *)node->key.ptr);
    }
}

lh_status lh_policy_read_map(struct lh_policy_reader *reader, const struct lh_yaml_node *map,
                             const struct lh_policy_key *keys, size_t count, void *object)
{
    for (const struct lh_yaml_node *child = map->first; child != NULL; child = child->next) {
        size_t at = 0;
        while (at < count && !lh_slice_is_equal(child->key, lh_slice_from_text(keys[at].name))) {
            at++;
        }
        if (at == count) {
            complain_unknown(reader, child, keys, count);
        } else {
            LH_TRY(keys[at].read(reader, child, object));
        }
    }
    return lh_ok();
}

/* --- Lists ------------------------------------------------------------------------------------ */

static bool is_before(const struct lh_admin_texts *list, lh_slice text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (lh_slice_is_equal(list->items[i], text)) {
            return true;
        }
    }
    return false;
}

static lh_status read_elements(struct lh_policy_reader *reader, const struct lh_yaml_node *list,
                               const char *what, lh_policy_element_fn read_element,
                               struct lh_admin_texts *out_texts)
{
    void *memory;
    LH_TRY(lh_arena_take(&reader->policy->arena, (list->count + 1) * sizeof(lh_slice), &memory));
    lh_slice *items = memory;
    struct lh_admin_texts texts = {items, 0};
    for (const struct lh_yaml_node *node = list->first; node != NULL; node = node->next) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
        if (lh_policy_is_text(reader, node, what)) {
            LH_TRY(read_element(reader, node, &text));
        }
        if (text.len == 0) {
            continue;
        }
        if (is_before(&texts, lh_buf_view(&text))) {
            lh_policy_complain(reader, node->at, "%s is in the list already", what);
            continue;
        }
        LH_TRY(lh_arena_dup(&reader->policy->arena, lh_buf_view(&text), &items[texts.count]));
        texts.count++;
    }
    *out_texts = texts;
    return lh_ok();
}

lh_status lh_policy_read_list(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                              const char *what, lh_policy_element_fn read_element,
                              struct lh_admin_texts *out_texts)
{
    if (!lh_policy_is_list(reader, node, what)) {
        return lh_ok();
    }
    if (node->count > LIST_MAX) {
        lh_policy_complain(reader, node->at, "more than %u entries", LIST_MAX);
        return lh_ok();
    }
    return read_elements(reader, node, what, read_element, out_texts);
}

static lh_status read_token(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            const char *what, struct lh_buf *out_text)
{
    if (!lh_text_is_token(node->text)) {
        lh_policy_complain(reader, node->at,
                           "%s is 1 to %u printable ASCII characters without space, comma, quote "
                           "or backslash",
                           what, LH_TEXT_MAX_BYTES);
        return lh_ok();
    }
    return lh_buf_add(out_text, node->text);
}

lh_status lh_policy_read_role(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                              struct lh_buf *out_text)
{
    return read_token(reader, node, "a role", out_text);
}

lh_status lh_policy_read_scope(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                               struct lh_buf *out_text)
{
    return read_token(reader, node, "a scope", out_text);
}

/* --- Documents -------------------------------------------------------------------------------- */

static const struct lh_policy_key root_keys[] = {
    {"tiers", lh_policy_read_tiers},
    {"tenants", lh_policy_read_tenants},
};

static bool is_nothing(const struct lh_yaml_node *node)
{
    return node->kind == LH_YAML_SCALAR && node->text.len == 0 && !node->is_quoted;
}

static lh_status read_roots(struct lh_policy_reader *reader, const struct lh_yaml_node *roots)
{
    for (const struct lh_yaml_node *root = roots; root != NULL; root = root->next) {
        if (is_nothing(root) ||
            !lh_policy_is_map(reader, root, "a document with \"tiers\" and \"tenants\"")) {
            continue;
        }
        LH_TRY(lh_policy_read_map(reader, root, root_keys, sizeof(root_keys) / sizeof(root_keys[0]),
                                  reader->policy));
    }
    return lh_ok();
}

static lh_status read_document(struct lh_policy_reader *reader,
                               const struct lh_admin_document *document)
{
    reader->document = document->name;
    struct lh_yaml_node *roots = NULL;
    struct lh_yaml_mistake mistake;
    lh_status status = lh_yaml_parse(document->text, &reader->policy->arena, &roots, &mistake);
    if (status.code == LH_MALFORMED || status.code == LH_TOO_LARGE) {
        lh_policy_complain(reader, mistake.at, "%s", mistake.text);
        return lh_ok();
    }
    LH_TRY(status);
    return read_roots(reader, roots);
}

lh_status lh_policy_read(struct lh_admin *admin, const struct lh_admin_document *documents,
                         size_t count, const struct lh_admin_apply_options *options,
                         struct lh_policy *out_policy)
{
    *out_policy = (struct lh_policy){.arena = lh_arena_bounded(LH_YAML_TREE_MAX_BYTES)};
    struct lh_siphash_key hash_key;
    LH_TRY(lh_random(admin->parts.crypto, hash_key.bytes, sizeof(hash_key.bytes)));
    lh_map_init(&out_policy->tiers_by_name, POLICY_TIERS_MAX, &hash_key);
    lh_map_init(&out_policy->tenants_by_id, POLICY_TENANTS_MAX, &hash_key);
    struct lh_policy_reader reader = {.admin = admin, .policy = out_policy, .options = options};
    for (size_t i = 0; i < count; i++) {
        LH_TRY(read_document(&reader, &documents[i]));
    }
    if (reader.mistakes > 0) {
        return lh_admin_fail(admin, LH_MALFORMED, "%zu mistake%s; nothing was changed",
                             reader.mistakes, reader.mistakes == 1 ? "" : "s");
    }
    return lh_ok();
}
