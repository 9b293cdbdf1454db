/*
 * A new secret for a session that stays what it is.
 */
#include "base/bug.h"
#include "session/session_vault.h"
#include "session/vault_parts.h"

#include "base/banned.h"

/* What is sealed in a record, in the open. */
struct content {
    struct lh_buf principal;
    struct lh_buf state;
};

static void fini_content(struct content *content)
{
    lh_buf_fini(&content->principal);
    lh_buf_fini(&content->state);
}

static lh_status open_content(struct lh_vault *vault, struct lh_op *op,
                              const struct lh_tenant *tenant,
                              const struct lh_loaded_session *loaded, struct content *content)
{
    struct lh_principal principal; /* checked on the way, and kept as it lies */
    LH_TRY(lh_vault_open(vault, op, tenant, loaded, &content->principal, &principal));
    return loaded->header.has_state
               ? lh_vault_open_state(vault, op, tenant, loaded, &content->state)
               : lh_ok();
}

static lh_status make_next(struct lh_vault *vault, const struct lh_tenant *tenant,
                           const struct lh_session_header *old, struct lh_session_header *next,
                           struct lh_handle *handle)
{
    uint64_t now_ms = lh_clock_now_ms(vault->parts.clock);
    LH_ENSURE(now_ms < old->absolute_end_ms, LH_EXPIRED);
    LH_ENSURE(old->generation < UINT64_MAX, LH_TOO_LARGE);
    LH_ENSURE(tenant->active_dek != 0, LH_KEY_DOWN);
    *next = *old;
    next->format = LH_RECORD_FORMAT;
    next->generation = old->generation + 1;
    next->dek_id = tenant->active_dek;
    next->previous_hash = old->secret_hash;
    next->grace_end_ms = now_ms + LH_ROTATION_GRACE_MS;
    return lh_vault_draw_secret(vault, next, handle);
}

static lh_status put_next(struct lh_vault *vault, struct lh_op *op,
                          const struct lh_loaded_session *loaded,
                          const struct lh_session_header *next, lh_slice record)
{
    struct lh_session_key key = {next->uid, next->bucket, next->lease};
    struct lh_store_row row = lh_vault_row_of(next, loaded->last_touch_ms, record);
    lh_status status = lh_store_swap(vault->parts.store, op, &key, loaded->header.generation, &row);
    LH_BUG_IF(status.code == LH_PENDING);
    return status;
}

lh_status lh_vault_rotate(struct lh_vault *vault, struct lh_op *op, const struct lh_tenant *tenant,
                          const struct lh_loaded_session *loaded, struct lh_handle *out_handle,
                          struct lh_session_header *out_header)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    LH_TRY(lh_vault_check_writes(vault));
    LH_ENSURE(!loaded->is_previous_secret, LH_FORBIDDEN);
    LH_CLEANUP(fini_content)
    struct content content = {lh_buf_bounded(LH_PRINCIPAL_MAX_BYTES),
                              lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES)};
    LH_TRY(open_content(vault, op, tenant, loaded, &content));
    const struct lh_datakey *key;
    LH_TRY(lh_datakey_cache_get(vault->parts.datakeys, op, tenant, tenant->active_dek, &key));

    struct lh_session_header next;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    LH_TRY(make_next(vault, tenant, &loaded->header, &next, &handle));
    LH_CLEANUP(lh_buf_fini) struct lh_buf record = lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES);
    LH_TRY(lh_vault_seal_record(vault, key, &next, lh_buf_view(&content.principal),
                                lh_buf_view(&content.state), &record));
    LH_TRY(put_next(vault, op, loaded, &next, lh_buf_view(&record)));
    *out_handle = handle;
    *out_header = next;
    return lh_ok();
}
