/*
 * What an issuer's row must be, whoever wrote it, and what tells two tenants of one issuer apart.
 */
#include "codec/utf8.h"
#include "tenant/issuer.h"

#include "base/banned.h"

#define ES256_MATERIAL_BYTES 64U
/* u16 length of n ‖ n ‖ e, and e has at least three bytes. */
#define RSA_LENGTH_BYTES       2U
#define RSA_EXPONENT_MIN_BYTES 3U
#define RSA_EXPONENT_MAX_BYTES 5U

/* --- Texts ------------------------------------------------------------------------------------ */

/* The code point of a well-formed sequence. */
static uint32_t code_point_of(lh_slice sequence)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = sequence.ptr[0] & masks[sequence.len];
    for (size_t i = 1; i < sequence.len; i++) {
        code_point = (code_point << 6) | (sequence.ptr[i] & 0x3fU);
    }
    return code_point;
}

/*
 * What a terminal obeys, and what changes the order in which it shows the rest (Unicode TR 36): who
 * reads what a policy will change must see what it says.
 */
static bool is_control(uint32_t code_point)
{
    bool is_of_terminal = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
    bool is_of_order = code_point == 0x061c || code_point == 0x200e || code_point == 0x200f ||
                       (code_point >= 0x2028 && code_point <= 0x202e) ||
                       (code_point >= 0x2066 && code_point <= 0x2069);
    return is_of_terminal || is_of_order;
}

/* UTF-8 without control characters: what a claim can say and a person can read. */
static bool is_text(lh_slice text)
{
    if (text.len > LH_ISSUER_TEXT_MAX_BYTES) {
        return false;
    }
    while (text.len > 0) {
        size_t len = lh_utf8_sequence(text);
        if (len == 0 || is_control(code_point_of(lh_slice_cut(text, 0, len)))) {
            return false;
        }
        text = lh_slice_cut(text, len, text.len);
    }
    return true;
}

static bool is_name(lh_slice text)
{
    return text.len > 0 && is_text(text);
}

static bool are_audiences(const struct lh_issuer *issuer)
{
    if (issuer->audience_count > LH_ISSUER_AUDIENCES_MAX) {
        return false;
    }
    for (size_t i = 0; i < issuer->audience_count; i++) {
        if (!is_name(issuer->audiences[i])) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (lh_slice_is_equal(issuer->audiences[i], issuer->audiences[j])) {
                return false;
            }
        }
    }
    return true;
}

/* --- Keys ------------------------------------------------------------------------------------- */

static bool is_rsa_material(lh_slice material)
{
    struct lh_cursor cursor = lh_cursor_over(material);
    uint16_t len = 0;
    lh_slice modulus;
    return lh_is_ok(lh_cursor_u16(&cursor, &len)) && len >= LH_RSA_MIN_BITS / 8U &&
           len <= LH_RSA_MAX_BITS / 8U && lh_is_ok(lh_cursor_view(&cursor, len, &modulus)) &&
           cursor.rest.len >= RSA_EXPONENT_MIN_BYTES && cursor.rest.len <= RSA_EXPONENT_MAX_BYTES;
}

/* Lengths only: whoever uses the key has the mathematics done. */
static bool is_material(enum lh_algorithm algorithm, lh_slice material)
{
    switch (algorithm) {
    case LH_RS256:
    case LH_PS256:
        return is_rsa_material(material);
    case LH_ES256:
        return material.len == ES256_MATERIAL_BYTES;
    case LH_EDDSA:
        return material.len == LH_ED25519_KEY_BYTES;
    }
    return false;
}

static bool are_keys(const struct lh_issuer *issuer)
{
    if (issuer->key_count == 0 || issuer->key_count > LH_ISSUER_KEYS_MAX) {
        return false;
    }
    for (size_t i = 0; i < issuer->key_count; i++) {
        const struct lh_verify_key *key = &issuer->keys[i];
        bool has_kid = key->kid.len > 0 && key->kid.len <= LH_ISSUER_TEXT_MAX_BYTES;
        if (!has_kid || !is_material(key->algorithm, key->material)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (lh_slice_is_equal(key->kid, issuer->keys[j].kid)) {
                return false;
            }
        }
    }
    return true;
}

/* --- The whole -------------------------------------------------------------------------------- */

static bool is_bound(const struct lh_issuer *issuer)
{
    if (issuer->bind_claim.len == 0) {
        return issuer->bind_value.len == 0 && issuer->audience_count > 0;
    }
    return is_text(issuer->bind_claim) && is_text(issuer->bind_value);
}

lh_status lh_issuer_check(const struct lh_issuer *issuer)
{
    LH_ENSURE(!issuer->is_own && is_name(issuer->iss) && is_text(issuer->typ), LH_INVALID);
    LH_ENSURE(issuer->skew_s <= LH_TOKEN_SKEW_MAX_S, LH_INVALID);
    LH_ENSURE(are_audiences(issuer) && is_bound(issuer) && are_keys(issuer), LH_INVALID);
    return lh_ok();
}

static bool is_audience_shared(const struct lh_issuer *one, const struct lh_issuer *other)
{
    for (size_t i = 0; i < one->audience_count; i++) {
        for (size_t j = 0; j < other->audience_count; j++) {
            if (lh_slice_is_equal(one->audiences[i], other->audiences[j])) {
                return true;
            }
        }
    }
    return false;
}

bool lh_issuer_is_told_from(const struct lh_issuer *one, const struct lh_issuer *other)
{
    /* A token may have two claims, so different ones tell nothing: both must look at the same. */
    if (!one->is_shared || !other->is_shared ||
        !lh_slice_is_equal(one->bind_claim, other->bind_claim)) {
        return false;
    }
    if (one->bind_claim.len == 0) {
        return one->audience_count > 0 && other->audience_count > 0 &&
               !is_audience_shared(one, other);
    }
    /* Names of tenants are unique, but any of them may be somebody's value. */
    bool are_named = one->bind_value.len == 0 && other->bind_value.len == 0;
    bool have_values = one->bind_value.len > 0 && other->bind_value.len > 0;
    return are_named || (have_values && !lh_slice_is_equal(one->bind_value, other->bind_value));
}
