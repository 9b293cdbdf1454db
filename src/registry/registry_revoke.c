/*
 * Writing what takes rights away: revocations and epochs, and sweeping what is over. None of it
 * asks whether there is room outside the reserve.
 *
 * Nothing here can be weakened by a later write: a revocation stays one, a least generation and
 * an epoch only grow, and both are kept until the later of the ends they were given.
 */
#include "registry/registry_env.h"

#include "registry/row_codec.h"
#include "registry/tenant_codec.h"

#include "base/banned.h"

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* --- The index of ends ------------------------------------------------------------------------ */

static void init_end(enum lh_registry_table table, uint64_t end_ms,
                     const uint8_t subject_key[LH_SUBJECT_KEY_BYTES],
                     uint8_t out_key[LH_END_KEY_BYTES])
{
    struct lh_end_key end = {.end_ms = end_ms, .table = (uint8_t)table};
    memcpy(end.subject_key, subject_key, sizeof(end.subject_key));
    lh_end_key_write(&end, out_key);
}

/* Moves a row's entry from its former end (0: none) to the new one. */
static lh_status move_end(struct lh_registry_txn *txn, enum lh_registry_table table,
                          const uint8_t subject_key[LH_SUBJECT_KEY_BYTES], uint64_t former_ms,
                          uint64_t end_ms)
{
    uint8_t key[LH_END_KEY_BYTES];
    if (former_ms != 0 && former_ms != end_ms) {
        init_end(table, former_ms, subject_key, key);
        LH_TRY(lh_registry_delete_row(txn, LH_TABLE_ENDS, LH_SLICE_OF(key)));
    }
    init_end(table, end_ms, subject_key, key);
    return lh_registry_put_row(txn, LH_TABLE_ENDS, LH_SLICE_OF(key), LH_SLICE_EMPTY);
}

/* --- Revocations ------------------------------------------------------------------------------ */

static lh_status get_revocation(struct lh_registry_txn *txn, lh_slice key,
                                struct lh_revocation_row *out_row)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    lh_slice row;
    LH_TRY(lh_registry_get_row(&view, LH_TABLE_REVOCATIONS, key, &row));
    return lh_registry_row_status(&view, LH_TABLE_REVOCATIONS,
                                  lh_revocation_row_read(row, out_row));
}

lh_status lh_registry_put_revocation(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                                     const struct lh_lease_id *lease,
                                     const struct lh_revocation *revocation, uint64_t keep_until_ms)
{
    uint8_t key[LH_SUBJECT_KEY_BYTES];
    lh_subject_key_write(uid, lease->bytes, key);
    struct lh_revocation_row former = {.keep_until_ms = 0};
    lh_status status = get_revocation(txn, LH_SLICE_OF(key), &former);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    const struct lh_revocation_row merged = {
        .revocation = {.is_revoked = revocation->is_revoked || former.revocation.is_revoked,
                       .least_generation = later_of(revocation->least_generation,
                                                    former.revocation.least_generation)},
        .keep_until_ms = later_of(keep_until_ms, former.keep_until_ms)};
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    LH_TRY(lh_revocation_row_write(&merged, &row));
    LH_TRY(lh_registry_mark_tenant(txn, uid));
    LH_TRY(move_end(txn, LH_TABLE_REVOCATIONS, key, former.keep_until_ms, merged.keep_until_ms));
    return lh_registry_put_row(txn, LH_TABLE_REVOCATIONS, LH_SLICE_OF(key), lh_buf_view(&row));
}

/* --- Epochs ----------------------------------------------------------------------------------- */

/* Never repeats, also when the clock does. */
static uint64_t next_epoch(uint64_t epoch, uint64_t now_ms)
{
    return later_of(epoch + 1, now_ms);
}

static lh_status get_user_epoch(struct lh_registry_txn *txn, lh_slice key,
                                struct lh_user_epoch_row *out_row)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    lh_slice row;
    LH_TRY(lh_registry_get_row(&view, LH_TABLE_USER_EPOCHS, key, &row));
    return lh_registry_row_status(&view, LH_TABLE_USER_EPOCHS,
                                  lh_user_epoch_row_read(row, out_row));
}

lh_status lh_registry_raise_user_epoch(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                                       const struct lh_user_tag *tag, uint64_t now_ms,
                                       uint64_t keep_until_ms, uint64_t *out_epoch)
{
    uint8_t key[LH_SUBJECT_KEY_BYTES];
    lh_subject_key_write(uid, tag->bytes, key);
    struct lh_user_epoch_row former = {.epoch = 0};
    lh_status status = get_user_epoch(txn, LH_SLICE_OF(key), &former);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    const struct lh_user_epoch_row raised = {.epoch = next_epoch(former.epoch, now_ms),
                                             .keep_until_ms =
                                                 later_of(keep_until_ms, former.keep_until_ms)};
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    LH_TRY(lh_user_epoch_row_write(&raised, &row));
    LH_TRY(lh_registry_mark_tenant(txn, uid));
    LH_TRY(move_end(txn, LH_TABLE_USER_EPOCHS, key, former.keep_until_ms, raised.keep_until_ms));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_USER_EPOCHS, LH_SLICE_OF(key), lh_buf_view(&row)));
    *out_epoch = raised.epoch;
    return lh_ok();
}

/* The row as it is, with another epoch. */
static lh_status rewrite_epoch(struct lh_registry_txn *txn, struct lh_tenant *tenant,
                               uint64_t now_ms)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = lh_buf_bounded(LH_TENANT_ROW_MAX_BYTES);
    tenant->epoch = next_epoch(tenant->epoch, now_ms);
    LH_TRY(lh_tenant_row_write(tenant, &row));
    LH_TRY(lh_registry_mark(txn, tenant->slot));
    return lh_registry_put_row(txn, LH_TABLE_TENANTS, lh_tenant_uid_view(&tenant->uid),
                               lh_buf_view(&row));
}

lh_status lh_registry_raise_tenant_epoch(struct lh_registry_txn *txn,
                                         const struct lh_tenant_uid *uid, uint64_t now_ms,
                                         uint64_t *out_epoch)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_registry_get_tenant(txn, uid, &tenant));
    LH_TRY(rewrite_epoch(txn, tenant, now_ms));
    *out_epoch = tenant->epoch;
    return lh_ok();
}

lh_status lh_registry_raise_platform_epoch(struct lh_registry_txn *txn, uint64_t now_ms,
                                           uint64_t *out_epoch)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    uint64_t epoch;
    LH_TRY(lh_registry_get_number(&view, LH_META_PLATFORM_EPOCH, &epoch));
    LH_TRY(lh_registry_mark(txn, LH_COUNTER_PLATFORM_SLOT));
    LH_TRY(lh_registry_put_number(txn, LH_META_PLATFORM_EPOCH, next_epoch(epoch, now_ms)));
    *out_epoch = next_epoch(epoch, now_ms);
    return lh_ok();
}

/* --- Sweeping --------------------------------------------------------------------------------- */

/* The first entry of the index. Errors: ABSENT (none, or not over yet), REGISTRY_DOWN. */
static lh_status first_end(struct lh_registry_txn *txn, uint64_t now_ms, struct lh_end_key *out_end)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(&view, LH_TABLE_ENDS, LH_SLICE_EMPTY, &walk));
    LH_TRY(lh_registry_walk_next(&walk));
    struct lh_end_key end;
    LH_TRY(lh_registry_row_status(&view, LH_TABLE_ENDS, lh_end_key_read(walk.key, &end)));
    LH_ENSURE(end.table == LH_TABLE_REVOCATIONS || end.table == LH_TABLE_USER_EPOCHS,
              LH_REGISTRY_DOWN);
    LH_ENSURE(end.end_ms <= now_ms, LH_ABSENT);
    *out_end = end;
    return lh_ok();
}

lh_status lh_registry_sweep(struct lh_registry_txn *txn, uint64_t now_ms, size_t max_rows,
                            size_t *out_removed)
{
    size_t removed = 0;
    while (removed < max_rows) {
        struct lh_end_key end;
        lh_status status = first_end(txn, now_ms, &end);
        if (status.code == LH_ABSENT) {
            break;
        }
        LH_TRY(status);
        uint8_t key[LH_END_KEY_BYTES];
        lh_end_key_write(&end, key);
        LH_TRY(lh_registry_delete_row(txn, (enum lh_registry_table)end.table,
                                      LH_SLICE_OF(end.subject_key)));
        LH_TRY(lh_registry_delete_row(txn, LH_TABLE_ENDS, LH_SLICE_OF(key)));
        removed++;
    }
    *out_removed = removed;
    return lh_ok();
}
