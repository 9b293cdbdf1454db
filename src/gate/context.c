/*
 * X-Tenant-Context: what an application may verify for itself, a compact JWS (RFC 7515) under the
 * node's key. Signing costs more than all the rest of a decision, so a text is kept and handed out
 * again, to the same session and saying the same, while it has LEFT_MS to live.
 *
 * Claims: iss "leasehold" (the kid names the node), tenant, uid, sub, ref, scope, mode, aud (text
 * or list), iat, exp. Where a token speaks for itself there is no ref but the token's jti, and the
 * issuer (idp) if it is not the tenant's own: what its sub means is the issuer's. For a service
 * that signs its requests it is the id of its key.
 */
#include "gate/call.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "keys/node_key.h"
#include "session/context_cache.h"

#include "base/banned.h"

#define LIFE_S 60U
/* What a text that is handed out has left at least. */
#define LEFT_MS 20000U

/* Larger than any context: scopes of 4 KiB and a few audiences. */
#define CONTEXT_MAX_BYTES ((size_t)16 * 1024)

static uint64_t mix(uint64_t a, uint64_t b)
{
    return ((a << 7) | (a >> 57)) ^ b;
}

/* Whom the text is for. A token is known by its digest, which no lease id is. */
static void write_bearer_key(const struct lh_gate_call *call, struct lh_context_key *key)
{
    const uint8_t *digest = call->bearer.text.digest.bytes;
    key->uid = call->tenant->uid;
    memcpy(key->lease.bytes, digest, sizeof(key->lease.bytes));
    memcpy(&key->generation, digest + sizeof(key->lease.bytes), sizeof(key->generation));
    key->mode = true;
}

/* No session is of this generation. */
#define GENERATION_OF_KEYS UINT64_MAX

static void write_key_key(const struct lh_gate_call *call, struct lh_context_key *key)
{
    const struct lh_signature_key *signer = call->signature.key;
    uint64_t id = lh_siphash(&call->gate->hash_key, signer->key_id);
    key->uid = call->tenant->uid;
    memcpy(key->lease.bytes, &id, sizeof(id));
    memcpy(key->lease.bytes + sizeof(id), &signer->created_ms, sizeof(signer->created_ms));
    key->generation = GENERATION_OF_KEYS;
    key->mode = true;
}

/* With a token it is for that token: it ends with it. */
static void write_session_key(const struct lh_gate_call *call, struct lh_context_key *key)
{
    if (call->bearer.token != NULL) {
        uint64_t of_token;
        memcpy(&of_token, call->bearer.text.digest.bytes, sizeof(of_token));
        key->content = mix(key->content, of_token);
    }
    if (call->is_sealed) {
        key->content = mix(key->content, call->sealed.issued_ms); /* it ends by that */
    }
    key->uid = call->header->uid;
    key->lease = call->header->lease;
    key->generation = call->header->generation;
    key->mode = call->header->has_user;
}

/* Everything that the text says, but for its times. */
static struct lh_context_key key_of(const struct lh_gate_call *call,
                                    const struct lh_node_key *signer)
{
    const struct lh_siphash_key *hash_key = &call->gate->hash_key;
    const struct lh_gate_list *audiences = &call->policy->audiences;
    struct lh_context_key key = {
        .audience = audiences->count,
        .content = mix(mix(lh_siphash(hash_key, call->decision->tenant),
                           lh_siphash(hash_key, call->decision->subject)),
                       lh_siphash(hash_key, call->scope)),
        .signer = lh_siphash(hash_key, lh_node_kid_view(&signer->kid)),
    };
    if (call->signature.key != NULL) {
        write_key_key(call, &key);
    } else if (call->is_sessionless) {
        write_bearer_key(call, &key);
    } else {
        write_session_key(call, &key);
    }
    for (size_t i = 0; i < audiences->count; i++) {
        key.audience = mix(key.audience, lh_siphash(hash_key, audiences->items[i]));
    }
    return key;
}

static lh_status add_member(struct lh_buf *json, const char *name, lh_slice value)
{
    LH_TRY(lh_buf_add_format(json, "%s\"%s\":", json->len > 1 ? "," : "", name));
    return lh_json_add_string(json, value);
}

static lh_status add_optional(struct lh_buf *json, const char *name, lh_slice value)
{
    return value.len > 0 ? add_member(json, name, value) : lh_ok();
}

/* One text, or a list (RFC 7519 §4.1.3). */
static lh_status add_audience(struct lh_buf *json, const struct lh_gate_list *audiences)
{
    if (audiences->count <= 1) {
        return add_member(json, "aud",
                          audiences->count == 1 ? audiences->items[0]
                                                : LH_SLICE_LITERAL(LH_STANDARD_AUDIENCE));
    }
    LH_TRY(lh_buf_add_text(json, ",\"aud\":["));
    for (size_t i = 0; i < audiences->count; i++) {
        if (i > 0) {
            LH_TRY(lh_buf_add_u8(json, ','));
        }
        LH_TRY(lh_json_add_string(json, audiences->items[i]));
    }
    return lh_buf_add_u8(json, ']');
}

static uint64_t end_ms_of(const struct lh_gate_call *call)
{
    if (call->signature.key != NULL) {
        return call->signature.key->until_ms == 0 ? UINT64_MAX : call->signature.key->until_ms;
    }
    const struct lh_verified_token *token = call->bearer.token;
    uint64_t token_end_ms = token != NULL ? token->ends_ms - token->skew_ms : UINT64_MAX;
    uint64_t session_end_ms = call->is_sessionless ? UINT64_MAX : lh_call_session_end_ms(call);
    return token_end_ms < session_end_ms ? token_end_ms : session_end_ms;
}

/* A context never outlives its session or token. */
static uint64_t expiry_s(const struct lh_gate_call *call, uint64_t issued_s)
{
    uint64_t end_s = end_ms_of(call) / 1000;
    uint64_t expires_s = issued_s + LIFE_S;
    if (end_s < expires_s) {
        expires_s = end_s;
    }
    return expires_s > issued_s ? expires_s : issued_s + 1;
}

static lh_status add_sessionless_claims(const struct lh_gate_call *call, struct lh_buf *json)
{
    if (call->signature.key != NULL) {
        return add_member(json, "key", call->signature.key->key_id);
    }
    if (!call->is_sessionless) {
        return lh_ok();
    }
    LH_TRY(add_member(json, "jti", call->bearer.token->jti));
    return call->bearer.token->is_own ? lh_ok() : add_member(json, "idp", call->bearer.token->iss);
}

static lh_status write_claims(const struct lh_gate_call *call, uint64_t issued_s,
                              uint64_t expires_s, struct lh_buf *json)
{
    const struct lh_decision *decision = call->decision;
    LH_TRY(lh_buf_add_u8(json, '{'));
    LH_TRY(add_member(json, "iss", LH_SLICE_LITERAL("leasehold")));
    LH_TRY(add_member(json, "tenant", decision->tenant));
    LH_TRY(add_member(json, "uid", decision->uid));
    LH_TRY(add_optional(json, "sub", decision->subject));
    LH_TRY(add_optional(json, "ref", decision->session_ref));
    LH_TRY(add_sessionless_claims(call, json));
    LH_TRY(add_member(json, "scope", call->scope));
    LH_TRY(add_member(json, "mode", decision->mode));
    LH_TRY(add_audience(json, &call->policy->audiences));
    return lh_buf_add_format(json, ",\"iat\":%llu,\"exp\":%llu}", (unsigned long long)issued_s,
                             (unsigned long long)expires_s);
}

static lh_status add_header(struct lh_buf *jws, lh_slice kid)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf json = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add_text(&json, "{\"typ\":\"lh-context+jwt\",\"alg\":\"ES256\""));
    LH_TRY(add_member(&json, "kid", kid));
    LH_TRY(lh_buf_add_u8(&json, '}'));
    return lh_base64url_add(jws, lh_buf_view(&json));
}

static lh_status sign(const struct lh_gate_call *call, const struct lh_node_key *key,
                      uint64_t expires_s, struct lh_buf *jws)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf claims = lh_buf_bounded(CONTEXT_MAX_BYTES);
    LH_TRY(write_claims(call, call->now_ms / 1000, expires_s, &claims));
    LH_TRY(add_header(jws, lh_node_kid_view(&key->kid)));
    LH_TRY(lh_buf_add_u8(jws, '.'));
    LH_TRY(lh_base64url_add(jws, lh_buf_view(&claims)));
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    LH_TRY(lh_es256_sign(key->pair, lh_buf_view(jws), signature));
    LH_TRY(lh_buf_add_u8(jws, '.'));
    return lh_base64url_add(jws, LH_SLICE_OF(signature));
}

static lh_status copy_to_request(const struct lh_gate_call *call, lh_slice text, lh_slice *out_copy)
{
    void *memory;
    LH_TRY(lh_call_alloc(call, text.len, &memory));
    memcpy(memory, text.ptr, text.len);
    *out_copy = lh_slice_of(memory, text.len);
    return lh_ok();
}

static lh_status make_context(struct lh_gate_call *call, const struct lh_node_key *signer,
                              const struct lh_context_key *key, lh_slice *out_text)
{
    uint64_t expires_s = expiry_s(call, call->now_ms / 1000);
    LH_CLEANUP(lh_buf_fini) struct lh_buf jws = lh_buf_bounded(CONTEXT_MAX_BYTES);
    LH_TRY(sign(call, signer, expires_s, &jws));
    if (expires_s * 1000 > call->now_ms + LEFT_MS) {
        lh_context_cache_keep(call->gate->parts.context_cache, key, call->now_ms,
                              expires_s * 1000 - LEFT_MS, lh_buf_view(&jws));
    }
    return copy_to_request(call, lh_buf_view(&jws), out_text);
}

lh_status lh_call_context(struct lh_gate_call *call, lh_slice *out_text)
{
    const struct lh_node_key *signer;
    LH_TRY(lh_node_keys_signer(call->gate->parts.node_keys, call->now_ms, &signer));
    struct lh_context_key key = key_of(call, signer);
    lh_slice kept;
    if (lh_is_ok(
            lh_context_cache_find(call->gate->parts.context_cache, &key, call->now_ms, &kept))) {
        return copy_to_request(call, kept, out_text);
    }
    return make_context(call, signer, &key, out_text);
}
