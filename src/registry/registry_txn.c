/*
 * Write transactions: counters around the commit, the generation before and after it.
 */
#include "registry/registry_env.h"

#include "base/bug.h"

#include "base/banned.h"

#define REGISTRY_TXN_MAGIC 0x7265674dU

#define BITS_PER_BYTE      8U

/* --- Beginning -------------------------------------------------------------------------------- */

static lh_status check_begun(struct lh_registry_txn *txn)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    LH_TRY(lh_registry_get_number(&view, LH_META_GENERATION, &txn->generation));
    LH_TRY(lh_registry_generation_check(txn->registry, txn->generation));
    return lh_registry_space_begin(txn);
}

static lh_status new_txn(struct lh_registry *registry, struct lh_registry_txn **out_txn)
{
    struct lh_registry_txn *txn = calloc(1, sizeof(*txn));
    LH_ENSURE(txn != NULL, LH_NO_MEMORY);
    txn->marked = calloc(1, LH_COUNTER_SLOTS / BITS_PER_BYTE);
    if (txn->marked == NULL) {
        free(txn);
        return lh_status_of(LH_NO_MEMORY);
    }
    txn->magic = REGISTRY_TXN_MAGIC;
    txn->registry = registry;
    *out_txn = txn;
    return lh_ok();
}

lh_status lh_registry_begin(struct lh_registry *registry, struct lh_registry_txn **out_txn)
{
    LH_BUG_IF(registry->is_written || registry->is_viewed); /* would wait for itself */
    LH_ENSURE(!registry->is_read_only, LH_REGISTRY_DOWN);
    LH_TRY(lh_counters_check_file(registry->counters));
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(new_txn(registry, &txn));
    int dead_readers;
    (void)mdb_reader_check(registry->env, &dead_readers); /* what they pin could not be reused */
    LH_TRY(lh_registry_begin_mdb(registry, &txn->mdb));
    registry->is_written = true;
    LH_TRY(check_begun(txn));
    *out_txn = txn;
    txn = NULL;
    return lh_ok();
}

lh_status lh_registry_rehearse(struct lh_registry *registry, struct lh_registry_txn **out_txn)
{
    LH_TRY(lh_registry_begin(registry, out_txn));
    (*out_txn)->is_rehearsal = true;
    return lh_ok();
}

/* --- Marking ---------------------------------------------------------------------------------- */

static bool is_marked(const struct lh_registry_txn *txn, uint32_t slot)
{
    return (txn->marked[slot / BITS_PER_BYTE] & (1U << (slot % BITS_PER_BYTE))) != 0;
}

lh_status lh_registry_mark(struct lh_registry_txn *txn, uint32_t slot)
{
    LH_MAGIC_CHECK(txn, REGISTRY_TXN_MAGIC);
    LH_BUG_IF(txn->mdb == NULL); /* after the commit it would be too late */
    LH_ENSURE(slot < LH_COUNTER_SLOTS, LH_COUNTERS_DOWN);
    if (!txn->is_rehearsal && !is_marked(txn, slot)) {
        LH_TRY(lh_counters_raise(txn->registry->counters, slot));
        txn->marked[slot / BITS_PER_BYTE] |= (uint8_t)(1U << (slot % BITS_PER_BYTE));
    }
    return lh_ok();
}

lh_status lh_registry_mark_tenant(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    uint32_t slot;
    lh_status status = lh_registry_view_slot(&view, uid, &slot);
    if (status.code == LH_ABSENT) {
        return lh_ok(); /* nobody can have cached anything of it */
    }
    LH_TRY(status);
    return lh_registry_mark(txn, slot);
}

static void raise_marked(struct lh_registry_txn *txn)
{
    for (uint32_t slot = 0; slot < LH_COUNTER_SLOTS; slot++) {
        if (txn->marked[slot / BITS_PER_BYTE] == 0) {
            slot |= BITS_PER_BYTE - 1; /* nothing in this byte */
        } else if (is_marked(txn, slot)) {
            /* It was raised before: neither range nor right can have changed. */
            LH_BUG_IF(!lh_is_ok(lh_counters_raise(txn->registry->counters, slot)));
        }
    }
}

/* --- Ending ----------------------------------------------------------------------------------- */

static lh_status commit_mdb(struct lh_registry_txn *txn)
{
    LH_TRY(lh_registry_space_commit(txn));
    LH_TRY(lh_registry_put_number(txn, LH_META_GENERATION, txn->generation + 1));
    int answer = mdb_txn_commit(txn->mdb); /* frees it, whatever it answers */
    txn->mdb = NULL;
    txn->registry->is_written = false;
    return lh_registry_status(answer);
}

lh_status lh_registry_commit(struct lh_registry_txn *txn)
{
    LH_MAGIC_CHECK(txn, REGISTRY_TXN_MAGIC);
    LH_BUG_IF(txn->mdb == NULL || txn->is_rehearsal);
    LH_TRY(commit_mdb(txn));
    lh_registry_generation_note(txn->registry, txn->generation + 1);
    return lh_ok();
}

void lh_registry_end(struct lh_registry_txn **txn_place)
{
    struct lh_registry_txn *txn = *txn_place;
    if (txn == NULL) {
        return;
    }
    LH_MAGIC_CHECK(txn, REGISTRY_TXN_MAGIC);
    if (txn->mdb != NULL) {
        mdb_txn_abort(txn->mdb);
        txn->registry->is_written = false;
    }
    raise_marked(txn);
    free(txn->marked);
    txn->magic = 0;
    free(txn);
    *txn_place = NULL;
}
