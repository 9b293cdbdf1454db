/*
 * What all key managers have in common: finding the driver, checking what is asked of it, and
 * living until the last user is gone.
 */
#include "keys/keys.h"

#include "base/bug.h"
#include "keys/drivers/drivers.h"
#include "keys/keys_share.h"

#include "base/banned.h"

#define KEYS_MAGIC 0x4c484b59U /* "LHKY" */

struct lh_keys {
    uint32_t magic;
    uint32_t references; /* loop thread only */
    const struct lh_key_driver *driver;
    void *self; /* the driver's, owned */
};

typedef lh_status (*open_fn)(const struct lh_key_options *options, struct lh_crypto *crypto,
                             const struct lh_key_driver **out_driver, void **out_self);

static const struct {
    const char *name;
    open_fn open;
} driver_table[] = {
#define KEY_DRIVER_ROW(name) {#name, lh_keys_open_##name},
    LH_KEY_DRIVERS(KEY_DRIVER_ROW)
#undef KEY_DRIVER_ROW
};

static open_fn find_driver(const char *name)
{
    for (size_t i = 0; i < sizeof(driver_table) / sizeof(driver_table[0]); i++) {
        if (strcmp(driver_table[i].name, name) == 0) {
            return driver_table[i].open;
        }
    }
    return NULL;
}

lh_status lh_keys_new(const struct lh_key_driver *driver, void *self, struct lh_keys **out_keys)
{
    struct lh_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL) {
        driver->close(self);
        return lh_status_of(LH_NO_MEMORY);
    }
    *keys = (struct lh_keys){.magic = KEYS_MAGIC, .references = 1, .driver = driver, .self = self};
    *out_keys = keys;
    return lh_ok();
}

lh_status lh_keys_open(const char *driver_name, const struct lh_key_options *options,
                       struct lh_crypto *crypto, struct lh_keys **out_keys)
{
    open_fn open_driver = find_driver(driver_name);
    LH_ENSURE(open_driver != NULL, LH_INVALID);
    const struct lh_key_driver *driver;
    void *self;
    LH_TRY(open_driver(options, crypto, &driver, &self));
    return lh_keys_new(driver, self, out_keys);
}

struct lh_keys *lh_keys_ref(struct lh_keys *keys)
{
    LH_MAGIC_CHECK(keys, KEYS_MAGIC);
    keys->references++;
    return keys;
}

void lh_keys_close(struct lh_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    LH_MAGIC_CHECK(keys, KEYS_MAGIC);
    keys->references--;
    if (keys->references > 0) {
        return;
    }
    keys->driver->close(keys->self);
    keys->magic = 0;
    free(keys);
}

unsigned lh_keys_traits(const struct lh_keys *keys)
{
    LH_MAGIC_CHECK(keys, KEYS_MAGIC);
    return keys->driver->traits;
}

lh_status lh_keys_create_tenant(struct lh_keys *keys, struct lh_crypto *crypto,
                                const struct lh_tenant_uid *uid)
{
    LH_MAGIC_CHECK(keys, KEYS_MAGIC);
    return keys->driver->create_tenant(keys->self, crypto, uid);
}

lh_status lh_keys_destroy_tenant(struct lh_keys *keys, const struct lh_tenant_uid *uid)
{
    LH_MAGIC_CHECK(keys, KEYS_MAGIC);
    return keys->driver->destroy_tenant(keys->self, uid);
}

/* Cell secrets belong to no tenant, other keys to one: an all-zero uid is never a tenant's. */
static bool is_scope_sane(const struct lh_wrap_scope *scope)
{
    static const struct lh_tenant_uid nobody;
    bool is_nobody = lh_tenant_uid_is_equal(&scope->uid, &nobody);
    switch (scope->purpose) {
    case LH_WRAP_DEK:
    case LH_WRAP_SIGNING:
        return !is_nobody && scope->key_id > 0;
    case LH_WRAP_CELL:
        return is_nobody;
    }
    return false;
}

lh_status lh_keys_wrap(struct lh_keys *keys, struct lh_crypto *crypto,
                       const struct lh_wrap_scope *scope, const struct lh_key *key,
                       struct lh_buf *out_blob)
{
    LH_MAGIC_CHECK(keys, KEYS_MAGIC);
    LH_ENSURE(is_scope_sane(scope), LH_INVALID);
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = lh_buf_bounded(LH_WRAPPED_MAX_BYTES);
    LH_TRY(keys->driver->wrap(keys->self, crypto, scope, key, &blob));
    return lh_buf_add(out_blob, lh_buf_view(&blob));
}

lh_status lh_keys_generate(struct lh_keys *keys, struct lh_crypto *crypto,
                           const struct lh_wrap_scope *scope, struct lh_buf *out_blob)
{
    LH_CLEANUP(lh_key_fini) struct lh_key key;
    LH_TRY(lh_random(crypto, key.bytes, sizeof(key.bytes)));
    return lh_keys_wrap(keys, crypto, scope, &key, out_blob);
}

lh_status lh_keys_unwrap(struct lh_keys *keys, struct lh_crypto *crypto,
                         const struct lh_wrap_scope *scope, lh_slice blob, struct lh_key *out_key)
{
    LH_MAGIC_CHECK(keys, KEYS_MAGIC);
    LH_ENSURE(is_scope_sane(scope), LH_INVALID);
    LH_ENSURE(blob.len <= LH_WRAPPED_MAX_BYTES, LH_TAMPERED);
    return keys->driver->unwrap(keys->self, crypto, scope, blob, out_key);
}
