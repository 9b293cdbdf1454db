/*
 * Importing JWKs. Runs in the command line and the daemon, where there is time to be exact.
 */
#include "token/jwk.h"

#include "codec/base64url.h"
#include "codec/json.h"

#include "base/banned.h"

/* One key on its way in. */
struct reading {
    const struct lh_jwk_import *import;
    const json_t *jwk; /* an object */
    struct lh_jwk_fault *fault;
    uint8_t material[LH_PUBLIC_MATERIAL_MAX_BYTES];
    size_t material_len;
};

/* Says why, and fails. */
static lh_status fail(struct reading *reading, enum lh_code code, const char *what)
{
    reading->fault->what = what;
    return lh_status_of(code);
}

/* A status of others' with a reason of ours. */
static lh_status explain(struct reading *reading, lh_status status, const char *what)
{
    return lh_is_ok(status) ? status : fail(reading, status.code, what);
}

/* --- Members ---------------------------------------------------------------------------------- */

/* A string that may be missing: empty then. */
static lh_status read_optional(struct reading *reading, const char *name, lh_slice *out_text)
{
    lh_status status = lh_json_get_string(reading->jwk, name, out_text);
    if (status.code == LH_ABSENT) {
        *out_text = LH_SLICE_EMPTY;
        return lh_ok();
    }
    return explain(reading, status, "a member that must be a string is none");
}

static bool is_member(const struct reading *reading, const char *name, const char *expected)
{
    lh_slice text;
    return lh_is_ok(lh_json_get_string(reading->jwk, name, &text)) &&
           lh_slice_is_equal(text, lh_slice_from_text(expected));
}

/* Appends the bytes of a base64url member. max_bytes: as many as may be there. */
static lh_status read_bytes(struct reading *reading, const char *name, size_t max_bytes,
                            size_t *out_len)
{
    lh_slice text;
    if (!lh_is_ok(lh_json_get_string(reading->jwk, name, &text))) {
        return fail(reading, LH_MALFORMED, "a number of the key is missing or no string");
    }
    LH_TRY(explain(
        reading,
        lh_base64url_decode(text, reading->material + reading->material_len, max_bytes, out_len),
        "a number of the key is too long or no base64url without padding"));
    reading->material_len += *out_len;
    return lh_ok();
}

/* --- What the key is for ---------------------------------------------------------------------- */

static lh_status refuse_private(struct reading *reading)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_object_get(reading->jwk, names[i]) != NULL) {
            return fail(reading, LH_FORBIDDEN, "the key has a private member: it is known now");
        }
    }
    return lh_ok();
}

/* RFC 7517 §4.3: a list of different operations; of those we take "verify" alone. */
static lh_status judge_operations(struct reading *reading)
{
    const json_t *operations = json_object_get(reading->jwk, "key_ops");
    if (operations == NULL) {
        return lh_ok();
    }
    const json_t *only = json_array_get(operations, 0);
    bool is_verify =
        json_array_size(operations) == 1 && json_is_string(only) &&
        lh_slice_is_equal(lh_slice_from_text(json_string_value(only)), LH_SLICE_LITERAL("verify"));
    return is_verify ? lh_ok()
                     : fail(reading, LH_MISMATCH, "\"key_ops\" is not a list of \"verify\" alone");
}

static lh_status judge_use(struct reading *reading)
{
    lh_slice use;
    LH_TRY(read_optional(reading, "use", &use));
    if (json_object_get(reading->jwk, "use") != NULL && !is_member(reading, "use", "sig")) {
        return fail(reading, LH_MISMATCH, "\"use\" is not \"sig\"");
    }
    return judge_operations(reading);
}

/* Which of our algorithms a key of its type can have; none is 0. */
static enum lh_algorithm natural_algorithm(const struct reading *reading)
{
    if (is_member(reading, "kty", "EC") && is_member(reading, "crv", "P-256")) {
        return LH_ES256;
    }
    if (is_member(reading, "kty", "OKP") && is_member(reading, "crv", "Ed25519")) {
        return LH_EDDSA;
    }
    return is_member(reading, "kty", "RSA") ? LH_RS256 : (enum lh_algorithm)0;
}

static bool is_possible(enum lh_algorithm algorithm, enum lh_algorithm natural)
{
    return algorithm == natural || (algorithm == LH_PS256 && natural == LH_RS256);
}

/* The one algorithm of the key: what it says, or what it is imported for; both must agree. */
static lh_status decide_algorithm(struct reading *reading, enum lh_algorithm *out_algorithm)
{
    enum lh_algorithm natural = natural_algorithm(reading);
    if (natural == 0) {
        return fail(reading, LH_MISMATCH, "neither RSA, nor EC on P-256, nor OKP on Ed25519");
    }
    lh_slice name;
    enum lh_algorithm algorithm = reading->import->algorithm;
    LH_TRY(read_optional(reading, "alg", &name));
    if (json_object_get(reading->jwk, "alg") != NULL) {
        enum lh_algorithm said;
        if (!lh_is_ok(lh_algorithm_parse(name, &said)) || (algorithm != 0 && algorithm != said)) {
            return fail(reading, LH_MISMATCH, "\"alg\" is another algorithm");
        }
        algorithm = said;
    }
    if (algorithm == 0 && natural == LH_RS256) {
        return fail(reading, LH_MALFORMED, "an RSA key that does not say its \"alg\"");
    }
    algorithm = algorithm == 0 ? natural : algorithm;
    if (!is_possible(algorithm, natural)) {
        return fail(reading, LH_MISMATCH, "a key of another type than its algorithm asks for");
    }
    *out_algorithm = algorithm;
    return lh_ok();
}

/* --- The key itself --------------------------------------------------------------------------- */

/* RFC 7518 §6.3.1; lh_public_key_new refuses leading zeros. */
static lh_status read_rsa(struct reading *reading)
{
    size_t modulus_len;
    size_t exponent_len;
    reading->material_len = 2;
    LH_TRY(read_bytes(reading, "n", LH_RSA_MAX_BITS / 8, &modulus_len));
    reading->material[0] = (uint8_t)(modulus_len >> 8);
    reading->material[1] = (uint8_t)modulus_len;
    return read_bytes(reading, "e", sizeof(reading->material) - reading->material_len,
                      &exponent_len);
}

/* RFC 7518 §6.2.1, RFC 8037 §2: each of full length. */
static lh_status read_curve(struct reading *reading, bool has_y)
{
    static const char *const names[] = {"x", "y"};
    for (size_t i = 0; i < (has_y ? 2U : 1U); i++) {
        size_t len;
        LH_TRY(read_bytes(reading, names[i], 32, &len));
        if (len != 32) {
            return fail(reading, LH_MALFORMED, "a coordinate is not 32 bytes long");
        }
    }
    return lh_ok();
}

static lh_status read_material(struct reading *reading, enum lh_algorithm algorithm)
{
    bool is_rsa = algorithm == LH_RS256 || algorithm == LH_PS256;
    LH_TRY(is_rsa ? read_rsa(reading) : read_curve(reading, algorithm == LH_ES256));
    struct lh_public_key *key = NULL;
    lh_status status =
        lh_public_key_new(reading->import->crypto, algorithm,
                          lh_slice_of(reading->material, reading->material_len), &key);
    lh_public_key_free(key);
    return explain(reading, status,
                   is_rsa ? "no RSA key of 2048 to 8192 bits with an odd exponent from 65537 to 33 "
                            "bits, or one with factors that are known"
                          : "no point of the curve, or one of small order");
}

static lh_status read_kid(struct reading *reading, struct lh_verify_key *key)
{
    char thumbprint[LH_JWK_THUMBPRINT_TEXT_BYTES];
    lh_slice kid;
    LH_TRY(read_optional(reading, "kid", &kid));
    if (json_object_get(reading->jwk, "kid") == NULL) {
        LH_TRY(explain(reading, lh_jwk_thumbprint(reading->import->crypto, key, thumbprint),
                       "no thumbprint can be made"));
        kid = LH_SLICE_OF(thumbprint);
    }
    if (kid.len == 0 || kid.len > LH_ISSUER_TEXT_MAX_BYTES) {
        return fail(reading, LH_MALFORMED, "\"kid\" is empty or longer than 255 bytes");
    }
    return explain(reading, lh_arena_dup(reading->import->arena, kid, &key->kid), "out of memory");
}

static lh_status read_jwk(struct reading *reading, struct lh_verify_key *out_key)
{
    struct lh_verify_key key = {.until_ms = 0};
    if (!json_is_object(reading->jwk)) {
        return fail(reading, LH_MALFORMED, "no object");
    }
    LH_TRY(refuse_private(reading));
    LH_TRY(judge_use(reading));
    LH_TRY(decide_algorithm(reading, &key.algorithm));
    LH_TRY(read_material(reading, key.algorithm));
    LH_TRY(
        explain(reading,
                lh_arena_dup(reading->import->arena,
                             lh_slice_of(reading->material, reading->material_len), &key.material),
                "out of memory"));
    LH_TRY(read_kid(reading, &key));
    *out_key = key;
    return lh_ok();
}

/* --- Documents -------------------------------------------------------------------------------- */

static lh_status parse(lh_slice text, size_t max_bytes, struct lh_jwk_fault *fault,
                       json_t **out_value)
{
    fault->index = 0;
    fault->what = "no JSON, members of one name, or too long";
    return lh_json_parse(text, max_bytes, out_value);
}

lh_status lh_jwk_import(const struct lh_jwk_import *import, lh_slice text,
                        struct lh_verify_key *out_key, struct lh_jwk_fault *out_fault)
{
    LH_CLEANUP(lh_json_fini) json_t *jwk = NULL;
    LH_TRY(parse(text, LH_JWK_MAX_BYTES, out_fault, &jwk));
    struct reading reading = {.import = import, .jwk = jwk, .fault = out_fault};
    return read_jwk(&reading, out_key);
}

static bool has_kid(const struct lh_verify_key *keys, size_t count, lh_slice kid)
{
    for (size_t i = 0; i < count; i++) {
        if (lh_slice_is_equal(keys[i].kid, kid)) {
            return true;
        }
    }
    return false;
}

/* Adds the key at fault->index to those that are for us, or passes it over. */
static lh_status add_key(struct reading *reading, struct lh_verify_key *keys, size_t *count)
{
    struct lh_verify_key key;
    lh_status status = read_jwk(reading, &key);
    if (status.code == LH_MISMATCH) {
        return lh_ok();
    }
    LH_TRY(status);
    if (has_kid(keys, *count, key.kid)) {
        return fail(reading, LH_DUPLICATE, "another key has the same \"kid\"");
    }
    if (*count == LH_ISSUER_KEYS_MAX) {
        return fail(reading, LH_TOO_LARGE, "more than 32 keys");
    }
    keys[(*count)++] = key;
    return lh_ok();
}

static lh_status add_keys(const struct lh_jwk_import *import, const json_t *list,
                          struct lh_verify_key *keys, size_t *count, struct lh_jwk_fault *fault)
{
    json_t *jwk;
    json_array_foreach(list, fault->index, jwk)
    {
        struct reading reading = {.import = import, .jwk = jwk, .fault = fault};
        LH_TRY(add_key(&reading, keys, count));
    }
    fault->what = "no key in the set is for us";
    LH_ENSURE(*count > 0, LH_ABSENT);
    return lh_ok();
}

lh_status lh_jwks_import(const struct lh_jwk_import *import, lh_slice text,
                         struct lh_verify_key **out_keys, size_t *out_count,
                         struct lh_jwk_fault *out_fault)
{
    LH_CLEANUP(lh_json_fini) json_t *set = NULL;
    LH_TRY(parse(text, LH_JWKS_MAX_BYTES, out_fault, &set));
    const json_t *list = json_object_get(set, "keys");
    out_fault->what = "no object with a list of \"keys\"";
    LH_ENSURE(json_is_array(list), LH_MALFORMED);
    void *memory;
    out_fault->what = "out of memory";
    LH_TRY(
        lh_arena_take(import->arena, LH_ISSUER_KEYS_MAX * sizeof(struct lh_verify_key), &memory));
    size_t count = 0;
    LH_TRY(add_keys(import, list, memory, &count, out_fault));
    *out_keys = memory;
    *out_count = count;
    return lh_ok();
}
