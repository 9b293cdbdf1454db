/*
 * Reading a token whose sender nobody knows yet.
 */
#include "token/raw_token.h"

#include "base/banned.h"

size_t lh_raw_token_room_bytes(size_t text_len)
{
    return sizeof(struct lh_raw_token) + lh_jws_room_bytes(text_len);
}

lh_status lh_token_text_of(struct lh_crypto *crypto, lh_slice bytes, struct lh_token_text *out_text)
{
    out_text->bytes = bytes;
    return lh_sha256(crypto, bytes, &out_text->digest);
}

lh_status lh_raw_token_read(const struct lh_token_text *text, void *room,
                            const struct lh_raw_token **out_token)
{
    struct lh_raw_token *token = room;
    token->digest = text->digest;
    LH_TRY(lh_jws_read(text->bytes, (uint8_t *)room + sizeof(*token), &token->jws));
    LH_TRY(lh_json_table_read(&token->claims, token->jws.payload, token->jws.payload_len));
    *out_token = token;
    return lh_ok();
}

enum lh_algorithm lh_raw_token_algorithm(const struct lh_raw_token *token)
{
    return token->jws.algorithm;
}

lh_slice lh_raw_token_kid(const struct lh_raw_token *token)
{
    return token->jws.kid;
}

bool lh_claim_is_text(lh_slice text)
{
    bool is_clean = text.len > 0 && text.len <= LH_TEXT_MAX_BYTES;
    for (size_t i = 0; i < text.len && is_clean; i++) {
        is_clean = text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f;
    }
    return is_clean;
}

lh_status lh_raw_token_text(const struct lh_raw_token *token, lh_slice claim, lh_slice *out_text)
{
    lh_slice text;
    LH_TRY(lh_json_table_string(&token->claims, claim, &text));
    LH_ENSURE(lh_claim_is_text(text), LH_MALFORMED);
    *out_text = text;
    return lh_ok();
}

lh_status lh_raw_token_iss(const struct lh_raw_token *token, lh_slice *out_iss)
{
    return lh_raw_token_text(token, LH_SLICE_LITERAL("iss"), out_iss);
}

lh_status lh_raw_token_tenant(const struct lh_raw_token *token, lh_slice claim,
                              lh_slice *out_tenant)
{
    return lh_raw_token_text(token, claim, out_tenant);
}
