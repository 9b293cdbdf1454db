/*
 * The last step: what the upstream is told about a session, and the only place where a session
 * lets a request pass.
 */
#include "gate/call.h"

#include "codec/base64url.h"

#include "base/banned.h"

/* Longest X-Session-State: what any upstream takes in one header. */
#define STATE_HEADER_MAX_BYTES 4096U

/* What stands behind the uid in a cache key: the uid's length is fixed, so they tell keys apart. */
#define KEY_OF_SUBJECT   ':'
#define KEY_OF_REFERENCE ','

/*
 * uid ":" subject ",", or for a session without user uid "," reference ",". No comma can stand in a
 * subject: without it "bob" at /x/y and "bob/x" at /y would be one page of a response cache. The
 * subject that the decision names is the part between.
 */
lh_status lh_call_name_session(struct lh_gate_call *call)
{
    if (call->is_sessionless) {
        return call->signature.key != NULL ? lh_call_name_key(call) : lh_call_name_token(call);
    }
    struct lh_decision *decision = call->decision;
    lh_session_ref_write(call->header->bucket, &call->header->lease, &call->texts->ref);
    decision->session_ref = lh_slice_of(call->texts->ref.text, call->texts->ref.len);
    bool has_subject = call->principal->subject.len > 0;
    lh_slice who = has_subject ? call->principal->subject : decision->session_ref;
    size_t front = sizeof(call->texts->uid) + 1;
    void *memory;
    LH_TRY(lh_call_alloc(call, front + who.len + 1, &memory));
    char *key = memory;
    memcpy(key, call->texts->uid, sizeof(call->texts->uid));
    key[front - 1] = has_subject ? KEY_OF_SUBJECT : KEY_OF_REFERENCE;
    memcpy(key + front, who.ptr, who.len);
    key[front + who.len] = LH_CACHE_KEY_END;
    decision->cache_key = lh_slice_of(key, front + who.len + 1);
    decision->subject = has_subject ? lh_slice_of(key + front, who.len) : LH_SLICE_EMPTY;
    decision->mode =
        call->header->has_user ? LH_SLICE_LITERAL("normal") : LH_SLICE_LITERAL("anonymous");
    return lh_ok();
}

static void inject_if_any(struct lh_gate_call *call, lh_slice name, lh_slice value)
{
    if (value.len > 0) {
        lh_call_inject(call, name, value);
    }
}

static lh_status inject_claims(struct lh_gate_call *call)
{
    lh_slice context;
    LH_TRY(lh_call_context(call, &context));
    lh_call_inject(call, LH_SLICE_LITERAL("X-Tenant-Context"), context);
    inject_if_any(call, LH_SLICE_LITERAL("X-Session-Subject"), call->decision->subject);
    inject_if_any(call, LH_SLICE_LITERAL("X-Session-Scope"), call->decision->scope);
    return lh_ok();
}

static lh_status inject_state(struct lh_gate_call *call)
{
    lh_slice state = lh_buf_view(&call->state);
    if (state.len == 0) {
        return lh_ok();
    }
    size_t text_len = LH_BASE64URL_TEXT_LEN(state.len);
    LH_ENSURE(text_len <= STATE_HEADER_MAX_BYTES, LH_TOO_LARGE);
    void *text;
    LH_TRY(lh_call_alloc(call, text_len, &text));
    lh_base64url_write(state, text);
    lh_call_inject(call, LH_SLICE_LITERAL("X-Session-State"), lh_slice_of(text, text_len));
    return lh_ok();
}

/* Errors: TOO_LARGE (the state), KEY_DOWN, CRYPTO, NO_MEMORY. */
static lh_status inject_session(struct lh_gate_call *call)
{
    struct lh_decision *decision = call->decision;
    decision->scope = call->scope;
    lh_call_inject(call, LH_SLICE_LITERAL("X-Tenant-ID"), decision->tenant);
    lh_call_inject(call, LH_SLICE_LITERAL("X-Tenant-UID"), decision->uid);
    inject_if_any(call, LH_SLICE_LITERAL("X-Session-Ref"), decision->session_ref);
    lh_call_inject(call, LH_SLICE_LITERAL("X-Session-Mode"), decision->mode);
    if (call->policy->state != LH_GATE_STATE_NONE) {
        LH_TRY(inject_claims(call));
    }
    return call->policy->state == LH_GATE_STATE_FULL ? inject_state(call) : lh_ok();
}

static void touch(struct lh_gate_call *call)
{
    struct lh_vault *vault = call->gate->parts.vault;
    if (call->cached != NULL) {
        call->cached->last_touch_ms =
            lh_vault_touch(vault, call->header, call->cached->last_touch_ms);
    } else {
        (void)lh_vault_touch(vault, call->header, call->loaded.last_touch_ms);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void watch_sealed(const struct lh_gate_call *call, struct lh_gate_watch *watch)
{
    const struct lh_session_header *header = call->header;
    watch->is_sealed = true;
    watch->has_user = header->has_user;
    memcpy(watch->session_user_tag, header->user_tag.bytes, sizeof(watch->session_user_tag));
    watch->session_epochs[0] = header->platform_epoch;
    watch->session_epochs[1] = header->tenant_epoch;
    watch->session_epochs[2] = header->user_epoch;
    watch->session_generation = header->generation;
}

static void watch_session(const struct lh_gate_call *call, struct lh_gate_watch *watch)
{
    watch->has_session = true;
    memcpy(watch->lease, call->header->lease.bytes, sizeof(watch->lease));
    watch->bucket = call->header->bucket;
    watch->end_ms = earlier(watch->end_ms, lh_call_session_end_ms(call));
    if (call->is_sealed) {
        watch_sealed(call, watch);
    }
}

static void watch_token(const struct lh_gate_call *call, struct lh_gate_watch *watch)
{
    const struct lh_verified_token *token = call->bearer.token;
    uint64_t key_end_ms = token->key_until_ms != 0 ? token->key_until_ms : UINT64_MAX;
    watch->has_token = true;
    watch->end_ms = earlier(watch->end_ms, earlier(token->ends_ms, key_end_ms));
    watch->is_own_token = token->is_own;
    watch->has_tag = call->bearer.has_tag;
    memcpy(watch->token_tag, call->bearer.tag.bytes, sizeof(watch->token_tag));
    watch->subject = call->decision->subject; /* the session's too, where there is one */
    watch->epochs[0] = token->epochs.platform;
    watch->epochs[1] = token->epochs.tenant;
    watch->epochs[2] = token->epochs.user;
    watch->issued_ms = token->issued_ms;
    watch->skew_ms = token->skew_ms;
    watch->generation = token->generation;
}

/* Errors: NO_MEMORY. */
static lh_status watch_key(const struct lh_gate_call *call, struct lh_gate_watch *watch)
{
    const struct lh_signature_key *key = call->signature.key;
    void *memory;
    LH_TRY(lh_call_alloc(call, key->key_id.len, &memory));
    memcpy(memory, key->key_id.ptr, key->key_id.len);
    watch->key_id = lh_slice_of(memory, key->key_id.len);
    watch->generation = key->created_ms;
    watch->end_ms = key->until_ms == 0 ? UINT64_MAX : key->until_ms;
    watch->has_key = true;
    return lh_ok();
}

/* Of all that the request has proved, whatever ends first ends it. Errors: NO_MEMORY. */
static lh_status watch(struct lh_gate_call *call)
{
    struct lh_gate_watch *watch = &call->decision->watch;
    const struct lh_tenant *tenant = call->tenant;
    *watch = (struct lh_gate_watch){.end_ms = UINT64_MAX};
    memcpy(watch->uid, tenant->uid.bytes, sizeof(watch->uid));
    if (call->signature.key != NULL) {
        LH_TRY(watch_key(call, watch));
    }
    if (call->bearer.token != NULL) {
        watch_token(call, watch);
    }
    if (!call->is_sessionless) {
        watch_session(call, watch);
    }
    watch->slot = tenant->slot;
    watch->counter = tenant->counter + tenant->platform_counter;
    watch->is_set = true;
    return lh_ok();
}

static enum lh_reason reason_of_inject(lh_status status)
{
    switch (status.code) {
    case LH_TOO_LARGE:
        return LH_REASON_STATE_TOO_LARGE;
    case LH_KEY_DOWN:
        return LH_REASON_KEY_DOWN;
    default:
        return LH_REASON_INTERNAL;
    }
}

enum lh_step_flow lh_step_inject_context(struct lh_gate_call *call)
{
    if (call->has_waited) {
        /* What was read before the wait may have been taken back meanwhile. */
        lh_status fresh = lh_directory_check_fresh(call->gate->parts.directory, call->tenant);
        if (!lh_is_ok(fresh)) {
            return fresh.code == LH_CONFLICT ? LH_STEP_RESTART
                                             : lh_call_refuse(call, LH_REASON_REGISTRY_DOWN);
        }
    }
    lh_status status = inject_session(call);
    if (lh_is_ok(status)) {
        status = watch(call);
    }
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, reason_of_inject(status));
    }
    if (!call->is_sessionless && !call->is_sealed) {
        touch(call);
    }
    return lh_call_pass(call, LH_REASON_OK);
}
