/*
 * Request signatures between services (RFC 9421): is one there, is it of a key of the tenant's, and
 * is it used for the first time? Nothing is written before it holds: then its nonce is claimed, so
 * that whoever repeats a request gets no further, and makes nobody read its body.
 */
#include "gate/call.h"

#include "base/bug.h"
#include "keys/secret_cache.h"
#include "token/key_cache.h"
#include "token/nonce_table.h"

#include "base/banned.h"

/* --- Reading ---------------------------------------------------------------------------------- */

static bool has_signature_header(const struct lh_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (request->headers[i].kind == LH_HEADER_SIGNATURE) {
            return true;
        }
    }
    return false;
}

/* The request as its signer saw it. */
static struct lh_signed_request signed_request(const struct lh_request *request)
{
    return (struct lh_signed_request){
        .method = request->method,
        .scheme = request->is_tls ? LH_SLICE_LITERAL("https") : LH_SLICE_LITERAL("http"),
        .authority = request->authority,
        .target = request->target,
        .has_body = request->has_body,
        .next_value = request->next_value,
        .headers = request->sent_headers,
    };
}

/* Errors: NO_MEMORY. */
static lh_status note_signature(struct lh_gate_call *call)
{
    struct lh_call_signature *signature = &call->signature;
    LH_BUG_IF(call->request->next_value == NULL || call->request->claimed == NULL);
    const struct lh_signed_request request = signed_request(call->request);
    void *memory;
    LH_TRY(lh_call_alloc(call, sizeof(*signature->raw), &memory));
    signature->raw = memory;
    signature->is_there = true;
    lh_status status = lh_http_signature_read(&request, LH_SLICE_EMPTY, signature->raw);
    LH_ENSURE(status.code != LH_NO_MEMORY, LH_NO_MEMORY);
    signature->fault = lh_is_ok(status) ? LH_REASON_OK : LH_REASON_SIGNATURE_MALFORMED;
    return lh_ok();
}

enum lh_step_flow lh_step_read_signature(struct lh_gate_call *call)
{
    if ((call->policy->credentials & LH_GATE_CREDENTIAL_SIGNATURE) == 0 ||
        !has_signature_header(call->request)) {
        return LH_STEP_NEXT;
    }
    return lh_is_ok(note_signature(call)) ? LH_STEP_NEXT : lh_call_refuse(call, LH_REASON_INTERNAL);
}

/* --- Keys ------------------------------------------------------------------------------------- */

/* Errors: PENDING, and as lh_datakey_cache_get and lh_secret_cache_fill. */
static lh_status open_secret(struct lh_gate_call *call, const struct lh_signature_key *key,
                             struct lh_http_signature_key *ready)
{
    const struct lh_gate_parts *parts = &call->gate->parts;
    const struct lh_secret_question question = {call->tenant, key, call->now_ms};
    const struct lh_datakey *datakey;
    if (lh_is_ok(lh_secret_cache_find(parts->secret_cache, &question, &ready->mac))) {
        return lh_ok();
    }
    LH_ENSURE(lh_call_begin_opening(call), LH_TIMEOUT);
    lh_call_arm(call, call->cold_deadline_ms);
    LH_TRY(lh_datakey_cache_get(parts->datakeys, &call->op, call->tenant, key->dek_id, &datakey));
    return lh_secret_cache_fill(parts->secret_cache, &question, datakey, &ready->mac);
}

/* Errors: as lh_key_cache_get. */
static lh_status find_public_key(struct lh_gate_call *call, const struct lh_signature_key *key,
                                 struct lh_http_signature_key *ready)
{
    const struct lh_gate_parts *parts = &call->gate->parts;
    const struct lh_verify_key row = {
        .kid = key->key_id, .algorithm = LH_EDDSA, .material = key->material};
    struct lh_digest print;
    LH_TRY(lh_verify_key_print(parts->crypto, &row, &print));
    return lh_key_cache_get(parts->key_cache, &call->tenant->uid, &row, &print, &ready->public_key);
}

/* A key to verify with; it belongs to a cache. */
static lh_status make_ready(struct lh_gate_call *call, const struct lh_signature_key *key,
                            struct lh_http_signature_key *ready)
{
    ready->algorithm = key->algorithm;
    return key->algorithm == LH_HTTP_HMAC_SHA256 ? open_secret(call, key, ready)
                                                 : find_public_key(call, key, ready);
}

static enum lh_reason reason_of_key(lh_status status)
{
    switch (status.code) {
    case LH_TAMPERED:
        return LH_REASON_INTEGRITY;
    case LH_ABSENT:
        return LH_REASON_KEY_DESTROYED;
    case LH_TIMEOUT:
        return LH_REASON_BUDGET;
    case LH_KEY_DOWN:
    case LH_QUEUE_FULL:
        return LH_REASON_KEY_DOWN;
    default:
        return LH_REASON_INTERNAL;
    }
}

/* --- Verifying -------------------------------------------------------------------------------- */

static enum lh_reason reason_of_verify(lh_status status)
{
    switch (status.code) {
    case LH_OK:
        return LH_REASON_OK;
    case LH_FORBIDDEN:
        return LH_REASON_SIGNATURE_COVERAGE;
    case LH_EXPIRED:
        return LH_REASON_SIGNATURE_EXPIRED;
    case LH_EARLY:
        return LH_REASON_SIGNATURE_EARLY;
    case LH_MISMATCH:
        return LH_REASON_SIGNATURE_ALGORITHM;
    case LH_BAD_SIGNATURE:
        return LH_REASON_SIGNATURE_INVALID;
    case LH_MALFORMED:
    case LH_DUPLICATE:
    case LH_TOO_LARGE:
        return LH_REASON_SIGNATURE_MALFORMED;
    default:
        return LH_REASON_INTERNAL;
    }
}

static lh_status compute(struct lh_gate_call *call, const struct lh_http_signature_key *key,
                         struct lh_verified_http_signature *out_verified)
{
    static const struct lh_http_signature_rules rules = {.life_max_s = LH_HTTP_SIGNATURE_LIFE_MAX_S,
                                                         .skew_s = LH_HTTP_SIGNATURE_SKEW_MAX_S};
    const struct lh_signed_request request = signed_request(call->request);
    const struct lh_http_signature_check check = {.request = &request,
                                                  .rules = &rules,
                                                  .key = key,
                                                  .now_ms = call->now_ms,
                                                  .base = &call->gate->signature_base};
    return lh_http_signature_verify(&check, call->signature.raw, out_verified);
}

/* A MAC costs what any cookie does; a public key is asked only while there is time for it. */
static enum lh_reason verify_under(struct lh_gate_call *call,
                                   const struct lh_http_signature_key *key,
                                   struct lh_verified_http_signature *out_verified)
{
    if (key->algorithm == LH_HTTP_HMAC_SHA256) {
        return reason_of_verify(compute(call, key, out_verified));
    }
    if (!lh_is_ok(lh_call_may_verify(call))) {
        return LH_REASON_RATE_SIGNATURE;
    }
    uint64_t began_ns = lh_call_worked_ns();
    lh_status status = compute(call, key, out_verified);
    lh_call_charge_verify(call, lh_call_worked_ns() - began_ns, status.code != LH_BAD_SIGNATURE);
    return reason_of_verify(status);
}

/* Where the header is no source of the tenant, nobody has compared it yet. */
static bool is_tenants_header(const struct lh_gate_call *call)
{
    lh_slice value;
    return lh_is_ok(lh_call_header(call, LH_HEADER_TENANT, &value)) &&
           (lh_tenant_has_name(call->tenant, value) ||
            lh_slice_is_equal(value, LH_SLICE_OF(call->texts->uid)));
}

/* --- Once ------------------------------------------------------------------------------------- */

static enum lh_reason reason_of_claim(lh_status status)
{
    switch (status.code) {
    case LH_OK:
        return LH_REASON_OK;
    case LH_REPLAYED:
        return LH_REASON_SIGNATURE_REPLAYED;
    case LH_LIMITED:
        return LH_REASON_NONCES_LIMITED;
    case LH_NO_SPACE:
        return LH_REASON_NONCES_FULL;
    case LH_NONCES_DOWN:
        return LH_REASON_NONCES_DOWN;
    default:
        return LH_REASON_INTERNAL;
    }
}

/*
 * Once for the tenant, in however many locations the request is decided, and however often a
 * decision begins again: it is one request.
 */
static lh_status claim(const struct lh_gate_call *call,
                       const struct lh_verified_http_signature *verified)
{
    const struct lh_tenant_uid *uid = &call->tenant->uid;
    struct lh_claimed_nonce *claimed = call->request->claimed;
    if (claimed->is_set && lh_slice_is_equal(LH_SLICE_OF(claimed->uid), lh_tenant_uid_view(uid))) {
        return lh_ok();
    }
    LH_ENSURE(call->gate->parts.nonces != NULL, LH_NONCES_DOWN);
    const struct lh_nonce nonce = {.uid = *uid,
                                   .slot = call->tenant->slot,
                                   .key_id = verified->key_id,
                                   .nonce = verified->nonce,
                                   .created_s = verified->created_s,
                                   .expires_s = verified->expires_s};
    LH_TRY(lh_nonce_table_claim(call->gate->parts.nonces, &nonce, call->now_ms));
    memcpy(claimed->uid, uid->bytes, sizeof(claimed->uid));
    claimed->is_set = true;
    return lh_ok();
}

/* --- Both ------------------------------------------------------------------------------------- */

/* Errors: NO_MEMORY. */
static lh_status keep_digest(struct lh_gate_call *call,
                             const struct lh_verified_http_signature *verified)
{
    if (!verified->has_digest) {
        return lh_ok();
    }
    void *memory;
    LH_TRY(lh_call_alloc(call, sizeof(verified->digest), &memory));
    memcpy(memory, &verified->digest, sizeof(verified->digest));
    call->decision->signed_body = memory;
    return lh_ok();
}

/* Once the key is ready. */
static enum lh_reason judge(struct lh_gate_call *call, const struct lh_signature_key *key,
                            const struct lh_http_signature_key *ready)
{
    struct lh_verified_http_signature verified;
    enum lh_reason reason = verify_under(call, ready, &verified);
    if (reason != LH_REASON_OK) {
        return reason;
    }
    if (!is_tenants_header(call)) {
        return LH_REASON_SIGNATURE_TENANT;
    }
    if (!lh_is_ok(keep_digest(call, &verified))) {
        return LH_REASON_INTERNAL; /* before anything is used up */
    }
    reason = reason_of_claim(claim(call, &verified));
    if (reason == LH_REASON_OK) {
        call->signature.key = key;
        call->is_sessionless = true;
        lh_call_adopt_key(call);
    }
    return reason;
}

/* Why nobody needs to look at the signature, or OK. */
static enum lh_reason fault_of(const struct lh_gate_call *call)
{
    if (call->tenant_fault != LH_REASON_OK) {
        return call->tenant_fault;
    }
    bool has_another = call->has_credential || call->bearer.is_there;
    return has_another ? LH_REASON_CREDENTIAL_CONFLICT : call->signature.fault;
}

static enum lh_step_flow verify(struct lh_gate_call *call)
{
    const struct lh_signature_key *key =
        lh_signature_keys_find(call->tenant->signature_keys, call->tenant->signature_key_count,
                               call->signature.raw->key_id, call->now_ms);
    if (key == NULL) {
        return lh_call_refuse(call, LH_REASON_SIGNATURE_KEY);
    }
    struct lh_http_signature_key ready = {.mac = NULL};
    lh_status status = make_ready(call, key, &ready);
    if (status.code == LH_PENDING) {
        return LH_STEP_WAIT;
    }
    call->op = lh_op_idle(0, NULL);
    enum lh_reason reason = lh_is_ok(status) ? judge(call, key, &ready) : reason_of_key(status);
    return reason == LH_REASON_OK ? LH_STEP_NEXT : lh_call_refuse(call, reason);
}

enum lh_step_flow lh_step_verify_signature(struct lh_gate_call *call)
{
    if (!call->signature.is_there) {
        return LH_STEP_NEXT;
    }
    enum lh_reason fault = fault_of(call);
    return fault == LH_REASON_OK ? verify(call) : lh_call_refuse(call, fault);
}
