/*
 * Keys in files, for machines without a key manager: `kek`, the key of the installation, and
 * `tenants/<uid>.tkek`, one key per tenant, wrapped by it. Every call reads the files anew: no key
 * stays in memory, and a keyring that is taken away is gone for the next call.
 *
 * A tenant key that is missing without `tenants/<uid>.destroyed` beside it was lost, not
 * destroyed: the answer is "unknown" (KEY_DOWN), never "invalid".
 */
#include "base/bug.h"
#include "host/log.h"
#include "keys/drivers/drivers.h"
#include "keys/key_file.h"
#include "keys/wrap.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

#define KEYRING_MAGIC     0x4c484b52U /* "LHKR" */
#define KEK_FILE_MAGIC    0x6c686b65U /* "lhke" */
#define TENANT_FILE_MAGIC 0x6c687465U /* "lhte" */
#define KEY_FILE_MODE     0600U

#define KEK_NAME          "kek"
#define TENANTS_NAME      "tenants"
/* "<uid in hex>.destroyed" and its NUL. */
#define TENANT_NAME_BYTES (LH_TENANT_UID_TEXT_BYTES + sizeof(".destroyed"))

struct keyring {
    uint32_t magic;
    char *path;                 /* owned */
    const struct lh_host *host; /* borrowed; may be NULL */
    char *fault;                /* borrowed; may be NULL */
    enum lh_code last_cause;    /* last one logged: a lasting fault is one line */
};

/* The directories of an open keyring, checked. */
struct place {
    int ring_fd;
    int tenants_fd;
};

#define PLACE_CLOSED ((struct place){-1, -1})

static void close_place(struct place *place)
{
    lh_key_fd_close(&place->tenants_fd);
    lh_key_fd_close(&place->ring_fd);
}

static struct keyring *keyring_of(void *self)
{
    struct keyring *ring = self;
    LH_MAGIC_CHECK(ring, KEYRING_MAGIC);
    return ring;
}

/*
 * Turns what happened to a file of the keyring into what it means for keys, and says which file it
 * was: once in the log, and to an opener who says himself what is wrong.
 */
static lh_status judge_file(struct keyring *ring, const char *name, lh_status status)
{
    if (lh_is_ok(status)) {
        return status;
    }
    const char *where =
        strchr(name, '.') != NULL ? TENANTS_NAME "/" : ""; /* only theirs have one */
    if (ring->host != NULL && ring->last_cause != status.code) {
        lh_log(ring->host, LH_LOG_WARN, "leasehold: keyring \"%s/%s%s\": %s", ring->path, where,
               name, lh_status_text(status));
    }
    ring->last_cause = status.code;
    if (ring->fault != NULL) {
        (void)snprintf(ring->fault, LH_KEY_FAULT_BYTES, "\"%.180s/%s%s\": %s", ring->path, where,
                       name, lh_status_text(status));
    }
    switch (status.code) {
    case LH_UNSAFE_FILE:
    case LH_FUTURE_FORMAT:
    case LH_NO_SPACE:
    case LH_NO_MEMORY:
    case LH_CRYPTO:
    case LH_EXISTS:
        return status;
    default:
        return lh_status_of(LH_KEY_DOWN);
    }
}

static lh_status open_place(struct keyring *ring, struct place *out_place)
{
    LH_CLEANUP(close_place) struct place place = PLACE_CLOSED;
    LH_TRY(judge_file(ring, "", lh_key_dir_open(AT_FDCWD, ring->path, &place.ring_fd)));
    LH_TRY(judge_file(ring, TENANTS_NAME,
                      lh_key_dir_open(place.ring_fd, TENANTS_NAME, &place.tenants_fd)));
    *out_place = place;
    place = PLACE_CLOSED;
    return lh_ok();
}

/* --- The KEK: magic ‖ version ‖ key ‖ commitment, by which damage shows ----------------------- */

static lh_status write_kek(struct lh_crypto *crypto, const struct lh_key *kek, struct lh_buf *out)
{
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    LH_TRY(lh_aead_commitment(crypto, kek, commitment));
    LH_TRY(lh_key_file_add_head(out, KEK_FILE_MAGIC));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(kek->bytes)));
    return lh_buf_add(out, LH_SLICE_OF(commitment));
}

static lh_status parse_kek(struct lh_crypto *crypto, lh_slice content, struct lh_key *out_kek)
{
    struct lh_cursor cursor = lh_cursor_over(content);
    LH_TRY(lh_key_file_read_head(&cursor, KEK_FILE_MAGIC));
    LH_CLEANUP(lh_key_fini) struct lh_key kek;
    LH_TRY(lh_cursor_copy(&cursor, kek.bytes, sizeof(kek.bytes)));
    lh_slice stored;
    LH_TRY(lh_cursor_view(&cursor, LH_AEAD_COMMITMENT_BYTES, &stored));
    LH_TRY(lh_cursor_finish(&cursor));
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    LH_TRY(lh_aead_commitment(crypto, &kek, commitment));
    LH_ENSURE(lh_secret_slice_is_equal(stored, LH_SLICE_OF(commitment)), LH_MALFORMED);
    *out_kek = kek;
    return lh_ok();
}

static lh_status load_kek(struct keyring *ring, struct lh_crypto *crypto, const struct place *place,
                          struct lh_key *out_kek)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = lh_buf_bounded(LH_KEY_FILE_MAX_BYTES);
    LH_TRY(judge_file(ring, KEK_NAME, lh_key_file_read(place->ring_fd, KEK_NAME, &content)));
    return judge_file(ring, KEK_NAME, parse_kek(crypto, lh_buf_view(&content), out_kek));
}

/* --- Tenant keys: magic ‖ version ‖ key wrapped by the KEK ------------------------------------ */

static void name_tenant_file(const struct lh_tenant_uid *uid, const char *suffix,
                             char out_name[TENANT_NAME_BYTES])
{
    char text[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(uid, text);
    (void)snprintf(out_name, TENANT_NAME_BYTES, "%.*s%s", (int)sizeof(text), text, suffix);
}

static struct lh_wrap_binding tenant_binding(const struct lh_tenant_uid *uid)
{
    return (struct lh_wrap_binding){.purpose = LH_WRAP_TENANT_KEK, .uid = *uid, .key_id = 0};
}

/* Errors: ABSENT if the tenant's key was destroyed on purpose; KEY_DOWN if that cannot be told. */
static lh_status check_not_destroyed(struct keyring *ring, const struct place *place,
                                     const struct lh_tenant_uid *uid)
{
    char marker[TENANT_NAME_BYTES];
    name_tenant_file(uid, ".destroyed", marker);
    lh_status status = lh_key_file_find(place->tenants_fd, marker);
    LH_ENSURE(!lh_is_ok(status), LH_ABSENT);
    return status.code == LH_ABSENT ? lh_ok() : judge_file(ring, marker, status);
}

static lh_status parse_tenant_key(struct lh_crypto *crypto, const struct lh_key *kek,
                                  const struct lh_tenant_uid *uid, lh_slice content,
                                  struct lh_key *out_key)
{
    struct lh_cursor cursor = lh_cursor_over(content);
    LH_TRY(lh_key_file_read_head(&cursor, TENANT_FILE_MAGIC));
    struct lh_wrap_binding binding = tenant_binding(uid);
    return lh_wrap_open(crypto, kek, &binding, cursor.rest, out_key);
}

static lh_status load_tenant_key(struct keyring *ring, struct lh_crypto *crypto,
                                 const struct place *place, const struct lh_key *kek,
                                 const struct lh_tenant_uid *uid, struct lh_key *out_key)
{
    LH_TRY(check_not_destroyed(ring, place, uid));
    char name[TENANT_NAME_BYTES];
    name_tenant_file(uid, ".tkek", name);
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = lh_buf_bounded(LH_KEY_FILE_MAX_BYTES);
    LH_TRY(judge_file(ring, name, lh_key_file_read(place->tenants_fd, name, &content)));
    return judge_file(ring, name,
                      parse_tenant_key(crypto, kek, uid, lh_buf_view(&content), out_key));
}

/* The key that a scope's keys are wrapped with. */
static lh_status load_wrapping_key(struct keyring *ring, struct lh_crypto *crypto,
                                   const struct lh_wrap_scope *scope, struct lh_key *out_key)
{
    LH_CLEANUP(close_place) struct place place = PLACE_CLOSED;
    LH_TRY(open_place(ring, &place));
    LH_CLEANUP(lh_key_fini) struct lh_key kek;
    LH_TRY(load_kek(ring, crypto, &place, &kek));
    if (scope->purpose == LH_WRAP_CELL) {
        *out_key = kek;
    } else {
        LH_TRY(load_tenant_key(ring, crypto, &place, &kek, &scope->uid, out_key));
    }
    ring->last_cause = LH_OK;
    return lh_ok();
}

/* --- The driver ------------------------------------------------------------------------------- */

static lh_status create_tenant(void *self, struct lh_crypto *crypto,
                               const struct lh_tenant_uid *uid)
{
    struct keyring *ring = keyring_of(self);
    LH_CLEANUP(close_place) struct place place = PLACE_CLOSED;
    LH_TRY(open_place(ring, &place));
    lh_status state = check_not_destroyed(ring, &place, uid);
    LH_ENSURE(state.code != LH_ABSENT, LH_EXISTS);
    LH_TRY(state);

    LH_CLEANUP(lh_key_fini) struct lh_key kek;
    LH_TRY(load_kek(ring, crypto, &place, &kek));
    LH_CLEANUP(lh_key_fini) struct lh_key key;
    LH_TRY(lh_random(crypto, key.bytes, sizeof(key.bytes)));
    struct lh_wrap_binding binding = tenant_binding(uid);
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = lh_buf_bounded(LH_KEY_FILE_MAX_BYTES);
    LH_TRY(lh_key_file_add_head(&content, TENANT_FILE_MAGIC));
    LH_TRY(lh_wrap_seal(crypto, &kek, &binding, &key, &content));

    char name[TENANT_NAME_BYTES];
    name_tenant_file(uid, ".tkek", name);
    return judge_file(ring, name,
                      lh_key_file_write(place.tenants_fd, name, lh_buf_view(&content),
                                        LH_KEY_FILE_NEW, KEY_FILE_MODE));
}

/* The marker goes first: whatever happens after it, the tenant's key counts as destroyed. */
static lh_status destroy_tenant(void *self, const struct lh_tenant_uid *uid)
{
    struct keyring *ring = keyring_of(self);
    LH_CLEANUP(close_place) struct place place = PLACE_CLOSED;
    LH_TRY(open_place(ring, &place));
    char name[TENANT_NAME_BYTES];
    name_tenant_file(uid, ".destroyed", name);
    lh_status status =
        lh_key_file_write(place.tenants_fd, name, LH_SLICE_EMPTY, LH_KEY_FILE_NEW, KEY_FILE_MODE);
    if (status.code != LH_EXISTS) {
        LH_TRY(judge_file(ring, name, status));
    }
    name_tenant_file(uid, ".tkek", name);
    status = lh_key_file_destroy(place.tenants_fd, name);
    return status.code == LH_ABSENT ? lh_ok() : judge_file(ring, name, status);
}

static struct lh_wrap_binding binding_of(const struct lh_wrap_scope *scope)
{
    return (struct lh_wrap_binding){
        .purpose = (uint8_t)scope->purpose, .uid = scope->uid, .key_id = scope->key_id};
}

static lh_status wrap(void *self, struct lh_crypto *crypto, const struct lh_wrap_scope *scope,
                      const struct lh_key *key, struct lh_buf *out_blob)
{
    LH_CLEANUP(lh_key_fini) struct lh_key wrapping;
    LH_TRY(load_wrapping_key(keyring_of(self), crypto, scope, &wrapping));
    struct lh_wrap_binding binding = binding_of(scope);
    return lh_wrap_seal(crypto, &wrapping, &binding, key, out_blob);
}

static lh_status unwrap(void *self, struct lh_crypto *crypto, const struct lh_wrap_scope *scope,
                        lh_slice blob, struct lh_key *out_key)
{
    LH_CLEANUP(lh_key_fini) struct lh_key wrapping;
    LH_TRY(load_wrapping_key(keyring_of(self), crypto, scope, &wrapping));
    struct lh_wrap_binding binding = binding_of(scope);
    return lh_wrap_open(crypto, &wrapping, &binding, blob, out_key);
}

static void close_keyring(void *self)
{
    struct keyring *ring = keyring_of(self);
    free(ring->path);
    ring->magic = 0;
    free(ring);
}

static const struct lh_key_driver lh_keys_keyring_file = {
    .name = "keyring_file",
    .traits = LH_KEYS_BLOCKS,
    .create_tenant = create_tenant,
    .destroy_tenant = destroy_tenant,
    .wrap = wrap,
    .unwrap = unwrap,
    .close = close_keyring,
};

/* --- Opening ---------------------------------------------------------------------------------- */

static bool is_tenant_file(const char *name)
{
    return lh_slice_has_suffix_nocase(lh_slice_from_text(name), LH_SLICE_LITERAL(".tkek"));
}

/*
 * A new KEK beside old tenant keys would hide that the old one is lost.
 * Errors: KEY_DOWN (there are tenant keys, or nobody can tell).
 */
static lh_status check_no_tenants(const struct place *place)
{
    LH_CLEANUP(lh_key_listing_close) DIR *listing = lh_key_listing_open(place->tenants_fd);
    LH_ENSURE(listing != NULL, LH_KEY_DOWN);
    const char *name;
    lh_status status = lh_key_listing_next(listing, &name);
    while (lh_is_ok(status) && !is_tenant_file(name)) {
        status = lh_key_listing_next(listing, &name);
    }
    LH_ENSURE(status.code == LH_ABSENT, LH_KEY_DOWN);
    return lh_ok();
}

static lh_status create_kek(struct lh_crypto *crypto, const struct place *place)
{
    LH_TRY(check_no_tenants(place));
    LH_CLEANUP(lh_key_fini) struct lh_key kek;
    LH_TRY(lh_random(crypto, kek.bytes, sizeof(kek.bytes)));
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = lh_buf_bounded(LH_KEY_FILE_MAX_BYTES);
    LH_TRY(write_kek(crypto, &kek, &content));
    return lh_key_file_write(place->ring_fd, KEK_NAME, lh_buf_view(&content), LH_KEY_FILE_NEW,
                             KEY_FILE_MODE);
}

/* Makes whatever is missing of a keyring. */
static lh_status create_missing(struct keyring *ring, struct lh_crypto *crypto)
{
    LH_TRY(judge_file(ring, "", lh_key_dir_make(AT_FDCWD, ring->path)));
    LH_CLEANUP(close_place) struct place place = PLACE_CLOSED;
    LH_TRY(judge_file(ring, "", lh_key_dir_open(AT_FDCWD, ring->path, &place.ring_fd)));
    LH_TRY(judge_file(ring, TENANTS_NAME, lh_key_dir_make(place.ring_fd, TENANTS_NAME)));
    LH_TRY(judge_file(ring, TENANTS_NAME,
                      lh_key_dir_open(place.ring_fd, TENANTS_NAME, &place.tenants_fd)));
    if (lh_key_file_find(place.ring_fd, KEK_NAME).code == LH_ABSENT) {
        LH_TRY(judge_file(ring, KEK_NAME, create_kek(crypto, &place)));
    }
    return lh_ok();
}

static void drop_keyring(struct keyring **ring)
{
    if (*ring != NULL) {
        close_keyring(*ring);
    }
}

lh_status lh_keys_open_keyring_file(const struct lh_key_options *options, struct lh_crypto *crypto,
                                    const struct lh_key_driver **out_driver, void **out_self)
{
    LH_ENSURE(options->path != NULL, LH_INVALID);
    LH_CLEANUP(drop_keyring) struct keyring *ring = calloc(1, sizeof(*ring));
    LH_ENSURE(ring != NULL, LH_NO_MEMORY);
    ring->magic = KEYRING_MAGIC;
    ring->host = options->host;
    ring->fault = options->fault;
    ring->path = strdup(options->path);
    LH_ENSURE(ring->path != NULL, LH_NO_MEMORY);
    if (options->may_create) {
        LH_TRY(create_missing(ring, crypto));
    }
    LH_CLEANUP(lh_key_fini) struct lh_key kek;
    LH_CLEANUP(close_place) struct place place = PLACE_CLOSED;
    LH_TRY(open_place(ring, &place));
    LH_TRY(load_kek(ring, crypto, &place, &kek));
    *out_driver = &lh_keys_keyring_file;
    *out_self = ring;
    ring = NULL;
    return lh_ok();
}
