/*
 * Keys of request signatures in policy files: key id → the public half, and whom it speaks for.
 * Ed25519 alone: a file that lies in a repository is no place for a secret.
 */
#include "admin/policy_read.h"
#include "token/jwk.h"

#include "base/banned.h"

static struct lh_policy_signature_key *key_of(void *object)
{
    return object;
}

/* --- Keys of a key ---------------------------------------------------------------------------- */

static lh_status read_jwk(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                          void *object)
{
    (void)reader;
    key_of(object)->jwk = node;
    return lh_ok();
}

static lh_status read_subject(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                              void *object)
{
    if (node->kind != LH_YAML_SCALAR || !lh_text_is_token(node->text)) {
        lh_policy_complain(reader, node->at,
                           "a subject is 1 to %u printable ASCII characters without space, comma, "
                           "quote or backslash",
                           LH_TEXT_MAX_BYTES);
        return lh_ok();
    }
    key_of(object)->key.subject = node->text;
    return lh_ok();
}

static lh_status read_texts(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            const char *what, lh_policy_element_fn read_element,
                            struct lh_text_list *out_list)
{
    struct lh_admin_texts texts = {NULL, 0};
    LH_TRY(lh_policy_read_list(reader, node, what, read_element, &texts));
    if (texts.count > LH_TEXT_LIST_MAX) {
        lh_policy_complain(reader, node->at, "more than %u entries", LH_TEXT_LIST_MAX);
        return lh_ok();
    }
    for (size_t i = 0; i < texts.count; i++) {
        out_list->items[i] = texts.items[i];
    }
    out_list->count = texts.count;
    return lh_ok();
}

static lh_status read_roles(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            void *object)
{
    struct lh_policy_signature_key *key = object;
    LH_TRY(read_texts(reader, node, "a role", lh_policy_read_role, &key->roles));
    key->key.roles = key->roles.items;
    key->key.role_count = key->roles.count;
    return lh_ok();
}

static lh_status read_scopes(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                             void *object)
{
    struct lh_policy_signature_key *key = object;
    LH_TRY(read_texts(reader, node, "a scope", lh_policy_read_scope, &key->scopes));
    key->key.scopes = key->scopes.items;
    key->key.scope_count = key->scopes.count;
    return lh_ok();
}

static const struct lh_policy_key key_keys[] = {
    {"jwk", read_jwk},
    {"subject", read_subject},
    {"roles", read_roles},
    {"scopes", read_scopes},
};

/* --- The public half -------------------------------------------------------------------------- */

/* A kid that the JWK has is the id under which it is written; without one it is the thumbprint. */
static lh_status check_kid(struct lh_policy_reader *reader,
                           const struct lh_policy_signature_key *key,
                           const struct lh_verify_key *imported)
{
    char thumbprint[LH_JWK_THUMBPRINT_TEXT_BYTES];
    LH_TRY(lh_jwk_thumbprint(reader->admin->parts.crypto, imported, thumbprint));
    if (!lh_slice_is_equal(imported->kid, key->key.key_id) &&
        !lh_slice_is_equal(imported->kid, LH_SLICE_OF(thumbprint))) {
        lh_policy_complain(reader, key->jwk->at, "the key's kid is another than its name here");
    }
    return lh_ok();
}

static lh_status import(struct lh_policy_reader *reader, struct lh_policy_signature_key *key)
{
    struct lh_verify_key imported = {.algorithm = 0};
    LH_TRY(lh_policy_import_jwk(reader, key->jwk, &imported));
    if (imported.material.len == 0) {
        return lh_ok(); /* told */
    }
    if (imported.algorithm != LH_EDDSA) {
        lh_policy_complain(reader, key->jwk->at, "a signature key is an Ed25519 key");
        return lh_ok();
    }
    key->key.algorithm = LH_HTTP_ED25519;
    key->key.material = imported.material;
    return check_kid(reader, key, &imported);
}

/* --- The whole -------------------------------------------------------------------------------- */

static lh_status read_key(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                          struct lh_policy_signature_key *key)
{
    *key = (struct lh_policy_signature_key){.place = {reader->document, node->key_at},
                                            .key = {.key_id = node->key, .subject = node->key}};
    if (!lh_signature_key_id_is_valid(node->key) || !lh_text_is_token(node->key)) {
        lh_policy_complain(reader, node->key_at,
                           "a key's id is 1 to %u printable ASCII characters without space, comma, "
                           "quote or backslash",
                           LH_SIGNATURE_KEY_ID_MAX_BYTES);
    }
    if (!lh_policy_is_map(reader, node, "a signature key")) {
        return lh_ok();
    }
    LH_TRY(lh_policy_read_map(reader, node, key_keys, sizeof(key_keys) / sizeof(key_keys[0]), key));
    if (key->jwk == NULL) {
        lh_policy_complain(reader, node->key_at, "a signature key has its public half: jwk");
        return lh_ok();
    }
    return import(reader, key);
}

lh_status lh_policy_read_signature_keys(struct lh_policy_reader *reader,
                                        const struct lh_yaml_node *node, void *object)
{
    struct lh_policy_tenant *tenant = object;
    if (!lh_policy_is_map(reader, node, "\"signature_keys\", each under its id,")) {
        return lh_ok();
    }
    if (node->count > LH_SIGNATURE_KEYS_MAX) {
        lh_policy_complain(reader, node->at, "more than %u signature keys", LH_SIGNATURE_KEYS_MAX);
        return lh_ok();
    }
    void *memory;
    LH_TRY(lh_arena_take(&reader->policy->arena,
                         (node->count + 1) * sizeof(struct lh_policy_signature_key), &memory));
    tenant->has_signature_keys = true;
    tenant->signature_keys = memory;
    for (const struct lh_yaml_node *child = node->first; child != NULL; child = child->next) {
        LH_TRY(read_key(reader, child, &tenant->signature_keys[tenant->signature_key_count]));
        tenant->signature_key_count++;
    }
    return lh_ok();
}
