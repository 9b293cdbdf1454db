/*
 * A whole installation in a scratch directory, and requests to it.
 */
#include "gate_fixture.h"

#include "store/drivers/drivers.h"

#include <sys/stat.h>

/* --- Making ----------------------------------------------------------------------------------- */

static const struct lh_siphash_key hash_key = {"hash key of test"};

static void make_dir(const struct installation *all, const char *name)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&all->dir, name, path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_keys(struct installation *all)
{
    make_dir(all, "keyring");
    make_dir(all, "keyring/tenants");
    char path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&all->dir, "keyring", path);
    struct lh_key_options options = {.path = path, .may_create = true, .host = &all->host.host};
    assert_ok(lh_keys_open("keyring_file", &options, all->crypto, &all->keys));
    struct lh_key secret = {"secret of the cell under test .."};
    assert_ok(lh_cell_new(all->crypto, 1, &secret, LH_LOCK_BEST_EFFORT, 16, &all->cell));
}

void rotate_node_key(struct installation *all, struct lh_node_kid *out_kid)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&all->dir, "node", path);
    char jwks[SCRATCH_PATH_BYTES];
    scratch_dir_path(&all->dir, "jwks.json", jwks);
    const struct lh_node_key_place place = {path, jwks, 0600};
    assert_ok(lh_node_key_create(all->crypto, &place, LH_SLICE_LITERAL("testnode"),
                                 lh_clock_now_ms(&all->host.clock), out_kid));
}

static void make_node_keys(struct installation *all)
{
    make_dir(all, "node");
    struct lh_node_kid kid;
    rotate_node_key(all, &kid);
    char path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&all->dir, "node", path);
    assert_ok(lh_node_keys_open(all->crypto, path, &all->node_keys));
}

static void make_registry(struct installation *all)
{
    make_dir(all, "registry");
    make_dir(all, "run");
    char path[SCRATCH_PATH_BYTES], counters[SCRATCH_PATH_BYTES];
    scratch_dir_path(&all->dir, "registry", path);
    scratch_dir_path(&all->dir, "run/changes", counters);
    struct lh_registry_options options = {
        .path = path, .counters_path = counters, .map_bytes = 16U << 20, .host = &all->host.host};
    struct lh_registry_founding founding = {.home_id = {1},
                                            .counters_id = {2},
                                            .platform_epoch = 1,
                                            .wrapped_cell = LH_SLICE_LITERAL("unused here")};
    assert_ok(lh_registry_create(&options, &founding));
    assert_ok(lh_registry_open(&options, &all->registry));
}

static void make_store(struct installation *all)
{
    struct lh_store_options options = {.host = &all->host.host};
    assert_ok(lh_store_open("memory", &options, &all->store));
}

/* --- What a worker has in memory -------------------------------------------------------------- */

struct lh_gate_parts installation_parts(const struct installation *all)
{
    return (struct lh_gate_parts){.registry = all->registry,
                                  .directory = all->directory,
                                  .vault = all->vault,
                                  .session_cache = all->session_cache,
                                  .context_cache = all->context_cache,
                                  .key_cache = all->key_cache,
                                  .verified_cache = all->verified_cache,
                                  .token_max_bytes = 8192,
                                  .cell = all->cell,
                                  .node_keys = all->node_keys,
                                  .datakeys = all->datakeys,
                                  .secret_cache = all->secret_cache,
                                  .nonces = all->nonces,
                                  .limits = all->limits,
                                  .crypto = all->crypto,
                                  .clock = &all->host.clock,
                                  .host = &all->host.host};
}

static void start_worker(struct installation *all)
{
    assert_ok(lh_directory_new(lh_registry_source(all->registry), 16, &hash_key, &all->directory));
    struct lh_datakey_options datakey_options = {.entries_max = 16,
                                                 .max_age_ms = 3600 * 1000,
                                                 .refresh_after_ms = 1800 * 1000,
                                                 .lock_policy = LH_LOCK_BEST_EFFORT,
                                                 .hash_key = hash_key};
    assert_ok(lh_datakey_cache_new(all->keys, all->crypto, &all->host.clock, &all->host.host,
                                   &datakey_options, &all->datakeys));
    struct lh_vault_parts vault_parts = {.store = all->store,
                                         .crypto = all->crypto,
                                         .datakeys = all->datakeys,
                                         .clock = &all->host.clock};
    assert_ok(lh_vault_new(&vault_parts, &all->vault));
    struct lh_session_cache_options cache_options = {.entries_max = 64, .hash_key = hash_key};
    assert_ok(lh_session_cache_new(&cache_options, &all->session_cache));
    struct lh_context_cache_options context_options = {.entries_max = 64, .hash_key = hash_key};
    assert_ok(lh_context_cache_new(&context_options, &all->context_cache));
    struct lh_key_cache_options key_options = {
        .crypto = all->crypto, .keys_max = 16, .hash_key = hash_key};
    assert_ok(lh_key_cache_new(&key_options, &all->key_cache));
    struct lh_secret_cache_options secret_options = {
        .crypto = all->crypto, .secrets_max = 16, .hash_key = hash_key};
    assert_ok(lh_secret_cache_new(&secret_options, &all->secret_cache));
    struct lh_verified_cache_options token_options = {
        .tokens_max = 64, .refusals_max = 64, .hash_key = hash_key};
    assert_ok(lh_verified_cache_new(&token_options, &all->verified_cache));
    struct lh_gate_parts parts = installation_parts(all);
    assert_ok(lh_gate_new(&parts, &all->gate));
}

static void stop_worker(struct installation *all)
{
    lh_gate_free(all->gate);
    lh_session_cache_free(all->session_cache);
    lh_context_cache_free(all->context_cache);
    lh_verified_cache_free(all->verified_cache);
    lh_key_cache_free(all->key_cache);
    lh_secret_cache_free(all->secret_cache);
    lh_vault_free(all->vault);
    lh_datakey_cache_free(all->datakeys);
    lh_directory_free(all->directory);
}

void installation_restart_worker(struct installation *all)
{
    stop_worker(all);
    start_worker(all);
}

static void set_tier_rate(struct installation *all, struct lh_rate rate)
{
    struct lh_registry_txn *txn;
    struct lh_tier tier;
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_get_tier(txn, LH_SLICE_LITERAL("premium"), &tier));
    tier.requests_per_s = rate.per_s;
    tier.requests_burst = rate.burst;
    assert_ok(lh_registry_put_tier(txn, &tier));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
}

void installation_limit(struct installation *all, const struct lh_limits_rates *rates,
                        struct lh_rate tenants)
{
    assert_null(all->shared);
    all->shared = aligned_alloc(64, LH_LIMITS_LEAST_BYTES);
    assert_non_null(all->shared);
    memset(all->shared, 0, LH_LIMITS_LEAST_BYTES);
    assert_ok(lh_limits_format(all->shared, LH_LIMITS_LEAST_BYTES, LH_COUNTER_SLOTS, all->crypto));
    assert_ok(lh_limits_new(all->shared, LH_LIMITS_LEAST_BYTES, rates, &all->limits));
    set_tier_rate(all, tenants);
    installation_restart_worker(all);
}

/* --- Tenants ---------------------------------------------------------------------------------- */

static void copy_text(struct lh_tenant *tenant, const char *text, lh_slice *out_copy)
{
    assert_ok(lh_arena_dup(&tenant->arena, lh_slice_from_text(text), out_copy));
}

static void give_name(struct lh_registry_txn *txn, enum lh_name_kind kind, lh_slice name,
                      const struct lh_tenant *tenant)
{
    assert_ok(lh_registry_claim_name(txn, kind, name, &tenant->uid, 1, false));
}

static void give_key(struct installation *all, struct lh_registry_txn *txn,
                     const struct lh_tenant_uid *uid, uint32_t id)
{
    struct lh_buf blob = LH_BUF_EMPTY;
    struct lh_wrap_scope scope = {LH_WRAP_DEK, *uid, id};
    assert_ok(lh_keys_generate(all->keys, all->crypto, &scope, &blob));
    struct lh_wrapped_dek dek = {
        .id = id, .state = LH_DEK_ACTIVE, .created_ms = 1, .blob = lh_buf_view(&blob)};
    assert_ok(lh_registry_put_dek(txn, uid, &dek));
    lh_buf_fini(&blob);
}

static void give_role(struct lh_tenant *tenant)
{
    void *memory;
    assert_ok(lh_arena_take(&tenant->arena, sizeof(struct lh_role), &memory));
    tenant->roles = memory;
    tenant->role_count = 1;
    copy_text(tenant, "admin", &tenant->roles[0].name);
    assert_ok(lh_arena_take(&tenant->arena, 2 * sizeof(lh_slice), &memory));
    tenant->roles[0].scopes = memory;
    tenant->roles[0].scope_count = 2;
    copy_text(tenant, "write", &tenant->roles[0].scopes[0]);
    copy_text(tenant, "read", &tenant->roles[0].scopes[1]);
}

static void give_text(struct lh_tenant *tenant, const char *text, lh_slice **list, size_t *count)
{
    if (text == NULL) {
        return;
    }
    void *memory;
    assert_ok(lh_arena_take(&tenant->arena, sizeof(lh_slice), &memory));
    *list = memory;
    *count = 1;
    copy_text(tenant, text, *list);
}

static void fill_tenant(struct lh_tenant *tenant, const char *id, const char *alias,
                        const char *domain)
{
    assert_ok(lh_tenant_id_parse_new(lh_slice_from_text(id), &tenant->id));
    tenant->state = LH_TENANT_ACTIVE;
    tenant->epoch = 1;
    tenant->bucket_counts[0] = 1;
    tenant->bucket_counts_len = 1;
    tenant->active_dek = 1;
    tenant->created_ms = 1;
    memset(&tenant->bucket_key, id[0], sizeof(tenant->bucket_key));
    memset(&tenant->index_key, id[1], sizeof(tenant->index_key));
    size_t tier_count;
    const struct lh_tier *tiers = lh_tier_defaults(&tier_count);
    tenant->tier = tiers[tier_count - 1];
    give_role(tenant);
    give_text(tenant, alias, &tenant->aliases, &tenant->alias_count);
    give_text(tenant, domain, &tenant->domains, &tenant->domain_count);
}

static struct lh_tenant_uid found_tenant(struct installation *all, const char *id,
                                         const char *alias, const char *domain)
{
    struct lh_tenant *tenant;
    struct lh_registry_txn *txn;
    assert_ok(lh_tenant_new(1U << 16, &tenant));
    memset(&tenant->uid, id[0], sizeof(tenant->uid));
    fill_tenant(tenant, id, alias, domain);
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_mark(txn, LH_COUNTER_PLATFORM_SLOT));
    give_name(txn, LH_NAME_TENANT, lh_slice_from_text(id), tenant);
    if (alias != NULL) {
        give_name(txn, LH_NAME_TENANT, lh_slice_from_text(alias), tenant);
    }
    if (domain != NULL) {
        give_name(txn, LH_NAME_DOMAIN, lh_slice_from_text(domain), tenant);
    }
    assert_ok(lh_registry_put_tenant(txn, tenant));
    assert_ok(lh_keys_create_tenant(all->keys, all->crypto, &tenant->uid));
    give_key(all, txn, &tenant->uid, 1);
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    struct lh_tenant_uid uid = tenant->uid;
    lh_tenant_unref(tenant);
    return uid;
}

void change_tenant(struct installation *all, const struct lh_tenant_uid *uid,
                   void (*change)(struct lh_registry_txn *txn, struct lh_tenant *tenant))
{
    struct lh_registry_txn *txn;
    struct lh_tenant *tenant;
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_get_tenant(txn, uid, &tenant));
    assert_ok(lh_registry_mark(txn, tenant->slot));
    change(txn, tenant);
    assert_ok(lh_registry_put_tenant(txn, tenant));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    lh_tenant_unref(tenant);
}

struct lh_registry_txn *rotate_key_slowly(struct installation *all, const struct lh_tenant_uid *uid,
                                          void (*begun)(void *context), void *context)
{
    struct lh_registry_txn *txn;
    struct lh_tenant *tenant;
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_get_tenant(txn, uid, &tenant));
    assert_ok(lh_registry_mark(txn, tenant->slot));
    if (begun != NULL) {
        begun(context);
    }
    struct lh_wrapped_dek old = *lh_tenant_find_dek(tenant, tenant->active_dek);
    old.state = LH_DEK_DECRYPT_ONLY;
    old.retire_ms = UINT64_MAX >> 1;
    assert_ok(lh_registry_put_dek(txn, uid, &old));
    give_key(all, txn, uid, old.id + 1);
    tenant->active_dek = old.id + 1;
    assert_ok(lh_registry_put_tenant(txn, tenant));
    assert_ok(lh_registry_commit(txn));
    lh_tenant_unref(tenant);
    return txn;
}

void rotate_key(struct installation *all, const struct lh_tenant_uid *uid)
{
    struct lh_registry_txn *txn = rotate_key_slowly(all, uid, NULL, NULL);
    lh_registry_end(&txn);
}

int installation_setup(void **state)
{
    struct installation *all = calloc(1, sizeof(*all));
    assert_non_null(all);
    scratch_dir_init(&all->dir);
    fake_host_init(&all->host);
    all->host.mode = FAKE_HOST_AT_ONCE;
    assert_ok(lh_crypto_new(&all->crypto));
    make_keys(all);
    make_node_keys(all);
    make_registry(all);
    make_store(all);
    all->acme = found_tenant(all, "acme", "acme-old", "shop.acme.test");
    all->globex = found_tenant(all, "globex", NULL, "globex.test");
    start_worker(all);
    *state = all;
    return 0;
}

int installation_teardown(void **state)
{
    struct installation *all = *state;
    stop_worker(all);
    lh_limits_free(all->limits);
    free(all->shared);
    lh_store_close(all->store);
    lh_registry_close(all->registry);
    lh_node_keys_close(all->node_keys);
    lh_cell_free(all->cell);
    lh_keys_close(all->keys);
    lh_crypto_free(all->crypto);
    scratch_dir_fini(&all->dir);
    free(all);
    return 0;
}

/* --- Sessions --------------------------------------------------------------------------------- */

static void split(const char *text, struct lh_text_list *out_list)
{
    lh_slice rest = lh_slice_from_text(text == NULL ? "" : text);
    out_list->count = 0;
    while (rest.len > 0) {
        size_t end = lh_slice_find(rest, ' ');
        out_list->items[out_list->count++] = lh_slice_cut(rest, 0, end);
        rest = lh_slice_cut(rest, end + 1, rest.len);
    }
}

static struct lh_tenant *snapshot(struct installation *all, const struct lh_tenant_uid *uid)
{
    struct lh_tenant *tenant;
    assert_ok(
        lh_directory_find_uid(all->directory, uid, lh_clock_now_ms(&all->host.clock), &tenant));
    return tenant;
}

struct visitor sign_in(struct installation *all, const struct lh_tenant_uid *uid,
                       const struct visit *visit)
{
    struct lh_session_spec spec = {.idle_s = visit->idle_s, .absolute_s = visit->absolute_s};
    spec.principal.subject = lh_slice_from_text(visit->subject == NULL ? "" : visit->subject);
    split(visit->roles, &spec.principal.roles);
    split(visit->scopes, &spec.principal.scopes);
    spec.state = lh_slice_from_text(visit->state == NULL ? "" : visit->state);
    struct lh_tenant *tenant = snapshot(all, uid);
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    struct lh_handle handle;
    struct lh_session_header header;
    assert_ok(lh_vault_create(all->vault, &op, tenant, &spec, &handle, &header, &evicted));
    struct visitor visitor = {.key = {*uid, header.bucket, header.lease},
                              .absolute_end_ms = header.absolute_end_ms,
                              .user_tag = header.user_tag};
    assert_ok(lh_handle_write(all->cell, &handle, visitor.cookie));
    lh_cookie_suffixed_name(uid, visitor.suffixed_name);
    lh_handle_fini(&handle);
    lh_tenant_unref(tenant);
    return visitor;
}

struct visitor sign_in_alice(struct installation *all, const struct lh_tenant_uid *tenant)
{
    return sign_in(all, tenant,
                   &(struct visit){.subject = "alice", .roles = "admin", .scopes = "read"});
}

static struct lh_registry_txn *begin_marked(struct installation *all,
                                            const struct lh_tenant_uid *uid)
{
    struct lh_registry_txn *txn;
    struct lh_tenant *tenant = snapshot(all, uid);
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_mark(txn, tenant->slot));
    lh_tenant_unref(tenant);
    return txn;
}

void revoke_in_registry(struct installation *all, const struct visitor *visitor)
{
    struct lh_registry_txn *txn = begin_marked(all, &visitor->key.uid);
    struct lh_revocation revocation = {.is_revoked = true};
    assert_ok(lh_registry_put_revocation(txn, &visitor->key.uid, &visitor->key.lease, &revocation,
                                         visitor->absolute_end_ms));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
}

void revoke_in_store(struct installation *all, const struct visitor *visitor)
{
    struct lh_registry_txn *txn = begin_marked(all, &visitor->key.uid);
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_vault_revoke(all->vault, &op, &visitor->key, visitor->absolute_end_ms));
    lh_registry_end(&txn);
}

void log_out_user(struct installation *all, const struct visitor *visitor)
{
    struct lh_registry_txn *txn = begin_marked(all, &visitor->key.uid);
    uint64_t epoch;
    assert_ok(lh_registry_raise_user_epoch(txn, &visitor->key.uid, &visitor->user_tag,
                                           lh_clock_now_ms(&all->host.clock),
                                           visitor->absolute_end_ms, &epoch));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
}
