/*
 * Loading, judging, opening and ending sessions. Each step refuses for a reason of its own; none
 * of them changes a record other than the one that was asked for.
 */
#include "session/session_vault.h"

#include "base/bug.h"
#include "session/vault_parts.h"

#include "base/banned.h"

#define MS_PER_S 1000U
/* A session is touched at most this often, whatever its idle time. */
#define TOUCH_MAX_MS 60000U
/* Of the idle time: how stale a last touch may be, so that no session ends early by much. */
#define TOUCH_SHARE 10U

static void drop_vault(struct lh_vault **vault)
{
    lh_vault_free(*vault);
}

lh_status lh_vault_new(const struct lh_vault_parts *parts, struct lh_vault **out_vault)
{
    LH_CLEANUP(drop_vault) struct lh_vault *vault = calloc(1, sizeof(*vault));
    LH_ENSURE(vault != NULL, LH_NO_MEMORY);
    vault->magic = LH_VAULT_MAGIC;
    vault->parts = *parts;
    *out_vault = vault;
    vault = NULL;
    return lh_ok();
}

void lh_vault_free(struct lh_vault *vault)
{
    if (vault == NULL) {
        return;
    }
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    vault->magic = 0;
    free(vault);
}

void lh_loaded_session_fini(struct lh_loaded_session *loaded)
{
    if (loaded != NULL) {
        lh_buf_fini(&loaded->bytes);
        *loaded = LH_LOADED_SESSION_EMPTY;
    }
}

void lh_loaded_session_wipe(struct lh_loaded_session *loaded, size_t kept_bytes)
{
    lh_buf_wipe(&loaded->bytes, kept_bytes);
    struct lh_buf bytes = loaded->bytes;
    *loaded = LH_LOADED_SESSION_EMPTY;
    loaded->bytes = bytes;
}

/* --- What a load leaves to be written --------------------------------------------------------- */

/* Best effort: what fails is counted by the queue, and the next load tries again. */
static void set_aside(struct lh_vault *vault, const struct lh_session_key *key)
{
    lh_status ignored;
    if (vault->parts.queue != NULL) {
        ignored = lh_write_queue_quarantine(vault->parts.queue, key);
    } else {
        struct lh_op op = lh_op_idle(0, NULL);
        ignored = lh_store_quarantine(vault->parts.store, &op, key);
        lh_op_cancel(&op);
    }
    (void)ignored;
}

static void let_expire(struct lh_vault *vault, const struct lh_session_key *key, uint64_t now_ms)
{
    lh_status ignored;
    if (vault->parts.queue != NULL) {
        ignored = lh_write_queue_expire(vault->parts.queue, key, now_ms);
    } else {
        struct lh_op op = lh_op_idle(0, NULL);
        ignored = lh_store_expire(vault->parts.store, &op, key, now_ms);
        lh_op_cancel(&op);
    }
    (void)ignored;
}

/* Until it is written the previous secret passes on, to the end of its grace at most. */
static void end_grace(struct lh_vault *vault, const struct lh_session_key *key, uint64_t generation)
{
    lh_status ignored;
    if (vault->parts.queue != NULL) {
        ignored = lh_write_queue_end_grace(vault->parts.queue, key, generation);
    } else {
        struct lh_op op = lh_op_idle(0, NULL);
        ignored = lh_store_end_grace(vault->parts.store, &op, key, generation);
        lh_op_cancel(&op);
    }
    (void)ignored;
}

/* --- Loading ---------------------------------------------------------------------------------- */

bool lh_session_is_at_home(const struct lh_session_header *header, const struct lh_session_key *key)
{
    return lh_tenant_uid_is_equal(&header->uid, &key->uid) && header->bucket == key->bucket &&
           lh_slice_is_equal(lh_lease_id_view(&header->lease), lh_lease_id_view(&key->lease));
}

bool lh_session_is_row_true(const struct lh_store_row *row, const struct lh_session_header *header)
{
    bool is_tag_true = !row->has_user || lh_slice_is_equal(LH_SLICE_OF(row->user_tag.bytes),
                                                           LH_SLICE_OF(header->user_tag.bytes));
    return row->generation == header->generation &&
           row->absolute_end_ms == header->absolute_end_ms && row->idle_s == header->idle_s &&
           row->has_user == header->has_user && is_tag_true;
}

/* Reads what lies in the place. Errors: ABSENT, REVOKED, FOREIGN, and as lh_store_load. */
static lh_status fetch_row(struct lh_vault *vault, struct lh_op *op,
                           const struct lh_session_key *key, struct lh_loaded_session *loaded)
{
    lh_status status = lh_store_load(vault->parts.store, op, key, &loaded->bytes, &loaded->row);
    if (status.code == LH_FOREIGN) {
        set_aside(vault, key);
    }
    LH_TRY(status);
    loaded->last_touch_ms = loaded->row.last_touch_ms;
    LH_ENSURE(loaded->row.kind != LH_PLACE_EMPTY, LH_ABSENT);
    LH_ENSURE(loaded->row.kind != LH_PLACE_TOMBSTONE, LH_REVOKED);
    return lh_ok();
}

/* Reads the record and holds it against its place. Errors: FOREIGN, QUARANTINED, TAMPERED... */
static lh_status read_record(struct lh_vault *vault, const struct lh_session_key *key,
                             struct lh_loaded_session *loaded)
{
    /* Set aside once is told once: the leak was answered by whoever found it. */
    LH_ENSURE(!loaded->row.is_quarantined, LH_QUARANTINED);
    lh_slice body;
    LH_TRY(
        lh_session_header_read(loaded->row.record, &loaded->header, &loaded->header_bytes, &body));
    if (!lh_session_is_at_home(&loaded->header, key)) {
        set_aside(vault, key);
        return lh_status_of(LH_FOREIGN);
    }
    LH_ENSURE(lh_session_is_row_true(&loaded->row, &loaded->header), LH_TAMPERED);
    LH_TRY(lh_envelope_parse(body, &loaded->envelope));
    bool has_state = loaded->envelope.sealed_state.len > 0;
    LH_ENSURE(has_state == loaded->header.has_state, LH_TAMPERED);
    return lh_ok();
}

/* Errors: BAD_SECRET, CRYPTO. */
static lh_status check_secret(struct lh_vault *vault, const struct lh_handle *handle,
                              uint64_t now_ms, struct lh_loaded_session *loaded)
{
    struct lh_digest presented;
    LH_TRY(lh_sha256(vault->parts.crypto, LH_SLICE_OF(handle->secret), &presented));
    const struct lh_session_header *header = &loaded->header;
    bool is_present =
        lh_secret_is_equal(presented.bytes, header->secret_hash.bytes, sizeof(presented.bytes));
    bool is_previous =
        lh_secret_is_equal(presented.bytes, header->previous_hash.bytes, sizeof(presented.bytes)) &&
        now_ms < header->grace_end_ms && !loaded->row.is_grace_over;
    LH_ENSURE(is_present || is_previous, LH_BAD_SECRET);
    loaded->is_previous_secret = !is_present;
    return lh_ok();
}

static lh_status check_life(struct lh_vault *vault, const struct lh_session_key *key,
                            uint64_t now_ms, const struct lh_loaded_session *loaded)
{
    if (lh_session_is_over(&loaded->header, loaded->last_touch_ms, now_ms)) {
        let_expire(vault, key, now_ms);
        return lh_status_of(LH_EXPIRED);
    }
    return lh_ok();
}

/* handle is NULL for those who need no secret. */
static lh_status load_and_check(struct lh_vault *vault, struct lh_op *op,
                                const struct lh_session_key *key, const struct lh_handle *handle,
                                struct lh_loaded_session *loaded)
{
    uint64_t now_ms = lh_clock_now_ms(vault->parts.clock);
    LH_TRY(fetch_row(vault, op, key, loaded));
    LH_TRY(read_record(vault, key, loaded));
    if (handle != NULL) {
        LH_TRY(check_secret(vault, handle, now_ms, loaded));
    }
    LH_TRY(check_life(vault, key, now_ms, loaded));
    bool is_first_use = handle != NULL && !loaded->is_previous_secret &&
                        now_ms < loaded->header.grace_end_ms && !loaded->row.is_grace_over;
    if (is_first_use) {
        end_grace(vault, key, loaded->header.generation);
    }
    return lh_ok();
}

/* What was refused leaves nothing behind; what waits keeps its memory. */
static lh_status finish_load(lh_status status, struct lh_loaded_session *loaded)
{
    if (!lh_is_ok(status) && status.code != LH_PENDING) {
        lh_loaded_session_fini(loaded);
    }
    return status;
}

lh_status lh_vault_load(struct lh_vault *vault, struct lh_op *op, const struct lh_handle *handle,
                        struct lh_loaded_session *out_loaded)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    struct lh_session_key key = {handle->uid, handle->bucket, handle->lease};
    return finish_load(load_and_check(vault, op, &key, handle, out_loaded), out_loaded);
}

lh_status lh_vault_inspect(struct lh_vault *vault, struct lh_op *op,
                           const struct lh_session_key *key, struct lh_loaded_session *out_loaded)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    return finish_load(load_and_check(vault, op, key, NULL, out_loaded), out_loaded);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* The key of a loaded session. Errors: as lh_datakey_cache_get. */
static lh_status get_key(struct lh_vault *vault, struct lh_op *op, const struct lh_tenant *tenant,
                         const struct lh_session_header *header, const struct lh_datakey **out_key)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    LH_BUG_IF(!lh_tenant_uid_is_equal(&tenant->uid, &header->uid));
    return lh_datakey_cache_get(vault->parts.datakeys, op, tenant, header->dek_id, out_key);
}

lh_status lh_vault_open(struct lh_vault *vault, struct lh_op *op, const struct lh_tenant *tenant,
                        const struct lh_loaded_session *loaded, struct lh_buf *plain,
                        struct lh_principal *out_principal)
{
    const struct lh_datakey *key;
    LH_TRY(get_key(vault, op, tenant, &loaded->header, &key));
    lh_buf_clear(plain);
    LH_TRY(lh_envelope_open_principal(vault->parts.crypto, key, loaded->header_bytes,
                                      &loaded->envelope, plain));
    LH_TRY(lh_principal_read(lh_buf_view(plain), out_principal));
    bool has_subject = out_principal->subject.len > 0;
    LH_ENSURE(has_subject == loaded->header.has_user, LH_TAMPERED);
    return lh_ok();
}

lh_status lh_vault_open_state(struct lh_vault *vault, struct lh_op *op,
                              const struct lh_tenant *tenant,
                              const struct lh_loaded_session *loaded, struct lh_buf *out_state)
{
    LH_ENSURE(loaded->header.has_state, LH_ABSENT);
    const struct lh_datakey *key;
    LH_TRY(get_key(vault, op, tenant, &loaded->header, &key));
    return lh_envelope_open_state(vault->parts.crypto, key, loaded->header_bytes, &loaded->envelope,
                                  out_state);
}

/* --- Use and end ------------------------------------------------------------------------------ */

/* How stale a last touch may grow before it is moved. */
static uint64_t touch_interval_ms(const struct lh_session_header *header)
{
    if (header->idle_s == 0) {
        return TOUCH_MAX_MS;
    }
    uint64_t share_ms = (uint64_t)header->idle_s * MS_PER_S / TOUCH_SHARE;
    return share_ms < TOUCH_MAX_MS ? share_ms : TOUCH_MAX_MS;
}

static lh_status put_touch(struct lh_vault *vault, const struct lh_session_key *key,
                           uint64_t now_ms)
{
    if (vault->parts.queue != NULL) {
        return lh_write_queue_touch(vault->parts.queue, key, now_ms);
    }
    struct lh_store_touch touch = {*key, now_ms};
    return lh_store_touch(vault->parts.store, &touch, 1);
}

uint64_t lh_vault_touch(struct lh_vault *vault, const struct lh_session_header *header,
                        uint64_t last_touch_ms)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    uint64_t now_ms = lh_clock_now_ms(vault->parts.clock);
    if (now_ms < last_touch_ms || now_ms - last_touch_ms < touch_interval_ms(header)) {
        return last_touch_ms;
    }
    struct lh_session_key key = {header->uid, header->bucket, header->lease};
    return lh_is_ok(put_touch(vault, &key, now_ms)) ? now_ms : last_touch_ms;
}

lh_status lh_vault_revoke(struct lh_vault *vault, struct lh_op *op,
                          const struct lh_session_key *key, uint64_t absolute_end_ms)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    return lh_store_revoke(vault->parts.store, op, key, absolute_end_ms);
}
