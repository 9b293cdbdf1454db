/*
 * Homes: made whole or not at all, opened for workers and operators, and what is said when they
 * cannot be.
 */
#include "support/test.h"

#include "setup/home.h"
#include "support/made_home.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char why[LH_HOME_ERROR_BYTES];

static int set_up(void **state)
{
    struct made_home *made = calloc(1, sizeof(*made));
    made_home_init(made);
    made_home_set(made, "locked_memory = best_effort");
    made_home_close(made);
    *state = made;
    return 0;
}

static int tear_down(void **state)
{
    struct made_home *made = *state;
    scratch_dir_fini(&made->dir);
    free(made);
    return 0;
}

static lh_status open_worker(struct made_home *made, struct lh_home **out_home)
{
    return lh_home_open_worker(made->path, &made->fake.host, out_home, why);
}

static void refuses(struct made_home *made, enum lh_code code, const char *what)
{
    struct lh_home *home = NULL;
    assert_status(open_worker(made, &home), code);
    assert_null(home);
    if (strstr(why, what) == NULL) {
        fail_msg("got \"%s\", expected something with \"%s\"", why, what);
    }
    assert_null(strchr(why, '\n'));
}

/* --- Making ----------------------------------------------------------------------------------- */

static void check_modes(const char *path, mode_t expected)
{
    struct stat entry;
    assert_int_equal(stat(path, &entry), 0);
    assert_int_equal(entry.st_mode & 0777, expected);
    assert_int_equal(entry.st_uid, geteuid());
}

static void test_home_create__directories_and_files_are_closed_to_others(void **state)
{
    const struct made_home *made = *state;
    struct lh_home_layout layout;
    assert_ok(lh_home_layout_init(made->path, &layout));
    check_modes(layout.home, 0700);
    check_modes(layout.keyring, 0700);
    check_modes(layout.registry, 0700);
    check_modes(layout.settings, 0600);
    check_modes(layout.jwks, 0600);
    check_modes(layout.changes, 0600);
    assert_int_equal(access(layout.unfinished, F_OK), -1);
}

static void test_home_create__never_over_an_existing_home(void **state)
{
    struct made_home *made = *state;
    const struct lh_home_plan plan = {.path = made->path, .host = &made->fake.host};
    assert_status(lh_home_create(&plan, why), LH_EXISTS);
    assert_non_null(strstr(why, "is a home already"));
    made_home_reopen(made);
    made_home_close(made);
}

#define MARK_TEXT "leasehold init was interrupted here.\n"

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[SCRATCH_PATH_BYTES];
    assert_true(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *directory, const char *name)
{
    char path[SCRATCH_PATH_BYTES];
    assert_true(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
    assert_int_equal(mkdir(path, 0700), 0);
}

/* A directory as an init leaves it that dies somewhere after its keys. */
static void leave_unfinished(const struct made_home *made, const char *mark,
                             char out_path[SCRATCH_PATH_BYTES])
{
    scratch_dir_path(&made->dir, "left", out_path);
    assert_int_equal(mkdir(out_path, 0700), 0);
    write_file(out_path, "init.unfinished", mark);
    write_file(out_path, "leasehold.conf", "# half of i");
    make_folder(out_path, "keyring");
    make_folder(out_path, "keyring/tenants");
    write_file(out_path, "keyring/kek", "no key");
    write_file(out_path, "keyring/tenants/a.tkek", "no key");
    make_folder(out_path, "registry");
    write_file(out_path, "registry/data.mdb", "no registry");
}

static void test_home_create__removes_what_an_interrupted_init_left(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    leave_unfinished(made, MARK_TEXT, path);
    const struct lh_home_plan plan = {.path = path, .host = &made->fake.host};
    assert_ok(lh_home_create(&plan, why));
    struct lh_home *home = NULL;
    assert_ok(lh_home_open_operator(path, &made->fake.host, "cli:test", true, &home, why));
    lh_home_close(home);
}

static void test_home_create__removes_nothing_beside_what_no_init_makes(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    char diary[SCRATCH_PATH_BYTES];
    leave_unfinished(made, MARK_TEXT, path);
    write_file(path, "diary", "mine");
    const struct lh_home_plan plan = {.path = path, .host = &made->fake.host};
    assert_status(lh_home_create(&plan, why), LH_EXISTS);
    assert_non_null(strstr(why, "\"diary\", which is not of it"));
    assert_true(snprintf(diary, sizeof(diary), "%s/keyring/kek", path) < (int)sizeof(diary));
    assert_int_equal(access(diary, F_OK), 0);
}

/* An init that saw an empty directory and comes late marks a home that is finished. */
static void test_home_create__takes_no_mark_without_its_text_for_a_proof(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    write_file(made->path, "init.unfinished", "");
    refuses(made, LH_UNREADABLE, "unfinished home");
    const struct lh_home_plan plan = {.path = made->path, .host = &made->fake.host};
    assert_status(lh_home_create(&plan, why), LH_EXISTS);
    made_home_path(made, "init.unfinished", path);
    assert_int_equal(access(path, F_OK), -1);
    made_home_reopen(made);
    made_home_close(made);
}

static void test_home_create__leaves_a_home_to_the_init_that_makes_it(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    char mark[SCRATCH_PATH_BYTES];
    leave_unfinished(made, MARK_TEXT, path);
    assert_true(snprintf(mark, sizeof(mark), "%s/init.unfinished", path) < (int)sizeof(mark));
    int fd = open(mark, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    const struct lh_home_plan plan = {.path = path, .host = &made->fake.host};
    assert_status(lh_home_create(&plan, why), LH_EXISTS);
    assert_non_null(strstr(why, "being made by another init"));
    assert_int_equal(close(fd), 0);
    assert_ok(lh_home_create(&plan, why));
}

static void test_home_create__takes_an_empty_directory_and_no_other(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&made->dir, "other", path);
    const struct lh_home_plan plan = {.path = path, .host = &made->fake.host};
    assert_int_equal(mkdir(path, 0755), 0);
    assert_ok(lh_home_create(&plan, why));
    check_modes(path, 0700);
    const struct lh_home_plan busy = {.path = made->dir.path, .host = &made->fake.host};
    assert_status(lh_home_create(&busy, why), LH_EXISTS);
    assert_non_null(strstr(why, "not empty"));
}

static void test_home_create__says_when_the_parent_is_missing(void **state)
{
    struct made_home *made = *state;
    const struct lh_home_plan plan = {.path = "/nonexistent/a/b", .host = &made->fake.host};
    assert_status(lh_home_create(&plan, why), LH_UNREADABLE);
    assert_non_null(strstr(why, "make its parent directory first"));
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void test_home_open_worker__has_a_gate_and_lets_go_of_everything(void **state)
{
    struct made_home *made = *state;
    struct lh_home *home = NULL;
    assert_ok(open_worker(made, &home));
    assert_non_null(lh_home_gate(home));
    lh_home_tick(home);
    assert_int_equal(fake_host_run(&made->fake, LH_LANE_WRITE), LH_JOB_COUNT);
    lh_home_close(home);
    assert_ok(open_worker(made, &home));
    lh_home_close(home);
}

static void test_home_open_worker__the_registry_is_read_only(void **state)
{
    struct made_home *made = *state;
    struct lh_home *home = NULL;
    struct lh_registry_txn *txn = NULL;
    assert_ok(open_worker(made, &home));
    assert_status(lh_registry_begin(home->registry, &txn), LH_REGISTRY_DOWN);
    lh_registry_end(&txn);
    lh_home_close(home);
}

static void test_home_tick__goes_on_with_old_node_keys_and_says_so_once(void **state)
{
    struct made_home *made = *state;
    struct lh_home *home = NULL;
    char path[SCRATCH_PATH_BYTES];
    assert_ok(open_worker(made, &home));
    made_home_path(made, "node/broken.key", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(fclose(file), 0);
    made->fake.log[0] = '\0';
    lh_home_tick(home);
    lh_home_tick(home);
    assert_int_equal(made_home_logged(made, "the node's keys cannot be read again"), 1);
    fake_host_run(&made->fake, LH_LANE_WRITE);
    lh_home_close(home);
}

static void test_home_open_worker__a_mistake_in_the_settings_has_its_place(void **state)
{
    struct made_home *made = *state;
    made_home_set(made, "sync_intervall = 1s");
    refuses(made, LH_INVALID, "leasehold.conf:");
    assert_non_null(strstr(why, "did you mean \"sync_interval\"?"));
}

static void test_home_open_worker__names_the_part_that_is_missing(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    char aside[SCRATCH_PATH_BYTES];
    static const struct {
        const char *name;
        enum lh_code code;
        const char *what;
    } parts[] = {
        {"run/changes", LH_COUNTERS_DOWN, "run/changes is missing"},
        {"registry/data.mdb", LH_REGISTRY_DOWN, "the registry"},
        {"keyring/kek", LH_KEY_DOWN, "keyring"},
        {"sessions/data.mdb", LH_STORE_DOWN, "the session store"},
    };
    scratch_dir_path(&made->dir, "aside", aside);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        made_home_path(made, parts[i].name, path);
        assert_int_equal(rename(path, aside), 0);
        refuses(made, parts[i].code, parts[i].what);
        assert_int_equal(rename(aside, path), 0);
    }
    struct lh_home *home = NULL;
    assert_ok(open_worker(made, &home));
    lh_home_close(home);
}

static void test_home_open_operator__goes_on_without_the_session_store_and_keeps_why(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    made_home_path(made, "sessions/data.mdb", path);
    assert_int_equal(unlink(path), 0);
    struct lh_home *home = NULL;
    assert_ok(lh_home_open_operator(made->path, &made->fake.host, "cli:test", true, &home, why));
    const struct lh_admin_parts *parts = lh_home_admin_parts(home);
    assert_null(parts->store);
    assert_null(parts->vault);
    assert_non_null(strstr(parts->store_problem, "the session store"));
    lh_home_close(home);
}

static void
test_home_open_operator__leaves_the_session_store_alone_where_it_is_not_needed(void **state)
{
    struct made_home *made = *state;
    struct lh_home *home = NULL;
    assert_ok(lh_home_open_operator(made->path, &made->fake.host, "cli:test", false, &home, why));
    assert_null(lh_home_admin_parts(home)->store);
    assert_non_null(lh_home_admin_parts(home)->registry);
    lh_home_close(home);
}

#define WITH_HOME(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_home_create__directories_and_files_are_closed_to_others),
        WITH_HOME(test_home_create__never_over_an_existing_home),
        WITH_HOME(test_home_create__removes_what_an_interrupted_init_left),
        WITH_HOME(test_home_create__removes_nothing_beside_what_no_init_makes),
        WITH_HOME(test_home_create__takes_no_mark_without_its_text_for_a_proof),
        WITH_HOME(test_home_create__leaves_a_home_to_the_init_that_makes_it),
        WITH_HOME(test_home_create__takes_an_empty_directory_and_no_other),
        WITH_HOME(test_home_create__says_when_the_parent_is_missing),
        WITH_HOME(test_home_open_worker__has_a_gate_and_lets_go_of_everything),
        WITH_HOME(test_home_open_worker__the_registry_is_read_only),
        WITH_HOME(test_home_tick__goes_on_with_old_node_keys_and_says_so_once),
        WITH_HOME(test_home_open_worker__a_mistake_in_the_settings_has_its_place),
        WITH_HOME(test_home_open_worker__names_the_part_that_is_missing),
        WITH_HOME(test_home_open_operator__goes_on_without_the_session_store_and_keeps_why),
        WITH_HOME(test_home_open_operator__leaves_the_session_store_alone_where_it_is_not_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
