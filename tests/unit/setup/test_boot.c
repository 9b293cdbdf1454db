/*
 * Whether a session store is believed after a boot, and what comes back of one that is not.
 */
#include "../admin/acts.h"

#include "setup/home.h"
#include "setup/set_aside.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHER_BOOT "00000000-0000-4000-8000-000000000000"

static struct lh_recovery recovery;

static void write_text(struct made_home *made, const char *name, const char *text)
{
    char path[SCRATCH_PATH_BYTES];
    made_home_path(made, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_text(struct made_home *made, const char *name, const char *end)
{
    char path[SCRATCH_PATH_BYTES];
    char text[80] = "";
    made_home_path(made, name, path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(len >= strlen(end));
    assert_string_equal(text + len - strlen(end), end);
}

static bool is_there(struct made_home *made, const char *name)
{
    char path[SCRATCH_PATH_BYTES];
    made_home_path(made, name, path);
    return access(path, F_OK) == 0;
}

/* Closed by everybody, and then another boot with the mark that is given. */
static void boot(struct made_home *made, const char *mark)
{
    made_home_close(made);
    write_text(made, "run/boot", mark);
    made_home_reopen(made);
}

static lh_status recover(struct made_home *made)
{
    recovery = (struct lh_recovery){.walking = 0};
    made_home_close(made);
    lh_status status = lh_home_recover(made->path, &made->fake.host, "cli:test", &recovery);
    made_home_reopen(made);
    return status;
}

static void test_boot__clean_or_of_this_boot_is_believed(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_text(made, "run/boot", " open \n");
    made_home_reopen(made); /* of this boot and clean */
    boot(made, OTHER_BOOT " clean\n");
    assert_text(made, "run/boot", " open \n");
    assert_ok(show_session(made, "acme", session.ref, &shown));
    assert_false(is_there(made, "sessions.unclean.1"));
    made_home_close(made);
    assert_text(made, "run/boot", " clean\n");
    made_home_reopen(made);
}

/* All who had it open were killed: what they wrote is in the kernel's cache. */
static void test_boot__left_open_in_this_boot_is_believed(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    char mark[LH_BOOT_ID_BYTES + sizeof(" open \n")];
    assert_ok(lh_boot_id_read(mark));
    memcpy(mark + LH_BOOT_ID_BYTES, " open \n", sizeof(" open \n"));
    assert_ok(make_session(made, "acme", "alice", &session));
    boot(made, mark);
    assert_false(is_there(made, "sessions.unclean.1"));
    assert_ok(show_session(made, "acme", session.ref, &shown));
}

static void test_boot__any_other_mark_sets_the_store_aside(void **state)
{
    struct made_home *made = *state;
    static const char *const marks[] = {OTHER_BOOT " open \n",   "",
                                        OTHER_BOOT " clean",     " clean\n",
                                        OTHER_BOOT " clean\n\n", "clean clean clean clean\n"};
    struct made_session session;
    struct shown_session shown;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        assert_ok(make_session(made, "acme", "alice", &session));
        boot(made, marks[i]);
        assert_true(is_there(made, "sessions.unclean.1"));
        assert_text(made, "run/recovered", "pending\n");
        assert_status(show_session(made, "acme", session.ref, &shown), LH_STORE_DOWN);
        assert_status(list_sessions(made, "acme", NULL, &shown), LH_STORE_DOWN);
        assert_ok(recover(made));
        assert_ok(show_session(made, "acme", session.ref, &shown));
    }
    assert_int_equal(made_home_logged(made, "it is set aside"), 6);
}

/* Who closes it while others have it open leaves it open; the last one marks it. */
static void test_boot__only_the_last_marks_it_clean(void **state)
{
    struct made_home *made = *state;
    const struct lh_home_layout *layout = &made->home->layout;
    int fd = open(layout->opened_lock, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    made_home_close(made);
    assert_text(made, "run/boot", " open \n");
    /* He came in this boot: whatever the file says, its pages are in the kernel's cache. */
    write_text(made, "run/boot", OTHER_BOOT " open \n");
    made_home_reopen(made);
    assert_false(is_there(made, "sessions.unclean.1"));
    assert_int_equal(close(fd), 0);
    made_home_close(made);
    assert_text(made, "run/boot", " clean\n");
    made_home_reopen(made);
}

/* A tombstone may be lost with the power, for the store is not synced; the registry is. */
static void test_recover__what_the_registry_ended_stays_ended(void **state)
{
    struct made_home *made = *state;
    struct made_session one, users, tenants, lives;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &one));
    assert_ok(make_session(made, "acme", "bob", &users));
    assert_ok(make_session(made, "acme", "carol", &lives));
    assert_ok(make_session(made, "globex", "dave", &tenants));
    boot(made, OTHER_BOOT " open \n");
    /* No tombstone reaches the old store. */
    uint64_t ended;
    assert_ok(lh_admin_session_revoke(made->admin, S("acme"), S(one.ref)));
    assert_status(lh_admin_session_revoke_user(made->admin, S("acme"), S("bob"), &ended),
                  LH_STORE_DOWN);
    assert_ok(lh_admin_session_revoke_all(made->admin, S("globex")));
    assert_ok(recover(made));
    assert_int_equal(recovery.imported, 1);
    assert_int_equal(recovery.ended, 3);
    assert_ok(show_session(made, "acme", lives.ref, &shown));
    assert_status(show_session(made, "acme", one.ref, &shown), LH_REVOKED);
    assert_status(show_session(made, "acme", users.ref, &shown), LH_ABSENT);
    assert_status(show_session(made, "globex", tenants.ref, &shown), LH_ABSENT);
}

static void test_recover__an_older_generation_than_the_registry_allows_stays_out(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    struct shown_tenant tenant;
    struct lh_tenant_uid uid;
    struct lh_lease_id lease;
    uint16_t bucket;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(show_tenant(made, "acme", &tenant));
    assert_ok(lh_tenant_uid_parse(S(tenant.uid), &uid));
    assert_ok(lh_session_ref_parse(S(session.ref), &bucket, &lease));
    struct lh_registry_txn *txn = NULL;
    const struct lh_revocation least = {.least_generation = 2};
    assert_ok(lh_registry_begin(made->home->registry, &txn));
    assert_ok(lh_registry_put_revocation(txn, &uid, &lease, &least, UINT64_MAX / 2));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    boot(made, OTHER_BOOT " open \n");
    assert_ok(recover(made));
    assert_int_equal(recovery.imported, 0);
    assert_int_equal(recovery.ended, 1);
    assert_status(show_session(made, "acme", session.ref, &shown), LH_ABSENT);
}

/* A session of acme, and its row as it lies; the row's record is in bytes. */
static struct lh_session_key make_row(struct made_home *made, struct made_session *session,
                                      struct lh_buf *bytes, struct lh_store_row *row)
{
    struct shown_tenant tenant;
    struct lh_session_key key;
    uint16_t bucket;
    assert_ok(make_session(made, "acme", "alice", session));
    assert_ok(show_tenant(made, "acme", &tenant));
    assert_ok(lh_tenant_uid_parse(S(tenant.uid), &key.uid));
    assert_ok(lh_session_ref_parse(S(session->ref), &bucket, &key.lease));
    key.bucket = bucket;
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_load(made->home->store, &op, &key, bytes, row));
    return key;
}

/* A newer version wrote it: not ours to judge, nor to lose. */
static void test_recover__a_record_of_a_newer_version_is_brought_back_as_it_is(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    struct lh_buf bytes = LH_BUF_EMPTY;
    struct lh_store_row row;
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_key key = make_row(made, &session, &bytes, &row);
    struct lh_buf newer = LH_BUF_EMPTY;
    assert_ok(lh_buf_add(&newer, row.record));
    newer.ptr[0] = 200; /* the format's number comes first */
    row.record = lh_buf_view(&newer);
    boot(made, OTHER_BOOT " open \n");
    assert_ok(lh_store_create(made->home->store, &op, &key, &row));
    lh_buf_fini(&newer);
    lh_buf_fini(&bytes);
    boot(made, OTHER_BOOT " open \n");
    assert_ok(recover(made));
    assert_int_equal(recovery.unreadable, 0);
    assert_int_equal(recovery.imported, 1);
    assert_ok(show_session(made, "acme", session.ref, &shown));
    assert_string_equal(shown.standing, "unknown");
}

/* What the store says beside a record is not sealed: a row that lies brings nothing back. */
static void test_recover__a_row_that_contradicts_its_record_stays_out(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct lh_buf bytes = LH_BUF_EMPTY;
    struct lh_store_row row;
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_key key = make_row(made, &session, &bytes, &row);
    boot(made, OTHER_BOOT " open \n");
    struct lh_session_key other = key;
    other.lease.bytes[0] ^= 1; /* the whole record in a place that is not its own */
    assert_ok(lh_store_create(made->home->store, &op, &other, &row));
    row.user_tag.bytes[0] ^= 1; /* into another user's index */
    assert_ok(lh_store_create(made->home->store, &op, &key, &row));
    lh_buf_fini(&bytes);
    boot(made, OTHER_BOOT " open \n");
    assert_ok(recover(made));
    assert_int_equal(recovery.unreadable, 2);
    assert_int_equal(recovery.imported, 1);
    struct shown_session shown;
    assert_ok(list_sessions(made, "acme", "alice", &shown));
    assert_int_equal(shown.calls, 1);
}

static void test_recover__what_the_platforms_epoch_ended_stays_ended(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(make_session(made, "globex", "bob", &session));
    boot(made, OTHER_BOOT " open \n");
    struct lh_registry_txn *txn = NULL;
    uint64_t epoch;
    assert_ok(lh_registry_begin(made->home->registry, &txn));
    assert_ok(lh_registry_raise_platform_epoch(txn, lh_clock_now_ms(&made->fake.clock), &epoch));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    assert_ok(recover(made));
    assert_int_equal(recovery.imported, 0);
    assert_int_equal(recovery.ended, 2);
}

static void test_recover__what_a_removed_tenant_had_stays_out_and_is_counted(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(make_session(made, "globex", "bob", &session));
    boot(made, OTHER_BOOT " open \n");
    assert_ok(lh_admin_tenant_remove(made->admin, S("globex")));
    assert_ok(recover(made));
    assert_int_equal(recovery.imported, 1);
    assert_int_equal(recovery.ended, 1);
}

static void test_recover__what_is_over_stays_out(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "globex", "alice", &session));
    boot(made, OTHER_BOOT " open \n");
    fake_host_advance(&made->fake, (uint64_t)session.idle_s * 1000U + 1U);
    assert_ok(recover(made));
    assert_int_equal(recovery.imported, 0);
    assert_int_equal(recovery.ended, 1);
}

/* Of two stores the later one knows better. */
static void test_recover__the_latest_store_wins(void **state)
{
    struct made_home *made = *state;
    struct made_session first, second;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &first));
    boot(made, OTHER_BOOT " open \n");
    assert_ok(make_session(made, "acme", "alice", &second));
    boot(made, OTHER_BOOT " open \n");
    assert_true(is_there(made, "sessions.unclean.2"));
    made->fake.log[0] = '\0';
    assert_ok(recover(made));
    assert_int_equal(made_home_logged(made, "audit sessions_recovered imported=2 ended=0 "
                                            "unreadable=0 actor=cli:test"),
                     1);
    assert_int_equal(recovery.imported, 2);
    assert_false(is_there(made, "sessions.unclean.1") || is_there(made, "sessions.unclean.2"));
    assert_ok(list_sessions(made, "acme", "alice", &shown));
    assert_int_equal(shown.calls, 2);
}

/* How many transactions the session store has seen. */
static size_t count_transactions(struct made_home *made)
{
    char path[SCRATCH_PATH_BYTES];
    MDB_envinfo state;
    MDB_env *env;
    made_home_close(made); /* no environment is open twice in one process */
    made_home_path(made, "sessions", path);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_RDONLY | MDB_NOTLS, 0600), 0);
    assert_int_equal(mdb_env_info(env, &state), 0);
    mdb_env_close(env);
    made_home_reopen(made);
    return state.me_last_txnid;
}

static void test_recover__many_sessions_share_a_transaction(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    const struct {
        const char *tenant;
        int count;
    } rows[] = {{"acme", 300}, {"globex", 40}};
    for (size_t i = 0; i < 2; i++) {
        for (int n = 0; n < rows[i].count; n++) {
            char user[16]; /* few of each, for a tier limits them */
            (void)snprintf(user, sizeof(user), "user-%d", n % 50);
            assert_ok(make_session(made, rows[i].tenant, user, &session));
        }
    }
    boot(made, OTHER_BOOT " open \n");
    assert_ok(recover(made));
    assert_int_equal(recovery.imported, 340);
    assert_true(count_transactions(made) < 170);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(list_sessions(made, rows[i].tenant, NULL, &shown));
        assert_int_equal(shown.calls, rows[i].count);
        assert_true(shown.is_open);
    }
}

static void test_recover__more_unclean_boots_than_stores_are_kept_for_still_open(void **state)
{
    struct made_home *made = *state;
    for (unsigned i = 0; i < LH_ASIDE_MAX + 2U; i++) {
        boot(made, OTHER_BOOT " open \n");
    }
    assert_true(is_there(made, "sessions.unclean.8"));
    assert_false(is_there(made, "sessions.unclean.9"));
    assert_ok(recover(made));
    assert_int_equal(lh_aside_latest(&made->home->layout), 0);
}

static void test_recover__nothing_to_do_says_so(void **state)
{
    struct made_home *made = *state;
    made->fake.log[0] = '\0';
    assert_ok(recover(made));
    assert_true(recovery.is_nothing_to_do);
    assert_int_equal(made_home_logged(made, "audit"), 0);
}

/* A missing answer is no "done". */
static void test_recover__without_its_file_absent_is_unknown(void **state)
{
    struct made_home *made = *state;
    struct shown_session shown;
    char path[SCRATCH_PATH_BYTES];
    made_home_path(made, "run/recovered", path);
    made_home_close(made);
    assert_int_equal(unlink(path), 0);
    made_home_reopen(made);
    assert_status(show_session(made, "acme", "0.aaaaaaaaaaaaaaaaaaaaaaaaaa", &shown),
                  LH_STORE_DOWN);
    assert_ok(recover(made));
    assert_status(show_session(made, "acme", "0.aaaaaaaaaaaaaaaaaaaaaaaaaa", &shown), LH_ABSENT);
}

static void test_recover__a_given_up_store_is_kept_once(void **state)
{
    struct made_home *made = *state;
    for (unsigned i = 0; i < 2; i++) {
        boot(made, OTHER_BOOT " open \n");
        assert_ok(lh_home_give_up_store(made->path, 1));
        assert_true(is_there(made, "sessions.damaged/data.mdb"));
        assert_false(is_there(made, "sessions.unclean.1"));
        assert_ok(recover(made));
    }
    assert_ok(lh_home_give_up_store(made->path, 1)); /* gone already */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_boot__clean_or_of_this_boot_is_believed),
        WITH_HOME(test_boot__left_open_in_this_boot_is_believed),
        WITH_HOME(test_boot__any_other_mark_sets_the_store_aside),
        WITH_HOME(test_boot__only_the_last_marks_it_clean),
        WITH_HOME(test_recover__what_the_registry_ended_stays_ended),
        WITH_HOME(test_recover__an_older_generation_than_the_registry_allows_stays_out),
        WITH_HOME(test_recover__a_record_of_a_newer_version_is_brought_back_as_it_is),
        WITH_HOME(test_recover__a_row_that_contradicts_its_record_stays_out),
        WITH_HOME(test_recover__what_the_platforms_epoch_ended_stays_ended),
        WITH_HOME(test_recover__what_a_removed_tenant_had_stays_out_and_is_counted),
        WITH_HOME(test_recover__what_is_over_stays_out),
        WITH_HOME(test_recover__the_latest_store_wins),
        WITH_HOME(test_recover__many_sessions_share_a_transaction),
        WITH_HOME(test_recover__more_unclean_boots_than_stores_are_kept_for_still_open),
        WITH_HOME(test_recover__nothing_to_do_says_so),
        WITH_HOME(test_recover__without_its_file_absent_is_unknown),
        WITH_HOME(test_recover__a_given_up_store_is_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
