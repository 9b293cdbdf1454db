/*
 * Comparing what somebody could guess byte by byte takes as long whatever is wrong with the guess:
 * Welch's t test over times of guesses that are wrong at once and of such that are wrong at last
 * (Reparaz, Balasch, Verbauwhede: Dude, is my code constant time?, 2017). The same measurement must
 * find out a comparison that ends early, or it would find out nothing.
 */
#include "support/test.h"

#include "base/secret.h"
#include "session/session.h"

#include <math.h>
#include <time.h>

#define SAMPLES       20000U
#define CALLS         32U /* per sample: a clock does not see one */
#define T_MAX         4.5 /* what the paper takes for a leak */
#define KEPT_PERCENT  80U /* of the samples: whoever was interrupted is left out */
#define TRIES         10U /* a leak shows in each of them, an unquiet machine in some */
#define COMPARED_MAX  64U
#define WRONG_AT_ONCE 0U
#define WRONG_AT_LAST 1U

typedef bool (*compare_fn)(const uint8_t *secret, const uint8_t *guess, size_t len);

struct guesses {
    _Alignas(64) uint8_t secret[COMPARED_MAX];
    _Alignas(64) uint8_t wrong[2][COMPARED_MAX];
};

struct sample {
    uint64_t ns;
    unsigned kind;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t time_one(compare_fn compare, const struct guesses *guesses, unsigned kind,
                         size_t len)
{
    const uint8_t *guess = guesses->wrong[kind];
    unsigned equal = 0;
    uint64_t begin_ns = now_ns();
    for (unsigned i = 0; i < CALLS; i++) {
        __asm__ volatile("" : "+r"(guess) : : "memory");
        equal += compare(guesses->secret, guess, len) ? 1 : 0;
    }
    uint64_t spent_ns = now_ns() - begin_ns;
    assert_int_equal(equal, 0);
    return spent_ns;
}

static int by_time(const void *a, const void *b)
{
    const struct sample *left = a, *right = b;
    return left->ns < right->ns ? -1 : left->ns > right->ns;
}

/* Mean and variance of the quickest samples of a kind. */
static void describe(const struct sample *samples, unsigned kind, double *out_mean,
                     double *out_error)
{
    double sum = 0, squares = 0, count = 0;
    for (size_t i = 0; i < SAMPLES * KEPT_PERCENT / 100; i++) {
        if (samples[i].kind == kind) {
            sum += (double)samples[i].ns;
            squares += (double)samples[i].ns * (double)samples[i].ns;
            count += 1;
        }
    }
    assert_true(count > 1);
    *out_mean = sum / count;
    *out_error = (squares - sum * sum / count) / (count - 1) / count;
}

static double measure(compare_fn compare, const struct guesses *guesses, size_t len)
{
    static struct sample samples[SAMPLES];
    uint64_t state = now_ns() | 1;
    for (size_t i = 0; i < SAMPLES; i++) {
        samples[i].kind = (unsigned)(next_random(&state) & 1);
        samples[i].ns = time_one(compare, guesses, samples[i].kind, len);
    }
    qsort(samples, SAMPLES, sizeof(samples[0]), by_time);
    double means[2], errors[2];
    for (unsigned kind = 0; kind < 2; kind++) {
        describe(samples, kind, &means[kind], &errors[kind]);
    }
    double error = sqrt(errors[0] + errors[1]);
    return error > 0 ? fabs(means[0] - means[1]) / error : 0;
}

/* The least t of some tries. */
static double least_t(compare_fn compare, size_t len)
{
    struct guesses guesses;
    memset(&guesses, 0x5a, sizeof(guesses));
    guesses.wrong[WRONG_AT_ONCE][0] = 1;
    guesses.wrong[WRONG_AT_LAST][len - 1] = 1;
    double least = measure(compare, &guesses, len);
    for (unsigned i = 1; i < TRIES && least >= T_MAX; i++) {
        double t = measure(compare, &guesses, len);
        least = t < least ? t : least;
    }
    return least;
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
    double t = least_t(compare, len);
    if (t >= T_MAX) {
        fail_msg("t is %.1f where %zu bytes are compared", t, len);
    }
}

static void test_measurement__finds_out_a_comparison_that_ends_early(void **state)
{
    (void)state;
    assert_true(least_t(ends_early, 16) >= T_MAX);
    assert_true(least_t(ends_early, 32) >= T_MAX);
}

/* MACs of cookies (16), hashes of secrets (32), MACs of signatures and whole cookies. */
static void test_secret__j48_comparison_takes_as_long_wherever_it_is_wrong(void **state)
{
    (void)state;
    static const size_t lengths[] = {16, 32, 33, COMPARED_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_steady(of_secrets, lengths[i]);
        assert_steady(of_slices, lengths[i]);
    }
}

static void test_has_token__j48_takes_as_long_wherever_the_tag_is_wrong(void **state)
{
    (void)state;
    assert_steady(of_tags, sizeof(struct lh_token_tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measurement__finds_out_a_comparison_that_ends_early),
        cmocka_unit_test(test_secret__j48_comparison_takes_as_long_wherever_it_is_wrong),
        cmocka_unit_test(test_has_token__j48_takes_as_long_wherever_the_tag_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
