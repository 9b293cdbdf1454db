/*
 * Wycheproof's signatures. What a group says of its key becomes the material of ours; where it has
 * the key as a JWK, too, importing that must come to the same.
 */
#include "vectors.h"

#include "codec/json.h"
#include "token/jwk.h"

static const json_t *jwk_of(const json_t *group)
{
    const json_t *jwk = json_object_get(group, "publicKeyJwk");
    return jwk != NULL ? jwk : json_object_get(group, "keyJwk");
}

/* Whether the group's JWK, if it has one, imports as this material. */
static bool is_jwk_of(struct lh_crypto *crypto, enum lh_algorithm algorithm, lh_slice material,
                      const json_t *group)
{
    if (jwk_of(group) == NULL) {
        return true;
    }
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(16384);
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    struct lh_jwk_import import = {.crypto = crypto, .arena = &arena, .algorithm = algorithm};
    struct lh_jwk_fault fault;
    struct lh_verify_key key;
    return lh_is_ok(lh_json_write(jwk_of(group), &text)) &&
           lh_is_ok(lh_jwk_import(&import, lh_buf_view(&text), &key, &fault)) &&
           lh_slice_is_equal(key.material, material);
}

/* Whether the key can be made and the signature holds. */
static bool is_accepted(struct lh_crypto *crypto, enum lh_algorithm algorithm, lh_slice material,
                        const json_t *group, const json_t *test)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf message = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf signature = LH_BUF_EMPTY;
    struct lh_public_key *key = NULL;
    vector_bytes(test, "msg", &message);
    vector_bytes(test, "sig", &signature);
    bool holds =
        lh_is_ok(lh_public_key_new(crypto, algorithm, material, &key)) &&
        is_jwk_of(crypto, algorithm, material, group) &&
        lh_is_ok(lh_public_key_verify(key, lh_buf_view(&message), lh_buf_view(&signature)));
    lh_public_key_free(key);
    return holds;
}

/* A number without the zeros that a signed integer has in front. */
static lh_slice without_zeros(lh_slice number)
{
    while (number.len > 0 && number.ptr[0] == 0) {
        number = lh_slice_cut(number, 1, number.len);
    }
    return number;
}

/* --- ECDSA P-256 with SHA-256, r ‖ s --- */

static bool read_coordinate(const json_t *key, const char *name, uint8_t out_bytes[32])
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    vector_bytes(key, name, &bytes);
    lh_slice number = without_zeros(lh_buf_view(&bytes));
    if (number.len > 32) {
        return false;
    }
    memset(out_bytes, 0, 32);
    memcpy(out_bytes + 32 - number.len, number.ptr, number.len);
    return true;
}

static void run_es256_case(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                           struct tally *tally)
{
    const json_t *public = json_object_get(group, "publicKey");
    uint8_t material[64];
    count_verdict(tally, test,
                  read_coordinate(public, "wx", material) &&
                      read_coordinate(public, "wy", material + 32) &&
                      is_accepted(crypto, LH_ES256, LH_SLICE_OF(material), group, test));
}

void run_wycheproof_es256(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    each_case(crypto, file, run_es256_case, tally);
}

/* --- Ed25519 --- */

static void run_ed25519_case(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                             struct tally *tally)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf material = LH_BUF_EMPTY;
    vector_bytes(json_object_get(group, "publicKey"), "pk", &material);
    count_verdict(tally, test, is_accepted(crypto, LH_EDDSA, lh_buf_view(&material), group, test));
}

void run_wycheproof_ed25519(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    each_case(crypto, file, run_ed25519_case, tally);
}

/* --- RSA --- */

static void read_rsa_key(const json_t *group, struct lh_buf *out_material, bool *out_is_small)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf n = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf e = LH_BUF_EMPTY;
    const json_t *public = json_object_get(group, "publicKey");
    vector_bytes(public, "modulus", &n);
    vector_bytes(public, "publicExponent", &e);
    lh_slice modulus = without_zeros(lh_buf_view(&n));
    lh_slice exponent = without_zeros(lh_buf_view(&e));
    *out_is_small = exponent.len < 3;
    if (!lh_is_ok(lh_buf_add_u16(out_material, (uint16_t)modulus.len)) ||
        !lh_is_ok(lh_buf_add(out_material, modulus)) ||
        !lh_is_ok(lh_buf_add(out_material, exponent))) {
        abort();
    }
}

static void run_rsa_case(struct lh_crypto *crypto, enum lh_algorithm algorithm, const json_t *group,
                         const json_t *test, struct tally *tally)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf material = LH_BUF_EMPTY;
    bool is_small;
    read_rsa_key(group, &material, &is_small);
    bool accepted = is_accepted(crypto, algorithm, lh_buf_view(&material), group, test);
    if (is_small && !accepted) {
        vector_skip(tally, "keys with a public exponent below 65537 are refused");
        return;
    }
    count_verdict(tally, test, accepted);
}

static void run_rs256_case(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                           struct tally *tally)
{
    run_rsa_case(crypto, LH_RS256, group, test, tally);
}

static void run_ps256_case(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                           struct tally *tally)
{
    run_rsa_case(crypto, LH_PS256, group, test, tally);
}

void run_wycheproof_rs256(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    each_case(crypto, file, run_rs256_case, tally);
}

void run_wycheproof_ps256(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    each_case(crypto, file, run_ps256_case, tally);
}
