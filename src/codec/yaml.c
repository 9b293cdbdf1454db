/*
 * libyaml's events into a tree. The open containers lie in an array of fixed depth: hostile
 * nesting ends at its end, and nothing recurses on input.
 */
#include "codec/yaml.h"

#include <stdarg.h>

#include <yaml.h>

#include "base/banned.h"

/* What sorting the keys of one map may take, to find duplicates. */
#define SORT_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct container {
    struct lh_yaml_node *node;
    struct lh_yaml_node *last; /* child */
    bool has_key;              /* of a map: the next scalar is the value of key */
    lh_slice key;
    struct lh_yaml_mark key_at;
};

struct build {
    yaml_parser_t parser;
    struct lh_arena *arena;
    struct lh_yaml_mistake *mistake;
    struct container stack[LH_YAML_DEPTH_MAX];
    size_t depth;
    struct lh_yaml_node *first_root;
    struct lh_yaml_node *last_root;
    bool is_done;
};

/* --- Mistakes --------------------------------------------------------------------------------- */

static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e) {
            *text = '?';
        }
    }
}

static lh_status fail(struct build *build, struct lh_yaml_mark at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static lh_status fail(struct build *build, struct lh_yaml_mark at, const char *format, ...)
{
    build->mistake->at = at;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(build->mistake->text, sizeof(build->mistake->text), format, arguments);
    va_end(arguments);
    make_printable(build->mistake->text);
    return lh_status_of(LH_MALFORMED);
}

static struct lh_yaml_mark mark_of(const yaml_mark_t *mark)
{
    return (struct lh_yaml_mark){mark->line + 1, mark->column + 1};
}

static lh_status fail_parser(struct build *build)
{
    const yaml_parser_t *parser = &build->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return lh_status_of(LH_NO_MEMORY);
    }
    return fail(build, mark_of(&parser->problem_mark), "%s",
                parser->problem == NULL ? "not YAML" : parser->problem);
}

/* --- Nodes ------------------------------------------------------------------------------------ */

static lh_status take_node(struct build *build, enum lh_yaml_kind kind, struct lh_yaml_mark at,
                           struct lh_yaml_node **out_node)
{
    void *memory;
    LH_TRY(lh_arena_take(build->arena, sizeof(struct lh_yaml_node), &memory));
    struct lh_yaml_node *node = memory;
    *node = (struct lh_yaml_node){.kind = kind, .at = at};
    *out_node = node;
    return lh_ok();
}

/* Puts a finished scalar or a begun container where it belongs. */
static lh_status put_node(struct build *build, struct lh_yaml_node *node)
{
    if (build->depth == 0) {
        if (build->last_root == NULL) {
            build->first_root = node;
        } else {
            build->last_root->next = node;
        }
        build->last_root = node;
        return lh_ok();
    }
    struct container *open = &build->stack[build->depth - 1];
    if (open->node->kind == LH_YAML_MAP) {
        if (!open->has_key) {
            return fail(build, node->at, "a key must be plain text");
        }
        node->key = open->key;
        node->key_at = open->key_at;
        open->has_key = false;
    }
    if (open->last == NULL) {
        open->node->first = node;
    } else {
        open->last->next = node;
    }
    open->last = node;
    open->node->count++;
    return lh_ok();
}

static bool is_waiting_for_key(const struct build *build)
{
    return build->depth > 0 && build->stack[build->depth - 1].node->kind == LH_YAML_MAP &&
           !build->stack[build->depth - 1].has_key;
}

/* --- Duplicate keys --------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    const struct lh_yaml_node *left = *(const struct lh_yaml_node *const *)a;
    const struct lh_yaml_node *right = *(const struct lh_yaml_node *const *)b;
    size_t shorter = left->key.len < right->key.len ? left->key.len : right->key.len;
    for (size_t i = 0; i < shorter; i++) {
        if (left->key.ptr[i] != right->key.ptr[i]) {
            return left->key.ptr[i] < right->key.ptr[i] ? -1 : 1;
        }
    }
    if (left->key.len != right->key.len) {
        return left->key.len < right->key.len ? -1 : 1;
    }
    return left->key_at.line < right->key_at.line || (left->key_at.line == right->key_at.line &&
                                                      left->key_at.column < right->key_at.column)
               ? -1
               : 1;
}

static void free_sorted(struct lh_yaml_node ***sorted)
{
    free(*sorted);
}

/* Sorted, equal keys are neighbours: a map of ten thousand tenants is checked in one pass. */
static lh_status check_duplicates(struct build *build, const struct lh_yaml_node *map)
{
    if (map->count < 2) {
        return lh_ok();
    }
    LH_ENSURE(map->count <= SORT_BYTES_MAX / sizeof(void *), LH_TOO_LARGE);
    LH_CLEANUP(free_sorted) struct lh_yaml_node **sorted = calloc(map->count, sizeof(*sorted));
    LH_ENSURE(sorted != NULL, LH_NO_MEMORY);
    size_t count = 0;
    for (struct lh_yaml_node *child = map->first; child != NULL; child = child->next) {
        sorted[count++] = child;
    }
    qsort(sorted, count, sizeof(*sorted), compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (lh_slice_is_equal(sorted[i - 1]->key, sorted[i]->key)) {
            return fail(build, sorted[i]->key_at, "\"%.*s\" is given already on line %zu",
                        (int)(sorted[i]->key.len > 64 ? 64 : sorted[i]->key.len),
                        (const char *)sorted[i]->key.ptr, sorted[i - 1]->key_at.line);
        }
    }
    return lh_ok();
}

/* --- Events ----------------------------------------------------------------------------------- */

static lh_status check_plain(struct build *build, struct lh_yaml_mark at, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    if (anchor != NULL) {
        return fail(build, at, "anchors (&name) are not allowed");
    }
    if (tag != NULL) {
        return fail(build, at, "tags (!name) are not allowed");
    }
    return lh_ok();
}

static lh_status take_key(struct build *build, lh_slice text, struct lh_yaml_mark at)
{
    struct container *open = &build->stack[build->depth - 1];
    if (text.len == 0) {
        return fail(build, at, "a key must not be empty");
    }
    if (lh_slice_is_equal(text, LH_SLICE_LITERAL("<<"))) {
        return fail(build, at, "merge keys (<<) are not allowed");
    }
    LH_TRY(lh_arena_dup(build->arena, text, &open->key));
    open->key_at = at;
    open->has_key = true;
    return lh_ok();
}

static lh_status take_scalar(struct build *build, const yaml_event_t *event)
{
    struct lh_yaml_mark at = mark_of(&event->start_mark);
    LH_TRY(check_plain(build, at, event->data.scalar.anchor, event->data.scalar.tag));
    lh_slice text = lh_slice_of(event->data.scalar.value, event->data.scalar.length);
    if (lh_slice_find(text, 0) < text.len) {
        return fail(build, at, "a NUL character is not allowed");
    }
    if (is_waiting_for_key(build)) {
        return take_key(build, text, at);
    }
    struct lh_yaml_node *node;
    LH_TRY(take_node(build, LH_YAML_SCALAR, at, &node));
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    LH_TRY(lh_arena_dup(build->arena, text, &node->text));
    return put_node(build, node);
}

static lh_status open_container(struct build *build, enum lh_yaml_kind kind,
                                const yaml_event_t *event)
{
    struct lh_yaml_mark at = mark_of(&event->start_mark);
    bool is_map = kind == LH_YAML_MAP;
    LH_TRY(check_plain(
        build, at, is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
        is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag));
    if (build->depth == LH_YAML_DEPTH_MAX) {
        return fail(build, at, "nested deeper than %u", LH_YAML_DEPTH_MAX);
    }
    struct lh_yaml_node *node;
    LH_TRY(take_node(build, kind, at, &node));
    LH_TRY(put_node(build, node));
    build->stack[build->depth++] = (struct container){.node = node};
    return lh_ok();
}

static lh_status close_container(struct build *build)
{
    struct container *open = &build->stack[build->depth - 1];
    build->depth--;
    return open->node->kind == LH_YAML_MAP ? check_duplicates(build, open->node) : lh_ok();
}

static lh_status begin_document(struct build *build, const yaml_event_t *event)
{
    if (event->data.document_start.version_directive != NULL ||
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end) {
        return fail(build, mark_of(&event->start_mark), "directives (%%NAME) are not allowed");
    }
    return lh_ok();
}

static lh_status take_event(struct build *build, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(build, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(build, LH_YAML_LIST, event);
    case YAML_MAPPING_START_EVENT:
        return open_container(build, LH_YAML_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_container(build);
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(build, event);
    case YAML_ALIAS_EVENT:
        return fail(build, mark_of(&event->start_mark), "aliases (*name) are not allowed");
    case YAML_STREAM_END_EVENT:
        build->is_done = true;
        return lh_ok();
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    default:
        return lh_ok();
    }
}

static lh_status build_tree(struct build *build)
{
    while (!build->is_done) {
        yaml_event_t event;
        if (yaml_parser_parse(&build->parser, &event) == 0) {
            return fail_parser(build);
        }
        lh_status status = take_event(build, &event);
        yaml_event_delete(&event);
        LH_TRY(status);
    }
    return lh_ok();
}

lh_status lh_yaml_parse(lh_slice text, struct lh_arena *arena, struct lh_yaml_node **out_documents,
                        struct lh_yaml_mistake *out_mistake)
{
    struct build build = {.arena = arena, .mistake = out_mistake};
    *out_mistake = (struct lh_yaml_mistake){.at = {1, 1}};
    if (text.len > LH_YAML_MAX_BYTES) {
        (void)fail(&build, (struct lh_yaml_mark){1, 1}, "larger than %zu bytes", LH_YAML_MAX_BYTES);
        return lh_status_of(LH_TOO_LARGE);
    }
    LH_ENSURE(yaml_parser_initialize(&build.parser) != 0, LH_NO_MEMORY);
    yaml_parser_set_encoding(&build.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&build.parser, text.len == 0 ? (const yaml_char_t *)"" : text.ptr,
                                 text.len);
    lh_status status = build_tree(&build);
    yaml_parser_delete(&build.parser);
    if (status.code == LH_TOO_LARGE && out_mistake->text[0] == '\0') {
        (void)fail(&build, (struct lh_yaml_mark){1, 1}, "holds more than can be kept");
    }
    LH_TRY(status);
    *out_documents = build.first_root;
    return lh_ok();
}

const struct lh_yaml_node *lh_yaml_find(const struct lh_yaml_node *map, lh_slice key)
{
    if (map->kind != LH_YAML_MAP) {
        return NULL;
    }
    const struct lh_yaml_node *child = map->first;
    while (child != NULL && !lh_slice_is_equal(child->key, key)) {
        child = child->next;
    }
    return child;
}
