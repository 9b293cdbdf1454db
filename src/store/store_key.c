/*
 * Keys: fields of fixed size, one after the other. Injective because every kind has one length
 * and every field one place.
 */
#include "store/store_key.h"

#include "store/wire.h"

#include "base/bug.h"

#include "base/banned.h"

static uint8_t *put_bytes(uint8_t *out, lh_slice bytes)
{
    memcpy(out, bytes.ptr, bytes.len);
    return out + bytes.len;
}

/* What all kinds of keys of one bucket begin with, so that a bucket lies together. */
static uint8_t *put_bucket(uint8_t *out, const struct lh_session_key *key)
{
    LH_BUG_IF(key->bucket >= LH_STORE_BUCKETS_MAX);
    return lh_wire_put_u32(put_bytes(out, lh_tenant_uid_view(&key->uid)), key->bucket);
}

void lh_store_key_session(const struct lh_session_key *key, uint8_t out_bytes[LH_SESSION_KEY_BYTES])
{
    (void)put_bytes(put_bucket(out_bytes, key), lh_lease_id_view(&key->lease));
}

void lh_store_key_user(const struct lh_session_key *key, const struct lh_user_tag *tag,
                       uint8_t out_bytes[LH_USER_INDEX_KEY_BYTES])
{
    uint8_t *at = put_bytes(put_bucket(out_bytes, key), LH_SLICE_OF(tag->bytes));
    (void)put_bytes(at, lh_lease_id_view(&key->lease));
}

void lh_store_key_expiry(uint64_t end_ms, const struct lh_session_key *key,
                         uint8_t out_bytes[LH_EXPIRY_INDEX_KEY_BYTES])
{
    lh_store_key_session(key, lh_wire_put_u64(out_bytes, end_ms));
}

void lh_store_key_bucket(const struct lh_session_key *key, uint8_t out_bytes[LH_BUCKET_KEY_BYTES])
{
    (void)put_bucket(out_bytes, key);
}

void lh_store_key_use(const struct lh_session_key *key, bool has_user, uint64_t used_ms,
                      uint8_t out_bytes[LH_USE_INDEX_KEY_BYTES])
{
    uint8_t *at = put_bucket(out_bytes, key);
    *at++ = has_user ? 1 : 0;
    (void)put_bytes(lh_wire_put_u64(at, used_ms), lh_lease_id_view(&key->lease));
}

static lh_status read_bucket(struct lh_cursor *cursor, struct lh_session_key *out_key)
{
    LH_TRY(lh_cursor_copy(cursor, out_key->uid.bytes, sizeof(out_key->uid.bytes)));
    LH_TRY(lh_cursor_u32(cursor, &out_key->bucket));
    LH_ENSURE(out_key->bucket < LH_STORE_BUCKETS_MAX, LH_MALFORMED);
    return lh_ok();
}

static lh_status read_session(struct lh_cursor *cursor, struct lh_session_key *out_key)
{
    LH_TRY(read_bucket(cursor, out_key));
    LH_TRY(lh_cursor_copy(cursor, out_key->lease.bytes, sizeof(out_key->lease.bytes)));
    return lh_cursor_finish(cursor);
}

lh_status lh_store_key_parse_session(lh_slice bytes, struct lh_session_key *out_key)
{
    struct lh_cursor cursor = lh_cursor_over(bytes);
    struct lh_session_key key;
    LH_TRY(read_session(&cursor, &key));
    *out_key = key;
    return lh_ok();
}

lh_status lh_store_key_parse_user(lh_slice bytes, struct lh_session_key *out_key,
                                  struct lh_user_tag *out_tag)
{
    struct lh_cursor cursor = lh_cursor_over(bytes);
    struct lh_session_key key;
    struct lh_user_tag tag;
    LH_TRY(read_bucket(&cursor, &key));
    LH_TRY(lh_cursor_copy(&cursor, tag.bytes, sizeof(tag.bytes)));
    LH_TRY(lh_cursor_copy(&cursor, key.lease.bytes, sizeof(key.lease.bytes)));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_key = key;
    *out_tag = tag;
    return lh_ok();
}

lh_status lh_store_key_parse_expiry(lh_slice bytes, uint64_t *out_end_ms,
                                    struct lh_session_key *out_key)
{
    struct lh_cursor cursor = lh_cursor_over(bytes);
    struct lh_session_key key;
    uint64_t end_ms;
    LH_TRY(lh_cursor_u64(&cursor, &end_ms));
    LH_TRY(read_session(&cursor, &key));
    *out_end_ms = end_ms;
    *out_key = key;
    return lh_ok();
}

lh_status lh_store_key_parse_use(lh_slice bytes, struct lh_session_key *out_key, bool *out_has_user,
                                 uint64_t *out_used_ms)
{
    struct lh_cursor cursor = lh_cursor_over(bytes);
    struct lh_session_key key;
    uint8_t has_user;
    uint64_t used_ms;
    LH_TRY(read_bucket(&cursor, &key));
    LH_TRY(lh_cursor_u8(&cursor, &has_user));
    LH_ENSURE(has_user <= 1, LH_MALFORMED);
    LH_TRY(lh_cursor_u64(&cursor, &used_ms));
    LH_TRY(lh_cursor_copy(&cursor, key.lease.bytes, sizeof(key.lease.bytes)));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_key = key;
    *out_has_user = has_user == 1;
    *out_used_ms = used_ms;
    return lh_ok();
}

static int compare_bytes(lh_slice a, lh_slice b)
{
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] != b.ptr[i]) {
            return a.ptr[i] < b.ptr[i] ? -1 : 1;
        }
    }
    return 0;
}

int lh_session_key_compare(const struct lh_session_key *a, const struct lh_session_key *b)
{
    int order = compare_bytes(lh_tenant_uid_view(&a->uid), lh_tenant_uid_view(&b->uid));
    if (order == 0 && a->bucket != b->bucket) {
        order = a->bucket < b->bucket ? -1 : 1;
    }
    return order != 0 ? order
                      : compare_bytes(lh_lease_id_view(&a->lease), lh_lease_id_view(&b->lease));
}

bool lh_session_key_is_equal(const struct lh_session_key *a, const struct lh_session_key *b)
{
    return lh_session_key_compare(a, b) == 0;
}
