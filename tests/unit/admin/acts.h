/*
 * Acts as tests call them: with texts, and with what a callback was given kept as copies.
 */
#ifndef LH_TESTS_UNIT_ADMIN_ACTS_H
#define LH_TESTS_UNIT_ADMIN_ACTS_H

#include "support/made_home.h"
#include "support/test.h"

#define ACTS_TEXT_BYTES 512

/* A tenant as it was shown; lists are joined with ",". */
struct shown_tenant {
    int calls;
    char id[64], uid[64], state[32], tier[64], cookie[64];
    char aliases[ACTS_TEXT_BYTES], domains[ACTS_TEXT_BYTES], roles[ACTS_TEXT_BYTES];
    uint32_t idle_s, absolute_s, active_key, requests_per_s, requests_burst;
    uint64_t epoch;
    size_t key_count;
};

struct made_session {
    int calls;
    char name[64], value[128], ref[64];
    uint64_t absolute_end_ms;
    uint32_t idle_s;
};

struct shown_session {
    int calls; /* of a list: how many there were; the rest is of the last */
    char ref[64], standing[32], subject[256], roles[ACTS_TEXT_BYTES], scopes[ACTS_TEXT_BYTES];
    bool has_user, is_open;
    size_t state_bytes;
    uint32_t key_id;
    uint64_t absolute_end_ms;
};

/* A home with the tenants acme (premium) and globex (free). For cmocka_unit_test_setup_teardown. */
int acts_set_up(void **state);
/* Closes and removes it. */
int acts_tear_down(void **state);

/* A slice of a text. */
#define S(text) lh_slice_from_text(text)

/* Adds a tenant with at most one domain and one alias (NULL: none). */
lh_status add_tenant(struct made_home *made, const char *id, const char *tier, const char *domain,
                     const char *alias);
/* Shows a tenant. */
lh_status show_tenant(struct made_home *made, const char *id, struct shown_tenant *out_shown);
/* Makes a session; subject NULL: anonymous. */
lh_status make_session(struct made_home *made, const char *tenant, const char *subject,
                       struct made_session *out_session);
/* Shows a session. */
lh_status show_session(struct made_home *made, const char *tenant, const char *ref,
                       struct shown_session *out_shown);
/* Lists the sessions of a tenant; subject NULL: all. */
lh_status list_sessions(struct made_home *made, const char *tenant, const char *subject,
                        struct shown_session *out_last);
/* Whether the last failure's line holds a text. */
void assert_why(const struct made_home *made, const char *text);
/* Joins texts with ",". */
void join_texts(const struct lh_admin_texts *texts, char *out_text, size_t size);

#define WITH_HOME(test) cmocka_unit_test_setup_teardown(test, acts_set_up, acts_tear_down)

#endif
