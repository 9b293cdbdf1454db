/*
 * Making a session: a new lease, a new secret, a record sealed under the tenant's active key.
 */
#include "base/bug.h"
#include "session/session_vault.h"
#include "session/vault_parts.h"

#include "base/banned.h"

#define MS_PER_S 1000U
/* Of a tenant's sessions one in so many may be anonymous. */
#define ANONYMOUS_SHARE 10U

/* The life that was asked for, never longer than the tier's (0: the tier's). */
static uint32_t life_of(uint32_t asked_s, uint32_t tier_s)
{
    bool is_shorter = asked_s > 0 && (tier_s == 0 || asked_s < tier_s);
    return is_shorter ? asked_s : tier_s;
}

static lh_status identify_user(struct lh_vault *vault, const struct lh_tenant *tenant,
                               const struct lh_session_spec *spec, struct lh_session_header *header)
{
    header->has_user = spec->principal.subject.len > 0;
    if (!header->has_user) {
        return lh_ok();
    }
    header->user_epoch = spec->user_epoch;
    return lh_user_tag_of(vault->parts.crypto, tenant, spec->principal.subject, &header->user_tag);
}

/* The bucket is that of the user, so that all his sessions lie together. */
static uint16_t choose_bucket(const struct lh_tenant *tenant,
                              const struct lh_session_header *header)
{
    lh_slice seed =
        header->has_user ? LH_SLICE_OF(header->user_tag.bytes) : lh_lease_id_view(&header->lease);
    uint32_t bucket_count = tenant->bucket_counts_len > 0 ? tenant->bucket_counts[0] : 1;
    uint32_t bucket = lh_tenant_bucket(tenant, seed, bucket_count);
    LH_BUG_IF(bucket >= LH_STORE_BUCKETS_MAX);
    return (uint16_t)bucket;
}

/*
 * What a session keeps of the one that it replaces: its epochs, so that who was logged out
 * meanwhile stays so; and its end, where the caller says so. Errors: EXPIRED.
 */
static lh_status inherit(const struct lh_session_spec *spec, struct lh_session_header *header)
{
    if (spec->replaces == NULL) {
        return lh_ok();
    }
    const struct lh_session_header *old = &spec->replaces->header;
    header->platform_epoch = old->platform_epoch;
    header->tenant_epoch = old->tenant_epoch;
    header->user_epoch = old->has_user && header->has_user ? old->user_epoch : header->user_epoch;
    if (spec->keeps_end && old->absolute_end_ms < header->absolute_end_ms) {
        LH_ENSURE(old->absolute_end_ms > header->created_ms, LH_EXPIRED);
        header->absolute_end_ms = old->absolute_end_ms;
    }
    return lh_ok();
}

lh_status lh_vault_make_header(struct lh_vault *vault, const struct lh_tenant *tenant,
                               const struct lh_session_spec *spec,
                               struct lh_session_header *out_header)
{
    uint64_t now_ms = lh_clock_now_ms(vault->parts.clock);
    struct lh_session_header header = (struct lh_session_header){
        .format = LH_RECORD_FORMAT,
        .has_state = spec->state.len > 0,
        .uid = tenant->uid,
        .generation = 1,
        .dek_id = tenant->active_dek,
        .created_ms = now_ms,
        .absolute_end_ms =
            now_ms + (uint64_t)life_of(spec->absolute_s, tenant->tier.absolute_s) * MS_PER_S,
        .idle_s = life_of(spec->idle_s, tenant->tier.idle_s),
        .platform_epoch = tenant->platform_epoch,
        .tenant_epoch = tenant->epoch,
    };
    LH_TRY(identify_user(vault, tenant, spec, &header));
    LH_TRY(inherit(spec, &header));
    LH_TRY(lh_random(vault->parts.crypto, header.lease.bytes, sizeof(header.lease.bytes)));
    header.bucket = choose_bucket(tenant, &header);
    *out_header = header;
    return lh_ok();
}

lh_status lh_vault_draw_secret(struct lh_vault *vault, struct lh_session_header *header,
                               struct lh_handle *handle)
{
    handle->uid = header->uid;
    handle->bucket = header->bucket;
    handle->lease = header->lease;
    LH_TRY(lh_random(vault->parts.crypto, handle->secret, sizeof(handle->secret)));
    return lh_sha256(vault->parts.crypto, LH_SLICE_OF(handle->secret), &header->secret_hash);
}

lh_status lh_vault_seal_record(struct lh_vault *vault, const struct lh_datakey *key,
                               const struct lh_session_header *header, lh_slice principal,
                               lh_slice state, struct lh_buf *out)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf fixed = lh_buf_bounded(LH_SESSION_HEADER_BYTES);
    LH_TRY(lh_session_header_write(header, &fixed));
    LH_TRY(lh_buf_add(out, lh_buf_view(&fixed)));
    return lh_envelope_seal(vault->parts.crypto, key, lh_buf_view(&fixed), principal, state, out);
}

/*
 * Users spread over buckets unevenly: each bucket takes a quarter more than its share, where there
 * is more than one. Anonymous sessions have a tenth.
 */
void lh_session_quota(const struct lh_tenant *tenant, struct lh_store_quota *out_quota)
{
    uint64_t most = tenant->tier.sessions_max;
    uint64_t buckets = tenant->bucket_counts_len > 0 ? tenant->bucket_counts[0] : 1;
    if (buckets > 1) {
        uint64_t share = most / buckets + (most % buckets > 0 ? 1 : 0);
        most = share + share / 4 + (share % 4 > 0 ? 1 : 0);
    }
    *out_quota = (struct lh_store_quota){
        .bucket_max = most,
        .anonymous_max = most / ANONYMOUS_SHARE + (most % ANONYMOUS_SHARE > 0 ? 1 : 0),
        .user_max = tenant->tier.sessions_per_user_max,
    };
}

struct lh_store_row lh_vault_row_of(const struct lh_session_header *header, uint64_t last_touch_ms,
                                    lh_slice record)
{
    return (struct lh_store_row){
        .kind = LH_PLACE_RECORD,
        .generation = header->generation,
        .absolute_end_ms = header->absolute_end_ms,
        .last_touch_ms = last_touch_ms,
        .idle_s = header->idle_s,
        .has_user = header->has_user,
        .user_tag = header->user_tag,
        .record = record,
    };
}

static lh_status store_record(struct lh_vault *vault, struct lh_op *op,
                              const struct lh_tenant *tenant,
                              const struct lh_loaded_session *replaces,
                              const struct lh_session_header *header, lh_slice record,
                              struct lh_store_evicted *out_evicted)
{
    struct lh_session_key key = {header->uid, header->bucket, header->lease};
    struct lh_store_row row = lh_vault_row_of(header, header->created_ms, record);
    struct lh_store_quota quota;
    lh_session_quota(tenant, &quota);
    struct lh_session_key old;
    struct lh_store_creation creation = {.key = &key, .row = &row, .quota = &quota};
    if (replaces != NULL) {
        old = (struct lh_session_key){replaces->header.uid, replaces->header.bucket,
                                      replaces->header.lease};
        creation.replaces = &old;
        creation.replaces_generation = replaces->header.generation;
    }
    lh_status status = lh_store_admit(vault->parts.store, op, &creation, out_evicted);
    /* A store that may answer later needs the half-made session kept by the caller. */
    LH_BUG_IF(status.code == LH_PENDING);
    return status;
}

lh_status lh_vault_check_writes(const struct lh_vault *vault)
{
    bool may_block = (lh_store_traits(vault->parts.store) & LH_STORE_BLOCKS) != 0;
    LH_ENSURE(vault->parts.queue == NULL || !may_block, LH_INVALID);
    return lh_ok();
}

/* Errors: INVALID, FORBIDDEN, TOO_LARGE, MALFORMED, KEY_DOWN, NO_MEMORY. */
static lh_status check_spec(const struct lh_vault *vault, const struct lh_tenant *tenant,
                            const struct lh_session_spec *spec, struct lh_buf *out_principal)
{
    LH_TRY(lh_vault_check_writes(vault));
    /* Who holds the previous secret alone may be a thief: he gets nothing new. */
    LH_ENSURE(spec->replaces == NULL || !spec->replaces->is_previous_secret, LH_FORBIDDEN);
    LH_ENSURE(spec->state.len <= tenant->tier.record_max_bytes, LH_TOO_LARGE);
    LH_ENSURE(tenant->active_dek != 0, LH_KEY_DOWN);
    return lh_principal_write(&spec->principal, out_principal);
}

lh_status lh_vault_create(struct lh_vault *vault, struct lh_op *op, const struct lh_tenant *tenant,
                          const struct lh_session_spec *spec, struct lh_handle *out_handle,
                          struct lh_session_header *out_header,
                          struct lh_store_evicted *out_evicted)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    LH_CLEANUP(lh_buf_fini) struct lh_buf principal = lh_buf_bounded(LH_PRINCIPAL_MAX_BYTES);
    LH_TRY(check_spec(vault, tenant, spec, &principal));
    const struct lh_datakey *key;
    LH_TRY(lh_datakey_cache_get(vault->parts.datakeys, op, tenant, tenant->active_dek, &key));

    struct lh_session_header header;
    LH_TRY(lh_vault_make_header(vault, tenant, spec, &header));
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    LH_TRY(lh_vault_draw_secret(vault, &header, &handle));
    LH_CLEANUP(lh_buf_fini) struct lh_buf record = lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES);
    LH_TRY(
        lh_vault_seal_record(vault, key, &header, lh_buf_view(&principal), spec->state, &record));
    LH_TRY(store_record(vault, op, tenant, spec->replaces, &header, lh_buf_view(&record),
                        out_evicted));
    *out_handle = handle;
    *out_header = header;
    return lh_ok();
}
