/*
 * A keyring in a directory of its own, with a crypto and a fake host.
 */
#ifndef LH_TESTS_KEYS_KEYRING_FIXTURE_H
#define LH_TESTS_KEYS_KEYRING_FIXTURE_H

#include "support/fake_host.h"
#include "support/scratch_dir.h"
#include "support/test.h"

#include "keys/keys.h"

struct keyring_fixture {
    struct scratch_dir dir;
    char path[SCRATCH_PATH_BYTES]; /* of the keyring, in dir */
    struct fake_host fake;
    struct lh_crypto *crypto;
    struct lh_keys *keys; /* NULL until it is opened */
};

/* A directory, no keyring yet. */
static inline void keyring_fixture_init(struct keyring_fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    scratch_dir_init(&fixture->dir);
    scratch_dir_path(&fixture->dir, "keyring", fixture->path);
    fake_host_init(&fixture->fake);
    assert_ok(lh_crypto_new(&fixture->crypto));
}

static inline void keyring_fixture_close(struct keyring_fixture *fixture)
{
    lh_keys_close(fixture->keys);
    fixture->keys = NULL;
}

static inline void keyring_fixture_fini(struct keyring_fixture *fixture)
{
    keyring_fixture_close(fixture);
    lh_crypto_free(fixture->crypto);
    scratch_dir_fini(&fixture->dir);
}

static inline lh_status keyring_fixture_open(struct keyring_fixture *fixture, bool may_create)
{
    struct lh_key_options options = {
        .path = fixture->path, .may_create = may_create, .host = &fixture->fake.host};
    return lh_keys_open("keyring_file", &options, fixture->crypto, &fixture->keys);
}

/* A uid that a test can tell from others. */
static inline struct lh_tenant_uid uid_of_byte(uint8_t byte)
{
    struct lh_tenant_uid uid;
    memset(uid.bytes, byte, sizeof(uid.bytes));
    return uid;
}

static inline struct lh_wrap_scope dek_scope(uint8_t uid_byte, uint32_t dek_id)
{
    return (struct lh_wrap_scope){
        .purpose = LH_WRAP_DEK, .uid = uid_of_byte(uid_byte), .key_id = dek_id};
}

/* "<keyring>/<name>". */
static inline void keyring_path(const struct keyring_fixture *fixture, const char *name,
                                char out_path[SCRATCH_PATH_BYTES])
{
    int len = snprintf(out_path, SCRATCH_PATH_BYTES, "%s/%s", fixture->path, name);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
}

/* Path of a tenant's file: suffix ".tkek" or ".destroyed". */
static inline void tenant_path(const struct keyring_fixture *fixture, uint8_t uid_byte,
                               const char *suffix, char out_path[SCRATCH_PATH_BYTES])
{
    struct lh_tenant_uid uid = uid_of_byte(uid_byte);
    char text[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(&uid, text);
    int len = snprintf(out_path, SCRATCH_PATH_BYTES, "%s/tenants/%.*s%s", fixture->path,
                       (int)sizeof(text), text, suffix);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
}

#endif
