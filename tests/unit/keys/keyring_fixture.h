/*
 * A keyring in a directory of its own, with a crypto and a fake host.
 */
#ifndef LH_TESTS_KEYS_KEYRING_FIXTURE_H
#define LH_TESTS_KEYS_KEYRING_FIXTURE_H

#include "support/fake_host.h"
#include "support/scratch_dir.h"
#include "support/test.h"

#include "keys/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* What is in a kek file: magic ‖ version ‖ key ‖ commitment. */
#define KEK_FILE_BYTES 69

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

static inline int set_up(void **state)
{
    struct keyring_fixture *fixture = malloc(sizeof(*fixture));
    keyring_fixture_init(fixture);
    assert_ok(keyring_fixture_open(fixture, true));
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    keyring_fixture_fini(*state);
    free(*state);
    return 0;
}

static inline unsigned mode_of(const char *path)
{
    struct stat found;
    assert_int_equal(lstat(path, &found), 0);
    return found.st_mode & 07777;
}

static inline size_t read_file(const char *path, uint8_t *out_bytes, size_t size)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t len = read(fd, out_bytes, size);
    assert_true(len >= 0);
    assert_int_equal(close(fd), 0);
    return (size_t)len;
}

static inline void write_file(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(close(fd), 0);
}

/* Makes tenant n and a wrapped data key of it. */
static inline void make_tenant(struct keyring_fixture *fixture, uint8_t n, struct lh_buf *out_blob)
{
    struct lh_tenant_uid uid = uid_of_byte(n);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    struct lh_wrap_scope scope = dek_scope(n, 1);
    assert_ok(lh_keys_generate(fixture->keys, fixture->crypto, &scope, out_blob));
}

static inline lh_status unwrap(struct keyring_fixture *fixture, uint8_t n, uint32_t dek_id,
                               const struct lh_buf *blob, struct lh_key *out_key)
{
    struct lh_wrap_scope scope = dek_scope(n, dek_id);
    return lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(blob), out_key);
}

#endif
