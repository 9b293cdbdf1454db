/*
 * Random bytes. A call to OpenSSL's generator costs as much for 16 bytes as for thousands, so
 * they are fetched a page at a time. The page must never be served twice: what was handed out is
 * wiped, and a forked child finds zeros (MADV_WIPEONFORK), which read as "nothing left".
 */
#include "crypto/engine.h"

#include <openssl/rand.h>
#include <sys/mman.h>

#include "base/banned.h"

#define BATCH_BYTES ((size_t)4096)
/* Larger requests go past the batch, which would be emptied by a few of them. */
#define BATCH_REQUEST_MAX_BYTES ((size_t)512)

struct lh_random_batch {
    size_t left; /* unused bytes, at the front of bytes; 0 in a forked child */
    uint8_t bytes[BATCH_BYTES - sizeof(size_t)];
};

lh_status lh_random_batch_new(struct lh_random_batch **out_batch)
{
    void *page = mmap(NULL, sizeof(struct lh_random_batch), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    LH_ENSURE(page != MAP_FAILED, LH_NO_MEMORY);
    if (madvise(page, sizeof(struct lh_random_batch), MADV_WIPEONFORK) != 0) {
        (void)munmap(page, sizeof(struct lh_random_batch));
        *out_batch = NULL; /* such a kernel pays for each request instead */
        return lh_ok();
    }
    (void)madvise(page, sizeof(struct lh_random_batch), MADV_DONTDUMP);
    (void)mlock(page, sizeof(struct lh_random_batch));
    *out_batch = page;
    return lh_ok();
}

void lh_random_batch_free(struct lh_random_batch *batch)
{
    if (batch != NULL) {
        lh_wipe(batch, sizeof(*batch));
        (void)munmap(batch, sizeof(*batch));
    }
}

static lh_status generate(void *out_bytes, size_t len)
{
    return lh_crypto_result(RAND_priv_bytes(out_bytes, (int)len));
}

static lh_status take_from_batch(struct lh_random_batch *batch, void *out_bytes, size_t len)
{
    if (batch->left < len) {
        batch->left = 0;
        LH_TRY(generate(batch->bytes, sizeof(batch->bytes)));
        batch->left = sizeof(batch->bytes);
    }
    batch->left -= len;
    memcpy(out_bytes, batch->bytes + batch->left, len);
    lh_wipe(batch->bytes + batch->left, len);
    return lh_ok();
}

lh_status lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len)
{
    memset(out_bytes, 0, len);
    LH_ENSURE(len <= LH_RANDOM_MAX_BYTES, LH_INVALID);
    bool is_batched = crypto->batch != NULL && len <= BATCH_REQUEST_MAX_BYTES;
    lh_status status =
        is_batched ? take_from_batch(crypto->batch, out_bytes, len) : generate(out_bytes, len);
    if (!lh_is_ok(status)) {
        memset(out_bytes, 0, len);
    }
    return status;
}
