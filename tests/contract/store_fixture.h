/*
 * What every test of a session store stands on: a fresh store of a given driver in a directory
 * of its own, keys of two tenants, rows with recognisable content.
 */
#ifndef LH_TESTS_CONTRACT_STORE_FIXTURE_H
#define LH_TESTS_CONTRACT_STORE_FIXTURE_H

#include "support/test.h"

#include "store/store.h"

/* The moment at which most tests play. */
#define NOW_MS  ((uint64_t)1700000000000)
#define HOUR_MS ((uint64_t)3600 * 1000)

struct fixture {
    const char *driver_name;
    char path[256]; /* of the store's directory, inside a fresh one */
    struct lh_store_options options;
    struct lh_store *store;
};

/* Makes the directory and opens the store; map and reserve are the driver's own if 0. */
void fixture_open(struct fixture *fixture, const char *driver_name, uint64_t map_bytes,
                  uint64_t reserve_bytes);
/* Closes and opens again. */
void fixture_reopen(struct fixture *fixture);
/* Closes and removes everything. */
void fixture_close(struct fixture *fixture);

/* The place of session n of tenant t in a bucket. */
struct lh_session_key key_of(unsigned tenant, uint32_t bucket, unsigned n);
/* The tag of user n. */
struct lh_user_tag tag_of(unsigned n);
/* A record of a user: generation 1, touched at NOW_MS, idle 30 min, absolute end in 8 hours. */
struct lh_store_row row_of(unsigned user, const char *content);
/* A record of len bytes of its own pattern; static storage until the next call. */
lh_slice long_record(size_t len, unsigned seed);

/* Loads a place; the record's bytes stay valid until the next call. Fails the test on errors. */
struct lh_store_row load_row(struct lh_store *store, const struct lh_session_key *key);
/* What lies in a place. */
enum lh_place_kind kind_in(struct lh_store *store, const struct lh_session_key *key);

/* Writes that must succeed. */
void create_row(struct lh_store *store, struct lh_session_key key, struct lh_store_row row);
/* Touches one place. */
void touch_row(struct lh_store *store, struct lh_session_key key, uint64_t touch_ms);
/* Swaps to the generation that follows the expected one. */
lh_status swap_row(struct lh_store *store, struct lh_session_key key, uint64_t expected,
                   struct lh_store_row row);
/* Sweeps until nothing is due; returns how many rows were handled. */
size_t sweep_all(struct lh_store *store, uint64_t now_ms);
/* Counts, which must succeed. */
struct lh_store_counts count_rows(struct lh_store *store);

/* Whether this is one of the long runs: LH_TEST_LONG is set. */
bool is_long_run(void);

/* --- Suites over every driver ---------------------------------------------------------------- */

/* Runs the tests once over every row of drivers/drivers.h. returns: the exit code. */
int contract_run(const struct CMUnitTest *tests, size_t count);
/* The driver of the present round. */
const char *contract_driver(void);
/* The store that a CONTRACT_CASE was given. */
struct lh_store *store_of(void **state);
/* Setup and teardown of CONTRACT_CASE. */
int contract_setup(void **state);
int contract_teardown(void **state);

#define CONTRACT_CASE(test) cmocka_unit_test_setup_teardown(test, contract_setup, contract_teardown)

#endif
