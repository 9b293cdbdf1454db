/*
 * Judging a signature that was read: first all that costs nothing, then the signature itself.
 */
#include "token/http_signature.h"

#include "base/bug.h"
#include "token/request_lines.h"

#include "base/banned.h"

#define MS_PER_S 1000U

/* --- What a signature must cover and say ------------------------------------------------------ */

/* Errors: FORBIDDEN. */
static lh_status ensure_covered(const struct lh_raw_http_signature *raw, lh_slice name)
{
    LH_ENSURE(lh_http_signature_covers(raw, name), LH_FORBIDDEN);
    return lh_ok();
}

static lh_slice digest_name(void)
{
    return LH_SLICE_LITERAL("content-digest");
}

/* Errors: FORBIDDEN. */
static lh_status judge_coverage(const struct lh_signed_request *request,
                                const struct lh_raw_http_signature *raw)
{
    LH_TRY(ensure_covered(raw, LH_SLICE_LITERAL("@method")));
    LH_TRY(ensure_covered(raw, LH_SLICE_LITERAL("@authority")));
    LH_TRY(ensure_covered(raw, LH_SLICE_LITERAL("@path")));
    LH_TRY(ensure_covered(raw, LH_SLICE_LITERAL("x-tenant-id")));
    if (lh_slice_find(request->target, '?') < request->target.len) {
        LH_TRY(ensure_covered(raw, LH_SLICE_LITERAL("@query")));
    }
    if (request->has_body) {
        LH_TRY(ensure_covered(raw, digest_name()));
    }
    LH_ENSURE(raw->has_created && raw->has_expires && raw->nonce.len > 0 && raw->key_id.len > 0,
              LH_FORBIDDEN);
    return lh_ok();
}

/* A life within its bound and an end that lies ahead bound the age as well. Errors: FORBIDDEN,
   EARLY, EXPIRED. */
static lh_status judge_times(const struct lh_http_signature_rules *rules,
                             const struct lh_raw_http_signature *raw, uint64_t now_ms)
{
    uint64_t now_s = now_ms / MS_PER_S;
    LH_ENSURE(raw->expires_s > raw->created_s &&
                  raw->expires_s - raw->created_s <= rules->life_max_s,
              LH_FORBIDDEN);
    LH_ENSURE(raw->created_s <= now_s + rules->skew_s, LH_EARLY);
    LH_ENSURE(now_s < raw->expires_s, LH_EXPIRED);
    return lh_ok();
}

/* Errors: MISMATCH. */
static lh_status judge_names(const struct lh_http_signature_check *check,
                             const struct lh_raw_http_signature *raw)
{
    const char *name = lh_http_signature_algorithm_name(check->key->algorithm);
    LH_ENSURE(name != NULL, LH_INVALID);
    LH_ENSURE(raw->algorithm.len == 0 ||
                  lh_slice_is_equal(raw->algorithm, lh_slice_from_text(name)),
              LH_MISMATCH);
    lh_slice tag = check->rules->tag;
    LH_ENSURE(tag.len == 0 || lh_slice_is_equal(raw->tag, tag), LH_MISMATCH);
    return lh_ok();
}

/* --- The signature ---------------------------------------------------------------------------- */

static lh_status verify_mac(struct lh_mac_key *key, lh_slice base,
                            const struct lh_raw_http_signature *raw)
{
    LH_BUG_IF(key == NULL);
    struct lh_digest mac;
    LH_TRY(lh_mac(key, base, &mac));
    LH_ENSURE(lh_secret_slice_is_equal(LH_SLICE_OF(mac.bytes), lh_slice_of(raw->bytes, raw->len)),
              LH_BAD_SIGNATURE);
    return lh_ok();
}

static lh_status verify_ed25519(struct lh_public_key *key, lh_slice base,
                                const struct lh_raw_http_signature *raw)
{
    LH_BUG_IF(key == NULL || lh_public_key_algorithm(key) != LH_EDDSA);
    return lh_public_key_verify(key, base, lh_slice_of(raw->bytes, raw->len));
}

static lh_status verify_base(const struct lh_http_signature_key *key, lh_slice base,
                             const struct lh_raw_http_signature *raw)
{
    switch (key->algorithm) {
    case LH_HTTP_HMAC_SHA256:
        return verify_mac(key->mac, base, raw);
    case LH_HTTP_ED25519:
        return verify_ed25519(key->public_key, base, raw);
    }
    return lh_status_of(LH_INVALID);
}

/* What the body must be, once the signature holds. Errors: MALFORMED, DUPLICATE, TOO_LARGE. */
static lh_status read_digest(const struct lh_signed_request *request,
                             struct lh_content_digest *out_digest)
{
    struct lh_request_lines lines;
    LH_TRY(lh_request_lines_gather(request, digest_name(), &lines));
    lh_status status = lh_content_digest_read(lines.lines, lines.count, out_digest);
    LH_ENSURE(status.code != LH_ABSENT, LH_MALFORMED);
    return status;
}

lh_status lh_http_signature_verify(const struct lh_http_signature_check *check,
                                   const struct lh_raw_http_signature *raw,
                                   struct lh_verified_http_signature *out_verified)
{
    LH_ENSURE(check->rules->life_max_s > 0 &&
                  check->rules->life_max_s <= LH_HTTP_SIGNATURE_LIFE_MAX_S &&
                  check->rules->skew_s <= LH_HTTP_SIGNATURE_SKEW_MAX_S,
              LH_INVALID);
    LH_TRY(judge_coverage(check->request, raw));
    LH_TRY(judge_times(check->rules, raw, check->now_ms));
    LH_TRY(judge_names(check, raw));

    lh_buf_clear(check->base);
    LH_TRY(lh_http_signature_base(check->request, raw, check->base));
    LH_TRY(verify_base(check->key, lh_buf_view(check->base), raw));

    struct lh_verified_http_signature verified = {.key_id = raw->key_id,
                                                  .nonce = raw->nonce,
                                                  .created_s = raw->created_s,
                                                  .expires_s = raw->expires_s,
                                                  .has_digest =
                                                      lh_http_signature_covers(raw, digest_name())};
    if (verified.has_digest) {
        LH_TRY(read_digest(check->request, &verified.digest));
    }
    *out_verified = verified;
    return lh_ok();
}
