/*
 * A registry in a scratch directory, and the shortest ways to fill it.
 */
#ifndef LH_TESTS_REGISTRY_FIXTURE_H
#define LH_TESTS_REGISTRY_FIXTURE_H

#include "support/scratch_dir.h"

#include "registry/registry.h"

#define FIXTURE_NOW_MS 1700000000000U

struct registry_fixture {
    struct scratch_dir dir;
    char path[SCRATCH_PATH_BYTES]; /* of the registry */
    char counters_path[SCRATCH_PATH_BYTES];
    struct lh_host host;
    enum lh_log_level last_level;
    char last_line[512]; /* at error or warning level */
    unsigned lines;      /* how many of those */
    struct lh_registry_options options;
    struct lh_registry *registry; /* open for writing, or NULL */
};

/* For cmocka: makes a registry and opens it for writing. */
int registry_fixture_set_up(void **state);
/* For cmocka: makes a registry with the smallest map and opens it. */
int registry_fixture_set_up_small(void **state);
/* For cmocka: makes a registry and leaves it closed, for tests that fork. */
int registry_fixture_set_up_closed(void **state);
/* For cmocka. */
int registry_fixture_tear_down(void **state);

/* Opens or closes fixture->registry. */
void registry_fixture_open(struct registry_fixture *fixture);
void registry_fixture_close(struct registry_fixture *fixture);

/* The uid that tests give to their nth tenant. */
struct lh_tenant_uid fixture_uid(unsigned n);
/* A lease id. */
struct lh_lease_id fixture_lease(unsigned n);
/* A user tag. */
struct lh_user_tag fixture_tag(unsigned n);

/* Begins, or fails the test. */
struct lh_registry_txn *fixture_begin(struct registry_fixture *fixture);
/* Commits and ends, or fails the test. */
void fixture_commit(struct lh_registry_txn *txn);

/* Claims the name and puts a new active tenant of tier "free" with one bucket. */
lh_status fixture_put_new(struct lh_registry_txn *txn, unsigned n, const char *id);
/* The same in a transaction of its own, or fails the test. */
void fixture_add(struct registry_fixture *fixture, unsigned n, const char *id);

/* Sets the state of a tenant inside a transaction. */
void fixture_set_state(struct lh_registry_txn *txn, unsigned n, enum lh_tenant_state state);

/* Claims or releases a name for the nth tenant. */
lh_status fixture_claim(struct lh_registry_txn *txn, enum lh_name_kind kind, const char *name,
                        unsigned n, uint64_t now_ms, bool may_reclaim);
lh_status fixture_release(struct lh_registry_txn *txn, const char *name, uint64_t until_ms);

/* Puts a wrapped DEK of the nth tenant, made at 100 + id and to retire at 200 + id. */
void fixture_put_dek(struct lh_registry_txn *txn, unsigned n, uint32_t id, enum lh_dek_state state);

/* Loads by name through the source. */
lh_status fixture_load(struct registry_fixture *fixture, const char *name,
                       struct lh_tenant **out_tenant);
/* Loads by the uid of the nth tenant, or fails the test. */
struct lh_tenant *fixture_load_uid(struct registry_fixture *fixture, unsigned n);
/* The value of a counter. */
uint64_t fixture_counter(struct registry_fixture *fixture, uint32_t slot);

#endif
