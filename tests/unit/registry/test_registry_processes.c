/*
 * The registry between processes: what a reader sees while others write, and what a writer's
 * death leaves behind. Each process opens the registry for itself, after the fork.
 */
#include "support/reader_slots.h"
#include "support/test.h"

#include "registry_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TENANTS_CACHED 16U

/* --- A process that is told what to do -------------------------------------------------------- */

struct peer {
    pid_t pid;
    int ask;    /* we write */
    int answer; /* we read */
};

struct question {
    char verb;       /* of the peer's own */
    uint64_t now_ms; /* session time */
};

struct answer {
    enum lh_code code;
    enum lh_tenant_state state;
    unsigned loads; /* times that the registry was asked */
    bool has_revocations;
};

static void read_all(int fd, void *bytes, size_t len)
{
    assert_int_equal(read(fd, bytes, len), (ssize_t)len);
}

static void write_all(int fd, const void *bytes, size_t len)
{
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

/* Forks a peer that runs serve(fixture, in, out) and then exits. */
static struct peer start_peer(struct registry_fixture *fixture,
                              void (*serve)(struct registry_fixture *fixture, int in, int out))
{
    int ask[2], answer[2];
    assert_int_equal(pipe(ask), 0);
    assert_int_equal(pipe(answer), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ask[1]);
        close(answer[0]);
        serve(fixture, ask[0], answer[1]);
        _exit(0);
    }
    close(ask[0]);
    close(answer[1]);
    return (struct peer){pid, ask[1], answer[0]};
}

static struct answer ask_peer(const struct peer *peer, char verb, uint64_t now_ms)
{
    const struct question question = {verb, now_ms};
    struct answer answer;
    write_all(peer->ask, &question, sizeof(question));
    read_all(peer->answer, &answer, sizeof(answer));
    return answer;
}

static void end_peer(struct peer *peer, int signal_number)
{
    int status;
    if (signal_number != 0) {
        assert_int_equal(kill(peer->pid, signal_number), 0);
    }
    close(peer->ask);
    assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
    close(peer->answer);
    assert_int_equal(signal_number == 0 ? status : WTERMSIG(status), signal_number);
}

/* --- A worker: finds "acme" through a directory ----------------------------------------------- */

static unsigned worker_loads;
static const struct lh_directory_source *worker_source;

static lh_status count_load(void *self, lh_slice name, struct lh_tenant **out_tenant)
{
    worker_loads++;
    return worker_source->load_by_name(self, name, out_tenant);
}

static struct answer find_acme(struct lh_directory *directory, uint64_t now_ms)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    struct lh_tenant_id id;
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &id));
    lh_status status = lh_directory_find_name(directory, &id, now_ms, &tenant);
    struct answer answer = {.code = status.code, .loads = worker_loads};
    if (tenant != NULL) {
        answer.state = tenant->state;
        answer.has_revocations = tenant->has_revocations;
    }
    return answer;
}

static void serve_worker(struct registry_fixture *fixture, int in, int out)
{
    static const struct lh_siphash_key hash_key = {{1}};
    struct lh_directory *directory;
    struct question question;
    fixture->options.is_read_only = true;
    registry_fixture_open(fixture);
    worker_source = lh_registry_source(fixture->registry);
    struct lh_directory_source counting = *worker_source;
    counting.load_by_name = count_load;
    assert_ok(lh_directory_new(&counting, TENANTS_CACHED, &hash_key, &directory));
    while (read(in, &question, sizeof(question)) == (ssize_t)sizeof(question)) {
        struct answer answer = find_acme(directory, question.now_ms);
        write_all(out, &answer, sizeof(answer));
    }
    lh_directory_free(directory);
    registry_fixture_close(fixture);
}

static void assert_state(const struct peer *worker, uint64_t now_ms, enum lh_tenant_state state)
{
    struct answer answer = ask_peer(worker, 'f', now_ms);
    assert_int_equal(answer.code, LH_OK);
    assert_int_equal(answer.state, state);
}

/* --- A writer in steps: (p)ut, (c)ommit, (e)nd ------------------------------------------------ */

static void serve_writer(struct registry_fixture *fixture, int in, int out)
{
    struct question question;
    struct lh_registry_txn *txn = NULL;
    registry_fixture_open(fixture);
    while (read(in, &question, sizeof(question)) == (ssize_t)sizeof(question)) {
        struct answer answer = {.code = LH_OK};
        if (question.verb == 'p') {
            txn = fixture_begin(fixture);
            fixture_set_state(txn, 1, LH_TENANT_DISABLED);
        } else if (question.verb == 'c') {
            assert_ok(lh_registry_commit(txn));
        } else {
            lh_registry_end(&txn);
        }
        write_all(out, &answer, sizeof(answer));
    }
    lh_registry_end(&txn);
    registry_fixture_close(fixture);
}

static void serve_first_tenant(struct registry_fixture *fixture, int in, int out)
{
    (void)in;
    (void)out;
    registry_fixture_open(fixture);
    fixture_add(fixture, 1, "acme");
    registry_fixture_close(fixture);
}

static int set_up(void **state)
{
    (void)registry_fixture_set_up_closed(state);
    struct peer first = start_peer(*state, serve_first_tenant);
    end_peer(&first, 0);
    return 0;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void test_processes__a_worker_sees_a_change_at_once_after_its_end(void **state)
{
    struct registry_fixture *fixture = *state;
    struct peer worker = start_peer(fixture, serve_worker);
    struct peer writer = start_peer(fixture, serve_writer);
    assert_state(&worker, FIXTURE_NOW_MS, LH_TENANT_ACTIVE);
    struct answer cached = ask_peer(&worker, 'f', FIXTURE_NOW_MS);
    assert_int_equal(cached.loads, 1);
    (void)ask_peer(&writer, 'p', 0);
    assert_state(&worker, FIXTURE_NOW_MS, LH_TENANT_ACTIVE); /* read anew, and still so */
    (void)ask_peer(&writer, 'c', 0);
    (void)ask_peer(&writer, 'e', 0);
    assert_state(&worker, FIXTURE_NOW_MS, LH_TENANT_DISABLED); /* no time has passed */
    cached = ask_peer(&worker, 'f', FIXTURE_NOW_MS);
    assert_int_equal(cached.loads, 3);
    end_peer(&writer, 0);
    end_peer(&worker, 0);
}

static void test_processes__a_writer_killed_after_its_commit_is_seen_within_a_second(void **state)
{
    struct registry_fixture *fixture = *state;
    struct peer worker = start_peer(fixture, serve_worker);
    struct peer writer = start_peer(fixture, serve_writer);
    (void)ask_peer(&writer, 'p', 0);
    /* Filled under the counter that the writer has raised, from before its commit. */
    assert_state(&worker, FIXTURE_NOW_MS, LH_TENANT_ACTIVE);
    (void)ask_peer(&writer, 'c', 0);
    end_peer(&writer, SIGKILL);
    assert_state(&worker, FIXTURE_NOW_MS + 999, LH_TENANT_ACTIVE); /* never acknowledged */
    assert_state(&worker, FIXTURE_NOW_MS + 1000, LH_TENANT_DISABLED);
    end_peer(&worker, 0);
}

static void test_processes__a_writer_killed_before_its_commit_leaves_nothing(void **state)
{
    struct registry_fixture *fixture = *state;
    struct peer worker = start_peer(fixture, serve_worker);
    struct peer writer = start_peer(fixture, serve_writer);
    (void)ask_peer(&writer, 'p', 0);
    end_peer(&writer, SIGKILL);
    assert_state(&worker, FIXTURE_NOW_MS + 5000, LH_TENANT_ACTIVE);
    /* And the next writer is not held up by the dead one's lock. */
    struct peer next = start_peer(fixture, serve_writer);
    (void)ask_peer(&next, 'p', 0);
    (void)ask_peer(&next, 'c', 0);
    (void)ask_peer(&next, 'e', 0);
    assert_state(&worker, FIXTURE_NOW_MS + 5000, LH_TENANT_DISABLED);
    end_peer(&next, 0);
    end_peer(&worker, 0);
}

static void test_processes__readers_do_not_wait_for_a_stopped_writer(void **state)
{
    struct registry_fixture *fixture = *state;
    struct peer worker = start_peer(fixture, serve_worker);
    struct peer writer = start_peer(fixture, serve_writer);
    (void)ask_peer(&writer, 'p', 0);
    assert_int_equal(kill(writer.pid, SIGSTOP), 0);
    for (uint64_t second = 0; second < 50; second++) {
        assert_state(&worker, FIXTURE_NOW_MS + second * 1000, LH_TENANT_ACTIVE);
    }
    struct answer last = ask_peer(&worker, 'f', FIXTURE_NOW_MS + 60000);
    assert_int_equal(last.loads, 51); /* each of them from the registry */
    end_peer(&writer, SIGKILL);
    end_peer(&worker, 0);
}

#define WRITERS          3U
#define ADDED_PER_WRITER 30U

static void serve_adder(struct registry_fixture *fixture, int in, int out)
{
    (void)out;
    struct question question;
    read_all(in, &question, sizeof(question));
    registry_fixture_open(fixture);
    for (unsigned i = 0; i < ADDED_PER_WRITER; i++) {
        unsigned n = 100U * (unsigned)question.verb + i;
        char id[20];
        (void)snprintf(id, sizeof(id), "tenant-%u", n);
        fixture_add(fixture, n, id);
    }
    registry_fixture_close(fixture);
}

static bool note_slot(void *context, const struct lh_tenant *tenant)
{
    bool *seen = context;
    assert_in_range(tenant->slot, 1, WRITERS * ADDED_PER_WRITER + 1);
    assert_false(seen[tenant->slot]);
    seen[tenant->slot] = true;
    return true;
}

static void test_processes__writers_take_turns_and_no_slot_is_given_twice(void **state)
{
    struct registry_fixture *fixture = *state;
    struct peer adders[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        const struct question question = {(char)(i + 1), 0};
        adders[i] = start_peer(fixture, serve_adder);
        write_all(adders[i].ask, &question, sizeof(question));
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        end_peer(&adders[i], 0);
    }
    bool seen[WRITERS * ADDED_PER_WRITER + 2] = {false};
    registry_fixture_open(fixture);
    assert_ok(lh_registry_each_tenant(fixture->registry, note_slot, seen));
    for (unsigned slot = 1; slot <= WRITERS * ADDED_PER_WRITER + 1; slot++) {
        assert_true(seen[slot]);
    }
    assert_int_equal(fixture->lines, 0); /* and nobody took another's commit for a set-back */
}

#define REVOCATIONS_BEYOND_4_MIB 30000U

static void serve_many_revocations(struct registry_fixture *fixture, int in, int out)
{
    (void)in;
    (void)out;
    struct lh_tenant_uid uid = fixture_uid(1);
    const struct lh_revocation revocation = {true, 0};
    registry_fixture_open(fixture);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    for (unsigned i = 0; i < REVOCATIONS_BEYOND_4_MIB; i++) {
        struct lh_lease_id lease = fixture_lease(i);
        assert_ok(lh_registry_put_revocation(txn, &uid, &lease, &revocation, 1000));
    }
    fixture_commit(txn);
    registry_fixture_close(fixture);
}

static void test_processes__a_smaller_map_grows_with_the_largest(void **state)
{
    struct registry_fixture *fixture = *state;
    const uint64_t map_bytes = fixture->options.map_bytes;
    fixture->options.map_bytes = 1; /* the least there is: 4 MiB */
    struct peer worker = start_peer(fixture, serve_worker);
    struct peer small_writer = start_peer(fixture, serve_writer);
    assert_false(ask_peer(&worker, 'f', FIXTURE_NOW_MS).has_revocations);
    (void)ask_peer(&small_writer, 'e', 0); /* it has opened the registry now */
    fixture->options.map_bytes = map_bytes;
    struct peer writer = start_peer(fixture, serve_many_revocations);
    end_peer(&writer, 0);
    struct answer after = ask_peer(&worker, 'f', FIXTURE_NOW_MS);
    assert_int_equal(after.code, LH_OK);
    assert_true(after.has_revocations);
    (void)ask_peer(&small_writer, 'p', 0);
    (void)ask_peer(&small_writer, 'c', 0);
    (void)ask_peer(&small_writer, 'e', 0);
    assert_state(&worker, FIXTURE_NOW_MS, LH_TENANT_DISABLED);
    end_peer(&small_writer, 0);
    end_peer(&worker, 0);
}

static void test_processes__a_slot_that_another_took_away_is_taken_anew(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant *tenant = NULL;
    fixture->options.is_read_only = true;
    registry_fixture_open(fixture);
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(fixture_load(fixture, "acme", &tenant));
        lh_tenant_fini(&tenant);
        assert_int_equal(reader_slots_take_away(fixture->path), 1);
    }
}

#define WITH_ACME(test) cmocka_unit_test_setup_teardown(test, set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ACME(test_processes__a_worker_sees_a_change_at_once_after_its_end),
        WITH_ACME(test_processes__a_writer_killed_after_its_commit_is_seen_within_a_second),
        WITH_ACME(test_processes__a_writer_killed_before_its_commit_leaves_nothing),
        WITH_ACME(test_processes__readers_do_not_wait_for_a_stopped_writer),
        WITH_ACME(test_processes__writers_take_turns_and_no_slot_is_given_twice),
        WITH_ACME(test_processes__a_smaller_map_grows_with_the_largest),
        WITH_ACME(test_processes__a_slot_that_another_took_away_is_taken_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
