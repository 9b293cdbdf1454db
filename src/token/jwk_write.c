/*
 * Writing keys as JWKs. Members stand in the order of their names, which is also what a thumbprint
 * is made of (RFC 7638 §3).
 */
#include "token/jwk.h"

#include "codec/base64url.h"
#include "codec/json.h"

#include "base/banned.h"

/* A name and a value that need no escaping, behind a comma if something is there already. */
static lh_status add_plain(struct lh_buf *out, const char *name, const char *value)
{
    bool is_first = out->ptr[out->len - 1] == '{';
    return lh_buf_add_format(out, "%s\"%s\":\"%s\"", is_first ? "" : ",", name, value);
}

static lh_status add_number(struct lh_buf *out, const char *name, lh_slice number)
{
    LH_TRY(add_plain(out, name, ""));
    out->len--; /* the closing quote */
    LH_TRY(lh_base64url_add(out, number));
    return lh_buf_add_u8(out, '"');
}

/* What only a published key has, and a thumbprint leaves out. */
static lh_status add_algorithm(struct lh_buf *out, const struct lh_verify_key *key, bool is_bare)
{
    return is_bare ? lh_ok() : add_plain(out, "alg", lh_algorithm_name(key->algorithm));
}

static lh_status add_kid(struct lh_buf *out, const struct lh_verify_key *key, bool is_bare)
{
    if (is_bare) {
        return lh_ok();
    }
    LH_TRY(lh_buf_add_text(out, ",\"kid\":"));
    return lh_json_add_string(out, key->kid);
}

static lh_status add_use(struct lh_buf *out, bool is_bare)
{
    return is_bare ? lh_ok() : add_plain(out, "use", "sig");
}

static lh_status write_rsa(const struct lh_verify_key *key, bool is_bare, struct lh_buf *out)
{
    struct lh_cursor cursor = lh_cursor_over(key->material);
    uint16_t len;
    lh_slice modulus;
    LH_ENSURE(lh_is_ok(lh_cursor_u16(&cursor, &len)) &&
                  lh_is_ok(lh_cursor_view(&cursor, len, &modulus)),
              LH_INVALID);
    LH_TRY(add_algorithm(out, key, is_bare));
    LH_TRY(add_number(out, "e", cursor.rest));
    LH_TRY(add_kid(out, key, is_bare));
    LH_TRY(add_plain(out, "kty", "RSA"));
    LH_TRY(add_number(out, "n", modulus));
    return add_use(out, is_bare);
}

static lh_status write_curve(const struct lh_verify_key *key, const char *kty, const char *crv,
                             bool is_bare, struct lh_buf *out)
{
    LH_TRY(add_algorithm(out, key, is_bare));
    LH_TRY(add_plain(out, "crv", crv));
    LH_TRY(add_kid(out, key, is_bare));
    LH_TRY(add_plain(out, "kty", kty));
    LH_TRY(add_use(out, is_bare));
    return add_number(out, "x", lh_slice_cut(key->material, 0, 32));
}

static lh_status write_es256(const struct lh_verify_key *key, bool is_bare, struct lh_buf *out)
{
    LH_ENSURE(key->material.len == 64, LH_INVALID);
    LH_TRY(write_curve(key, "EC", "P-256", is_bare, out));
    return add_number(out, "y", lh_slice_cut(key->material, 32, 32));
}

static lh_status write_eddsa(const struct lh_verify_key *key, bool is_bare, struct lh_buf *out)
{
    LH_ENSURE(key->material.len == LH_ED25519_KEY_BYTES, LH_INVALID);
    return write_curve(key, "OKP", "Ed25519", is_bare, out);
}

static lh_status write_members(const struct lh_verify_key *key, bool is_bare, struct lh_buf *out)
{
    switch (key->algorithm) {
    case LH_RS256:
    case LH_PS256:
        return write_rsa(key, is_bare, out);
    case LH_ES256:
        return write_es256(key, is_bare, out);
    case LH_EDDSA:
        return write_eddsa(key, is_bare, out);
    }
    return lh_status_of(LH_INVALID);
}

static lh_status write_jwk(const struct lh_verify_key *key, bool is_bare, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, '{'));
    LH_TRY(write_members(key, is_bare, out));
    return lh_buf_add_u8(out, '}');
}

static lh_status write_set(const struct lh_verify_key *keys, size_t count, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_text(out, "{\"keys\":["));
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            LH_TRY(lh_buf_add_u8(out, ','));
        }
        LH_TRY(write_jwk(&keys[i], false, out));
    }
    return lh_buf_add_text(out, "]}");
}

lh_status lh_jwks_write(const struct lh_verify_key *keys, size_t count, struct lh_buf *out)
{
    size_t len_before = out->len;
    lh_status status = write_set(keys, count, out);
    if (!lh_is_ok(status)) {
        out->len = len_before;
    }
    return status;
}

lh_status lh_jwk_thumbprint(struct lh_crypto *crypto, const struct lh_verify_key *key,
                            char out_text[LH_JWK_THUMBPRINT_TEXT_BYTES])
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(LH_JWK_MAX_BYTES);
    struct lh_digest digest;
    LH_TRY(write_jwk(key, true, &text));
    LH_TRY(lh_sha256(crypto, lh_buf_view(&text), &digest));
    _Static_assert(LH_BASE64URL_TEXT_LEN(sizeof(digest.bytes)) == LH_JWK_THUMBPRINT_TEXT_BYTES,
                   "the thumbprint of a digest");
    lh_base64url_write(LH_SLICE_OF(digest.bytes), out_text);
    return lh_ok();
}
