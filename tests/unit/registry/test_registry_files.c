/*
 * A registry whose file is damaged: opening says so, or what is lost is unknown. No process dies of
 * it, for all workers of a machine would.
 */
#include "support/child.h"
#include "support/test.h"

#include "registry_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TENANTS    40U
#define PAGE_BYTES 4096

static void name_tenant(unsigned n, char out_name[16])
{
    (void)snprintf(out_name, 16, "tenant-%u", n);
}

static int set_up(void **state)
{
    (void)registry_fixture_set_up(state);
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    for (unsigned n = 1; n <= TENANTS; n++) {
        char name[16];
        name_tenant(n, name);
        assert_ok(fixture_put_new(txn, n, name));
    }
    fixture_commit(txn);
    registry_fixture_close(fixture);
    fixture->options.is_read_only = true;
    return 0;
}

static void tree_path(const struct registry_fixture *fixture, char out_path[SCRATCH_PATH_BYTES])
{
    int len = snprintf(out_path, SCRATCH_PATH_BYTES, "%s/data.mdb", fixture->path);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
}

enum outcome { ALL_FOUND, SOME_UNKNOWN, NOT_OPENED, WRONG };

/* Loads every tenant; the outcome is the exit code. */
static void use_registry(void *context)
{
    struct registry_fixture *fixture = context;
    if (!lh_is_ok(lh_registry_open(&fixture->options, &fixture->registry))) {
        _exit(NOT_OPENED);
    }
    enum outcome outcome = ALL_FOUND;
    for (unsigned n = 1; n <= TENANTS; n++) {
        char name[16];
        struct lh_tenant *tenant = NULL;
        struct lh_tenant_uid uid = fixture_uid(n);
        name_tenant(n, name);
        lh_status status = fixture_load(fixture, name, &tenant);
        if (!lh_is_ok(status)) {
            outcome = SOME_UNKNOWN;
        } else if (!lh_tenant_uid_is_equal(&tenant->uid, &uid)) {
            _exit(WRONG);
        }
        lh_tenant_unref(tenant);
    }
    _exit((int)outcome);
}

static enum outcome outcome_of_use(struct registry_fixture *fixture)
{
    int status = child_run(use_registry, fixture);
    assert_true(WIFEXITED(status)); /* no signal */
    return (enum outcome)WEXITSTATUS(status);
}

static void test_registry_files__a_file_cut_short_is_an_error_and_no_signal(void **state)
{
    struct registry_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    struct stat file;
    tree_path(fixture, path);
    assert_int_equal(outcome_of_use(fixture), ALL_FOUND);
    assert_int_equal(stat(path, &file), 0);
    unsigned lossy = 0;
    for (long length = file.st_size - PAGE_BYTES; length >= 0; length -= PAGE_BYTES) {
        assert_int_equal(truncate(path, length), 0);
        enum outcome outcome = outcome_of_use(fixture);
        assert_int_not_equal(outcome, WRONG);
        lossy += outcome != ALL_FOUND ? 1 : 0;
    }
    assert_true(lossy > 0);
}

static void test_registry_files__damaged_heads_are_refused(void **state)
{
    struct registry_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    tree_path(fixture, path);
    static const struct {
        long offset;
        const char *bytes;
    } cases[] = {
        {16, "????"},              /* mark of the first head */
        {PAGE_BYTES + 16, "????"}, /* and of the second */
        {40, "\7\0\0"},            /* pages of seven bytes */
        {136, "\xff\xff\xff\xff"}, /* last page behind the end of the map */
        {80, "\xff\xff\xff\xff"},  /* a root there */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t whole[4];
        int fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, whole, sizeof(whole), cases[i].offset), sizeof(whole));
        assert_int_equal(pwrite(fd, cases[i].bytes, sizeof(whole), cases[i].offset), sizeof(whole));
        assert_int_equal(outcome_of_use(fixture), NOT_OPENED);
        assert_int_equal(pwrite(fd, whole, sizeof(whole), cases[i].offset), sizeof(whole));
        (void)close(fd);
    }
    assert_int_equal(outcome_of_use(fixture), ALL_FOUND);
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_registry_files__a_file_cut_short_is_an_error_and_no_signal),
        FILES_TEST(test_registry_files__damaged_heads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
