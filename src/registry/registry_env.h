/*
 * What the files of the registry share: the open environment, its tables, and the two kinds of
 * transactions. Private to the room.
 *
 * Order of a read that fills a cache: note the counters, open a view, read, close it. Order of a
 * write: raise, write, commit, raise.
 */
#ifndef LH_REGISTRY_REGISTRY_ENV_H
#define LH_REGISTRY_REGISTRY_ENV_H

#include "registry/registry.h"

#include <lmdb.h>

#define LH_REGISTRY_MAGIC 0x72656769U

/* Version of tables and rows together; a row's own version byte lets single rows move on. */
#define LH_REGISTRY_FORMAT 1U

/* Tables and what they hold. Their numbers are stored in ENDS: add at the end, move none. */
#define LH_REGISTRY_TABLES(X)                                                                      \
    X(META, "meta")               /* name -> value */                                              \
    X(TENANTS, "tenants")         /* uid -> tenant row */                                          \
    X(NAMES, "names")             /* kind, name -> uid and state */                                \
    X(DEKS, "deks")               /* uid, id -> wrapped key */                                     \
    X(REVOCATIONS, "revocations") /* uid, lease id -> revocation */                                \
    X(USER_EPOCHS, "user_epochs") /* uid, user tag -> epoch */                                     \
    X(ENDS, "ends")               /* time, table, key -> nothing: what sweep removes */            \
    X(TIERS, "tiers")             /* name -> tier */                                               \
    X(ISSUERS, "issuers")         /* uid -> generation; uid, iss -> issuer */                      \
    X(SHARED, "shared_issuers")   /* length of iss, iss, uid -> nothing: who has it */             \
    X(SIGNING, "signing_keys")    /* uid, id -> wrapped signing key */                             \
    X(SIGNATURES, "request_keys") /* uid, key id -> key of request signatures */

enum lh_registry_table {
#define LH_REGISTRY_TABLE_ENUM(name, text) LH_TABLE_##name,
    LH_REGISTRY_TABLES(LH_REGISTRY_TABLE_ENUM)
#undef LH_REGISTRY_TABLE_ENUM
        LH_TABLE_COUNT
};

/* A home of an earlier version lacks the tables from here on, until a writer opens it. */
#define LH_TABLE_FIRST_LATER LH_TABLE_ISSUERS
/* The handle of a table that is not there; reads of it find nothing. */
#define LH_TABLE_NOT_THERE ((MDB_dbi)~0U)

/* Rows of the table META. */
#define LH_META_FORMAT         LH_SLICE_LITERAL("format")
#define LH_META_HOME           LH_SLICE_LITERAL("home")
#define LH_META_COUNTERS       LH_SLICE_LITERAL("counters")
#define LH_META_PLATFORM_EPOCH LH_SLICE_LITERAL("platform_epoch")
#define LH_META_GENERATION     LH_SLICE_LITERAL("generation")
#define LH_META_NEXT_SLOT      LH_SLICE_LITERAL("next_slot")
#define LH_META_CELL           LH_SLICE_LITERAL("cell")

struct lh_registry {
    uint32_t magic;
    const struct lh_host *host; /* borrowed */
    MDB_env *env;
    MDB_dbi tables[LH_TABLE_COUNT];
    MDB_txn *reader; /* reset while no view is open; NULL before the first */
    bool is_viewed;
    bool is_written;
    bool is_read_only;
    uint64_t map_bytes;
    uint64_t reserve_bytes; /* of map and disk, for what only takes rights away */
    struct lh_counters *counters;
    int generation_fd; /* of the file beside the environment; -1 when read-only */
    struct lh_directory_source source;
};

struct lh_registry_txn {
    uint32_t magic;
    struct lh_registry *registry;
    MDB_txn *mdb;            /* NULL after the commit */
    bool is_rehearsal;       /* never committed: nobody needs to forget anything */
    uint64_t generation;     /* of the registry when it began */
    bool is_granting;        /* something in it needs room outside the reserve */
    bool has_disk_reserve;   /* the disk holds the reserve */
    uint64_t pages_at_begin; /* in use */
    uint8_t *marked;         /* owned: one bit per slot */
};

/* One consistent look: a read transaction, or a write transaction's own state. */
struct lh_registry_view {
    struct lh_registry *registry;
    MDB_txn *mdb;
    bool is_owned; /* close resets the reader */
};

/* --- registry_env.c --------------------------------------------------------------------------- */

/*
 * Opens environment and tables.
 * path        its directory; may_create: makes missing tables.
 * Errors: REGISTRY_DOWN, NO_SPACE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_env_open(struct lh_registry *registry, const char *path,
                                           bool may_create);
/*
 * Looks again for tables that were not there. A worker of a new version may have begun before any
 * writer of it opened the home, and would know no issuers as long as it lives.
 * Errors: REGISTRY_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_env_complete(struct lh_registry *registry);
/* Closes the environment; accepts one that was never opened. */
void lh_registry_env_close(struct lh_registry *registry);

/* Begins a write transaction; waits for other writers. Errors: REGISTRY_DOWN, NO_MEMORY. */
LH_MUST_USE lh_status lh_registry_begin_mdb(struct lh_registry *registry, MDB_txn **out_mdb);

/* What an answer of LMDB means; a row that is not there is ABSENT. */
lh_status lh_registry_status(int mdb_answer);

/*
 * Opens a view; none may be open. Never blocks.
 * Errors: REGISTRY_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_view_open(struct lh_registry *registry,
                                            struct lh_registry_view *out_view);
/* Closes it; for LH_CLEANUP. Accepts a zeroed view. */
void lh_registry_view_close(struct lh_registry_view *view);
/* The transaction's own state as a view; needs no closing. */
struct lh_registry_view lh_registry_txn_view(const struct lh_registry_txn *txn);

/* Reads a row. out_row: inside the map, valid until the view closes or writes. Errors: ABSENT,
 * REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_get_row(const struct lh_registry_view *view,
                                          enum lh_registry_table table, lh_slice key,
                                          lh_slice *out_row);
/* Writes a row. Errors: NO_SPACE, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_put_row(struct lh_registry_txn *txn, enum lh_registry_table table,
                                          lh_slice key, lh_slice row);
/* Removes a row; OK if there is none. Errors: NO_SPACE, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_delete_row(struct lh_registry_txn *txn,
                                             enum lh_registry_table table, lh_slice key);

/* A walk over rows in order of their keys; views are valid until the next step. */
struct lh_registry_walk {
    MDB_cursor *cursor;
    lh_slice key;
    lh_slice row;
    bool is_started;
    lh_slice from; /* first key wanted */
};
/* Starts a walk at the first key >= from. Errors: REGISTRY_DOWN, NO_MEMORY. */
LH_MUST_USE lh_status lh_registry_walk_open(const struct lh_registry_view *view,
                                            enum lh_registry_table table, lh_slice from,
                                            struct lh_registry_walk *out_walk);
/* Goes to the next row. Errors: ABSENT (the end), REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_walk_next(struct lh_registry_walk *walk);
/* Ends it, before its view closes; for LH_CLEANUP. Accepts a zeroed walk. */
void lh_registry_walk_close(struct lh_registry_walk *walk);

/*
 * What a row that cannot be understood means to the caller: UNAVAILABLE, never an answer.
 * status  of the codec; table: where the row lies, for a debug line.
 */
lh_status lh_registry_row_status(const struct lh_registry_view *view, enum lh_registry_table table,
                                 lh_status status);

/* Reads a number of META. Errors: REGISTRY_DOWN (also when it is missing). */
LH_MUST_USE lh_status lh_registry_get_number(const struct lh_registry_view *view, lh_slice name,
                                             uint64_t *out_value);
/* Writes it. Errors: NO_SPACE, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_put_number(struct lh_registry_txn *txn, lh_slice name,
                                             uint64_t value);

/* --- registry_space.c ------------------------------------------------------------------------- */

/* How much of a map of that size is kept for what only takes rights away. */
uint64_t lh_registry_reserve_bytes(uint64_t map_bytes);
/*
 * Notes what is in use, and tries to get disk blocks for that and the reserve.
 * Errors: REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_space_begin(struct lh_registry_txn *txn);
/*
 * Called after each write that grants something: whether the reserve of map and disk is untouched.
 * Errors: NO_SPACE, REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_space_check(struct lh_registry_txn *txn);
/*
 * Before the commit: the same, and disk blocks for what has grown.
 * Errors: NO_SPACE, REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_space_commit(struct lh_registry_txn *txn);

/* --- registry_generation.c -------------------------------------------------------------------- */

/* Makes the file with generation 0. Errors: EXISTS, UNREADABLE, NO_SPACE. */
LH_MUST_USE lh_status lh_registry_generation_create(const char *registry_path);
/* Removes it, for a creation that failed. */
void lh_registry_generation_remove(const char *registry_path);
/* Opens it for reading and writing. Errors: REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_generation_open(struct lh_registry *registry,
                                                  const char *registry_path);
/* Closes it. */
void lh_registry_generation_close(struct lh_registry *registry);
/*
 * Whether the registry is at least as new as what writers have seen; else it was set back, and an
 * error line says so. Errors: REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_generation_check(const struct lh_registry *registry,
                                                   uint64_t generation);
/* Notes a committed generation; a failure is a warning line, for the commit stands. */
void lh_registry_generation_note(const struct lh_registry *registry, uint64_t generation);

/* --- registry_read.c -------------------------------------------------------------------------- */

/*
 * A tenant as a view shows it, without counters.
 * Errors: ABSENT, REGISTRY_DOWN, FUTURE_FORMAT, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_load_tenant(const struct lh_registry_view *view,
                                              const struct lh_tenant_uid *uid,
                                              struct lh_tenant **out_tenant);
/* The uid behind a name in use. Errors: ABSENT, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_view_uid(const struct lh_registry_view *view,
                                           enum lh_name_kind kind, lh_slice name,
                                           struct lh_tenant_uid *out_uid);
/* A tier. Errors: ABSENT, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_view_tier(const struct lh_registry_view *view, lh_slice name,
                                            struct lh_tier *out_tier);
/* The slot of a tenant. Errors: ABSENT, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_view_slot(const struct lh_registry_view *view,
                                            const struct lh_tenant_uid *uid, uint32_t *out_slot);
/* Fills the source by which a directory loads. */
void lh_registry_fill_source(struct lh_registry *registry);

/* --- registry_issuers.c ----------------------------------------------------------------------- */

/*
 * Fills issuers and signing keys of a snapshot; of a tenant that has none it is one look-up.
 * Errors: REGISTRY_DOWN, FUTURE_FORMAT, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_load_issuers(const struct lh_registry_view *view,
                                               struct lh_tenant *tenant);

/* --- registry_signatures.c -------------------------------------------------------------------- */

/*
 * Fills the signature keys of a snapshot, in order of their ids.
 * Errors: REGISTRY_DOWN, FUTURE_FORMAT, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_load_signature_keys(const struct lh_registry_view *view,
                                                      struct lh_tenant *tenant);

/* --- registry_txn.c --------------------------------------------------------------------------- */

/* Marks a tenant's slot if the tenant is there. Errors: COUNTERS_DOWN, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_mark_tenant(struct lh_registry_txn *txn,
                                              const struct lh_tenant_uid *uid);

#endif
