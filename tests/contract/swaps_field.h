/*
 * Twenty tenants with a session of each kind, and a thief who can write the session store and make
 * cookies whose MAC holds. What he has not are the tenants' keys.
 */
#ifndef LH_TESTS_CONTRACT_SWAPS_FIELD_H
#define LH_TESTS_CONTRACT_SWAPS_FIELD_H

#include "long/asked_gate.h"
#include "support/test.h"
#include "unit/admin/acts.h"

#include "setup/home.h"

#define TENANTS  20U
#define KINDS    3U
#define SESSIONS (TENANTS * KINDS)

/* Session n is of kind n % KINDS and of tenant n / KINDS; the subjects are bob and alice. */
enum kind { A_USER, A_USER_WITH_STATE, ANONYMOUS };

struct session {
    char tenant[16];
    char name[64];
    char ref[64];
    char value[LH_HANDLE_TEXT_BYTES + 1];
    struct lh_handle handle;
    struct lh_session_key key;
    struct lh_session_header header;
    struct lh_store_row row;
    struct lh_buf record;
};

struct field {
    struct made_home made;
    struct fake_host fake;
    struct asked_gate asked;
    struct session sessions[SESSIONS];
    unsigned long refused[LH_REASON_COUNT];
    unsigned long not_taken; /* by the store: a record that cannot be planted */
};

/* For cmocka; *state is a struct field. */
int swaps_set_up(void **state);
/* For cmocka. */
int swaps_tear_down(void **state);
/* Closes the gate, opens the home for operator acts, calls act for each session, opens the gate. */
void reopen(struct field *field, void (*act)(struct field *field, unsigned n));

/* Whether two sessions are of one tenant. */
bool is_one_tenant(const struct session *a, const struct session *b);

/* Fails the test if a cookie passes at the tenant of a session. what: for the message. */
void assert_refused(struct field *field, const struct session *at, const char *name, lh_slice value,
                    const char *what);
/*
 * The same for a cookie of a tenant that names the lease of one session and has the secret of
 * another; its MAC holds.
 */
void assert_forged_refused(struct field *field, const struct session *at,
                           const struct session *place, const struct session *secret,
                           const char *what);
/* Fails the test if a session does not pass with its own cookie. */
void assert_passes(struct field *field, const struct session *session);

/*
 * Puts a record alone into the store, indexed as the record says.
 * session  whose row it is if the record says nothing.
 * returns: false if the store does not even take it.
 */
bool plant(struct field *field, const struct lh_session_key *key, const struct session *session,
           lh_slice record);
/* Puts every session's own record into its place, and nothing else. */
void put_all(struct field *field);
/* The same, and each passes. */
void assert_all_pass(struct field *field);
/* Calls each for every ordered pair of sessions; all of them pass before and after. */
void each_pair(struct field *field,
               void (*each)(struct field *field, struct session *a, struct session *b));

#endif
