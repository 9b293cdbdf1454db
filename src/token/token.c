/*
 * Verifying a token: issuer, key, signature, claims, in this order; and what is asked of a verified
 * one for each request.
 */
#include "token/token.h"

#include "token/claims.h"
#include "token/key_cache.h"
#include "token/raw_token.h"
#include "token/verified_cache.h"

#include "base/bug.h"

#include "base/banned.h"

lh_status lh_verify_key_print(struct lh_crypto *crypto, const struct lh_verify_key *key,
                              struct lh_digest *out_print)
{
    uint8_t bytes[1 + LH_PUBLIC_MATERIAL_MAX_BYTES] = {(uint8_t)key->algorithm};
    LH_ENSURE(key->material.len > 0 && key->material.len <= LH_PUBLIC_MATERIAL_MAX_BYTES,
              LH_REGISTRY_DOWN);
    memcpy(bytes + 1, key->material.ptr, key->material.len);
    return lh_sha256(crypto, lh_slice_of(bytes, 1 + key->material.len), out_print);
}

/* --- Verifying -------------------------------------------------------------------------------- */

/* Who says to have issued the token, and with which key: rows of the tenant, nobody else's. */
static lh_status find_key(const struct lh_token_question *question, const struct lh_raw_token *raw,
                          const struct lh_issuer **out_issuer, const struct lh_verify_key **out_key)
{
    lh_slice iss;
    lh_status status = lh_raw_token_iss(raw, &iss);
    LH_ENSURE(lh_is_ok(status), LH_MALFORMED);
    *out_issuer = lh_tenant_find_issuer(question->tenant, iss);
    LH_ENSURE(*out_issuer != NULL, LH_ABSENT);
    *out_key = lh_issuer_find_key(*out_issuer, raw->jws.kid, question->now_ms);
    LH_ENSURE(*out_key != NULL, LH_ABSENT);
    LH_ENSURE((*out_key)->algorithm == raw->jws.algorithm, LH_MISMATCH);
    return lh_ok();
}

/* A signature that held under this very key holds still. */
static bool has_proof(const struct lh_token_verifier *verifier,
                      const struct lh_token_question *question, const struct lh_digest *print)
{
    return verifier->cache != NULL && lh_verified_cache_has_proof(verifier->cache, question, print);
}

static lh_status compute_signature(const struct lh_token_verifier *verifier,
                                   const struct lh_token_question *question,
                                   const struct lh_raw_token *raw, const struct lh_verify_key *row,
                                   const struct lh_digest *print)
{
    struct lh_public_key *key;
    lh_status status = lh_key_cache_get(verifier->keys, &question->tenant->uid, row, print, &key);
    /* Rows are checked when they are made: one that is no key is not what was written. */
    LH_ENSURE(lh_status_class(status) != LH_CLASS_DENY, LH_REGISTRY_DOWN);
    LH_TRY(status);
    return lh_public_key_verify(key, raw->jws.signing_input, raw->jws.signature);
}

static lh_status verify_signature(const struct lh_token_verifier *verifier,
                                  const struct lh_token_question *question,
                                  const struct lh_raw_token *raw, const struct lh_verify_key *row,
                                  const struct lh_digest *print)
{
    const struct lh_token_payer *payer = verifier->payer;
    if (has_proof(verifier, question, print)) {
        lh_verified_cache_count_proof(verifier->cache);
        return lh_ok();
    }
    if (payer == NULL) {
        return compute_signature(verifier, question, raw, row, print);
    }
    LH_TRY(payer->ask(payer->self));
    lh_status status = compute_signature(verifier, question, raw, row, print);
    payer->charge(payer->self, status.code != LH_BAD_SIGNATURE);
    return status;
}

lh_status lh_token_verify(const struct lh_token_verifier *verifier,
                          const struct lh_token_question *question, const struct lh_raw_token *raw,
                          struct lh_verified_token *out_token)
{
    const struct lh_issuer *issuer;
    const struct lh_verify_key *key;
    struct lh_digest print;
    struct lh_verified_token token;
    LH_BUG_IF(!lh_digest_is_equal(&raw->digest, &question->text.digest));
    LH_TRY(find_key(question, raw, &issuer, &key));
    LH_TRY(lh_verify_key_print(verifier->crypto, key, &print));
    LH_TRY(verify_signature(verifier, question, raw, key, &print));
    LH_TRY(lh_claims_judge(raw, question->tenant, issuer, question->now_ms, &token));
    token.digest = raw->digest;
    token.key_print = print;
    token.key_until_ms = key->until_ms;
    *out_token = token;
    return lh_ok();
}

/* --- Asked for each request ------------------------------------------------------------------- */

bool lh_token_is_for(const struct lh_verified_token *token, const lh_slice *audiences, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lh_text_list_has(&token->audiences, audiences[i])) {
            return true;
        }
    }
    return false;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool lh_token_is_logged_out(const struct lh_verified_token *token,
                            const struct lh_token_epochs *present)
{
    if (token->is_own) {
        return token->epochs.platform < present->platform ||
               token->epochs.tenant < present->tenant || token->epochs.user < present->user;
    }
    uint64_t latest = larger(present->platform, larger(present->tenant, present->user));
    return token->issued_ms < token->skew_ms || token->issued_ms - token->skew_ms <= latest;
}

/* --- Copying ---------------------------------------------------------------------------------- */

/* Where texts go, one behind the other. */
struct packer {
    uint8_t *room;
    size_t room_bytes;
    size_t len;
};

static lh_status pack(struct packer *packer, lh_slice *text)
{
    LH_ENSURE(text->len <= packer->room_bytes - packer->len, LH_TOO_LARGE);
    uint8_t *copy = packer->room + packer->len;
    if (text->len > 0) {
        memcpy(copy, text->ptr, text->len);
    }
    packer->len += text->len;
    *text = lh_slice_of(copy, text->len);
    return lh_ok();
}

static lh_status pack_list(struct packer *packer, struct lh_text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        LH_TRY(pack(packer, &list->items[i]));
    }
    return lh_ok();
}

lh_status lh_verified_token_copy(const struct lh_verified_token *token, uint8_t *room,
                                 size_t room_bytes, struct lh_verified_token *out_copy,
                                 size_t *out_len)
{
    struct packer packer = {.room = room, .room_bytes = room_bytes};
    struct lh_verified_token copy = *token;
    lh_slice *const texts[] = {&copy.iss, &copy.sub, &copy.jti, &copy.sid};
    struct lh_text_list *const lists[] = {&copy.audiences, &copy.roles, &copy.scopes, &copy.groups};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        LH_TRY(pack(&packer, texts[i]));
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        LH_TRY(pack_list(&packer, lists[i]));
    }
    *out_copy = copy;
    *out_len = packer.len;
    return lh_ok();
}
