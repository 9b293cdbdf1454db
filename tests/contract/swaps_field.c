/*
 * Twenty tenants, and what a thief does to their store and cookies.
 */
#include "swaps_field.h"

/* After the end of whatever lies in a store. */
#define NEVER_MS (UINT64_MAX / 2)
/* An entry of the worker's cache is older than it may be. */
#define FORGOTTEN_MS 1100U

/* --- Making ----------------------------------------------------------------------------------- */

static void keep(void *context, const struct lh_admin_credential *credential)
{
    struct session *session = context;
    assert_int_equal(credential->cookie_value.len, LH_HANDLE_TEXT_BYTES);
    memcpy(session->value, credential->cookie_value.ptr, credential->cookie_value.len);
    (void)snprintf(session->name, sizeof(session->name), "%.*s",
                   LH_SLICE_ARG(credential->cookie_name));
    (void)snprintf(session->ref, sizeof(session->ref), "%.*s", LH_SLICE_ARG(credential->ref));
}

static void sign_in(struct field *field, unsigned n)
{
    struct session *session = &field->sessions[n];
    enum kind kind = (enum kind)(n % KINDS);
    (void)snprintf(session->tenant, sizeof(session->tenant), "tenant-%02u", n / KINDS);
    const struct lh_admin_session_spec spec = {
        .tenant = S(session->tenant),
        .subject = S(kind == ANONYMOUS           ? ""
                     : kind == A_USER_WITH_STATE ? "alice"
                                                 : "bob"),
        .state = S(kind == A_USER_WITH_STATE ? "{\"cart\":[1,2]}" : "")};
    assert_ok(lh_admin_session_create(field->made.admin, &spec, keep, session));
}

/* What a thief of cookie and store knows of a session. */
static void steal(struct field *field, struct session *session)
{
    struct lh_home *home = field->asked.home;
    struct lh_raw_handle raw;
    assert_ok(lh_handle_parse(S(session->value), &raw));
    struct lh_tenant *tenant = NULL;
    struct lh_tenant_id id;
    assert_ok(lh_tenant_id_parse(S(session->tenant), &id));
    assert_ok(lh_directory_find_name(home->directory, &id, lh_clock_now_ms(&home->clock), &tenant));
    assert_ok(lh_handle_verify(home->cell, &tenant->uid, &raw, &session->handle));
    session->key = (struct lh_session_key){tenant->uid, raw.bucket, raw.lease};
    lh_tenant_unref(tenant);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    assert_ok(lh_store_load(home->store, &op, &session->key, &scratch, &session->row));
    assert_ok(lh_buf_add(&session->record, session->row.record));
    session->row.record = LH_SLICE_EMPTY;
    lh_slice header;
    lh_slice body;
    assert_ok(
        lh_session_header_read(lh_buf_view(&session->record), &session->header, &header, &body));
}

static void open_gate(struct field *field)
{
    char why[LH_HOME_ERROR_BYTES];
    assert_ok(asked_gate_open(&field->asked, field->made.path, &field->fake.host, why));
    field->asked.state =
        LH_GATE_STATE_FULL; /* a sealed state is opened only where it is asked for */
}

int swaps_set_up(void **state)
{
    struct field *field = calloc(1, sizeof(*field));
    made_home_init(&field->made);
    made_home_set(&field->made, "locked_memory = best_effort");
    for (unsigned i = 0; i < TENANTS; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "tenant-%02u", i);
        assert_ok(add_tenant(&field->made, id, "premium", NULL, NULL));
    }
    for (unsigned n = 0; n < SESSIONS; n++) {
        sign_in(field, n);
    }
    made_home_close(&field->made); /* a process opens an environment once */
    fake_host_init(&field->fake);
    open_gate(field);
    for (unsigned n = 0; n < SESSIONS; n++) {
        steal(field, &field->sessions[n]);
    }
    *state = field;
    return 0;
}

int swaps_tear_down(void **state)
{
    struct field *field = *state;
    for (unsigned n = 0; n < SESSIONS; n++) {
        lh_buf_fini(&field->sessions[n].record);
    }
    asked_gate_close(&field->asked);
    made_home_fini(&field->made);
    for (unsigned reason = 0; reason < LH_REASON_COUNT; reason++) {
        if (field->refused[reason] > 0) {
            print_message("%8lu %s\n", field->refused[reason],
                          lh_reason_name((enum lh_reason)reason));
        }
    }
    print_message("%8lu not taken by the store\n", field->not_taken);
    free(field);
    return 0;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static enum lh_reason ask(struct field *field, const struct session *at, const char *name,
                          lh_slice value)
{
    char cookie[512];
    (void)snprintf(cookie, sizeof(cookie), "%s=%.*s", name, LH_SLICE_ARG(value));
    return asked_gate_ask(&field->asked, at->tenant, cookie);
}

void assert_refused(struct field *field, const struct session *at, const char *name, lh_slice value,
                    const char *what)
{
    enum lh_reason reason = ask(field, at, name, value);
    if (reason == LH_REASON_OK) {
        fail_msg("%s passes at %s", what, at->tenant);
    }
    field->refused[reason]++;
}

/* A cookie of a tenant for a place and secret of anybody's choice; its MAC holds. */
void assert_forged_refused(struct field *field, const struct session *at,
                           const struct session *place, const struct session *secret,
                           const char *what)
{
    struct lh_handle handle = place->handle;
    char text[LH_HANDLE_TEXT_BYTES];
    handle.uid = at->key.uid;
    memcpy(handle.secret, secret->handle.secret, sizeof(handle.secret));
    assert_ok(lh_handle_write(field->asked.home->cell, &handle, text));
    assert_refused(field, at, at->name, LH_SLICE_OF(text), what);
}

void assert_passes(struct field *field, const struct session *session)
{
    fake_host_advance(&field->fake, FORGOTTEN_MS);
    assert_string_equal(lh_reason_name(ask(field, session, session->name, S(session->value))),
                        lh_reason_name(LH_REASON_OK));
    fake_host_advance(&field->fake, FORGOTTEN_MS);
}

/* --- Planting --------------------------------------------------------------------------------- */

static void empty_store(struct field *field)
{
    size_t handled = 1;
    while (handled > 0) {
        assert_ok(
            lh_store_sweep(field->asked.home->store, NEVER_MS, LH_STORE_BATCH_ROWS, &handled));
    }
}

/* What the store indexes is made to fit the record: its writer would do no less. */
static struct lh_store_row row_of(const struct session *session, lh_slice record)
{
    struct lh_store_row row = session->row;
    struct lh_session_header header;
    lh_slice header_bytes;
    lh_slice body;
    if (lh_is_ok(lh_session_header_read(record, &header, &header_bytes, &body))) {
        row.generation = header.generation;
        row.absolute_end_ms = header.absolute_end_ms;
        row.idle_s = header.idle_s;
        row.has_user = header.has_user;
        row.user_tag = header.user_tag;
    }
    row.record = record;
    return row;
}

/* Puts a record alone into the store. returns: false if the store does not even take it. */
bool plant(struct field *field, const struct lh_session_key *key, const struct session *session,
           lh_slice record)
{
    empty_store(field);
    struct lh_store_row row = row_of(session, record);
    bool is_taken = lh_is_ok(lh_store_create(field->asked.home->store, NULL, key, &row));
    field->not_taken += is_taken ? 0 : 1;
    return is_taken;
}

void put_all(struct field *field)
{
    empty_store(field);
    for (unsigned n = 0; n < SESSIONS; n++) {
        struct session *session = &field->sessions[n];
        struct lh_store_row row = row_of(session, lh_buf_view(&session->record));
        assert_ok(lh_store_create(field->asked.home->store, NULL, &session->key, &row));
    }
}

void assert_all_pass(struct field *field)
{
    put_all(field);
    for (unsigned n = 0; n < SESSIONS; n++) {
        assert_passes(field, &field->sessions[n]);
    }
}

/* Every ordered pair of different sessions, of the same tenant too. */
void each_pair(struct field *field,
               void (*each)(struct field *field, struct session *a, struct session *b))
{
    assert_all_pass(field);
    for (unsigned i = 0; i < SESSIONS; i++) {
        for (unsigned j = 0; j < SESSIONS; j++) {
            if (i != j) {
                each(field, &field->sessions[i], &field->sessions[j]);
            }
        }
    }
    assert_all_pass(field);
}

bool is_one_tenant(const struct session *a, const struct session *b)
{
    return strcmp(a->tenant, b->tenant) == 0;
}

void reopen(struct field *field, void (*act)(struct field *field, unsigned n))
{
    asked_gate_close(&field->asked);
    made_home_reopen(&field->made);
    for (unsigned n = 0; n < SESSIONS; n++) {
        act(field, n);
    }
    made_home_close(&field->made);
    open_gate(field);
}
