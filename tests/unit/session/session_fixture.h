/*
 * A vault over the memory store with two tenants, a key manager that does as the test says, and a
 * write queue that only remembers what was asked of it.
 */
#ifndef LH_TESTS_SESSION_FIXTURE_H
#define LH_TESTS_SESSION_FIXTURE_H

#include "support/fake_host.h"
#include "support/test.h"

#include "session/session_vault.h"

#define FIXTURE_QUEUE_MAX 8
#define IDLE_S            1800U
#define ABSOLUTE_S        28800U
#define STATE_MAX_BYTES   4096U

/* Stands in for the real queue. */
struct lh_write_queue {
    bool is_full;
    struct lh_session_key touched[FIXTURE_QUEUE_MAX];
    size_t touches;
    uint64_t last_touch_ms;
    struct lh_session_key expired[FIXTURE_QUEUE_MAX];
    size_t expiries;
    struct lh_session_key set_aside[FIXTURE_QUEUE_MAX];
    size_t quarantines;
    struct lh_session_key graced[FIXTURE_QUEUE_MAX];
    size_t grace_ends;
    uint64_t grace_generation; /* of the last */
};

/* Its answers and calls. */
struct fake_kms {
    enum lh_code answer; /* of every unwrap */
    size_t unwraps;
};

struct fixture {
    struct fake_host fake; /* finishes tasks at once */
    struct fake_kms kms;
    struct lh_crypto *crypto;
    struct lh_keys *keys;
    struct lh_datakey_cache *datakeys;
    struct lh_store *store;
    struct lh_write_queue queue;
    struct lh_vault *vault; /* with the queue */
    struct lh_vault *acts;  /* without, over the same store */
    struct lh_tenant *acme;
    struct lh_tenant *globex;
};

/* For cmocka; *state is a struct fixture. */
int fixture_set_up(void **state);
/* For cmocka. */
int fixture_tear_down(void **state);

/* Empties the store: what lies in it afterwards is what the test puts there. */
void fixture_renew_store(struct fixture *fixture);
/* Puts another store in the place of the present one, which is closed. */
void fixture_use_store(struct fixture *fixture, struct lh_store *store);
/* Forgets all unwrapped keys. */
void fixture_renew_datakeys(struct fixture *fixture);

/* A session as the fixture makes it, with what a thief of the store would know. */
struct made_session {
    struct lh_handle handle;
    struct lh_session_key key;
    struct lh_session_header header;
    struct lh_buf record; /* as it lies in the store; owned */
    struct lh_store_row row;
};

/* Alice of a tenant: role admin, scope orders:read, group staff, a state. */
struct lh_session_spec spec_of_alice(void);
/* Creates a session and reads it back from the store. */
void make_session(struct fixture *fixture, struct lh_tenant *tenant,
                  const struct lh_session_spec *spec, struct made_session *out_made);
void made_session_fini(struct made_session *made);

/* Puts a row into an empty store: its own, or one of which the record was altered. */
void put_row(struct fixture *fixture, const struct lh_session_key *key,
             const struct lh_store_row *row, lh_slice record);

/* A record under header, sealed as the vault seals. */
void seal_record(struct fixture *fixture, struct lh_tenant *tenant,
                 const struct lh_session_header *header, lh_slice principal, lh_slice state,
                 struct lh_buf *out);

/* Loads, and opens principal and state. The first failure is the answer. */
lh_status load_and_open(struct fixture *fixture, struct lh_tenant *tenant,
                        const struct lh_handle *handle);
/* Loads and drops. */
lh_status load_only(struct fixture *fixture, const struct lh_handle *handle);

#endif
