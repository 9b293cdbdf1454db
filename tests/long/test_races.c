/*
 * Processes that get in each other's way on one home: an operator who signs in and logs out, one
 * who rotates keys, and workers that decide and touch meanwhile. What was acknowledged before a
 * request holds for it; what lives is never refused.
 */
#include "asked_gate.h"
#include "contract/peer.h"
#include "support/test.h"
#include "unit/admin/acts.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS        10000U
#define COOKIE_BYTES  192U
#define WORKERS       2U
#define ROTATIONS     40U /* a tenant keeps 64 keys */
#define PATIENCE_SPIN 20000U

enum standing { NOT_YET, LIVE, ENDING, ENDED };

/* What all processes see. */
struct field {
    char path[SCRATCH_PATH_BYTES];
    atomic_uint made; /* rounds begun; the last may still be NOT_YET */
    atomic_bool is_over;
    atomic_uint standing[ROUNDS];
    atomic_uint asked[ROUNDS]; /* requests of its session that passed */
    atomic_uint passed;
    atomic_uint refused;
    atomic_uint rotations;
    char cookies[ROUNDS][COOKIE_BYTES];
};

/* --- Operators -------------------------------------------------------------------------------- */

static bool open_operator(struct made_home *made, const struct field *field)
{
    char why[LH_HOME_ERROR_BYTES];
    *made = (struct made_home){.home = NULL};
    fake_host_init(&made->fake);
    return lh_is_ok(lh_home_open_operator(field->path, &made->fake.host, "cli:race", true,
                                          &made->home, why)) &&
           lh_is_ok(lh_admin_new(lh_home_admin_parts(made->home), &made->admin));
}

static bool sign_in(struct made_home *made, struct field *field, unsigned round,
                    struct made_session *out_session)
{
    if (!lh_is_ok(make_session(made, "acme", "alice", out_session))) {
        return false;
    }
    (void)snprintf(field->cookies[round], COOKIE_BYTES, "%s=%s", out_session->name,
                   out_session->value);
    atomic_store(&field->standing[round], LIVE);
    return true;
}

/* Signs in, lets a worker see it, and logs out while workers ask and touch. */
static bool play_round(struct made_home *made, struct field *field, unsigned round)
{
    struct made_session session;
    atomic_store(&field->made, round + 1);
    if (!sign_in(made, field, round, &session)) {
        return false;
    }
    for (unsigned i = 0; i < PATIENCE_SPIN && atomic_load(&field->asked[round]) == 0; i++) {
        (void)sched_yield();
    }
    atomic_store(&field->standing[round], ENDING);
    if (!lh_is_ok(lh_admin_session_revoke(made->admin, S("acme"), S(session.ref)))) {
        return false;
    }
    atomic_store(&field->standing[round], ENDED);
    return true;
}

static bool sign_in_and_out(struct peer *peer, void *context)
{
    (void)peer;
    struct field *field = context;
    struct made_home made;
    bool is_well = open_operator(&made, field);
    for (unsigned round = 0; is_well && round < ROUNDS; round++) {
        is_well = play_round(&made, field, round);
    }
    atomic_store(&field->is_over, true);
    made_home_close(&made);
    return is_well;
}

static bool sign_many_in(struct peer *peer, void *context)
{
    (void)peer;
    struct field *field = context;
    struct made_home made;
    bool is_well = open_operator(&made, field);
    for (unsigned round = 0; is_well && round < ROUNDS; round++) {
        struct made_session session;
        is_well = sign_in(&made, field, round, &session);
        atomic_store(&field->made, round + 1);
        /* Writes shall go on until the last rotation. */
        while (round == ROUNDS - 1 && atomic_load(&field->rotations) < ROTATIONS &&
               !atomic_load(&field->is_over)) {
            is_well = lh_is_ok(make_session(&made, "globex", "bob", &session));
        }
    }
    atomic_store(&field->is_over, true);
    made_home_close(&made);
    return is_well;
}

static void ignore_key(void *context, const struct lh_admin_key *key)
{
    (void)context;
    (void)key;
}

/* Spreads its rotations over the rounds. */
static bool rotate_keys(struct peer *peer, void *context)
{
    (void)peer;
    struct field *field = context;
    struct made_home made;
    bool is_well = open_operator(&made, field);
    while (is_well && !atomic_load(&field->is_over)) {
        unsigned done = atomic_load(&field->rotations);
        if (done < ROTATIONS && atomic_load(&field->made) >= done * (ROUNDS / ROTATIONS)) {
            is_well = lh_is_ok(lh_admin_key_rotate(made.admin, S("acme"), ignore_key, NULL));
            if (!is_well) {
                (void)fprintf(stderr, "rotation %u: %s\n", done, lh_admin_why(made.admin));
            }
            atomic_store(&field->rotations, done + 1);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    made_home_close(&made);
    return is_well;
}

/* --- Workers ---------------------------------------------------------------------------------- */

/* returns: whether the answer may be. */
static bool ask(struct asked_gate *asked, struct field *field, unsigned round)
{
    unsigned before = atomic_load(&field->standing[round]);
    if (before == NOT_YET) {
        return true;
    }
    enum lh_reason reason = asked_gate_ask(asked, "acme", field->cookies[round]);
    unsigned after = atomic_load(&field->standing[round]);
    if (reason == LH_REASON_OK) {
        atomic_fetch_add(&field->asked[round], 1);
        atomic_fetch_add(&field->passed, 1);
        return before != ENDED;
    }
    atomic_fetch_add(&field->refused, 1);
    bool is_right = reason == LH_REASON_SESSION_REVOKED && after != LIVE;
    if (!is_right) {
        (void)fprintf(stderr, "round %u: %s, standing %u and then %u\n", round,
                      lh_reason_name(reason), before, after);
    }
    return is_right;
}

/* The newest session, where all happens, and now and then any other. */
static bool decide_on(struct peer *peer, void *context)
{
    (void)peer;
    struct field *field = context;
    struct fake_host fake;
    struct asked_gate asked = {.home = NULL};
    char why[LH_HOME_ERROR_BYTES];
    fake_host_init(&fake);
    fake_host_advance(&fake, 61000); /* so that every session is touched at its first request */
    if (!lh_is_ok(asked_gate_open(&asked, field->path, &fake.host, why))) {
        return false;
    }
    bool is_well = true;
    uint64_t random = 1;
    while (is_well && !atomic_load(&field->is_over)) {
        unsigned made = atomic_load(&field->made);
        random = random * 6364136223846793005U + 1442695040888963407U;
        if (made > 0) {
            is_well = ask(&asked, field, made - 1) &&
                      ask(&asked, field, (unsigned)((random >> 33) % made));
        }
    }
    asked_gate_close(&asked);
    return is_well;
}

/* --- The field -------------------------------------------------------------------------------- */

static struct field *make_field(struct made_home *made)
{
    struct field *field =
        mmap(NULL, sizeof(*field), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(field != MAP_FAILED);
    (void)snprintf(field->path, sizeof(field->path), "%s", made->path);
    made_home_set(made, "locked_memory = best_effort");
    made_home_close(made); /* a process opens an environment once */
    return field;
}

static void run_all(struct field *field, bool (*operate)(struct peer *peer, void *context))
{
    struct peer operator, rotator, workers[WORKERS];
    struct timespec from, to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    for (unsigned i = 0; i < WORKERS; i++) {
        peer_start(&workers[i], decide_on, field);
    }
    peer_start(&rotator, rotate_keys, field);
    peer_start(&operator, operate, field);
    int status = peer_end(&operator);
    atomic_store(&field->is_over, true);
    peer_finish(&rotator);
    for (unsigned i = 0; i < WORKERS; i++) {
        peer_finish(&workers[i]);
    }
    assert_int_equal(status, 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    print_message("%u rounds and %u rotations in %ld s; %u requests passed, %u were refused\n",
                  atomic_load(&field->made), atomic_load(&field->rotations),
                  (long)(to.tv_sec - from.tv_sec), atomic_load(&field->passed),
                  atomic_load(&field->refused));
}

/* Asks a worker that has just come about all of them. */
static void assert_all(struct field *field, enum lh_reason expected)
{
    struct fake_host fake;
    struct asked_gate asked = {.home = NULL};
    char why[LH_HOME_ERROR_BYTES];
    fake_host_init(&fake);
    fake_host_advance(&fake, 61000);
    assert_ok(asked_gate_open(&asked, field->path, &fake.host, why));
    for (unsigned round = 0; round < ROUNDS; round++) {
        enum lh_reason reason = asked_gate_ask(&asked, "acme", field->cookies[round]);
        assert_string_equal(lh_reason_name(reason), lh_reason_name(expected));
    }
    asked_gate_close(&asked);
}

static void test_races__logout_is_final_whatever_touches_and_rotates(void **state)
{
    struct field *field = make_field(*state);
    run_all(field, sign_in_and_out);
    assert_true(atomic_load(&field->passed) > ROUNDS / 2);
    assert_true(atomic_load(&field->refused) > ROUNDS / 2);
    assert_all(field, LH_REASON_SESSION_REVOKED);
    (void)munmap(field, sizeof(*field));
}

static void test_races__rotating_under_writes_fails_no_read(void **state)
{
    struct field *field = make_field(*state);
    run_all(field, sign_many_in);
    assert_int_equal(atomic_load(&field->refused), 0);
    assert_int_equal(atomic_load(&field->rotations), ROTATIONS);
    assert_true(atomic_load(&field->passed) > ROUNDS / 10);
    assert_all(field, LH_REASON_OK);
    (void)munmap(field, sizeof(*field));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_races__rotating_under_writes_fails_no_read),
        WITH_HOME(test_races__logout_is_final_whatever_touches_and_rotates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
