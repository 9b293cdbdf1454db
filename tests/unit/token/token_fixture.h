/*
 * Two tenants with issuers, and somebody who signs whatever a test wants to be signed: right
 * tokens, and all kinds of wrong ones under right signatures.
 */
#ifndef LH_TESTS_TOKEN_FIXTURE_H
#define LH_TESTS_TOKEN_FIXTURE_H

#include "support/test.h"

#include "crypto/signature.h"
#include "token/key_cache.h"
#include "token/token.h"
#include "token/verified_cache.h"

#include <openssl/evp.h>

#define NOW_S UINT64_C(1700000000)
#define NOW   (NOW_S * 1000)

#define IDP   "https://idp.example"
#define OWN   "urn:leasehold:home:acme"

/* Of world.foreign: keys of each algorithm, by these kids. */
enum signer { RS256, PS256, ES256, EDDSA, SIGNERS };
extern const char *const signer_kids[SIGNERS];
extern const char *const signer_algs[SIGNERS];

struct world {
    struct lh_crypto *crypto;
    EVP_PKEY *rsa;
    EVP_PKEY *ed25519;
    struct lh_signing_key *p256;
    struct lh_signing_key *own;
    uint8_t materials[SIGNERS + 1][LH_PUBLIC_MATERIAL_MAX_BYTES];
    struct lh_verify_key foreign_keys[SIGNERS];
    struct lh_verify_key own_key;
    struct lh_issuer acme_issuers[2]; /* own, foreign */
    struct lh_issuer globex_issuers[1];
    struct lh_tenant acme;
    struct lh_tenant globex;
    struct lh_token_verifier verifier;
};

/* For cmocka: one world for a file, its tenants as new before each test. */
int make_world(void **state);
int free_world(void **state);
int reset_world(void **state);

/* A member of a header or a claims set, and its JSON; NULL takes a default one out. */
struct member {
    const char *name;
    const char *json;
};

#define TEXT_BYTES 70000U

/* Texts of a token under construction. */
struct text {
    char bytes[TEXT_BYTES];
    size_t len;
};

static inline lh_slice text_view(const struct text *text)
{
    return lh_slice_of(text->bytes, text->len);
}

/* The claims of a good foreign token, some of them changed. */
void write_claims(struct text *out, const struct member *changes, size_t count);

/* Signs header and claims as they are; out is a compact JWS. */
void sign_raw(const struct world *world, enum signer signer, lh_slice header, lh_slice claims,
              struct text *out);

/* A token of the foreign issuer by a signer, of a good header and claims that are changed. */
void sign_claims(const struct world *world, enum signer signer, const struct member *changes,
                 size_t count, struct text *out);

/* The same with the header changed and good claims. */
void sign_header(const struct world *world, enum signer signer, const struct member *changes,
                 size_t count, struct text *out);

/* A question about a text at a time. */
struct lh_token_question ask(const struct world *world, const struct lh_tenant *tenant,
                             lh_slice text, uint64_t now_ms);

/* Reads and verifies a text for a tenant. The token's texts are good until the next call. */
lh_status verify_at(const struct world *world, const struct lh_tenant *tenant, lh_slice text,
                    uint64_t now_ms, struct lh_verified_token *out_token);

/* The same at NOW for acme, without a look at the token. */
lh_status verify(const struct world *world, const struct text *text);

/* Verifies acme's token of the default signer whose claims have one change. */
lh_status verify_claim(const struct world *world, const char *name, const char *json);

#define assert_claim(world, name, json, expected)                                                  \
    do {                                                                                           \
        lh_status assert_claim_got_ = verify_claim(world, name, json);                             \
        if (assert_claim_got_.code != (expected)) {                                                \
            fail_msg("%s: %.200s: got %s, expected %s", name, json == NULL ? "absent" : json,      \
                     lh_status_name(assert_claim_got_), lh_status_name(lh_status_of(expected)));   \
        }                                                                                          \
    } while (0)

#endif
