/*
 * Which of a tenant's signing keys does what, now.
 */
#include "tenant/signing_key.h"

#include "base/banned.h"

enum lh_signing_state lh_signing_key_state(const struct lh_wrapped_signing_key *keys, size_t count,
                                           size_t index, uint64_t now_ms)
{
    const struct lh_wrapped_signing_key *key = &keys[index];
    if (key->until_ms != 0 && now_ms >= key->until_ms) {
        return LH_SIGNING_OVER;
    }
    if (now_ms < key->from_ms) {
        return LH_SIGNING_PENDING;
    }
    bool has_stepped_down = index + 1 < count && now_ms >= keys[index + 1].from_ms;
    return has_stepped_down ? LH_SIGNING_VERIFY_ONLY : LH_SIGNING_ACTIVE;
}

const struct lh_wrapped_signing_key *
lh_signing_keys_signer(const struct lh_wrapped_signing_key *keys, size_t count, uint64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (lh_signing_key_state(keys, count, i, now_ms) == LH_SIGNING_ACTIVE) {
            return &keys[i];
        }
    }
    return NULL;
}
