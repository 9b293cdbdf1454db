/*
 * The cookie's value, the session reference and the cookies' names.
 */
#include "session/session_handle.h"

#include "codec/hex.h"

#include "base/banned.h"

/* What the MAC covers: all that stands before it. */
#define AUTHENTIC_BYTES ((size_t)(LH_HANDLE_BYTES - LH_HANDLE_MAC_BYTES))
/* Hex digits of the uid in a suffixed cookie name. */
#define NAME_SUFFIX_BYTES ((size_t)8)

void lh_handle_fini(struct lh_handle *handle)
{
    if (handle != NULL) {
        lh_wipe(handle, sizeof(*handle));
    }
}

void lh_raw_handle_fini(struct lh_raw_handle *raw)
{
    if (raw != NULL) {
        lh_wipe(raw, sizeof(*raw));
    }
}

/* Reads the fields out of raw->bytes. Errors: MALFORMED. */
static lh_status split_bytes(struct lh_raw_handle *raw)
{
    struct lh_cursor cursor = lh_cursor_over(LH_SLICE_OF(raw->bytes));
    uint8_t version;
    lh_slice mac;
    LH_TRY(lh_cursor_u8(&cursor, &version));
    LH_ENSURE(version == LH_HANDLE_VERSION, LH_MALFORMED);
    LH_TRY(lh_cursor_u8(&cursor, &raw->key_id));
    LH_TRY(lh_cursor_u16(&cursor, &raw->bucket));
    LH_ENSURE(raw->bucket < LH_STORE_BUCKETS_MAX, LH_MALFORMED);
    LH_TRY(lh_cursor_copy(&cursor, raw->lease.bytes, sizeof(raw->lease.bytes)));
    LH_TRY(lh_cursor_copy(&cursor, raw->secret, sizeof(raw->secret)));
    LH_TRY(lh_cursor_view(&cursor, LH_HANDLE_MAC_BYTES, &mac));
    return lh_cursor_finish(&cursor);
}

lh_status lh_handle_parse(lh_slice cookie_value, struct lh_raw_handle *out_raw)
{
    LH_ENSURE(cookie_value.len == LH_HANDLE_TEXT_BYTES, LH_MALFORMED);
    LH_CLEANUP(lh_raw_handle_fini) struct lh_raw_handle raw;
    size_t len;
    lh_status decoded = lh_base64url_decode(cookie_value, raw.bytes, sizeof(raw.bytes), &len);
    LH_ENSURE(lh_is_ok(decoded) && len == sizeof(raw.bytes), LH_MALFORMED);
    LH_TRY(split_bytes(&raw));
    *out_raw = raw;
    return lh_ok();
}

lh_status lh_handle_verify(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                           const struct lh_raw_handle *raw, struct lh_handle *out_handle)
{
    struct lh_digest mac;
    lh_status status =
        lh_cell_mac(cell, uid, raw->key_id, lh_slice_of(raw->bytes, AUTHENTIC_BYTES), &mac);
    LH_ENSURE(status.code != LH_ABSENT, LH_BAD_MAC);
    LH_TRY(status);
    LH_ENSURE(lh_secret_is_equal(mac.bytes, raw->bytes + AUTHENTIC_BYTES, LH_HANDLE_MAC_BYTES),
              LH_BAD_MAC);
    out_handle->uid = *uid;
    out_handle->bucket = raw->bucket;
    out_handle->lease = raw->lease;
    memcpy(out_handle->secret, raw->secret, sizeof(out_handle->secret));
    return lh_ok();
}

/* Everything but the MAC. */
static void write_authentic(const struct lh_handle *handle, uint8_t key_id,
                            uint8_t out_bytes[AUTHENTIC_BYTES])
{
    out_bytes[0] = LH_HANDLE_VERSION;
    out_bytes[1] = key_id;
    out_bytes[2] = (uint8_t)(handle->bucket >> 8);
    out_bytes[3] = (uint8_t)handle->bucket;
    memcpy(out_bytes + 4, handle->lease.bytes, sizeof(handle->lease.bytes));
    memcpy(out_bytes + 4 + sizeof(handle->lease.bytes), handle->secret, sizeof(handle->secret));
}

lh_status lh_handle_write(struct lh_cell *cell, const struct lh_handle *handle,
                          char out_text[LH_HANDLE_TEXT_BYTES])
{
    LH_CLEANUP(lh_raw_handle_fini) struct lh_raw_handle raw;
    uint8_t key_id = lh_cell_key_id(cell);
    write_authentic(handle, key_id, raw.bytes);
    struct lh_digest mac;
    LH_TRY(lh_cell_mac(cell, &handle->uid, key_id, lh_slice_of(raw.bytes, AUTHENTIC_BYTES), &mac));
    memcpy(raw.bytes + AUTHENTIC_BYTES, mac.bytes, LH_HANDLE_MAC_BYTES);
    lh_base64url_write(LH_SLICE_OF(raw.bytes), out_text);
    return lh_ok();
}

/* --- References ------------------------------------------------------------------------------- */

/* Writes a decimal number. returns: how many digits. Written for every request that passes. */
static size_t write_decimal(uint16_t value, char *out_text)
{
    size_t len = 1;
    for (uint16_t rest = value; rest >= 10; rest /= 10) {
        len++;
    }
    for (size_t i = len; i > 0; i--) {
        out_text[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return len;
}

void lh_session_ref_write(uint16_t bucket, const struct lh_lease_id *lease,
                          struct lh_session_ref *out_ref)
{
    size_t len = write_decimal(bucket, out_ref->text);
    out_ref->text[len++] = '.';
    lh_base32_write(lh_lease_id_view(lease), out_ref->text + len);
    out_ref->len = (uint8_t)(len + LH_BASE32_TEXT_LEN(LH_LEASE_ID_BYTES));
}

lh_status lh_session_ref_parse(lh_slice text, uint16_t *out_bucket, struct lh_lease_id *out_lease)
{
    size_t dot = lh_slice_find(text, '.');
    LH_ENSURE(dot < text.len, LH_MALFORMED);
    uint64_t bucket;
    LH_ENSURE(
        lh_is_ok(lh_slice_parse_u64(lh_slice_cut(text, 0, dot), LH_STORE_BUCKETS_MAX - 1, &bucket)),
        LH_MALFORMED);
    lh_slice name = lh_slice_cut(text, dot + 1, text.len);
    struct lh_lease_id lease;
    size_t len;
    LH_ENSURE(lh_is_ok(lh_base32_decode(name, lease.bytes, sizeof(lease.bytes), &len)),
              LH_MALFORMED);
    LH_ENSURE(len == sizeof(lease.bytes), LH_MALFORMED);
    *out_bucket = (uint16_t)bucket;
    *out_lease = lease;
    return lh_ok();
}

/* --- Names ------------------------------------------------------------------------------------ */

void lh_cookie_suffixed_name(const struct lh_tenant_uid *uid,
                             char out_name[LH_COOKIE_SUFFIXED_NAME_BYTES])
{
    const size_t stem = sizeof(LH_COOKIE_NAME) - 1;
    memcpy(out_name, LH_COOKIE_NAME "-", stem + 1);
    lh_hex_write(lh_slice_of(uid->bytes, NAME_SUFFIX_BYTES / 2), out_name + stem + 1);
}

bool lh_cookie_is_ours(lh_slice name)
{
    return lh_slice_is_equal(name, LH_SLICE_LITERAL(LH_COOKIE_NAME)) ||
           lh_slice_has_prefix(name, LH_SLICE_LITERAL(LH_COOKIE_NAME "-"));
}
