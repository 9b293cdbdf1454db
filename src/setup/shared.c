/*
 * Memory that the processes of a host share, before any of them has a home.
 */
#include <leasehold/setup.h>

#include "crypto/crypto.h"
#include "gate/limits.h"
#include "registry/change_counter.h"
#include "token/nonce_table.h"

#include "base/banned.h"

_Static_assert(LH_SHARED_LEAST_BYTES == LH_LIMITS_LEAST_BYTES, "limits are all that is in it");

_Static_assert(LH_NONCES_LEAST_BYTES == LH_NONCE_TABLE_LEAST_BYTES, "a table is all that is in it");

lh_status lh_shared_prepare(void *memory, size_t len)
{
    struct lh_crypto *crypto;
    LH_TRY(lh_crypto_new(&crypto));
    lh_status status = lh_limits_format(memory, len, LH_COUNTER_SLOTS, crypto);
    lh_crypto_free(crypto);
    return status;
}

void lh_nonces_retire(void *memory)
{
    lh_nonce_table_retire(memory);
}
