/*
 * Makes the steps of a walk through the model of a session on the real thing: a store with a vault,
 * and a registry. Every outcome that the model has printed must come out here too.
 *
 *   LH_REPLAY_DRIVER=lmdb LH_REPLAY_WALK=file replay
 *
 * A tick of the model is as long as the margin after a session's end. What the vault writes is made
 * by the vault, a rotation too; what the gate, the command line and the recovery do is made as they
 * do it. The new record of a patch is sealed here and swapped in.
 */
#include "replay.h"

#define TICK_MS    LH_TOMBSTONE_MARGIN_MS
#define TICK_S     (TICK_MS / 1000)
#define IDLE       2U
#define ABSOLUTE   3U
#define MARGIN     1U
#define LINE_BYTES 160

static uint64_t time_of(const struct replay *replay, unsigned tick)
{
    return replay->created_ms + tick * TICK_MS;
}

static struct lh_session_key key_of(const struct replay *replay)
{
    return (struct lh_session_key){replay->handle.uid, replay->handle.bucket, replay->handle.lease};
}

/* --- The session's record --------------------------------------------------------------------- */

static void read_copy(struct replay *replay, struct record_copy *copy)
{
    struct lh_session_key key = key_of(replay);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    assert_ok(lh_store_load(replay->session->store, &op, &key, &scratch, &copy->row));
    assert_int_equal(copy->row.kind, LH_PLACE_RECORD);
    lh_buf_clear(&copy->record);
    assert_ok(lh_buf_add(&copy->record, copy->row.record));
    copy->row.record = LH_SLICE_EMPTY;
    lh_slice header_bytes;
    lh_slice body;
    assert_ok(
        lh_session_header_read(lh_buf_view(&copy->record), &copy->header, &header_bytes, &body));
}

/* Seals what was read under the changed header and swaps it in. */
static lh_status swap_in(struct replay *replay, struct record_copy *copy)
{
    struct lh_session_spec spec = spec_of_alice();
    uint64_t expected = copy->header.generation++;
    LH_CLEANUP(lh_buf_fini) struct lh_buf principal = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf record = LH_BUF_EMPTY;
    assert_ok(lh_principal_write(&spec.principal, &principal));
    seal_record(replay->session, replay->session->acme, &copy->header, lh_buf_view(&principal),
                spec.state, &record);
    const struct lh_session_header *header = &copy->header;
    const struct lh_store_row row = {.kind = LH_PLACE_RECORD,
                                     .generation = header->generation,
                                     .absolute_end_ms = header->absolute_end_ms,
                                     .last_touch_ms = copy->row.last_touch_ms,
                                     .idle_s = header->idle_s,
                                     .has_user = header->has_user,
                                     .user_tag = header->user_tag,
                                     .record = lh_buf_view(&record)};
    struct lh_session_key key = key_of(replay);
    return lh_store_swap(replay->session->store, NULL, &key, expected, &row);
}

/* --- Steps: the session and its store --------------------------------------------------------- */

static void make_session_of_walk(struct replay *replay, const char *rest)
{
    (void)rest;
    struct lh_session_spec spec = spec_of_alice();
    spec.idle_s = IDLE * TICK_S;
    spec.absolute_s = ABSOLUTE * TICK_S;
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_header header;
    struct lh_store_evicted evicted;
    assert_ok(lh_vault_create(replay->session->acts, &op, replay->session->acme, &spec,
                              &replay->handle, &header, &evicted));
    replay->created_ms = header.created_ms;
    replay->user_tag = header.user_tag;
    replay_flush(replay);
}

static void tick(struct replay *replay, const char *rest)
{
    fake_host_advance(&replay->session->fake, TICK_MS);
    assert_int_equal(lh_clock_now_ms(&replay->session->fake.clock),
                     time_of(replay, (unsigned)strtoul(rest, NULL, 10)));
}

static void flush(struct replay *replay, const char *rest)
{
    (void)rest;
    replay_flush(replay);
}

static void touch(struct replay *replay, const char *rest)
{
    struct lh_store_touch one = {key_of(replay),
                                 time_of(replay, (unsigned)strtoul(rest, NULL, 10))};
    assert_ok(lh_store_touch(replay->session->store, &one, 1));
}

static void expire(struct replay *replay, const char *rest)
{
    struct lh_session_key key = key_of(replay);
    assert_ok(lh_store_expire(replay->session->store, NULL, &key,
                              time_of(replay, (unsigned)strtoul(rest, NULL, 10))));
}

static void sweep(struct replay *replay, const char *rest)
{
    (void)rest;
    size_t handled = 0;
    assert_ok(lh_store_sweep(replay->session->store, lh_clock_now_ms(&replay->session->fake.clock),
                             LH_STORE_BATCH_ROWS, &handled));
    assert_true(handled > 0);
}

/* --- Steps: a request ------------------------------------------------------------------------- */

static struct request *request_of(struct replay *replay, const char *rest)
{
    unsigned long n = strtoul(rest, NULL, 10);
    assert_true(n < REPLAY_WORKERS);
    return &replay->requests[n];
}

/* The number that follows a label. */
static unsigned number_of(const char *rest, const char *label)
{
    const char *at = strstr(rest, label);
    assert_non_null(at);
    return (unsigned)strtoul(at + strlen(label), NULL, 10);
}

/* The outcome is the last word. */
static const char *outcome_of(const char *rest)
{
    const char *space = strrchr(rest, ' ');
    return space == NULL ? rest : space + 1;
}

/* Also what lies there: kind, generation and last touch are the model's. */
static void begin(struct replay *replay, const char *rest)
{
    struct request *request = request_of(replay, rest);
    request->secret = number_of(rest, "secret ");
    unsigned kind = number_of(rest, "place ");
    struct lh_session_key key = key_of(replay);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    lh_status status = lh_store_load(replay->session->store, &op, &key, &scratch, &row);
    if (kind == LH_PLACE_EMPTY && lh_store_is_partial(replay->session->store)) {
        assert_status(status, LH_STORE_DOWN);
        return;
    }
    assert_ok(status);
    assert_int_equal(row.kind, kind);
    if (kind == LH_PLACE_RECORD) {
        assert_int_equal(row.generation, number_of(rest, "generation "));
        assert_int_equal(row.last_touch_ms, time_of(replay, number_of(rest, "touch ")));
    }
}

static void load(struct replay *replay, const char *rest)
{
    struct request *request = request_of(replay, rest);
    struct lh_handle handle = replay->handle;
    if (request->secret == 2) {
        memcpy(handle.secret, replay->second.secret, sizeof(handle.secret));
    }
    memset(&replay->session->queue, 0, sizeof(replay->session->queue));
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    lh_status status = lh_vault_load(replay->session->vault, &op, &handle, &loaded);
    assert_string_equal(lh_status_name(status), outcome_of(rest));
    assert_int_equal(replay->session->queue.expiries, status.code == LH_EXPIRED ? 1 : 0);
    if (lh_is_ok(status)) {
        assert_int_equal(loaded.header.generation, number_of(rest, "generation "));
        assert_int_equal(loaded.is_previous_secret, number_of(rest, "previous "));
        request->header = loaded.header;
        /* Whatever is accepted must also open. */
        assert_ok(load_and_open(replay->session, replay->session->acme, &handle));
    }
}

/* epoch and marks: what the worker's snapshot of the tenant says that there is to be asked for. */
static void judge(struct replay *replay, const char *rest)
{
    struct request *request = request_of(replay, rest);
    struct lh_session_facts facts = replay_facts(
        replay, &request->header, number_of(rest, "epoch "), number_of(rest, "marks "));
    assert_string_equal(lh_status_name(lh_session_judge(&request->header, &facts)),
                        outcome_of(rest));
}

static void queue_grace(struct replay *replay, const char *rest)
{
    replay->in_grace = request_of(replay, rest)->header;
}

static void shut_grace(struct replay *replay, const char *rest)
{
    const char *outcome = outcome_of(rest);
    struct record_copy copy = {.row = {.kind = LH_PLACE_RECORD}};
    LH_CLEANUP(record_copy_fini) struct record_copy *owned = &copy;
    /* Where nothing can be read, whatever is swapped in must be refused. */
    copy.header = replay->in_grace;
    if (strcmp(outcome, "OK") == 0 || strcmp(outcome, "CONFLICT") == 0) {
        read_copy(replay, owned);
    }
    copy.header.generation = strtoul(rest, NULL, 10);
    memset(&copy.header.previous_hash, 0, sizeof(copy.header.previous_hash));
    copy.header.grace_end_ms = 0;
    assert_string_equal(lh_status_name(swap_in(replay, owned)), outcome);
}

/* --- Steps: operator and application ---------------------------------------------------------- */

static void revoke_commit(struct replay *replay, const char *rest)
{
    (void)rest;
    replay_put_revocation(replay, &(struct lh_revocation){.is_revoked = true},
                          time_of(replay, ABSOLUTE + MARGIN));
}

static void revoke_bury(struct replay *replay, const char *rest)
{
    (void)rest;
    struct lh_session_key key = key_of(replay);
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_vault_revoke(replay->session->acts, &op, &key, time_of(replay, ABSOLUTE)));
}

static void epoch_commit(struct replay *replay, const char *rest)
{
    (void)rest;
    replay_raise_epoch(replay);
}

static void mark(struct replay *replay, const char *rest)
{
    replay_put_revocation(replay,
                          &(struct lh_revocation){.least_generation = strtoul(rest, NULL, 10)},
                          time_of(replay, ABSOLUTE + MARGIN));
}

static void forget(struct replay *replay, const char *rest)
{
    (void)rest;
    replay_sweep_registry(replay);
}

static void rotate_read(struct replay *replay, const char *rest)
{
    (void)rest;
    struct lh_session_key key = key_of(replay);
    struct lh_op op = lh_op_idle(0, NULL);
    lh_loaded_session_fini(&replay->turned);
    replay->turned = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_inspect(replay->session->acts, &op, &key, &replay->turned));
}

static void assert_swap(lh_status status, const char *rest)
{
    assert_int_equal(lh_is_ok(status), strncmp(rest, "OK", 2) == 0);
}

/* What was read is judged again, as the command line does under the registry's lock. */
static void rotate_swap(struct replay *replay, const char *rest)
{
    struct lh_session_facts facts = replay_facts(replay, &replay->turned.header, true, true);
    lh_status status = lh_session_judge(&replay->turned.header, &facts);
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_header header;
    if (lh_is_ok(status)) {
        status = lh_vault_rotate(replay->session->acts, &op, replay->session->acme, &replay->turned,
                                 &replay->second, &header);
    }
    assert_swap(status, rest);
}

static void patch_read(struct replay *replay, const char *rest)
{
    (void)rest;
    read_copy(replay, &replay->patched);
}

/* What was read is judged again: an old record must not get the generation that a mark asks for. */
static void patch_swap(struct replay *replay, const char *rest)
{
    struct lh_session_facts facts = replay_facts(replay, &replay->patched.header, true, true);
    lh_status status = lh_session_judge(&replay->patched.header, &facts);
    assert_swap(lh_is_ok(status) ? swap_in(replay, &replay->patched) : status, rest);
}

/* --- Steps: power, import and theft ----------------------------------------------------------- */

static void crash(struct replay *replay, const char *rest)
{
    (void)rest;
    replay_crash(replay);
}

/* As the recovery judges: by the registry and by the session's ends. */
static void import_judge(struct replay *replay, const char *rest)
{
    bool is_taken = replay_read_aside(replay);
    if (is_taken) {
        const struct lh_session_header *header = &replay->aside.header;
        struct lh_session_facts facts = replay_facts(replay, header, true, true);
        is_taken = lh_is_ok(lh_session_judge(header, &facts)) &&
                   !lh_session_is_over(header, replay->aside.row.last_touch_ms,
                                       lh_clock_now_ms(&replay->session->fake.clock));
    }
    assert_int_equal(is_taken, strncmp(rest, "takes", 5) == 0);
}

static void import_put(struct replay *replay, const char *rest)
{
    if (strncmp(rest, "nothing", 7) != 0) {
        struct lh_store_new row = {.key = key_of(replay), .row = replay->aside.row};
        row.row.record = lh_buf_view(&replay->aside.record);
        assert_ok(lh_store_create_many(replay->session->store, &row, 1));
        assert_string_equal(lh_status_name(row.result), rest);
    }
    lh_store_set_partial(replay->session->store, false);
}

static void steal(struct replay *replay, const char *rest)
{
    (void)rest;
    read_copy(replay, &replay->stolen);
}

static void put_back(struct replay *replay, const char *rest)
{
    (void)rest;
    size_t handled = 1;
    while (handled > 0) {
        assert_ok(
            lh_store_sweep(replay->session->store, UINT64_MAX / 2, LH_STORE_BATCH_ROWS, &handled));
    }
    struct lh_store_row row = replay->stolen.row;
    row.record = lh_buf_view(&replay->stolen.record);
    struct lh_session_key key = key_of(replay);
    assert_ok(lh_store_create(replay->session->store, NULL, &key, &row));
}

/* What happens inside a worker alone, or leaves both environments as they are. */
static void nothing(struct replay *replay, const char *rest)
{
    (void)replay;
    (void)rest;
}

/* --- The walk --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*make)(struct replay *replay, const char *rest);
} steps[] = {
    {"create", make_session_of_walk},
    {"tick", tick},
    {"flush", flush},
    {"touch", touch},
    {"expire", expire},
    {"sweep", sweep},
    {"begin", begin},
    {"load", load},
    {"judge", judge},
    {"shut_grace", shut_grace},
    {"revoke_commit", revoke_commit},
    {"revoke_bury", revoke_bury},
    {"revoke_unburied", nothing},
    {"epoch_commit", epoch_commit},
    {"mark", mark},
    {"forget", forget},
    {"rotate_read", rotate_read},
    {"rotate_swap", rotate_swap},
    {"patch_read", patch_read},
    {"patch_swap", patch_swap},
    {"crash", crash},
    {"import", import_judge},
    {"import_put", import_put},
    {"steal", steal},
    {"put_back", put_back},
    {"hit", nothing},
    {"in_grace", nothing},
    {"queue_touch", nothing},
    {"queue_grace", queue_grace},
};

static void make_step(struct replay *replay, const char *line)
{
    size_t len = strcspn(line, " ");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strlen(steps[i].name) == len && strncmp(steps[i].name, line, len) == 0) {
            steps[i].make(replay, line + len + (line[len] == ' '));
            return;
        }
    }
    fail_msg("no such step: %s", line);
}

static void replay_walk(void **state)
{
    struct replay *replay = *state;
    FILE *file = fopen(getenv("LH_REPLAY_WALK"), "r");
    assert_non_null(file);
    char line[LINE_BYTES];
    unsigned made = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *step = strstr(line, "step ");
        if (step != NULL) {
            line[strcspn(line, "\n")] = '\0';
            (void)fprintf(stderr, "%u %s\n", made, step + 5);
            make_step(replay, step + 5);
            made++;
        }
    }
    (void)fclose(file);
    assert_true(made > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replay_walk, replay_set_up, replay_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
