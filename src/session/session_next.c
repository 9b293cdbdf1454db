/*
 * The next record of a session that goes on: what it holds is opened, sealed under a header that is
 * one generation on, and swapped in.
 */
#include "base/bug.h"
#include "base/secret.h"
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

lh_status lh_vault_follow_header(struct lh_vault *vault, const struct lh_tenant *tenant,
                                 const struct lh_session_header *old,
                                 struct lh_session_header *out_next)
{
    LH_ENSURE(lh_clock_now_ms(vault->parts.clock) < old->absolute_end_ms, LH_EXPIRED);
    LH_ENSURE(old->generation < UINT64_MAX, LH_TOO_LARGE);
    LH_ENSURE(tenant->active_dek != 0, LH_KEY_DOWN);
    *out_next = *old;
    out_next->format = LH_RECORD_FORMAT;
    out_next->generation = old->generation + 1;
    out_next->dek_id = tenant->active_dek;
    return lh_ok();
}

/* Whether the previous secret is still the same one, whose grace may be over. */
static bool has_same_grace(const struct lh_session_header *old,
                           const struct lh_session_header *next)
{
    return lh_secret_is_equal(old->previous_hash.bytes, next->previous_hash.bytes,
                              sizeof(next->previous_hash.bytes));
}

static lh_status swap_in(struct lh_vault *vault, struct lh_op *op,
                         const struct lh_loaded_session *loaded,
                         const struct lh_session_header *next, lh_slice record)
{
    struct lh_session_key key = {next->uid, next->bucket, next->lease};
    struct lh_store_row row = lh_vault_row_of(next, loaded->last_touch_ms, record);
    row.keeps_grace = has_same_grace(&loaded->header, next);
    lh_status status = lh_store_swap(vault->parts.store, op, &key, loaded->header.generation, &row);
    LH_BUG_IF(status.code == LH_PENDING);
    return status;
}

lh_status lh_vault_put_next(struct lh_vault *vault, struct lh_op *op,
                            const struct lh_tenant *tenant, const struct lh_loaded_session *loaded,
                            const struct lh_session_header *next)
{
    LH_CLEANUP(fini_content)
    struct content content = {lh_buf_bounded(LH_PRINCIPAL_MAX_BYTES),
                              lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES)};
    LH_TRY(open_content(vault, op, tenant, loaded, &content));
    const struct lh_datakey *key;
    LH_TRY(lh_datakey_cache_get(vault->parts.datakeys, op, tenant, next->dek_id, &key));
    LH_CLEANUP(lh_buf_fini) struct lh_buf record = lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES);
    LH_TRY(lh_vault_seal_record(vault, key, next, lh_buf_view(&content.principal),
                                lh_buf_view(&content.state), &record));
    return swap_in(vault, op, loaded, next, lh_buf_view(&record));
}
