/*
 * Public keys in policy files, of issuers and of signatures: written in place, as YAML or as the
 * JSON that others publish, or in a file beside. Whatever way, the import decides what is a key.
 */
#include "admin/policy_read.h"
#include "codec/json.h"
#include "token/jwk.h"

#include "base/banned.h"

/* --- YAML to JSON ----------------------------------------------------------------------------- */

/* Members of a JWK that we read are texts, or lists of them (key_ops). */
static lh_status add_member(struct lh_policy_reader *reader, const struct lh_yaml_node *member,
                            struct lh_buf *out)
{
    LH_TRY(lh_json_add_string(out, member->key));
    LH_TRY(lh_buf_add_u8(out, ':'));
    if (member->kind == LH_YAML_SCALAR) {
        return lh_json_add_string(out, member->text);
    }
    if (member->kind == LH_YAML_MAP) {
        lh_policy_complain(reader, member->at, "a member of a key is a text or a list of texts");
        return lh_buf_add_text(out, "null");
    }
    LH_TRY(lh_buf_add_u8(out, '['));
    for (const struct lh_yaml_node *item = member->first; item != NULL; item = item->next) {
        LH_TRY(lh_buf_add_text(out, item == member->first ? "" : ","));
        LH_TRY(lh_json_add_string(out, item->text));
    }
    return lh_buf_add_u8(out, ']');
}

static lh_status add_key(struct lh_policy_reader *reader, const struct lh_yaml_node *key,
                         struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, '{'));
    if (lh_policy_is_map(reader, key, "a key")) {
        for (const struct lh_yaml_node *member = key->first; member != NULL;
             member = member->next) {
            LH_TRY(lh_buf_add_text(out, member == key->first ? "" : ","));
            LH_TRY(add_member(reader, member, out));
        }
    }
    return lh_buf_add_u8(out, '}');
}

static const struct lh_yaml_node *keys_of(const struct lh_yaml_node *jwks)
{
    return jwks->kind == LH_YAML_MAP ? lh_yaml_find(jwks, LH_SLICE_LITERAL("keys")) : NULL;
}

static lh_status write_set(struct lh_policy_reader *reader, const struct lh_yaml_node *jwks,
                           struct lh_buf *out)
{
    const struct lh_yaml_node *keys = keys_of(jwks);
    if (keys == NULL || keys->kind != LH_YAML_LIST) {
        lh_policy_complain(reader, jwks->at, "a JWK set is a map with the list \"keys\"");
        return lh_ok();
    }
    LH_TRY(lh_buf_add_text(out, "{\"keys\":["));
    for (const struct lh_yaml_node *key = keys->first; key != NULL; key = key->next) {
        LH_TRY(lh_buf_add_text(out, key == keys->first ? "" : ","));
        LH_TRY(add_key(reader, key, out));
    }
    return lh_buf_add_text(out, "]}");
}

/* --- Files ------------------------------------------------------------------------------------ */

lh_status lh_policy_write_path(lh_slice document, lh_slice name, struct lh_buf *out)
{
    size_t dir_len = 0;
    for (size_t i = 0; i < document.len; i++) {
        dir_len = document.ptr[i] == '/' ? i + 1 : dir_len;
    }
    bool is_absolute = name.len > 0 && name.ptr[0] == '/';
    LH_TRY(lh_buf_add(out, lh_slice_cut(document, 0, is_absolute ? 0 : dir_len)));
    return lh_buf_add(out, name);
}

static lh_status read_file(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           struct lh_buf *out)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf path = LH_BUF_EMPTY;
    LH_TRY(lh_policy_write_path(reader->document, node->text, &path));
    for (size_t i = 0; i < reader->options->file_count; i++) {
        if (lh_slice_is_equal(reader->options->files[i].name, lh_buf_view(&path))) {
            return lh_buf_add(out, reader->options->files[i].text);
        }
    }
    lh_policy_complain(reader, node->at, "%.*s cannot be read",
                       (int)(path.len > 128 ? 128 : path.len), (const char *)path.ptr);
    return lh_ok();
}

/* --- Import ----------------------------------------------------------------------------------- */

/* Where the key of that index stands; the whole, where it is a text or a file. */
static struct lh_yaml_mark place_of(const struct lh_policy_issuer *issuer, size_t index)
{
    const struct lh_yaml_node *keys = keys_of(issuer->jwks);
    const struct lh_yaml_node *key = keys == NULL ? NULL : keys->first;
    for (size_t i = 0; i < index && key != NULL; i++) {
        key = key->next;
    }
    return key == NULL ? issuer->jwks->at : key->at;
}

static void complain_import(struct lh_policy_reader *reader, const struct lh_policy_issuer *issuer,
                            lh_status status, const struct lh_jwk_fault *fault)
{
    if (status.code == LH_ABSENT) {
        lh_policy_complain(reader, issuer->jwks->at,
                           "no key of the set is one that we verify with");
        return;
    }
    lh_policy_complain(reader, place_of(issuer, fault->index), "key %zu: %s", fault->index + 1,
                       fault->what != NULL ? fault->what : lh_status_text(status));
}

static lh_status write_text(struct lh_policy_reader *reader, const struct lh_policy_issuer *issuer,
                            struct lh_buf *text)
{
    const struct lh_yaml_node *node = issuer->jwks;
    if (issuer->is_jwks_file) {
        return read_file(reader, node, text);
    }
    return node->kind == LH_YAML_SCALAR ? lh_buf_add(text, node->text)
                                        : write_set(reader, node, text);
}

static struct lh_jwk_import import_into(struct lh_policy_reader *reader,
                                        enum lh_algorithm algorithm)
{
    return (struct lh_jwk_import){.crypto = reader->admin->parts.crypto,
                                  .arena = &reader->policy->arena,
                                  .algorithm = algorithm};
}

lh_status lh_policy_import_jwks(struct lh_policy_reader *reader, struct lh_policy_issuer *issuer)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    size_t before = reader->mistakes;
    lh_status status = write_text(reader, issuer, &text);
    if (status.code == LH_MALFORMED) {
        lh_policy_complain(reader, issuer->jwks->at, "a key holds a text that is not UTF-8");
        return lh_ok();
    }
    LH_TRY(status);
    if (reader->mistakes > before) {
        return lh_ok();
    }
    const struct lh_jwk_import import = import_into(reader, issuer->algorithm);
    struct lh_jwk_fault fault = {.what = NULL};
    status = lh_jwks_import(&import, lh_buf_view(&text), &issuer->issuer.keys,
                            &issuer->issuer.key_count, &fault);
    enum lh_class class = lh_status_class(status);
    if (class == LH_CLASS_DENY) {
        complain_import(reader, issuer, status, &fault);
        return lh_ok();
    }
    return status;
}

lh_status lh_policy_import_jwk(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                               struct lh_verify_key *out_key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    size_t before = reader->mistakes;
    lh_status status =
        node->kind == LH_YAML_SCALAR ? lh_buf_add(&text, node->text) : add_key(reader, node, &text);
    if (status.code == LH_MALFORMED) {
        lh_policy_complain(reader, node->at, "the key holds a text that is not UTF-8");
        return lh_ok();
    }
    LH_TRY(status);
    if (reader->mistakes > before) {
        return lh_ok();
    }
    const struct lh_jwk_import import = import_into(reader, 0);
    struct lh_jwk_fault fault = {.what = NULL};
    status = lh_jwk_import(&import, lh_buf_view(&text), out_key, &fault);
    if (lh_status_class(status) == LH_CLASS_DENY) {
        lh_policy_complain(reader, node->at, "%s",
                           fault.what != NULL ? fault.what : lh_status_text(status));
        return lh_ok();
    }
    return status;
}
