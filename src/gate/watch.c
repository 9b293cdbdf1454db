/*
 * Long-lived requests: a session that passed once is looked at again as long as its connection
 * lives. Nothing is read but two counters until one of them moves.
 */
#include "gate/call.h"

#include "base/banned.h"

/* What is over has no key to open: revocation, epochs and the tombstone are all there is to ask. */
static lh_status judge(struct lh_gate *gate, const struct lh_tenant *tenant,
                       const struct lh_session_header *header)
{
    struct lh_session_facts facts;
    LH_TRY(lh_gate_read_facts(gate, tenant, header, &facts));
    return lh_session_judge(header, &facts);
}

static lh_status inspect(struct lh_gate *gate, const struct lh_gate_watch *watch,
                         struct lh_loaded_session *out_loaded)
{
    struct lh_session_key key = {.bucket = watch->bucket};
    memcpy(key.uid.bytes, watch->uid, sizeof(key.uid.bytes));
    memcpy(key.lease.bytes, watch->lease, sizeof(key.lease.bytes));
    struct lh_op op = lh_op_idle(0, NULL);
    lh_status status = lh_vault_inspect(gate->parts.vault, &op, &key, out_loaded);
    lh_op_cancel(&op);
    return status.code == LH_PENDING ? lh_status_of(LH_TIMEOUT) : status;
}

/*
 * A token under keys that stand, of before no logout. Where it goes with a session, it is that one
 * which a logout ends, unless the token is the tenant's own and has its epochs.
 */
static lh_status judge_token(struct lh_gate *gate, const struct lh_tenant *tenant,
                             const struct lh_gate_watch *watch)
{
    LH_ENSURE(tenant->issuer_count > 0 && tenant->issuers[0].generation == watch->generation,
              LH_REVOKED);
    if (watch->has_session && !watch->is_own_token) {
        return lh_ok();
    }
    const struct lh_verified_token token = {
        .is_own = watch->is_own_token,
        .epochs = {watch->epochs[0], watch->epochs[1], watch->epochs[2]},
        .issued_ms = watch->issued_ms,
        .skew_ms = watch->skew_ms,
    };
    struct lh_token_epochs present;
    LH_TRY(lh_gate_read_token_epochs(gate, tenant, watch->subject, &present));
    LH_ENSURE(!lh_token_is_logged_out(&token, &present), LH_REVOKED);
    return lh_ok();
}

/* The very key that has signed. One of its id that was made later is another. */
static lh_status judge_key(const struct lh_tenant *tenant, const struct lh_gate_watch *watch,
                           uint64_t now_ms)
{
    const struct lh_signature_key *key = lh_signature_keys_find(
        tenant->signature_keys, tenant->signature_key_count, watch->key_id, now_ms);
    LH_ENSURE(key != NULL && key->created_ms == watch->generation, LH_REVOKED);
    return lh_ok();
}

/* There is nothing to load: the registry alone can end it before its time. */
static lh_status judge_sealed(struct lh_gate *gate, const struct lh_tenant *tenant,
                              const struct lh_gate_watch *watch)
{
    struct lh_session_header header = {.uid = tenant->uid,
                                       .has_user = watch->has_user,
                                       .generation = watch->session_generation,
                                       .platform_epoch = watch->session_epochs[0],
                                       .tenant_epoch = watch->session_epochs[1],
                                       .user_epoch = watch->session_epochs[2]};
    memcpy(header.lease.bytes, watch->lease, sizeof(header.lease.bytes));
    memcpy(header.user_tag.bytes, watch->session_user_tag, sizeof(header.user_tag.bytes));
    return judge(gate, tenant, &header);
}

static lh_status judge_session(struct lh_gate *gate, const struct lh_tenant *tenant,
                               const struct lh_gate_watch *watch)
{
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    LH_TRY(inspect(gate, watch, &loaded));
    struct lh_token_tag tag;
    memcpy(tag.bytes, watch->token_tag, sizeof(tag.bytes));
    LH_ENSURE(!watch->has_tag || lh_session_has_token(&loaded.header, &tag), LH_REVOKED);
    return judge(gate, tenant, &loaded.header);
}

static lh_status check_again(struct lh_gate *gate, const struct lh_gate_watch *watch,
                             uint64_t now_ms, uint64_t *out_counter)
{
    struct lh_tenant_uid uid;
    memcpy(uid.bytes, watch->uid, sizeof(uid.bytes));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_directory_find_uid(gate->parts.directory, &uid, now_ms, &tenant));
    LH_ENSURE(tenant->state == LH_TENANT_ACTIVE, LH_DISABLED);
    if (watch->has_key) {
        LH_TRY(judge_key(tenant, watch, now_ms));
    }
    if (watch->has_token) {
        LH_TRY(judge_token(gate, tenant, watch));
    }
    if (watch->has_session) {
        LH_TRY(watch->is_sealed ? judge_sealed(gate, tenant, watch)
                                : judge_session(gate, tenant, watch));
    }
    *out_counter = tenant->counter + tenant->platform_counter;
    return lh_ok();
}

lh_status lh_gate_watch_check(struct lh_gate *gate, struct lh_gate_watch *watch)
{
    LH_ENSURE(watch->is_set, LH_INVALID);
    const struct lh_counters *counters = lh_registry_counters(gate->parts.registry);
    uint64_t counter, platform_counter;
    LH_TRY(lh_counters_read(counters, watch->slot, &counter));
    LH_TRY(lh_counters_read(counters, LH_COUNTER_PLATFORM_SLOT, &platform_counter));
    uint64_t now_ms = lh_clock_now_ms(gate->parts.clock);
    LH_ENSURE(now_ms < watch->end_ms, LH_EXPIRED);
    if (counter + platform_counter == watch->counter) {
        return lh_ok();
    }
    return check_again(gate, watch, now_ms, &watch->counter);
}
