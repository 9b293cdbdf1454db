/*
 * Bearer tokens (RFC 6750, in the Authorization header only): is one there, is it the tenant's, and
 * what does it prove here? Nothing is written, and no store is asked, before its signature holds.
 */
#include "gate/call.h"

#include "token/verified_cache.h"

#include "base/banned.h"

/* --- Reading ---------------------------------------------------------------------------------- */

#define SCHEME       LH_SLICE_LITERAL("Bearer")
#define SCHEME_BYTES 6U

static bool is_letter_or_digit(uint8_t byte)
{
    uint8_t lower = byte | 0x20;
    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9');
}

/* RFC 9110 §5.6.2: what may be part of a scheme's name. */
static bool is_token_byte(uint8_t byte)
{
    return is_letter_or_digit(byte) ||
           lh_slice_find(LH_SLICE_LITERAL("!#$%&'*+-.^_`|~"), byte) < sizeof("!#$%&'*+-.^_`|~") - 1;
}

/* Other schemes are credentials that are not listed. */
static bool is_bearer(lh_slice value)
{
    return lh_slice_is_equal_nocase(lh_slice_cut(value, 0, SCHEME_BYTES), SCHEME) &&
           (value.len == SCHEME_BYTES || !is_token_byte(value.ptr[SCHEME_BYTES]));
}

/*
 * Whether fields were joined with a comma, one of them a token: a service may look for it where it
 * does not stand first, and would act on one that nobody has judged.
 */
static bool has_bearer_in_list(lh_slice value)
{
    size_t comma = lh_slice_find(value, ',');
    bool is_list = comma < value.len;
    bool has_bearer = is_bearer(value);
    while (!has_bearer && comma < value.len) {
        value = lh_slice_trim(lh_slice_cut(value, comma + 1, value.len));
        has_bearer = is_bearer(value);
        comma = lh_slice_find(value, ',');
    }
    return is_list && has_bearer;
}

static enum lh_reason fault_of(const struct lh_gate_call *call, lh_slice value, lh_slice text)
{
    if (text.len > call->gate->parts.token_max_bytes) {
        return LH_REASON_TOKEN_TOO_LARGE;
    }
    /* Which bytes a token has is read with the token, and once: most are remembered. */
    bool has_space = value.len > SCHEME_BYTES && value.ptr[SCHEME_BYTES] == ' ';
    return has_space && text.len > 0 ? LH_REASON_OK : LH_REASON_TOKEN_MALFORMED;
}

/* Errors: CRYPTO. */
static lh_status note_bearer(struct lh_gate_call *call, lh_slice value)
{
    struct lh_call_bearer *bearer = &call->bearer;
    lh_slice text = lh_slice_cut(value, SCHEME_BYTES + 1, value.len);
    bearer->is_there = true;
    bearer->fault = fault_of(call, value, text);
    return bearer->fault == LH_REASON_OK
               ? lh_token_text_of(call->gate->parts.crypto, text, &bearer->text)
               : lh_ok();
}

enum lh_step_flow lh_step_read_bearer(struct lh_gate_call *call)
{
    if ((call->policy->credentials & LH_GATE_CREDENTIAL_BEARER) == 0) {
        return LH_STEP_NEXT;
    }
    lh_slice value;
    lh_status status = lh_call_header(call, LH_HEADER_AUTHORIZATION, &value);
    if (status.code == LH_DUPLICATE) {
        return lh_call_refuse(call, LH_REASON_AUTHORIZATION_DUPLICATE);
    }
    if (!lh_is_ok(status)) {
        return LH_STEP_NEXT;
    }
    if (has_bearer_in_list(value)) {
        return lh_call_refuse(call, LH_REASON_AUTHORIZATION_DUPLICATE);
    }
    if (!is_bearer(value)) {
        return LH_STEP_NEXT;
    }
    return lh_is_ok(note_bearer(call, value)) ? LH_STEP_NEXT
                                              : lh_call_refuse(call, LH_REASON_INTERNAL);
}

lh_status lh_call_read_raw_token(struct lh_gate_call *call)
{
    struct lh_call_bearer *bearer = &call->bearer;
    if (bearer->raw != NULL) {
        return lh_ok();
    }
    void *room;
    LH_TRY(lh_call_alloc(call, lh_raw_token_room_bytes(bearer->text.bytes.len), &room));
    lh_status status = lh_raw_token_read(&bearer->text, room, &bearer->raw);
    if (!lh_is_ok(status)) {
        bearer->raw = NULL;
        bearer->fault =
            status.code == LH_TOO_LARGE ? LH_REASON_TOKEN_TOO_LARGE : LH_REASON_TOKEN_MALFORMED;
    }
    return status;
}

/* --- Judging, for each request anew ----------------------------------------------------------- */

/* The issuer's audiences, or the location's, or the one that every location has. */
static bool is_for_this_place(const struct lh_gate_call *call)
{
    const lh_slice standard = LH_SLICE_LITERAL(LH_STANDARD_AUDIENCE);
    const struct lh_verified_token *token = call->bearer.token;
    const struct lh_gate_list *place = &call->policy->audiences;
    const struct lh_issuer *issuer = lh_tenant_find_issuer(call->tenant, token->iss);
    if (issuer != NULL && issuer->audience_count > 0) {
        return lh_token_is_for(token, issuer->audiences, issuer->audience_count);
    }
    return place->count > 0 ? lh_token_is_for(token, place->items, place->count)
                            : lh_token_is_for(token, &standard, 1);
}

/* Errors: REVOKED, REGISTRY_DOWN, CRYPTO. */
static lh_status judge_epochs(struct lh_gate_call *call)
{
    const struct lh_verified_token *token = call->bearer.token;
    struct lh_token_epochs present;
    LH_TRY(lh_gate_read_token_epochs(call->gate, call->tenant, token->sub, &present));
    LH_ENSURE(!lh_token_is_logged_out(token, &present), LH_REVOKED);
    return lh_ok();
}

/* Where a session is matched, it is the session that a logout ends, whoever issued the token. */
static enum lh_reason judge_token(struct lh_gate_call *call)
{
    const struct lh_verified_token *token = call->bearer.token;
    if (token->is_own || call->is_sessionless) {
        lh_status status = judge_epochs(call);
        if (!lh_is_ok(status)) {
            return status.code == LH_REVOKED ? LH_REASON_TOKEN_REVOKED
                                             : lh_call_reason_of_token(status);
        }
    }
    if (token->kind == LH_TOKEN_SERVICE) {
        return LH_REASON_TOKEN_SERVICE;
    }
    return is_for_this_place(call) ? LH_REASON_OK : LH_REASON_TOKEN_AUDIENCE;
}

/* A cache's entry is good only until somebody waits: what may wait has a copy of its own. */
static lh_status keep_token(struct lh_gate_call *call)
{
    if (call->bearer.is_kept) {
        return lh_ok();
    }
    void *memory;
    size_t len;
    LH_TRY(lh_call_alloc(call, sizeof(struct lh_verified_token) + LH_VERIFIED_TEXTS_MAX_BYTES,
                         &memory));
    struct lh_verified_token *copy = memory;
    LH_TRY(lh_verified_token_copy(call->bearer.token, (uint8_t *)(copy + 1),
                                  LH_VERIFIED_TEXTS_MAX_BYTES, copy, &len));
    call->bearer.token = copy;
    call->bearer.is_kept = true;
    return lh_ok();
}

/* The session that the token names. A reference names, and opens nothing. */
static enum lh_reason name_session(struct lh_gate_call *call)
{
    struct lh_handle *handle = &call->handle;
    if (!lh_is_ok(lh_session_ref_parse(call->bearer.token->sid, &handle->bucket, &handle->lease))) {
        return LH_REASON_TOKEN_SESSION;
    }
    handle->uid = call->tenant->uid;
    call->raw.lease = handle->lease;
    call->has_lease = true;
    return LH_REASON_OK;
}

static enum lh_reason take_token(struct lh_gate_call *call)
{
    if (call->is_sessionless) {
        lh_call_adopt_token(call);
        return LH_REASON_OK;
    }
    if (!lh_is_ok(keep_token(call))) {
        return LH_REASON_INTERNAL;
    }
    return call->has_credential ? LH_REASON_OK : name_session(call);
}

enum lh_step_flow lh_step_verify_bearer(struct lh_gate_call *call)
{
    if (!call->bearer.is_there) {
        return LH_STEP_NEXT;
    }
    enum lh_reason reason = lh_call_verify_token(call);
    if (call->tenant_fault != LH_REASON_OK) {
        return lh_call_refuse(call, call->tenant_fault);
    }
    call->is_sessionless =
        !call->has_credential && call->policy->token_mode == LH_GATE_TOKEN_STATELESS;
    if (reason == LH_REASON_OK) {
        reason = judge_token(call);
    }
    if (reason == LH_REASON_OK) {
        reason = take_token(call);
    }
    return reason == LH_REASON_OK ? LH_STEP_NEXT : lh_call_refuse(call, reason);
}
