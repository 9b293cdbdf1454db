/*
 * The fixture of the session room's tests.
 */
#include "session_fixture.h"

#include "keys/keys_share.h"

#define KEY_AGE_MS    UINT64_C(1000000000)
#define TENANT_MEMORY ((size_t)16 * 1024)
#define DEKS          2U

/* --- Stand-ins -------------------------------------------------------------------------------- */

static lh_status kms_unwrap(void *self, struct lh_crypto *crypto, const struct lh_wrap_scope *scope,
                            lh_slice blob, struct lh_key *out_key)
{
    (void)crypto;
    (void)scope;
    struct fake_kms *kms = self;
    kms->unwraps++;
    LH_ENSURE(kms->answer == LH_OK, kms->answer);
    memset(out_key->bytes, blob.ptr[0], sizeof(out_key->bytes));
    return lh_ok();
}

static void kms_close(void *self)
{
    (void)self;
}

static const struct lh_key_driver kms_driver = {
    .name = "fake", .traits = LH_KEYS_BLOCKS, .unwrap = kms_unwrap, .close = kms_close};

static lh_status remember(const struct lh_write_queue *queue, const struct lh_session_key *key,
                          struct lh_session_key *list, size_t *count)
{
    LH_ENSURE(!queue->is_full, LH_QUEUE_FULL);
    assert_true(*count < FIXTURE_QUEUE_MAX);
    list[(*count)++] = *key;
    return lh_ok();
}

lh_status lh_write_queue_touch(struct lh_write_queue *queue, const struct lh_session_key *key,
                               uint64_t touch_ms)
{
    LH_TRY(remember(queue, key, queue->touched, &queue->touches));
    queue->last_touch_ms = touch_ms;
    return lh_ok();
}

lh_status lh_write_queue_expire(struct lh_write_queue *queue, const struct lh_session_key *key,
                                uint64_t now_ms)
{
    (void)now_ms;
    return remember(queue, key, queue->expired, &queue->expiries);
}

lh_status lh_write_queue_end_grace(struct lh_write_queue *queue, const struct lh_session_key *key,
                                   uint64_t generation)
{
    queue->grace_generation = generation;
    return remember(queue, key, queue->graced, &queue->grace_ends);
}

lh_status lh_write_queue_quarantine(struct lh_write_queue *queue, const struct lh_session_key *key)
{
    return remember(queue, key, queue->set_aside, &queue->quarantines);
}

/* --- Building --------------------------------------------------------------------------------- */

static struct lh_tenant *new_tenant(uint8_t byte)
{
    struct lh_tenant *tenant;
    assert_ok(lh_tenant_new(TENANT_MEMORY, &tenant));
    memset(tenant->uid.bytes, byte, sizeof(tenant->uid.bytes));
    memset(tenant->index_key.bytes, byte + 1, sizeof(tenant->index_key.bytes));
    memset(tenant->bucket_key.bytes, byte + 2, sizeof(tenant->bucket_key.bytes));
    tenant->bucket_counts[0] = 8;
    tenant->bucket_counts_len = 1;
    tenant->epoch = 100;
    tenant->platform_epoch = 10;
    tenant->tier.idle_s = IDLE_S;
    tenant->tier.absolute_s = ABSOLUTE_S;
    tenant->tier.record_max_bytes = STATE_MAX_BYTES;
    tenant->active_dek = 1;
    void *deks;
    assert_ok(lh_arena_take(&tenant->arena, DEKS * sizeof(*tenant->deks), &deks));
    tenant->deks = deks;
    tenant->dek_count = DEKS;
    for (uint32_t i = 0; i < DEKS; i++) {
        uint8_t blob = (uint8_t)(byte + i);
        tenant->deks[i] = (struct lh_wrapped_dek){.id = i + 1, .state = LH_DEK_ACTIVE};
        assert_ok(lh_arena_dup(&tenant->arena, lh_slice_of(&blob, 1), &tenant->deks[i].blob));
    }
    return tenant;
}

static void make_vaults(struct fixture *fixture)
{
    struct lh_vault_parts parts = {.store = fixture->store,
                                   .queue = &fixture->queue,
                                   .crypto = fixture->crypto,
                                   .datakeys = fixture->datakeys,
                                   .clock = &fixture->fake.clock};
    assert_ok(lh_vault_new(&parts, &fixture->vault));
    parts.queue = NULL;
    assert_ok(lh_vault_new(&parts, &fixture->acts));
}

static void drop_vaults(struct fixture *fixture)
{
    lh_vault_free(fixture->vault);
    lh_vault_free(fixture->acts);
}

static void open_store(struct fixture *fixture)
{
    struct lh_store_options options = {.may_create = true, .host = &fixture->fake.host};
    assert_ok(lh_store_open("memory", &options, &fixture->store));
}

static void open_datakeys(struct fixture *fixture)
{
    struct lh_datakey_options options = {.entries_max = 8,
                                         .max_age_ms = KEY_AGE_MS,
                                         .refresh_after_ms = KEY_AGE_MS,
                                         .lock_policy = LH_LOCK_BEST_EFFORT};
    assert_ok(lh_datakey_cache_new(fixture->keys, fixture->crypto, &fixture->fake.clock,
                                   &fixture->fake.host, &options, &fixture->datakeys));
}

int fixture_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fake_host_init(&fixture->fake);
    fixture->fake.mode = FAKE_HOST_AT_ONCE;
    assert_ok(lh_crypto_new(&fixture->crypto));
    assert_ok(lh_keys_new(&kms_driver, &fixture->kms, &fixture->keys));
    open_store(fixture);
    open_datakeys(fixture);
    make_vaults(fixture);
    fixture->acme = new_tenant(0x10);
    fixture->globex = new_tenant(0x40);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    drop_vaults(fixture);
    lh_store_close(fixture->store);
    lh_datakey_cache_free(fixture->datakeys);
    lh_keys_close(fixture->keys);
    lh_crypto_free(fixture->crypto);
    lh_tenant_unref(fixture->acme);
    lh_tenant_unref(fixture->globex);
    free(fixture);
    return 0;
}

void fixture_renew_store(struct fixture *fixture)
{
    drop_vaults(fixture);
    lh_store_close(fixture->store);
    open_store(fixture);
    make_vaults(fixture);
}

void fixture_use_store(struct fixture *fixture, struct lh_store *store)
{
    drop_vaults(fixture);
    lh_store_close(fixture->store);
    fixture->store = store;
    make_vaults(fixture);
}

void fixture_renew_datakeys(struct fixture *fixture)
{
    drop_vaults(fixture);
    lh_datakey_cache_free(fixture->datakeys);
    open_datakeys(fixture);
    make_vaults(fixture);
}

/* --- Sessions --------------------------------------------------------------------------------- */

struct lh_session_spec spec_of_alice(void)
{
    struct lh_session_spec spec = {.principal = {.subject = LH_SLICE_LITERAL("alice")},
                                   .state = LH_SLICE_LITERAL("{\"cart\":[1,2]}"),
                                   .user_epoch = 5};
    spec.principal.roles.items[spec.principal.roles.count++] = LH_SLICE_LITERAL("admin");
    spec.principal.scopes.items[spec.principal.scopes.count++] = LH_SLICE_LITERAL("orders:read");
    spec.principal.groups.items[spec.principal.groups.count++] = LH_SLICE_LITERAL("staff");
    return spec;
}

void make_session(struct fixture *fixture, struct lh_tenant *tenant,
                  const struct lh_session_spec *spec, struct made_session *out_made)
{
    memset(out_made, 0, sizeof(*out_made));
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    assert_ok(lh_vault_create(fixture->acts, &op, tenant, spec, &out_made->handle,
                              &out_made->header, &evicted));
    const struct lh_handle *handle = &out_made->handle;
    out_made->key = (struct lh_session_key){handle->uid, handle->bucket, handle->lease};
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    assert_ok(lh_store_load(fixture->store, &op, &out_made->key, &scratch, &out_made->row));
    assert_ok(lh_buf_add(&out_made->record, out_made->row.record));
    out_made->row.record = LH_SLICE_EMPTY;
}

void made_session_fini(struct made_session *made)
{
    lh_buf_fini(&made->record);
}

void put_row(struct fixture *fixture, const struct lh_session_key *key,
             const struct lh_store_row *row, lh_slice record)
{
    fixture_renew_store(fixture);
    struct lh_store_row altered = *row;
    altered.record = record;
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_create(fixture->store, &op, key, &altered));
}

void seal_record(struct fixture *fixture, struct lh_tenant *tenant,
                 const struct lh_session_header *header, lh_slice principal, lh_slice state,
                 struct lh_buf *out)
{
    struct lh_op op = lh_op_idle(0, NULL);
    const struct lh_datakey *key;
    assert_ok(lh_datakey_cache_get(fixture->datakeys, &op, tenant, header->dek_id, &key));
    assert_ok(lh_session_header_write(header, out));
    LH_CLEANUP(lh_buf_fini) struct lh_buf fixed = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(header, &fixed));
    assert_ok(lh_envelope_seal(fixture->crypto, key, lh_buf_view(&fixed), principal, state, out));
}

lh_status load_only(struct fixture *fixture, const struct lh_handle *handle)
{
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    return lh_vault_load(fixture->vault, &op, handle, &loaded);
}

lh_status load_and_open(struct fixture *fixture, struct lh_tenant *tenant,
                        const struct lh_handle *handle)
{
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    LH_TRY(lh_vault_load(fixture->vault, &op, handle, &loaded));
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    LH_TRY(lh_vault_open(fixture->vault, &op, tenant, &loaded, &plain, &principal));
    LH_CLEANUP(lh_buf_fini) struct lh_buf opened = LH_BUF_EMPTY;
    lh_status status = lh_vault_open_state(fixture->vault, &op, tenant, &loaded, &opened);
    return status.code == LH_ABSENT && !loaded.header.has_state ? lh_ok() : status;
}
