/*
 * The cell secret and the cookie MAC keys that come from it. Preparing one costs a few
 * microseconds; the ones used last are kept.
 */
#include "base/bug.h"
#include "base/lru.h"
#include "base/map.h"
#include "keys/keys.h"

#include "base/banned.h"

#define CELL_MAGIC     0x4c48434cU /* "LHCL" */
#define MAC_LABEL      "leasehold cookie mac v1"
#define INFO_MAX_BYTES ((size_t)64)

/* One tenant's prepared key. */
struct prepared {
    struct lh_lru_link link; /* first */
    struct lh_tenant_uid uid;
    struct lh_mac_key *key; /* owned */
};

struct lh_cell {
    uint32_t magic;
    uint8_t key_id;
    struct lh_crypto *crypto;           /* borrowed */
    struct lh_secret_pool *secret_pool; /* owned: one slot */
    struct lh_key *secret;              /* in the pool */
    struct prepared *slots;             /* owned: slots_max of them */
    size_t slots_max;
    size_t slots_used;
    struct lh_map by_uid;
    struct lh_lru order;
};

static void drop_cell(struct lh_cell **cell)
{
    lh_cell_free(*cell);
}

static lh_status keep_secret(struct lh_cell *cell, const struct lh_key *secret,
                             enum lh_lock_policy policy)
{
    LH_TRY(lh_secret_pool_new(sizeof(*secret), 1, policy, &cell->secret_pool));
    void *slot;
    LH_TRY(lh_secret_pool_take(cell->secret_pool, &slot));
    cell->secret = slot;
    *cell->secret = *secret;
    return lh_ok();
}

lh_status lh_cell_new(struct lh_crypto *crypto, uint8_t key_id, const struct lh_key *secret,
                      enum lh_lock_policy policy, size_t tenants_max, struct lh_cell **out_cell)
{
    LH_ENSURE(tenants_max > 0, LH_INVALID);
    LH_CLEANUP(drop_cell) struct lh_cell *cell = calloc(1, sizeof(*cell));
    LH_ENSURE(cell != NULL, LH_NO_MEMORY);
    cell->magic = CELL_MAGIC;
    cell->key_id = key_id;
    cell->crypto = crypto;
    struct lh_siphash_key hash_key;
    LH_TRY(lh_random(crypto, hash_key.bytes, sizeof(hash_key.bytes)));
    lh_map_init(&cell->by_uid, tenants_max, &hash_key);
    cell->slots_max = tenants_max;
    cell->slots = calloc(tenants_max, sizeof(*cell->slots));
    LH_ENSURE(cell->slots != NULL, LH_NO_MEMORY);
    LH_TRY(keep_secret(cell, secret, policy));
    *out_cell = cell;
    cell = NULL;
    return lh_ok();
}

void lh_cell_free(struct lh_cell *cell)
{
    if (cell == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cell, CELL_MAGIC);
    for (size_t i = 0; i < cell->slots_used; i++) {
        lh_mac_key_free(cell->slots[i].key);
    }
    lh_map_fini(&cell->by_uid);
    free(cell->slots);
    lh_secret_pool_free(cell->secret_pool);
    cell->magic = 0;
    free(cell);
}

uint8_t lh_cell_key_id(const struct lh_cell *cell)
{
    LH_MAGIC_CHECK(cell, CELL_MAGIC);
    return cell->key_id;
}

/* A slot without a key: a fresh one, or the one used longest ago. */
static struct prepared *free_slot(struct lh_cell *cell)
{
    if (cell->slots_used < cell->slots_max) {
        return &cell->slots[cell->slots_used++];
    }
    struct prepared *slot = (struct prepared *)cell->order.oldest;
    (void)lh_map_remove(&cell->by_uid, lh_tenant_uid_view(&slot->uid));
    lh_lru_remove(&cell->order, &slot->link);
    lh_mac_key_free(slot->key);
    slot->key = NULL;
    return slot;
}

static lh_status derive_key(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                            struct lh_mac_key **out_key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf info = lh_buf_bounded(INFO_MAX_BYTES);
    LH_TRY(lh_buf_add(&info, LH_SLICE_LITERAL(MAC_LABEL)));
    LH_TRY(lh_buf_add_u8(&info, cell->key_id));
    LH_TRY(lh_buf_add(&info, lh_tenant_uid_view(uid)));
    LH_CLEANUP(lh_key_fini) struct lh_key key;
    LH_TRY(lh_hkdf(cell->crypto, LH_SLICE_OF(cell->secret->bytes), lh_buf_view(&info), &key));
    return lh_mac_key_new(cell->crypto, &key, out_key);
}

static lh_status prepare(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                         struct prepared **out_slot)
{
    struct lh_mac_key *key;
    LH_TRY(derive_key(cell, uid, &key));
    struct prepared *slot = free_slot(cell);
    slot->uid = *uid;
    lh_status status = lh_map_put(&cell->by_uid, lh_tenant_uid_view(&slot->uid), slot);
    if (!lh_is_ok(status)) {
        /* A table that has held all slots does not grow any more: this one was a fresh one. */
        lh_mac_key_free(key);
        cell->slots_used--;
        return status;
    }
    slot->key = key;
    lh_lru_add(&cell->order, &slot->link);
    *out_slot = slot;
    return lh_ok();
}

lh_status lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                      lh_slice message, struct lh_digest *out_mac)
{
    LH_MAGIC_CHECK(cell, CELL_MAGIC);
    LH_ENSURE(key_id == cell->key_id, LH_ABSENT);
    struct prepared *slot = lh_map_find(&cell->by_uid, lh_tenant_uid_view(uid));
    if (slot == NULL) {
        LH_TRY(prepare(cell, uid, &slot));
    } else {
        lh_lru_touch(&cell->order, &slot->link);
    }
    return lh_mac(slot->key, message, out_mac);
}
