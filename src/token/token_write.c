/*
 * Writing a token: header, claims, signature. Members are written in the order of their names.
 */
#include "token/token_write.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "token/raw_token.h"

#include "base/banned.h"

/* --- What may be written ---------------------------------------------------------------------- */

static bool are_tokens(const struct lh_text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!lh_text_is_token(list->items[i])) {
            return false;
        }
    }
    return true;
}

static bool are_texts(const struct lh_text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!lh_claim_is_text(list->items[i])) {
            return false;
        }
    }
    return true;
}

static bool is_writable(const struct lh_token_claims *claims)
{
    bool has_names = lh_claim_is_text(claims->iss) && lh_claim_is_text(claims->tenant) &&
                     lh_claim_is_text(claims->jti) && lh_text_is_token(claims->sub) &&
                     (claims->sid.len == 0 || lh_text_is_token(claims->sid));
    bool has_lists = claims->audiences.count > 0 && are_texts(&claims->audiences) &&
                     are_tokens(&claims->roles) && are_tokens(&claims->scopes) &&
                     are_tokens(&claims->groups);
    return has_names && has_lists && claims->issued_s < claims->expires_s &&
           claims->expires_s <= LH_TOKEN_DATE_MAX;
}

/* --- Parts ------------------------------------------------------------------------------------ */

/* A comma, unless it is the first member, and the name. */
static lh_status add_name(struct lh_buf *out, const char *name)
{
    bool is_first = out->ptr[out->len - 1] == '{';
    return lh_buf_add_format(out, "%s\"%s\":", is_first ? "" : ",", name);
}

static lh_status add_text(struct lh_buf *out, const char *name, lh_slice text)
{
    LH_TRY(add_name(out, name));
    return lh_json_add_string(out, text);
}

static lh_status add_list(struct lh_buf *out, const char *name, const struct lh_text_list *list)
{
    LH_TRY(add_name(out, name));
    LH_TRY(lh_buf_add_u8(out, '['));
    for (size_t i = 0; i < list->count; i++) {
        LH_TRY(lh_buf_add_text(out, i > 0 ? "," : ""));
        LH_TRY(lh_json_add_string(out, list->items[i]));
    }
    return lh_buf_add_u8(out, ']');
}

static lh_status add_list_if_any(struct lh_buf *out, const char *name,
                                 const struct lh_text_list *list)
{
    return list->count > 0 ? add_list(out, name, list) : lh_ok();
}

static lh_status add_number(struct lh_buf *out, const char *name, uint64_t value)
{
    LH_TRY(add_name(out, name));
    return lh_buf_add_format(out, "%llu", (unsigned long long)value);
}

static lh_status add_epochs(struct lh_buf *out, const struct lh_token_epochs *epochs)
{
    LH_TRY(add_name(out, LH_CLAIM_EPOCHS));
    return lh_buf_add_format(out, "[%llu,%llu,%llu]", (unsigned long long)epochs->platform,
                             (unsigned long long)epochs->tenant, (unsigned long long)epochs->user);
}

/* Scopes between single spaces: they hold none, nor anything to escape. */
static lh_status add_scopes(struct lh_buf *out, const struct lh_text_list *scopes)
{
    if (scopes->count == 0) {
        return lh_ok();
    }
    LH_TRY(add_name(out, LH_CLAIM_SCOPE));
    for (size_t i = 0; i < scopes->count; i++) {
        LH_TRY(lh_buf_add_u8(out, i > 0 ? ' ' : '"'));
        LH_TRY(lh_buf_add(out, scopes->items[i]));
    }
    return lh_buf_add_u8(out, '"');
}

static lh_status write_claims(const struct lh_token_claims *claims, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, '{'));
    LH_TRY(add_list(out, "aud", &claims->audiences));
    LH_TRY(add_number(out, "exp", claims->expires_s));
    LH_TRY(add_list_if_any(out, LH_CLAIM_GROUPS, &claims->groups));
    LH_TRY(add_number(out, "iat", claims->issued_s));
    LH_TRY(add_text(out, "iss", claims->iss));
    LH_TRY(add_text(out, "jti", claims->jti));
    LH_TRY(add_epochs(out, &claims->epochs));
    LH_TRY(add_list_if_any(out, LH_CLAIM_ROLES, &claims->roles));
    LH_TRY(add_scopes(out, &claims->scopes));
    if (claims->sid.len > 0) {
        LH_TRY(add_text(out, LH_CLAIM_SID, claims->sid));
    }
    LH_TRY(add_text(out, "sub", claims->sub));
    LH_TRY(add_text(out, LH_CLAIM_TENANT, claims->tenant));
    return lh_buf_add_u8(out, '}');
}

static lh_status write_header(enum lh_token_kind kind, lh_slice kid, struct lh_buf *out)
{
    lh_slice typ = kind == LH_TOKEN_SERVICE ? LH_SLICE_LITERAL(LH_TYP_SERVICE)
                                            : LH_SLICE_LITERAL(LH_TYP_ACCESS);
    LH_TRY(lh_buf_add_text(out, "{\"alg\":\"ES256\""));
    LH_TRY(add_text(out, "kid", kid));
    LH_TRY(add_text(out, "typ", typ));
    return lh_buf_add_u8(out, '}');
}

/* --- The whole -------------------------------------------------------------------------------- */

static lh_status write_signed(struct lh_signing_key *key, lh_slice kid,
                              const struct lh_token_claims *claims, struct lh_buf *out)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf part = lh_buf_bounded(LH_JWS_MAX_BYTES);
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    LH_TRY(write_header(claims->kind, kid, &part));
    LH_TRY(lh_base64url_add(out, lh_buf_view(&part)));
    LH_TRY(lh_buf_add_u8(out, '.'));
    lh_buf_clear(&part);
    LH_TRY(write_claims(claims, &part));
    LH_TRY(lh_base64url_add(out, lh_buf_view(&part)));
    LH_TRY(lh_es256_sign(key, lh_buf_view(out), signature));
    LH_TRY(lh_buf_add_u8(out, '.'));
    return lh_base64url_add(out, LH_SLICE_OF(signature));
}

lh_status lh_token_write(struct lh_signing_key *key, lh_slice kid,
                         const struct lh_token_claims *claims, struct lh_buf *out)
{
    LH_ENSURE(is_writable(claims), LH_MALFORMED);
    LH_CLEANUP(lh_buf_fini) struct lh_buf token = lh_buf_bounded(LH_JWS_MAX_BYTES);
    LH_TRY(write_signed(key, kid, claims, &token));
    return lh_buf_add(out, lh_buf_view(&token));
}
