/*
 * Directories of keys that cannot be read to their end: what was not seen may be there.
 */
#include "keyring_fixture.h"

#include "keys/node_key.h"

#include <dirent.h>
#include <errno.h>

static bool is_failing;

struct dirent *__real_readdir64(DIR *listing);
struct dirent *__wrap_readdir64(DIR *listing);

/* With is_failing a disk that cannot read any entry of any directory. */
struct dirent *__wrap_readdir64(DIR *listing)
{
    if (!is_failing) {
        return __real_readdir64(listing);
    }
    errno = EIO;
    return NULL;
}

static void test_key_listing__no_kek_is_made_where_tenants_cannot_be_looked_for(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    keyring_fixture_close(fixture);
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(unlink(path), 0);
    is_failing = true;
    lh_status status = keyring_fixture_open(fixture, true);
    is_failing = false;
    assert_status(status, LH_KEY_DOWN);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_key_listing__node_keys_that_cannot_be_listed_are_no_smaller_set(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_node_kid kid;
    struct lh_node_keys *keys = NULL;
    char node[SCRATCH_PATH_BYTES];
    char jwks[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "node", node);
    scratch_dir_path(&fixture->dir, "jwks.json", jwks);
    const struct lh_node_key_place place = {node, jwks, 0600};
    assert_int_equal(mkdir(node, 0700), 0);
    assert_ok(lh_node_key_create(fixture->crypto, &place, LH_SLICE_LITERAL("n"), 1, &kid));
    is_failing = true;
    lh_status opened = lh_node_keys_open(fixture->crypto, node, &keys);
    lh_status created = lh_node_key_create(fixture->crypto, &place, LH_SLICE_LITERAL("n"), 1, &kid);
    is_failing = false;
    assert_status(opened, LH_UNREADABLE);
    /* Taken for the first of all, it would sign before anybody has its public half. */
    assert_status(created, LH_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_key_listing__no_kek_is_made_where_tenants_cannot_be_looked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_key_listing__node_keys_that_cannot_be_listed_are_no_smaller_set, set_up,
            tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
