/*
 * What a walk through the model is made on: a vault over a store of a given driver, a registry
 * beside it, and what the model's actors remember between two steps.
 */
#ifndef LH_TESTS_MODEL_REPLAY_H
#define LH_TESTS_MODEL_REPLAY_H

#include "unit/registry/registry_fixture.h"
#include "unit/session/session_fixture.h"

#define REPLAY_WORKERS 2U

/* A record as somebody has read it. */
struct record_copy {
    struct lh_store_row row; /* its record is the buffer */
    struct lh_session_header header;
    struct lh_buf record;
};

/* A request of a worker, between its steps. */
struct request {
    unsigned secret;
    struct lh_session_header header;
};

struct replay {
    struct fixture *session;
    struct registry_fixture *registry;
    struct scratch_dir dir;
    bool is_lmdb;
    bool has_crashed;        /* once at most */
    struct lh_handle handle; /* with the first secret */
    uint64_t created_ms;
    struct lh_user_tag user_tag;
    struct request requests[REPLAY_WORKERS];
    struct lh_session_header in_grace; /* of a record whose grace somebody will shut */
    struct lh_loaded_session turned;   /* what a rotation has read */
    struct lh_handle second;           /* what it gave */
    struct record_copy patched;
    struct record_copy stolen;
    struct record_copy aside;
};

/* For cmocka; *state is a struct replay over the driver in LH_REPLAY_DRIVER. */
int replay_set_up(void **state);
/* For cmocka. */
int replay_tear_down(void **state);
/* Frees what a copy holds; for LH_CLEANUP. */
void record_copy_fini(struct record_copy **copy);

/* Keeps the store as a power loss would leave it from now on. */
void replay_flush(struct replay *replay);
/* Sets that aside and goes on with an empty store in which what is absent is unknown. */
void replay_crash(struct replay *replay);
/* Reads the session from the store that was set aside. returns: false if it is not there. */
bool replay_read_aside(struct replay *replay);

/* What the registry says of a session, if there is anything to ask for. */
struct lh_session_facts replay_facts(struct replay *replay, const struct lh_session_header *header,
                                     bool has_epochs, bool has_marks);
/* Writes a revocation or a mark of the session. */
void replay_put_revocation(struct replay *replay, const struct lh_revocation *revocation,
                           uint64_t keep_until_ms);
/* Ends all that the session's user has. */
void replay_raise_epoch(struct replay *replay);
/* Forgets what is over; there must be something. */
void replay_sweep_registry(struct replay *replay);

#endif
