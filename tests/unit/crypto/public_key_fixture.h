/*
 * Verifying keys for three files of tests: made from hexadecimal material, and refused with nothing
 * left behind.
 */
#ifndef LH_TESTS_PUBLIC_KEY_FIXTURE_H
#define LH_TESTS_PUBLIC_KEY_FIXTURE_H

#include "support/hex.h"
#include "support/test.h"

#include "crypto/public_key.h"

#include <openssl/err.h>

static inline int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static inline int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static inline void drop_key(struct lh_public_key **key)
{
    lh_public_key_free(*key);
}

static inline struct lh_public_key *new_key(struct lh_crypto *crypto, enum lh_algorithm algorithm,
                                            lh_slice material)
{
    struct lh_public_key *key = NULL;
    assert_ok(lh_public_key_new(crypto, algorithm, material, &key));
    assert_int_equal(lh_public_key_algorithm(key), algorithm);
    assert_int_equal(ERR_peek_error(), 0);
    return key;
}

static inline void assert_key_refused(struct lh_crypto *crypto, enum lh_algorithm algorithm,
                                      lh_slice material, enum lh_code expected)
{
    struct lh_public_key *key = NULL;
    assert_status(lh_public_key_new(crypto, algorithm, material, &key), expected);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
}

static inline void assert_holds(struct lh_public_key *key, lh_slice message, lh_slice signature)
{
    assert_ok(lh_public_key_verify(key, message, signature));
    assert_int_equal(ERR_peek_error(), 0);
}

static inline void assert_refused(struct lh_public_key *key, lh_slice message, lh_slice signature)
{
    assert_status(lh_public_key_verify(key, message, signature), LH_BAD_SIGNATURE);
    assert_int_equal(ERR_peek_error(), 0);
}

#endif
