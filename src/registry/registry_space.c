/*
 * Room for what takes rights away. A registry may fill up, and so may its disk; revoking must go
 * on then. A part of the map is kept for that: a transaction that grants something (a tenant, a
 * name, a key, a tier) may not end with fewer free pages than the reserve. And the disk blocks of
 * that part are allocated ahead, so that a full disk does not take them.
 *
 * What is in use is counted in the transaction's own trees. Pages that the last two commits freed
 * are not in use and cannot be used yet either; the reserve is much larger than those.
 */
#include "registry/registry_env.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

/* A sixteenth of the map, but enough for some thousands and not more than some ten thousands of
   revocations (each takes some 200 bytes). */
#define RESERVE_SHARE     16U
#define RESERVE_MIN_BYTES ((uint64_t)1024 * 1024)
#define RESERVE_MAX_BYTES ((uint64_t)8 * 1024 * 1024)

/* LMDB's own: free list and the directory of tables. */
#define FREE_TABLE 0U
#define MAIN_TABLE 1U
#define META_PAGES 2U

uint64_t lh_registry_reserve_bytes(uint64_t map_bytes)
{
    uint64_t share = map_bytes / RESERVE_SHARE;
    if (share < RESERVE_MIN_BYTES) {
        return RESERVE_MIN_BYTES;
    }
    return share > RESERVE_MAX_BYTES ? RESERVE_MAX_BYTES : share;
}

static lh_status add_pages(MDB_txn *txn, MDB_dbi table, uint64_t *pages, uint64_t *page_bytes)
{
    MDB_stat stat;
    LH_ENSURE(mdb_stat(txn, table, &stat) == MDB_SUCCESS, LH_REGISTRY_DOWN);
    *pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    *page_bytes = stat.ms_psize;
    return lh_ok();
}

/* Pages that the transaction's trees consist of now. */
static lh_status count_pages(const struct lh_registry_txn *txn, uint64_t *out_pages,
                             uint64_t *out_page_bytes)
{
    uint64_t pages = META_PAGES;
    uint64_t page_bytes = 0;
    LH_TRY(add_pages(txn->mdb, FREE_TABLE, &pages, &page_bytes));
    LH_TRY(add_pages(txn->mdb, MAIN_TABLE, &pages, &page_bytes));
    for (unsigned i = 0; i < LH_TABLE_COUNT; i++) {
        LH_TRY(add_pages(txn->mdb, txn->registry->tables[i], &pages, &page_bytes));
    }
    *out_pages = pages;
    *out_page_bytes = page_bytes;
    return lh_ok();
}

/*
 * Allocates disk blocks for all that the file has held so far, for more_pages and for the reserve.
 * Where the file system cannot allocate ahead, there is nothing to keep.
 */
static lh_status allocate(const struct lh_registry_txn *txn, uint64_t more_pages,
                          uint64_t page_bytes, bool *out_is_allocated)
{
    MDB_envinfo env;
    int fd;
    LH_ENSURE(mdb_env_info(txn->registry->env, &env) == MDB_SUCCESS, LH_REGISTRY_DOWN);
    LH_ENSURE(mdb_env_get_fd(txn->registry->env, &fd) == MDB_SUCCESS, LH_REGISTRY_DOWN);
    uint64_t bytes =
        (env.me_last_pgno + 1 + more_pages) * page_bytes + txn->registry->reserve_bytes;
    int answer = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes);
    *out_is_allocated = answer == 0 || errno == EOPNOTSUPP || errno == ENOSYS;
    return lh_ok();
}

lh_status lh_registry_space_begin(struct lh_registry_txn *txn)
{
    uint64_t page_bytes;
    LH_TRY(count_pages(txn, &txn->pages_at_begin, &page_bytes));
    return allocate(txn, 0, page_bytes, &txn->has_disk_reserve);
}

lh_status lh_registry_space_check(struct lh_registry_txn *txn)
{
    uint64_t pages, page_bytes;
    txn->is_granting = true;
    LH_ENSURE(txn->has_disk_reserve, LH_NO_SPACE);
    LH_TRY(count_pages(txn, &pages, &page_bytes));
    uint64_t allowed = (txn->registry->map_bytes - txn->registry->reserve_bytes) / page_bytes;
    LH_ENSURE(pages <= allowed, LH_NO_SPACE);
    return lh_ok();
}

lh_status lh_registry_space_commit(struct lh_registry_txn *txn)
{
    if (!txn->is_granting) {
        return lh_ok();
    }
    LH_TRY(lh_registry_space_check(txn));
    uint64_t pages, page_bytes;
    bool is_allocated;
    LH_TRY(count_pages(txn, &pages, &page_bytes));
    uint64_t grown = pages > txn->pages_at_begin ? pages - txn->pages_at_begin : 0;
    LH_TRY(allocate(txn, grown, page_bytes, &is_allocated));
    LH_ENSURE(is_allocated, LH_NO_SPACE);
    return lh_ok();
}
