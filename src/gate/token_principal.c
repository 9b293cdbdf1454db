/*
 * A verified token as the gate tells of it: its principal, the names by which it is known, and the
 * logouts that count for it.
 */
#include "gate/call.h"

#include "base/banned.h"

/* What stands behind the uid in the cache key of a subject that another issuer names. */
#define KEY_OF_ISSUER ';'
/* Room for ";", a length and ":". */
#define KEY_ISSUER_EXTRA_BYTES 5U

_Static_assert(LH_TEXT_MAX_BYTES < 1000, "the length of an issuer has three digits at most");

/* Only what is listed: the lists are large, and mostly empty. */
static void copy_list(const struct lh_text_list *from, struct lh_text_list *out_list)
{
    for (size_t i = 0; i < from->count; i++) {
        out_list->items[i] = from->items[i];
    }
    out_list->count = from->count;
}

void lh_call_adopt_token(struct lh_gate_call *call)
{
    const struct lh_verified_token *token = call->bearer.token;
    call->opened.subject = token->sub;
    copy_list(&token->roles, &call->opened.roles);
    copy_list(&token->scopes, &call->opened.scopes);
    copy_list(&token->groups, &call->opened.groups);
    call->principal = &call->opened;
}

lh_status lh_gate_read_token_epochs(struct lh_gate *gate, const struct lh_tenant *tenant,
                                    lh_slice subject, struct lh_token_epochs *out_epochs)
{
    struct lh_token_epochs epochs = {.platform = tenant->platform_epoch, .tenant = tenant->epoch};
    if (tenant->has_user_epochs) {
        struct lh_user_tag tag;
        LH_TRY(lh_user_tag_of(gate->parts.crypto, tenant, subject, &tag));
        LH_TRY(lh_registry_read_user_epoch(gate->parts.registry, &tenant->uid, &tag, &epochs.user));
    }
    *out_epochs = epochs;
    return lh_ok();
}

/* Writes a number below 1000 in decimal: without a printf, for each request does it. */
static size_t write_length(size_t length, char *out)
{
    size_t len = 0;
    for (size_t unit = 100; unit > 0; unit /= 10) {
        if (length >= unit || unit == 1) {
            out[len++] = (char)('0' + length / unit % 10);
        }
    }
    return len;
}

/*
 * The front of the cache key, up to the subject. Who a subject is, is (tenant, issuer, subject):
 * the tenant's own issuer and its sessions mean the same people; another's may not, and stands in
 * the key with its length, so that no issuer and subject can be read as others.
 */
static size_t write_key_front(const struct lh_gate_call *call, char *key)
{
    const size_t uid_len = sizeof(call->texts->uid);
    const struct lh_verified_token *token = call->bearer.token;
    memcpy(key, call->texts->uid, uid_len);
    size_t len = uid_len;
    if (!token->is_own) {
        key[len++] = KEY_OF_ISSUER;
        len += write_length(token->iss.len, key + len);
        key[len++] = ':';
        memcpy(key + len, token->iss.ptr, token->iss.len);
        len += token->iss.len;
    }
    key[len++] = ':';
    return len;
}

lh_status lh_call_name_token(struct lh_gate_call *call)
{
    struct lh_decision *decision = call->decision;
    const struct lh_verified_token *token = call->bearer.token;
    size_t room =
        sizeof(call->texts->uid) + KEY_ISSUER_EXTRA_BYTES + token->iss.len + token->sub.len + 2;
    void *memory;
    LH_TRY(lh_call_alloc(call, room, &memory));
    char *key = memory;
    size_t front = write_key_front(call, key);
    memcpy(key + front, token->sub.ptr, token->sub.len);
    key[front + token->sub.len] = LH_CACHE_KEY_END;
    decision->cache_key = lh_slice_of(key, front + token->sub.len + 1);
    decision->subject = lh_slice_of(key + front, token->sub.len);
    decision->session_ref = LH_SLICE_EMPTY;
    decision->mode = LH_SLICE_LITERAL("normal");
    return lh_ok();
}
