/*
 * Signing keys: what was drawn opens for its tenant and number alone, and sets are published whole.
 */
#include "keyring_fixture.h"

#include "crypto/public_key.h"
#include "keys/jwks_file.h"
#include "keys/signing_key_wrap.h"

static void draw(struct keyring_fixture *fixture, uint8_t n, struct lh_buf *blob,
                 struct lh_wrapped_signing_key *key)
{
    struct lh_tenant_uid uid = uid_of_byte(n);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    assert_ok(lh_signing_key_draw(fixture->keys, fixture->crypto, &uid, 7, blob, key));
    assert_int_equal(key->id, 7);
}

static lh_status open_as(struct keyring_fixture *fixture, uint8_t n,
                         const struct lh_wrapped_signing_key *key)
{
    struct lh_tenant_uid uid = uid_of_byte(n);
    struct lh_signing_key *pair = NULL;
    lh_status status = lh_signing_key_open(fixture->keys, fixture->crypto, &uid, key, &pair);
    lh_signing_key_free(pair);
    return status;
}

static void test_signing_key__signs_what_its_public_half_verifies(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    struct lh_wrapped_signing_key key;
    struct lh_tenant_uid uid = uid_of_byte(1);
    struct lh_signing_key *pair;
    struct lh_public_key *half;
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    uint8_t point[64];
    draw(fixture, 1, &blob, &key);
    assert_ok(lh_signing_key_open(fixture->keys, fixture->crypto, &uid, &key, &pair));
    assert_ok(lh_es256_sign(pair, LH_SLICE_LITERAL("message"), signature));
    memcpy(point, key.x, 32);
    memcpy(point + 32, key.y, 32);
    assert_ok(lh_public_key_new(fixture->crypto, LH_ES256, LH_SLICE_OF(point), &half));
    assert_ok(lh_public_key_verify(half, LH_SLICE_LITERAL("message"), LH_SLICE_OF(signature)));
    lh_public_key_free(half);
    lh_signing_key_free(pair);
}

static void test_signing_key_open__takes_it_for_nothing_else(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf other_blob = LH_BUF_EMPTY;
    struct lh_wrapped_signing_key key, other;
    draw(fixture, 1, &blob, &key);
    draw(fixture, 2, &other_blob, &other);
    assert_ok(open_as(fixture, 1, &key));
    assert_status(open_as(fixture, 2, &key), LH_TAMPERED);
    struct lh_wrapped_signing_key changed = key;
    changed.id = 8;
    assert_status(open_as(fixture, 1, &changed), LH_TAMPERED);
    changed = key;
    changed.y[31] ^= 1; /* what is published would not be what signs */
    assert_status(open_as(fixture, 1, &changed), LH_TAMPERED);
    changed = key;
    changed.blob = LH_SLICE_EMPTY;
    assert_status(open_as(fixture, 1, &changed), LH_TAMPERED);
    /* Neither is a data key of the same number. */
    struct lh_wrap_scope scope = dek_scope(1, 7);
    struct lh_key plain;
    assert_status(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, key.blob, &plain),
                  LH_TAMPERED);
    scope.purpose = LH_WRAP_SIGNING;
    memset(&scope.uid, 0, sizeof(scope.uid));
    assert_status(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, key.blob, &plain),
                  LH_INVALID);
}

static void test_jwks_publish_tenant__replaces_the_file_in_a_closed_directory(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(0xab);
    char path[SCRATCH_PATH_BYTES];
    uint8_t text[16];
    assert_ok(lh_jwks_publish_tenant(fixture->path, &uid, LH_SLICE_LITERAL("first"), 0600));
    assert_ok(lh_jwks_publish_tenant(fixture->path, &uid, LH_SLICE_LITERAL("next"), 0600));
    keyring_path(fixture, "abababababababababababababababab/jwks.json", path);
    assert_int_equal(read_file(path, text, sizeof(text)), 4);
    assert_memory_equal(text, "next", 4);
    assert_int_equal(mode_of(path), 0600);
    keyring_path(fixture, "abababababababababababababababab", path);
    assert_int_equal(mode_of(path), 0700);
    assert_int_equal(chmod(path, 0777), 0);
    assert_status(lh_jwks_publish_tenant(fixture->path, &uid, LH_SLICE_LITERAL("x"), 0600),
                  LH_UNSAFE_FILE);
    assert_status(lh_jwks_publish_tenant("/nowhere/at/all", &uid, LH_SLICE_LITERAL("x"), 0600),
                  LH_UNREADABLE);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_signing_key__signs_what_its_public_half_verifies),
        TEST(test_signing_key_open__takes_it_for_nothing_else),
        TEST(test_jwks_publish_tenant__replaces_the_file_in_a_closed_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
