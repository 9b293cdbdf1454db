/*
 * What a session may do: the scopes granted to it directly, and those that its tenant gives to
 * its roles. A role that the tenant does not know gives nothing.
 */
#include "gate/call.h"

#include "base/banned.h"

/* What fits a header line that any upstream takes. */
#define SCOPE_TEXT_MAX_BYTES 4096U

/* Room for a text of scopes, filled from the front. */
struct scope_text {
    char *room;
    size_t len;
};

bool lh_scope_has(lh_slice scopes, lh_slice scope)
{
    while (scopes.len > 0) {
        size_t end = lh_slice_find(scopes, ' ');
        if (lh_slice_is_equal(lh_slice_cut(scopes, 0, end), scope)) {
            return true;
        }
        scopes = lh_slice_cut(scopes, end + 1, scopes.len);
    }
    return false;
}

static void add_scope(struct scope_text *text, lh_slice scope)
{
    if (lh_scope_has(lh_slice_of(text->room, text->len), scope)) {
        return;
    }
    if (text->len > 0) {
        text->room[text->len++] = ' ';
    }
    memcpy(text->room + text->len, scope.ptr, scope.len);
    text->len += scope.len;
}

static const struct lh_role *role_at(const struct lh_gate_call *call, size_t index)
{
    return lh_tenant_find_role(call->tenant, call->principal->roles.items[index]);
}

/* Bytes that all scopes take, each with a space, doubles counted twice. */
static size_t count_room(const struct lh_gate_call *call)
{
    const struct lh_principal *principal = call->principal;
    size_t room = 0;
    for (size_t i = 0; i < principal->scopes.count; i++) {
        room += principal->scopes.items[i].len + 1;
    }
    for (size_t i = 0; i < principal->roles.count; i++) {
        const struct lh_role *role = role_at(call, i);
        for (size_t j = 0; role != NULL && j < role->scope_count; j++) {
            room += role->scopes[j].len + 1;
        }
    }
    return room;
}

static void collect(const struct lh_gate_call *call, struct scope_text *text)
{
    const struct lh_principal *principal = call->principal;
    for (size_t i = 0; i < principal->scopes.count; i++) {
        add_scope(text, principal->scopes.items[i]);
    }
    for (size_t i = 0; i < principal->roles.count; i++) {
        const struct lh_role *role = role_at(call, i);
        for (size_t j = 0; role != NULL && j < role->scope_count; j++) {
            add_scope(text, role->scopes[j]);
        }
    }
}

lh_status lh_call_grant_scopes(struct lh_gate_call *call)
{
    size_t room_bytes = count_room(call);
    if (room_bytes == 0) {
        call->scope = LH_SLICE_EMPTY;
        return lh_ok();
    }
    void *room;
    LH_TRY(lh_call_alloc(call, room_bytes, &room));
    struct scope_text text = {room, 0};
    collect(call, &text);
    LH_ENSURE(text.len <= SCOPE_TEXT_MAX_BYTES, LH_TOO_LARGE);
    call->scope = lh_slice_of(text.room, text.len);
    return lh_ok();
}
