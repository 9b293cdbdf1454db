/*
 * Comparing what somebody could guess byte by byte takes as many instructions whatever is wrong
 * with the guess. A child compares while its parent steps it one instruction at a time and counts:
 * that is the same on an idle machine and on a busy one, which times are not. The same count must
 * find out a comparison that ends early, or it would find out nothing.
 */
#include "support/test.h"

#include "base/secret.h"
#include "session/session.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMPARED_MAX 64U
#define APART        7U /* bytes between the places tried: words and halves of them end there */
#define STEPS_MAX    100000U
#define CANNOT_TRACE 3 /* exit code of a child that must not be traced here */

typedef bool (*compare_fn)(const uint8_t *secret, const uint8_t *guess, size_t len);

struct guess {
    _Alignas(64) uint8_t secret[COMPARED_MAX];
    _Alignas(64) uint8_t guess[COMPARED_MAX];
};

/* Stops before the comparison and after it; never returns. */
static void compare_traced(compare_fn compare, const struct guess *guess, size_t len)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
        _exit(CANNOT_TRACE);
    }
    (void)compare(guess->secret, guess->guess, len); /* what is looked up once is looked up now */
    (void)raise(SIGUSR1);
    volatile bool is_equal = compare(guess->secret, guess->guess, len);
    (void)raise(SIGUSR2);
    _exit(is_equal ? 1 : 0);
}

/* Waits for the child's next stop, and says by which signal; 0 if it is gone. */
static int next_stop(pid_t child, int *out_exit_code)
{
    int state;
    pid_t waited;
    do {
        waited = waitpid(child, &state, 0);
    } while (waited < 0 && errno == EINTR);
    assert_int_equal(waited, child);
    if (WIFSTOPPED(state)) {
        return WSTOPSIG(state);
    }
    *out_exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    return 0;
}

/* Instructions between the child's two stops; 0 where nobody may be traced. */
static unsigned count_steps(pid_t child)
{
    int exit_code = 0;
    int stopped_by = next_stop(child, &exit_code);
    if (stopped_by == 0 && exit_code == CANNOT_TRACE) {
        return 0;
    }
    assert_int_equal(stopped_by, SIGUSR1);
    unsigned steps = 0;
    while (stopped_by != SIGUSR2 && steps < STEPS_MAX) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        stopped_by = next_stop(child, &exit_code);
        steps++;
    }
    assert_int_equal(stopped_by, SIGUSR2);
    assert_int_equal(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
    assert_int_equal(next_stop(child, &exit_code), 0);
    assert_int_equal(exit_code, 0);
    return steps;
}

/* Instructions for a comparison of len bytes, of which the one at wrong is another. */
static unsigned steps_of(compare_fn compare, size_t len, size_t wrong)
{
    struct guess guess;
    memset(&guess, 0x5a, sizeof(guess));
    guess.guess[wrong] = 1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        compare_traced(compare, &guess, len);
    }
    unsigned steps = count_steps(child);
    if (steps == 0) {
        print_message("nobody may be traced on this machine\n");
        skip();
    }
    return steps;
}

/* --- What is compared ------------------------------------------------------------------------- */

static bool ends_early(const uint8_t *secret, const uint8_t *guess, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (secret[i] != guess[i]) {
            return false;
        }
    }
    return true;
}

static bool of_secrets(const uint8_t *secret, const uint8_t *guess, size_t len)
{
    return lh_secret_is_equal(secret, guess, len);
}

static bool of_slices(const uint8_t *secret, const uint8_t *guess, size_t len)
{
    return lh_secret_slice_is_equal(lh_slice_of(secret, len), lh_slice_of(guess, len));
}

static bool of_tags(const uint8_t *secret, const uint8_t *guess, size_t len)
{
    static struct lh_session_header header;
    struct lh_token_tag tag;
    memcpy(header.token_tag.bytes, secret, len);
    memcpy(tag.bytes, guess, len);
    return lh_session_has_token(&header, &tag);
}

static void assert_steady(compare_fn compare, size_t len)
{
    unsigned steps = steps_of(compare, len, 0);
    for (size_t wrong = 1; wrong < len; wrong += APART) {
        assert_int_equal(steps_of(compare, len, wrong), steps);
    }
    assert_int_equal(steps_of(compare, len, len - 1), steps);
}

static void test_count__finds_out_a_comparison_that_ends_early(void **state)
{
    (void)state;
    for (size_t wrong = APART; wrong < COMPARED_MAX; wrong += APART) {
        assert_true(steps_of(ends_early, COMPARED_MAX, wrong) >
                    steps_of(ends_early, COMPARED_MAX, wrong - APART));
    }
}

/* MACs of cookies (16), hashes of secrets (32), MACs of signatures and whole cookies. */
static void test_secret__j48_comparison_takes_as_many_steps_wherever_it_is_wrong(void **state)
{
    (void)state;
    static const size_t lengths[] = {16, 32, 33, COMPARED_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_steady(of_secrets, lengths[i]);
        assert_steady(of_slices, lengths[i]);
    }
}

static void test_has_token__j48_takes_as_many_steps_wherever_the_tag_is_wrong(void **state)
{
    (void)state;
    assert_steady(of_tags, sizeof(struct lh_token_tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count__finds_out_a_comparison_that_ends_early),
        cmocka_unit_test(test_secret__j48_comparison_takes_as_many_steps_wherever_it_is_wrong),
        cmocka_unit_test(test_has_token__j48_takes_as_many_steps_wherever_the_tag_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
