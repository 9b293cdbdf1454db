/*
 * Issuers in policy files: iss → keys, audiences, and what binds its tokens to the tenant.
 */
#include "admin/policy_read.h"
#include "codec/quantity.h"
#include "token/token.h"

#include "base/banned.h"

#define MS_PER_S 1000U
/* One place is the tenant's own issuer's. */
#define OTHERS_MAX (LH_ISSUERS_MAX - 1U)

static struct lh_policy_issuer *issuer_of(void *object)
{
    return object;
}

static lh_status read_flag(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           void *object)
{
    bool is_yes = lh_slice_is_equal(node->text, LH_SLICE_LITERAL("true"));
    bool is_no = lh_slice_is_equal(node->text, LH_SLICE_LITERAL("false"));
    if (node->kind != LH_YAML_SCALAR || !(is_yes || is_no)) {
        lh_policy_complain(reader, node->at, "shared is true or false");
    }
    issuer_of(object)->issuer.is_shared = is_yes;
    return lh_ok();
}

static lh_status read_audiences(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                                void *object)
{
    struct lh_issuer *issuer = &issuer_of(object)->issuer;
    if (!lh_policy_is_list(reader, node, "audiences")) {
        return lh_ok();
    }
    void *memory;
    LH_TRY(lh_arena_take(&reader->policy->arena, (node->count + 1) * sizeof(lh_slice), &memory));
    issuer->audiences = memory;
    for (const struct lh_yaml_node *item = node->first; item != NULL; item = item->next) {
        if (lh_policy_is_text(reader, item, "an audience")) {
            issuer->audiences[issuer->audience_count++] = item->text;
        }
    }
    return lh_ok();
}

static lh_status read_claim(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            void *object)
{
    if (lh_policy_is_text(reader, node, "claim")) {
        issuer_of(object)->issuer.bind_claim = node->text;
    }
    return lh_ok();
}

static lh_status read_value(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            void *object)
{
    if (lh_policy_is_text(reader, node, "value")) {
        issuer_of(object)->issuer.bind_value = node->text;
    }
    return lh_ok();
}

static lh_status read_bound_by(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                               void *object)
{
    bool is_audience = lh_slice_is_equal(node->text, LH_SLICE_LITERAL("audience"));
    bool is_claim = lh_slice_is_equal(node->text, LH_SLICE_LITERAL("claim"));
    if (node->kind != LH_YAML_SCALAR || !(is_audience || is_claim)) {
        lh_policy_complain(reader, node->at, "bound_by is \"claim\" or \"audience\"");
    }
    issuer_of(object)->is_bound_by_audience = is_audience;
    return lh_ok();
}

static lh_status read_skew(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           void *object)
{
    uint64_t ms = 0;
    lh_status status = lh_quantity_parse(LH_QUANTITY_TIME, node->text, &ms);
    if (node->kind != LH_YAML_SCALAR || !lh_is_ok(status) || ms % MS_PER_S != 0 ||
        ms > LH_TOKEN_SKEW_MAX_S * MS_PER_S) {
        lh_policy_complain(reader, node->at, "skew is a time with its unit, from 0s to %us",
                           LH_TOKEN_SKEW_MAX_S);
        return lh_ok();
    }
    issuer_of(object)->issuer.skew_s = (uint32_t)(ms / MS_PER_S);
    return lh_ok();
}

static lh_status read_typ(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                          void *object)
{
    if (lh_policy_is_text(reader, node, "typ")) {
        issuer_of(object)->issuer.typ = node->text;
    }
    return lh_ok();
}

static lh_status read_algorithm(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                                void *object)
{
    if (node->kind != LH_YAML_SCALAR ||
        !lh_is_ok(lh_algorithm_parse(node->text, &issuer_of(object)->algorithm))) {
        lh_policy_complain(reader, node->at, "algorithm is RS256, PS256, ES256 or EdDSA");
    }
    return lh_ok();
}

static lh_status keep_jwks(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           bool is_file, struct lh_policy_issuer *issuer)
{
    if (issuer->jwks != NULL) {
        lh_policy_complain(reader, node->at, "keys are in jwks or in jwks_file, not in both");
    }
    issuer->jwks = node;
    issuer->is_jwks_file = is_file;
    return lh_ok();
}

static lh_status read_jwks(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           void *object)
{
    return keep_jwks(reader, node, false, object);
}

static lh_status read_jwks_file(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                                void *object)
{
    return lh_policy_is_text(reader, node, "jwks_file") ? keep_jwks(reader, node, true, object)
                                                        : lh_ok();
}

static const struct lh_policy_key issuer_keys[] = {
    {"shared", read_flag},       {"audiences", read_audiences},
    {"claim", read_claim},       {"value", read_value},
    {"bound_by", read_bound_by}, {"skew", read_skew},
    {"typ", read_typ},           {"algorithm", read_algorithm},
    {"jwks", read_jwks},         {"jwks_file", read_jwks_file},
};

/* --- The whole -------------------------------------------------------------------------------- */

static void settle_binding(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           struct lh_policy_issuer *issuer)
{
    if (!issuer->is_bound_by_audience) {
        if (issuer->issuer.bind_claim.len == 0) {
            issuer->issuer.bind_claim = LH_SLICE_LITERAL(LH_CLAIM_TENANT);
        }
        return;
    }
    if (issuer->issuer.bind_claim.len > 0 || issuer->issuer.bind_value.len > 0 ||
        issuer->issuer.audience_count == 0) {
        lh_policy_complain(reader, node->key_at,
                           "bound_by audience needs audiences, and neither claim nor value");
    }
}

static lh_status read_issuer(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                             struct lh_policy_issuer *issuer)
{
    size_t before = reader->mistakes;
    *issuer = (struct lh_policy_issuer){.place = {reader->document, node->key_at},
                                        .issuer = {.iss = node->key, .skew_s = 0}};
    if (!lh_policy_is_map(reader, node, "an issuer")) {
        return lh_ok();
    }
    LH_TRY(lh_policy_read_map(reader, node, issuer_keys,
                              sizeof(issuer_keys) / sizeof(issuer_keys[0]), issuer));
    settle_binding(reader, node, issuer);
    if (issuer->jwks == NULL) {
        lh_policy_complain(reader, node->key_at, "an issuer has keys: jwks or jwks_file");
        return lh_ok();
    }
    LH_TRY(lh_policy_import_jwks(reader, issuer));
    if (reader->mistakes == before && !lh_is_ok(lh_issuer_check(&issuer->issuer))) {
        lh_policy_complain(reader, node->key_at,
                           "a name of this issuer is empty, longer than %u bytes or holds control "
                           "characters, or an audience is there twice or among more than %u",
                           LH_ISSUER_TEXT_MAX_BYTES, LH_ISSUER_AUDIENCES_MAX);
    }
    return lh_ok();
}

lh_status lh_policy_read_issuers(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                                 void *object)
{
    struct lh_policy_tenant *tenant = object;
    if (!lh_policy_is_map(reader, node, "\"issuers\", each under its iss,")) {
        return lh_ok();
    }
    if (node->count > OTHERS_MAX) {
        lh_policy_complain(reader, node->at, "more than %u issuers", OTHERS_MAX);
        return lh_ok();
    }
    void *memory;
    LH_TRY(lh_arena_take(&reader->policy->arena,
                         (node->count + 1) * sizeof(struct lh_policy_issuer), &memory));
    tenant->has_issuers = true;
    tenant->issuers = memory;
    for (const struct lh_yaml_node *child = node->first; child != NULL; child = child->next) {
        LH_TRY(read_issuer(reader, child, &tenant->issuers[tenant->issuer_count]));
        tenant->issuer_count++;
    }
    return lh_ok();
}

/* --- Files ------------------------------------------------------------------------------------ */

struct file_search {
    lh_slice document;
    lh_admin_file_fn each;
    void *context;
};

static lh_status tell_file(const struct file_search *search, const struct lh_yaml_node *issuer)
{
    const struct lh_yaml_node *file =
        issuer->kind != LH_YAML_MAP ? NULL : lh_yaml_find(issuer, LH_SLICE_LITERAL("jwks_file"));
    if (file == NULL || file->kind != LH_YAML_SCALAR || file->text.len == 0) {
        return lh_ok();
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf path = LH_BUF_EMPTY;
    LH_TRY(lh_policy_write_path(search->document, file->text, &path));
    search->each(search->context, lh_buf_view(&path));
    return lh_ok();
}

static lh_status search_tenants(const struct file_search *search, const struct lh_yaml_node *root)
{
    const struct lh_yaml_node *tenants =
        root->kind != LH_YAML_MAP ? NULL : lh_yaml_find(root, LH_SLICE_LITERAL("tenants"));
    const struct lh_yaml_node *tenant = tenants == NULL ? NULL : tenants->first;
    for (; tenant != NULL; tenant = tenant->next) {
        const struct lh_yaml_node *issuers =
            tenant->kind != LH_YAML_MAP ? NULL : lh_yaml_find(tenant, LH_SLICE_LITERAL("issuers"));
        const struct lh_yaml_node *issuer = issuers == NULL ? NULL : issuers->first;
        for (; issuer != NULL; issuer = issuer->next) {
            LH_TRY(tell_file(search, issuer));
        }
    }
    return lh_ok();
}

static lh_status search_document(const struct lh_admin_document *document,
                                 const struct file_search *search, struct lh_arena *arena)
{
    struct lh_yaml_node *roots = NULL;
    struct lh_yaml_mistake mistake;
    lh_status status = lh_yaml_parse(document->text, arena, &roots, &mistake);
    if (status.code == LH_MALFORMED || status.code == LH_TOO_LARGE) {
        return lh_ok();
    }
    LH_TRY(status);
    for (const struct lh_yaml_node *root = roots; root != NULL; root = root->next) {
        LH_TRY(search_tenants(search, root));
    }
    return lh_ok();
}

lh_status lh_admin_policy_files(const struct lh_admin_document *document, lh_admin_file_fn each,
                                void *context)
{
    const struct file_search search = {document->name, each, context};
    struct lh_arena arena = lh_arena_bounded(LH_YAML_TREE_MAX_BYTES);
    lh_status status = search_document(document, &search, &arena);
    lh_arena_fini(&arena);
    return status;
}
