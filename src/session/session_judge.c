/*
 * The rules by which a session lives or is over. Pure: clocks and the registry's facts come in as
 * values, so that the vault and the worker's cache judge alike.
 */
#include "session/session_vault.h"

#include "base/banned.h"

#define MS_PER_S 1000U

bool lh_session_is_over(const struct lh_session_header *header, uint64_t last_touch_ms,
                        uint64_t now_ms)
{
    if (now_ms >= header->absolute_end_ms) {
        return true;
    }
    /* The last touch lies outside the seal: one before the session's birth counts as its birth. */
    uint64_t used_ms = last_touch_ms > header->created_ms ? last_touch_ms : header->created_ms;
    return header->idle_s > 0 && now_ms > used_ms &&
           now_ms - used_ms >= (uint64_t)header->idle_s * MS_PER_S;
}

lh_status lh_session_judge(const struct lh_session_header *header,
                           const struct lh_session_facts *facts)
{
    LH_ENSURE(!facts->is_revoked, LH_REVOKED);
    LH_ENSURE(header->platform_epoch >= facts->platform_epoch, LH_REVOKED);
    LH_ENSURE(header->tenant_epoch >= facts->tenant_epoch, LH_REVOKED);
    LH_ENSURE(!header->has_user || header->user_epoch >= facts->user_epoch, LH_REVOKED);
    LH_ENSURE(header->generation >= facts->least_generation, LH_TAMPERED);
    return lh_ok();
}
