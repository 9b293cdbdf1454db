/*
 * A key of request signatures as the gate tells of it: whom it speaks for, and the names by which
 * that service is known.
 */
#include "gate/call.h"

#include "base/banned.h"

/* What stands behind the uid in the cache key of a service: no user shares it. */
#define KEY_OF_SERVICE '!'

static void list_texts(const lh_slice *texts, size_t count, struct lh_text_list *out_list)
{
    for (size_t i = 0; i < count; i++) {
        out_list->items[i] = texts[i];
    }
    out_list->count = count;
}

void lh_call_adopt_key(struct lh_gate_call *call)
{
    const struct lh_signature_key *key = call->signature.key;
    call->opened.subject = key->subject;
    list_texts(key->roles, key->role_count, &call->opened.roles);
    list_texts(key->scopes, key->scope_count, &call->opened.scopes);
    call->opened.groups.count = 0;
    call->principal = &call->opened;
}

lh_status lh_call_name_key(struct lh_gate_call *call)
{
    struct lh_decision *decision = call->decision;
    lh_slice subject = call->signature.key->subject;
    size_t front = sizeof(call->texts->uid) + 1;
    void *memory;
    LH_TRY(lh_call_alloc(call, front + subject.len + 1, &memory));
    char *key = memory;
    memcpy(key, call->texts->uid, sizeof(call->texts->uid));
    key[front - 1] = KEY_OF_SERVICE;
    memcpy(key + front, subject.ptr, subject.len);
    key[front + subject.len] = LH_CACHE_KEY_END;
    decision->cache_key = lh_slice_of(key, front + subject.len + 1);
    decision->subject = lh_slice_of(key + front, subject.len);
    decision->session_ref = LH_SLICE_EMPTY;
    decision->mode = LH_SLICE_LITERAL("service");
    return lh_ok();
}
