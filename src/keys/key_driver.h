/*
 * The contract of a key manager: make, wrap, unwrap and destroy under a tenant's KEK. Nothing
 * else; caching, single flight and fall-back are done once, around the driver.
 */
#ifndef LH_KEYS_KEY_DRIVER_H
#define LH_KEYS_KEY_DRIVER_H

#include <leasehold/host.h>

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/crypto.h"
#include "tenant/tenant_id.h"

enum lh_key_trait {
    LH_KEYS_BLOCKS = 1U << 0 /* calls block: only from a lane, never on the loop */
};

/* What a wrapped key is for; part of the AAD, so that blobs cannot change places. */
enum lh_wrap_purpose {
    LH_WRAP_DEK = 1,    /* a tenant's data key, under the tenant KEK */
    LH_WRAP_CELL = 2,   /* the installation's cell secret, under the KEK; uid is all zero */
    LH_WRAP_SIGNING = 3 /* the scalar of a key that signs a tenant's tokens, under the tenant KEK */
};

struct lh_wrap_scope {
    enum lh_wrap_purpose purpose;
    struct lh_tenant_uid uid;
    uint32_t key_id;
};

/* Largest wrapped key that any manager returns. */
#define LH_WRAPPED_MAX_BYTES 1024U

/* Longest text of a fault. */
#define LH_KEY_FAULT_BYTES 320U

struct lh_key_options {
    const char *path;           /* directory or URI of the manager */
    bool may_create;            /* init: make the KEK if there is none */
    const struct lh_host *host; /* for log lines; borrowed; NULL: none */
    char *fault;                /* LH_KEY_FAULT_BYTES; what failed last is named there; or NULL */
};

/*
 * All operations block if the trait says so, take a crypto of the calling thread, and never see
 * configuration but their own options.
 */
struct lh_key_driver {
    const char *name;
    unsigned traits;

    /* Makes a tenant KEK; must not exist and never have existed. Errors: EXISTS, KEY_DOWN,
     * UNSAFE_FILE, NO_SPACE, CRYPTO, NO_MEMORY. */
    lh_status (*create_tenant)(void *self, struct lh_crypto *crypto,
                               const struct lh_tenant_uid *uid);
    /* Destroys a tenant KEK for good, and remembers that it was on purpose. OK also if it is gone
     * already. Errors: KEY_DOWN, UNSAFE_FILE, NO_SPACE. */
    lh_status (*destroy_tenant)(void *self, const struct lh_tenant_uid *uid);
    /* Wraps a key. Errors: KEY_DOWN, ABSENT (tenant KEK destroyed), UNSAFE_FILE, CRYPTO,
     * NO_MEMORY. */
    lh_status (*wrap)(void *self, struct lh_crypto *crypto, const struct lh_wrap_scope *scope,
                      const struct lh_key *key, struct lh_buf *out_blob);
    /* Unwraps. TAMPERED speaks of the blob alone: a manager whose own keys are missing or broken
     * is KEY_DOWN, so that a damaged keyring makes sessions unknown and never invalid.
     * Errors: TAMPERED, FUTURE_FORMAT (a newer version wrapped it), KEY_DOWN, ABSENT (tenant KEK
     * destroyed on purpose), UNSAFE_FILE, CRYPTO, NO_MEMORY. */
    lh_status (*unwrap)(void *self, struct lh_crypto *crypto, const struct lh_wrap_scope *scope,
                        lh_slice blob, struct lh_key *out_key);
    /* Closes; self is gone afterwards. */
    void (*close)(void *self);
};

#endif
