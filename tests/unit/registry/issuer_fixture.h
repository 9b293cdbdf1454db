/*
 * Issuers for two files of tests: plain ones, to be changed where a test means something else.
 */
#ifndef LH_TESTS_ISSUER_FIXTURE_H
#define LH_TESTS_ISSUER_FIXTURE_H

#include "tenant/issuer.h"

#define TEXT(text) lh_slice_from_text(text)

struct made_issuer {
    struct lh_issuer issuer;
    struct lh_verify_key keys[2];
    lh_slice audiences[2];
    uint8_t point[64];
    uint8_t modulus[2 + 256 + 3];
};

/* Of one ES256 key, bound by the tenant's names. */
static inline void make_issuer(struct made_issuer *made, const char *iss)
{
    memset(made, 0, sizeof(*made));
    memset(made->point, 0x42, sizeof(made->point));
    made->modulus[0] = 1; /* 256 bytes */
    memset(made->modulus + 2, 0x81, sizeof(made->modulus) - 2);
    made->keys[0] = (struct lh_verify_key){.kid = TEXT("k1"),
                                           .algorithm = LH_ES256,
                                           .material = LH_SLICE_OF(made->point),
                                           .until_ms = 77};
    made->keys[1] = (struct lh_verify_key){
        .kid = TEXT("k2"), .algorithm = LH_PS256, .material = LH_SLICE_OF(made->modulus)};
    made->audiences[0] = TEXT("api");
    made->audiences[1] = TEXT("web");
    made->issuer = (struct lh_issuer){.iss = TEXT(iss),
                                      .bind_claim = TEXT("tenant_id"),
                                      .audiences = made->audiences,
                                      .skew_s = 30,
                                      .typ = TEXT("at+jwt"),
                                      .keys = made->keys,
                                      .key_count = 1};
}

#endif
