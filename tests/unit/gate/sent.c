/*
 * Requests that read like what a client sends, and what becomes of them.
 */
#include "gate_fixture.h"

struct lh_gate_policy any_policy(void)
{
    static const lh_slice bases[] = {{(const uint8_t *)"example.test", 12}};
    return (struct lh_gate_policy){
        .mode = LH_GATE_ON,
        .tenant_from = LH_GATE_TENANT_SUBDOMAIN | LH_GATE_TENANT_HOST | LH_GATE_TENANT_HEADER,
        .base_domains = {bases, 1},
        .state = LH_GATE_STATE_CLAIMS,
        .credentials = LH_GATE_CREDENTIAL_COOKIE,
        .budget_ms = 5,
        .cold_budget_ms = 250,
    };
}

static void *take_memory(void *memory, size_t len)
{
    struct sent *sent = memory;
    void *room;
    sent->takes++;
    if (sent->is_out_of_memory || sent->takes == sent->failing_take ||
        !lh_is_ok(lh_arena_take(&sent->memory, len, &room))) {
        return NULL;
    }
    memset(room, 0xa5, len); /* nobody may rely on zeros */
    return room;
}

static bool next_value(void *sent_headers, lh_slice name, size_t *position, lh_slice *out_value)
{
    const struct sent *sent = sent_headers;
    while (*position < sent->all_count) {
        const struct lh_header *header = &sent->all_headers[(*position)++];
        if (lh_slice_is_equal_nocase(header->name, name)) {
            *out_value = header->value;
            return true;
        }
    }
    return false;
}

void sent_init(struct sent *sent, const char *host)
{
    memset(sent, 0, sizeof(*sent));
    sent->memory = lh_arena_bounded(1U << 20);
    sent->request = (struct lh_request){.method = LH_SLICE_LITERAL("GET"),
                                        .host = lh_slice_from_text(host),
                                        .authority = lh_slice_from_text(host),
                                        .path = LH_SLICE_LITERAL("/"),
                                        .target = LH_SLICE_LITERAL("/"),
                                        .is_tls = true,
                                        .headers = sent->headers,
                                        .request_id = LH_SLICE_LITERAL("request-1"),
                                        .next_value = next_value,
                                        .sent_headers = sent,
                                        .claimed = &sent->claimed,
                                        .alloc = take_memory,
                                        .memory = sent};
}

void sent_fini(struct sent *sent)
{
    lh_arena_fini(&sent->memory);
}

void sent_add_plain(struct sent *sent, const char *name, const char *value)
{
    struct lh_header *header = &sent->all_headers[sent->all_count++];
    assert_true(sent->all_count <= SENT_HEADERS_MAX);
    assert_ok(lh_arena_dup(&sent->memory, lh_slice_from_text(name), &header->name));
    assert_ok(lh_arena_dup(&sent->memory, lh_slice_from_text(value), &header->value));
}

void sent_add(struct sent *sent, const char *name, const char *value)
{
    enum lh_header_kind kind = lh_gate_header_kind(lh_slice_from_text(name));
    assert_int_not_equal(kind, LH_HEADER_PLAIN);
    assert_true(sent->request.header_count < SENT_HEADERS_MAX);
    sent_add_plain(sent, name, value);
    sent->headers[sent->request.header_count++] =
        (struct lh_request_header){kind, sent->all_headers[sent->all_count - 1].value};
}

static void add_cookie_as(struct sent *sent, const char *name, const struct visitor *visitor)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s=%s", name, visitor->cookie);
    sent_add(sent, "Cookie", text);
}

void sent_add_cookie(struct sent *sent, const struct visitor *visitor)
{
    add_cookie_as(sent, LH_COOKIE_NAME, visitor);
}

void sent_add_suffixed_cookie(struct sent *sent, const struct visitor *visitor)
{
    add_cookie_as(sent, visitor->suffixed_name, visitor);
}

static void count_wake(void *context)
{
    struct sent *sent = context;
    sent->wakes++;
}

lh_status sent_ask(struct sent *sent, struct lh_gate *gate, const struct lh_gate_policy *policy)
{
    memset(&sent->decision, 0xa5, sizeof(sent->decision));
    return lh_gate_decide(gate, policy, &sent->request, count_wake, sent, &sent->decision,
                          &sent->call);
}

enum lh_reason sent_decide(struct sent *sent, struct installation *all,
                           const struct lh_gate_policy *policy)
{
    assert_ok(sent_ask(sent, all->gate, policy));
    return sent->decision.reason;
}

void sent_begin(struct sent *sent, struct installation *all, const struct lh_gate_policy *policy)
{
    assert_status(sent_ask(sent, all->gate, policy), LH_PENDING);
    assert_non_null(sent->call);
}

const char *sent_text(struct sent *sent, lh_slice text)
{
    void *room;
    assert_ok(lh_arena_take(&sent->memory, text.len + 1, &room));
    memcpy(room, text.ptr == NULL ? (const uint8_t *)"" : text.ptr, text.len);
    return room;
}

static const char *find_header(struct sent *sent, const struct lh_header *headers, size_t count,
                               const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (lh_slice_is_equal_nocase(headers[i].name, lh_slice_from_text(name))) {
            assert_null(found);
            found = sent_text(sent, headers[i].value);
        }
    }
    return found;
}

const char *sent_injected(struct sent *sent, const char *name)
{
    return find_header(sent, sent->decision.inject, sent->decision.inject_count, name);
}

const char *sent_answered(struct sent *sent, const char *name)
{
    return find_header(sent, sent->decision.answer, sent->decision.answer_count, name);
}

enum lh_reason visit_once(struct installation *all, const struct lh_gate_policy *policy,
                          const char *host, const struct visitor *visitor)
{
    struct sent sent;
    sent_init(&sent, host);
    if (visitor != NULL) {
        sent_add_cookie(&sent, visitor);
    }
    enum lh_reason reason = sent_decide(&sent, all, policy);
    sent_fini(&sent);
    return reason;
}
