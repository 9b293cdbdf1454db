/*
 * The cell secret and the cookie MAC keys that come from it. Preparing one costs a few
 * microseconds; the ones used last are kept.
 */
#include "base/bug.h"
#include "base/lru_map.h"
#include "keys/keys.h"

#include "base/banned.h"

#define CELL_MAGIC     0x4c48434cU /* "LHCL" */
#define MAC_LABEL      "leasehold cookie mac v1"
#define INFO_MAX_BYTES ((size_t)64)

/* One tenant's prepared key. */
struct prepared {
    struct lh_lru_entry entry; /* first */
    struct lh_tenant_uid uid;
    struct lh_mac_key *key; /* owned */
};

struct lh_cell {
    uint32_t magic;
    uint8_t key_id;
    struct lh_crypto *crypto;           /* borrowed */
    struct lh_secret_pool *secret_pool; /* owned: one slot */
    struct lh_key *secret;              /* in the pool */
    struct lh_lru_map prepared;
};

static void drop_prepared(struct lh_lru_entry *entry)
{
    struct prepared *prepared = (struct prepared *)entry;
    lh_mac_key_free(prepared->key);
    free(prepared);
}

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
    lh_lru_map_init(&cell->prepared, tenants_max, &hash_key, drop_prepared);
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
    lh_lru_map_fini(&cell->prepared);
    lh_secret_pool_free(cell->secret_pool);
    cell->magic = 0;
    free(cell);
}

uint8_t lh_cell_key_id(const struct lh_cell *cell)
{
    LH_MAGIC_CHECK(cell, CELL_MAGIC);
    return cell->key_id;
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

static void give_up(struct prepared **prepared)
{
    if (*prepared != NULL) {
        drop_prepared(&(*prepared)->entry);
    }
}

static lh_status prepare(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                         struct prepared **out_prepared)
{
    LH_CLEANUP(give_up) struct prepared *prepared = calloc(1, sizeof(*prepared));
    LH_ENSURE(prepared != NULL, LH_NO_MEMORY);
    prepared->uid = *uid;
    prepared->entry.id = lh_tenant_uid_view(&prepared->uid);
    LH_TRY(derive_key(cell, uid, &prepared->key));
    LH_TRY(lh_lru_map_put(&cell->prepared, &prepared->entry));
    *out_prepared = prepared;
    prepared = NULL;
    return lh_ok();
}

lh_status lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                      lh_slice message, struct lh_digest *out_mac)
{
    LH_MAGIC_CHECK(cell, CELL_MAGIC);
    LH_ENSURE(key_id == cell->key_id, LH_ABSENT);
    struct prepared *prepared =
        (struct prepared *)lh_lru_map_find(&cell->prepared, lh_tenant_uid_view(uid));
    if (prepared == NULL) {
        LH_TRY(prepare(cell, uid, &prepared));
    }
    return lh_mac(prepared->key, message, out_mac);
}
