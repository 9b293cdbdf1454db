/*
 * Running published collections of test vectors against our primitives. A runner reads one file
 * and counts; vectors.c knows which runner reads which file, and why others are not run.
 */
#ifndef LH_TESTS_VECTORS_VECTORS_H
#define LH_TESTS_VECTORS_VECTORS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "crypto/crypto.h"

/* The outcome of one file. */
struct tally {
    unsigned passed;
    unsigned failed;
    unsigned skipped;
    const char *skip_reason; /* of the skipped cases; one sentence holds for all of a file */
};

typedef void (*run_fn)(struct lh_crypto *crypto, const json_t *file, struct tally *tally);

/*
 * Bytes of a hexadecimal member; an absent member or a bad digit ends the program, for then the
 * collection is not what we think it is.
 */
void vector_bytes(const json_t *object, const char *name, struct lh_buf *out);

/* A text member, never NULL; ends the program if it is absent. */
const char *vector_text(const json_t *object, const char *name);

/* Counts a case and says which one failed. what: the case's number or name. */
void vector_count(struct tally *tally, bool is_right, const char *what);

/* Counts a case that our interface cannot express. */
void vector_skip(struct tally *tally, const char *reason);

typedef void (*case_fn)(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                        struct tally *tally);
/* Runs each case of a file in Wycheproof's format. */
void each_case(struct lh_crypto *crypto, const json_t *file, case_fn run, struct tally *tally);
/* Counts a case by its own verdict, "valid", "invalid" or "acceptable". */
void count_verdict(struct tally *tally, const json_t *test, bool is_accepted);

/* Wycheproof's formats (C2SP/wycheproof). "acceptable" counts as invalid: we have the choice. */
void run_wycheproof_ed25519(struct lh_crypto *crypto, const json_t *file, struct tally *tally);
void run_wycheproof_es256(struct lh_crypto *crypto, const json_t *file, struct tally *tally);
void run_wycheproof_ps256(struct lh_crypto *crypto, const json_t *file, struct tally *tally);
void run_wycheproof_rs256(struct lh_crypto *crypto, const json_t *file, struct tally *tally);
void run_wycheproof_hkdf(struct lh_crypto *crypto, const json_t *file, struct tally *tally);
void run_wycheproof_hmac(struct lh_crypto *crypto, const json_t *file, struct tally *tally);
void run_wycheproof_siphash(struct lh_crypto *crypto, const json_t *file, struct tally *tally);

/*
 * The examples of RFC 7520, RFC 7797 and RFC 8037 (ietf-jose/cookbook): what is signed with one of
 * our algorithms verifies, everything else is refused; of the keys the public ones of our types
 * import.
 */
void run_jose_example(struct lh_crypto *crypto, const json_t *file, struct tally *tally);
void run_jose_key(struct lh_crypto *crypto, const json_t *file, struct tally *tally);

/* The vectors of the XAES-256-GCM specification (C2SP/C2SP), with both accumulated hashes. */
void run_c2sp_xaes(struct lh_crypto *crypto, const json_t *file, struct tally *tally);

/* The HTTP working group's cases (httpwg/structured-field-tests). */
void run_structured_fields(struct lh_crypto *crypto, const json_t *file, struct tally *tally);

/* The big list of naughty strings (minimaxir/big-list-of-naughty-strings) through our codecs. */
void run_naughty_strings(struct lh_crypto *crypto, const json_t *file, struct tally *tally);

#endif
