/*
 * Random bytes: never twice, not even over a fork, and never a pretence when the source fails.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the old way to replace the generator is the only short one */
#include "support/test.h"

#include "crypto/engine.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAW_BYTES 16U

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static int compare_draws(const void *a, const void *b)
{
    return memcmp(a, b, DRAW_BYTES);
}

static void test_random__never_repeats_within_and_across_batches(void **state)
{
    enum { DRAWS = 1 << 20 }; /* some four thousand batches */
    static uint8_t draws[DRAWS][DRAW_BYTES];
    for (size_t i = 0; i < DRAWS; i++) {
        assert_ok(lh_random(*state, draws[i], DRAW_BYTES));
    }
    qsort(draws, DRAWS, DRAW_BYTES, compare_draws);
    for (size_t i = 1; i < DRAWS; i++) {
        assert_memory_not_equal(draws[i - 1], draws[i], DRAW_BYTES);
    }
}

static void test_random__fills_every_length(void **state)
{
    static uint8_t bytes[LH_RANDOM_MAX_BYTES + 1];
    for (size_t len = 0; len <= LH_RANDOM_MAX_BYTES; len += len < 600 ? 1 : 499) {
        bool has_changed_last = len == 0;
        memset(bytes, 0, sizeof(bytes));
        for (unsigned attempt = 0; attempt < 20; attempt++) {
            assert_ok(lh_random(*state, bytes, len));
            has_changed_last = has_changed_last || bytes[len - 1] != 0;
        }
        assert_true(has_changed_last);
        assert_int_equal(bytes[len], 0);
    }
}

static void test_random__keeps_nothing_of_what_it_handed_out(void **state)
{
    struct lh_crypto *crypto = *state;
    uint8_t bytes[DRAW_BYTES];
    assert_non_null(crypto->batch); /* or there is nothing to keep */
    for (unsigned i = 0; i < 300; i++) {
        assert_ok(lh_random(crypto, bytes, sizeof(bytes)));
        assert_null(memmem(crypto->batch, 4096, bytes, sizeof(bytes)));
    }
}

static void test_random__refuses_more_than_it_promises(void **state)
{
    static uint8_t bytes[LH_RANDOM_MAX_BYTES + 1];
    static const uint8_t zeros[sizeof(bytes)];
    memset(bytes, 0xff, sizeof(bytes));
    assert_status(lh_random(*state, bytes, sizeof(bytes)), LH_INVALID);
    assert_memory_equal(bytes, zeros, sizeof(bytes));
}

/* What a child draws from the engine that it inherited. */
static void draw_in_child(struct lh_crypto *crypto, uint8_t out_draw[DRAW_BYTES])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t draw[DRAW_BYTES];
        bool is_drawn = lh_is_ok(lh_random(crypto, draw, sizeof(draw)));
        _exit(is_drawn && write(ends[1], draw, sizeof(draw)) == (ssize_t)sizeof(draw) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(read(ends[0], out_draw, DRAW_BYTES), DRAW_BYTES);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_random__differs_between_parent_and_children(void **state)
{
    uint8_t draws[4][DRAW_BYTES];
    assert_ok(lh_random(*state, draws[0], DRAW_BYTES)); /* the batch is full when we fork */
    draw_in_child(*state, draws[1]);
    draw_in_child(*state, draws[2]);
    assert_ok(lh_random(*state, draws[3], DRAW_BYTES));
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(draws[i], draws[j], DRAW_BYTES);
        }
    }
}

static int fail_to_generate(unsigned char *out_bytes, int len)
{
    memset(out_bytes, 0x41, (size_t)len / 2); /* a source that breaks half way */
    return 0;
}

static void assert_fails_closed(struct lh_crypto *crypto, size_t len)
{
    static const uint8_t zeros[LH_RANDOM_MAX_BYTES];
    static uint8_t bytes[LH_RANDOM_MAX_BYTES];
    memset(bytes, 0xff, sizeof(bytes));
    assert_status(lh_random(crypto, bytes, len), LH_CRYPTO);
    assert_memory_equal(bytes, zeros, len);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_random__fails_closed(void **state)
{
    (void)state;
    struct lh_crypto *crypto = NULL;
    uint8_t bytes[DRAW_BYTES];
    uint8_t large[512];
    RAND_METHOD broken = {.bytes = fail_to_generate};
    assert_ok(lh_crypto_new(&crypto));
    assert_ok(lh_random(crypto, bytes, 1));
    for (unsigned i = 0; i < 7; i++) { /* what is left of the batch is less than a large draw */
        assert_ok(lh_random(crypto, large, sizeof(large)));
    }
    assert_int_equal(RAND_set_rand_method(&broken), 1);
    assert_fails_closed(crypto, sizeof(large));
    assert_fails_closed(crypto, DRAW_BYTES); /* and does not serve what half a refill left */
    assert_fails_closed(crypto, 1);
    assert_fails_closed(crypto, LH_RANDOM_MAX_BYTES);
    assert_int_equal(RAND_set_rand_method(NULL), 1);
    assert_ok(lh_random(crypto, bytes, sizeof(bytes)));
    lh_crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random__never_repeats_within_and_across_batches),
        cmocka_unit_test(test_random__fills_every_length),
        cmocka_unit_test(test_random__keeps_nothing_of_what_it_handed_out),
        cmocka_unit_test(test_random__refuses_more_than_it_promises),
        cmocka_unit_test(test_random__differs_between_parent_and_children),
        cmocka_unit_test(test_random__fails_closed),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
