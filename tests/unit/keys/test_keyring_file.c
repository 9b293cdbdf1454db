/*
 * The keyring in files: what it makes, what a wrapped key is bound to, and that a keyring which
 * is missing makes keys unknown and never destroyed.
 */
#include "keyring_fixture.h"

#include "keys/wrap.h"

/* --- What is made ----------------------------------------------------------------------------- */

static void test_keyring__files_and_directories_are_closed_to_others(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    assert_int_equal(mode_of(fixture->path), 0700);
    keyring_path(fixture, "tenants", path);
    assert_int_equal(mode_of(path), 0700);
    keyring_path(fixture, "kek", path);
    assert_int_equal(mode_of(path), 0600);
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(mode_of(path), 0600);
}

static void test_keyring__a_wrapped_key_opens_again_and_two_are_different(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf first = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf second = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &first);
    struct lh_wrap_scope scope = dek_scope(1, 2);
    assert_ok(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &second));
    struct lh_key a;
    struct lh_key again;
    struct lh_key b;
    assert_ok(unwrap(fixture, 1, 1, &first, &a));
    assert_ok(unwrap(fixture, 1, 1, &first, &again));
    assert_ok(unwrap(fixture, 1, 2, &second, &b));
    assert_memory_equal(a.bytes, again.bytes, sizeof(a.bytes));
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

static void test_keyring__keys_survive_closing_and_opening(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_key before;
    assert_ok(unwrap(fixture, 1, 1, &blob, &before));
    keyring_fixture_close(fixture);
    assert_ok(keyring_fixture_open(fixture, true));
    struct lh_key after;
    assert_ok(unwrap(fixture, 1, 1, &blob, &after));
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
}

static void test_keyring__a_tenant_is_made_once(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_EXISTS);
}

static void test_keyring__no_temporary_file_is_left(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_EXISTS);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".destroyed", path);
    assert_int_equal(unlink(path), 0);
    keyring_path(fixture, "tenants", path);
    assert_int_equal(rmdir(path), 0); /* only an empty directory can be removed */
}

/* --- What a blob is bound to ------------------------------------------------------------------ */

static void test_keyring__a_blob_of_one_tenant_does_not_open_as_another_s(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_a = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_b = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &of_a);
    make_tenant(fixture, 2, &of_b);
    struct lh_key key;
    assert_status(unwrap(fixture, 2, 1, &of_a, &key), LH_TAMPERED);
    assert_status(unwrap(fixture, 1, 1, &of_b, &key), LH_TAMPERED);
    assert_ok(unwrap(fixture, 1, 1, &of_a, &key));
}

static void test_keyring__a_blob_does_not_open_under_another_key_id(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 2, &blob, &key), LH_TAMPERED);
    assert_status(unwrap(fixture, 1, UINT32_MAX, &blob, &key), LH_TAMPERED);
}

static void test_keyring__a_cell_secret_is_no_tenant_key_and_the_reverse(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf dek = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf cell = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &dek);
    struct lh_wrap_scope scope = {.purpose = LH_WRAP_CELL, .key_id = 1};
    assert_ok(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &cell));
    struct lh_key key;
    assert_ok(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(&cell), &key));
    assert_status(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(&dek), &key),
                  LH_TAMPERED);
    assert_status(unwrap(fixture, 1, 1, &cell, &key), LH_TAMPERED);
}

static void test_keyring__scopes_that_cannot_be_are_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    struct lh_wrap_scope bad[] = {
        dek_scope(0, 1),                                  /* nobody's data key */
        dek_scope(1, 0),                                  /* no id */
        {.purpose = LH_WRAP_CELL, .uid = uid_of_byte(1)}, /* a tenant's cell */
        {.purpose = (enum lh_wrap_purpose)LH_WRAP_TENANT_KEK, .uid = uid_of_byte(1)},
        {.purpose = (enum lh_wrap_purpose)4, .uid = uid_of_byte(1), .key_id = 1},
        {.purpose = LH_WRAP_SIGNING, .key_id = 1}, /* nobody's */
        {.purpose = LH_WRAP_SIGNING, .uid = uid_of_byte(1)},
    };
    struct lh_key key;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(lh_keys_generate(fixture->keys, fixture->crypto, &bad[i], &blob), LH_INVALID);
        assert_status(
            lh_keys_unwrap(fixture->keys, fixture->crypto, &bad[i], LH_SLICE_LITERAL("x"), &key),
            LH_INVALID);
    }
}

static void test_keyring__no_altered_byte_of_a_blob_opens(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    assert_int_equal(blob.len, LH_WRAP_BYTES);
    struct lh_key key;
    for (size_t i = 0; i < blob.len; i++) {
        blob.ptr[i] ^= 0x80;
        assert_status(unwrap(fixture, 1, 1, &blob, &key), i == 0 ? LH_FUTURE_FORMAT : LH_TAMPERED);
        blob.ptr[i] ^= 0x80;
    }
    blob.ptr[0] = 0;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
}

static void test_keyring__no_blob_of_another_length_opens(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_key key;
    size_t whole = blob.len;
    for (blob.len = 0; blob.len < whole; blob.len++) {
        assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
    }
    assert_ok(lh_buf_add_u8(&blob, 0));
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
    while (blob.len <= LH_WRAPPED_MAX_BYTES) {
        assert_ok(lh_buf_add_u8(&blob, 0));
    }
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
}

static void test_keyring__tenant_files_do_not_change_places(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_a = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_b = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &of_a);
    make_tenant(fixture, 2, &of_b);
    char a[SCRATCH_PATH_BYTES];
    char b[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", a);
    tenant_path(fixture, 2, ".tkek", b);
    assert_int_equal(rename(a, b), 0);
    struct lh_key key;
    assert_status(unwrap(fixture, 2, 1, &of_b, &key), LH_KEY_DOWN);
    assert_status(unwrap(fixture, 2, 1, &of_a, &key), LH_KEY_DOWN);
}

/* --- Destroying ------------------------------------------------------------------------------- */

static void test_keyring__a_destroyed_tenant_is_absent_for_good(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_ABSENT);
    struct lh_wrap_scope scope = dek_scope(1, 2);
    assert_status(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &blob), LH_ABSENT);
    assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_EXISTS);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_keyring__destroying_overwrites_the_file_before_it_goes(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    int fd = open(path, O_RDONLY); /* holds the removed file's content */
    assert_true(fd >= 0);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    uint8_t left[512];
    ssize_t len = read(fd, left, sizeof(left));
    assert_true(len > 0);
    for (ssize_t i = 0; i < len; i++) {
        assert_int_equal(left[i], 0);
    }
    assert_int_equal(close(fd), 0);
}

static void test_keyring__a_crash_between_marker_and_removal_still_destroys(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char marker[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".destroyed", marker);
    write_file(marker, NULL, 0);
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_ABSENT);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid)); /* finishes it */
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(access(path, F_OK), -1);
}

/* --- Missing: unknown, never destroyed -------------------------------------------------------- */

static void test_keyring__a_lost_tenant_file_is_unknown(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(unlink(path), 0);
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_KEY_DOWN);
    assert_status(unwrap(fixture, 9, 1, &blob, &key), LH_KEY_DOWN); /* never was one */
}

static void test_keyring__a_lost_kek_directory_or_ring_is_unknown_and_comes_back(void **state)
{
    static const char *const names[] = {"kek", "tenants", ""};
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char aside[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "aside", aside);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[SCRATCH_PATH_BYTES];
        keyring_path(fixture, names[i], path);
        if (names[i][0] == '\0') {
            path[strlen(path) - 1] = '\0';
        }
        assert_int_equal(rename(path, aside), 0);
        struct lh_key key;
        assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_KEY_DOWN);
        struct lh_tenant_uid uid = uid_of_byte(7);
        if (strcmp(names[i], "kek") != 0) {
            assert_status(lh_keys_destroy_tenant(fixture->keys, &uid), LH_KEY_DOWN);
        }
        assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_KEY_DOWN);
        assert_int_equal(rename(aside, path), 0);
        assert_ok(unwrap(fixture, 1, 1, &blob, &key));
    }
}

static void test_keyring__a_lasting_fault_is_one_log_line_that_names_the_file(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(chmod(path, 0644), 0);
    struct lh_key key;
    for (int i = 0; i < 3; i++) {
        assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_UNSAFE_FILE);
    }
    assert_int_equal(fixture->fake.log_lines, 1);
    assert_non_null(strstr(fixture->fake.log, "/kek\""));
    assert_int_equal(chmod(path, 0600), 0);
    assert_ok(unwrap(fixture, 1, 1, &blob, &key));
    assert_int_equal(chmod(path, 0640), 0);
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_UNSAFE_FILE);
    assert_int_equal(fixture->fake.log_lines, 2);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void test_keyring__opening_makes_nothing_unless_it_may(void **state)
{
    (void)state;
    struct keyring_fixture fixture;
    keyring_fixture_init(&fixture);
    assert_status(keyring_fixture_open(&fixture, false), LH_KEY_DOWN);
    assert_int_equal(access(fixture.path, F_OK), -1);
    keyring_fixture_fini(&fixture);
}

static void test_keyring__a_lost_kek_beside_tenants_is_not_made_anew(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    keyring_fixture_close(fixture);
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(unlink(path), 0);
    assert_status(keyring_fixture_open(fixture, true), LH_KEY_DOWN);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_keyring__an_unknown_driver_is_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_key_options options = {.path = fixture->path};
    struct lh_keys *keys;
    assert_status(lh_keys_open("keyring", &options, fixture->crypto, &keys), LH_INVALID);
    assert_status(lh_keys_open("", &options, fixture->crypto, &keys), LH_INVALID);
    options.path = NULL;
    assert_status(lh_keys_open("keyring_file", &options, fixture->crypto, &keys), LH_INVALID);
}

#define KEYRING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYRING_TEST(test_keyring__files_and_directories_are_closed_to_others),
        KEYRING_TEST(test_keyring__a_wrapped_key_opens_again_and_two_are_different),
        KEYRING_TEST(test_keyring__keys_survive_closing_and_opening),
        KEYRING_TEST(test_keyring__a_tenant_is_made_once),
        KEYRING_TEST(test_keyring__no_temporary_file_is_left),
        KEYRING_TEST(test_keyring__a_blob_of_one_tenant_does_not_open_as_another_s),
        KEYRING_TEST(test_keyring__a_blob_does_not_open_under_another_key_id),
        KEYRING_TEST(test_keyring__a_cell_secret_is_no_tenant_key_and_the_reverse),
        KEYRING_TEST(test_keyring__scopes_that_cannot_be_are_refused),
        KEYRING_TEST(test_keyring__no_altered_byte_of_a_blob_opens),
        KEYRING_TEST(test_keyring__no_blob_of_another_length_opens),
        KEYRING_TEST(test_keyring__tenant_files_do_not_change_places),
        KEYRING_TEST(test_keyring__a_destroyed_tenant_is_absent_for_good),
        KEYRING_TEST(test_keyring__destroying_overwrites_the_file_before_it_goes),
        KEYRING_TEST(test_keyring__a_crash_between_marker_and_removal_still_destroys),
        KEYRING_TEST(test_keyring__a_lost_tenant_file_is_unknown),
        KEYRING_TEST(test_keyring__a_lost_kek_directory_or_ring_is_unknown_and_comes_back),
        KEYRING_TEST(test_keyring__a_lasting_fault_is_one_log_line_that_names_the_file),
        cmocka_unit_test(test_keyring__opening_makes_nothing_unless_it_may),
        KEYRING_TEST(test_keyring__a_lost_kek_beside_tenants_is_not_made_anew),
        KEYRING_TEST(test_keyring__an_unknown_driver_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
