/*
 * The sealed cookie's bytes: header, seal, MAC.
 */
#include "session/sealed_cookie.h"

#include "base/bug.h"

#include "base/banned.h"

#define FLAG_USER 0x01U
#define MS_PER_S  1000U
/* Of bucket and lease id: behind version, key id and flags. */
#define BUCKET_AT 3U
#define LEASE_AT  5U
/* header ‖ uid. */
#define AAD_BYTES ((size_t)(LH_SEALED_COOKIE_HEADER_BYTES + LH_TENANT_UID_BYTES))
/* With a principal of no bytes, which there is not: even an anonymous one says so. */
#define LEAST_BYTES                                                                                \
    ((size_t)(LH_SEALED_COOKIE_HEADER_BYTES + LH_SEALED_OVERHEAD_BYTES +                           \
              LH_SEALED_COOKIE_MAC_BYTES))

/* --- Reading ---------------------------------------------------------------------------------- */

lh_status lh_sealed_cookie_parse(lh_slice cookie_value, uint8_t *room,
                                 struct lh_raw_sealed_cookie *out_raw)
{
    LH_ENSURE(cookie_value.len <= LH_SEALED_COOKIE_TEXT_MAX_BYTES, LH_TOO_LARGE);
    size_t len = 0;
    LH_ENSURE(lh_is_ok(lh_base64url_decode(cookie_value, room,
                                           lh_sealed_cookie_room_bytes(cookie_value.len), &len)),
              LH_MALFORMED);
    LH_ENSURE(len > LEAST_BYTES && room[0] == LH_SEALED_COOKIE_VERSION, LH_MALFORMED);
    size_t authentic_len = len - LH_SEALED_COOKIE_MAC_BYTES;
    *out_raw = (struct lh_raw_sealed_cookie){
        .authentic = lh_slice_of(room, authentic_len),
        .mac = lh_slice_of(room + authentic_len, LH_SEALED_COOKIE_MAC_BYTES),
        .key_id = room[1],
        .bucket = (uint16_t)((unsigned)room[BUCKET_AT] << 8 | room[BUCKET_AT + 1]),
    };
    memcpy(out_raw->lease.bytes, room + LEASE_AT, sizeof(out_raw->lease.bytes));
    return lh_ok();
}

static lh_status read_numbers(struct lh_cursor *cursor, struct lh_sealed_cookie *cookie)
{
    struct lh_session_header *header = &cookie->header;
    LH_TRY(lh_cursor_u64(cursor, &header->generation));
    LH_TRY(lh_cursor_u32(cursor, &header->dek_id));
    LH_TRY(lh_cursor_u64(cursor, &header->created_ms));
    LH_TRY(lh_cursor_u64(cursor, &header->absolute_end_ms));
    LH_TRY(lh_cursor_u64(cursor, &cookie->issued_ms));
    LH_TRY(lh_cursor_u32(cursor, &header->idle_s));
    LH_TRY(lh_cursor_u64(cursor, &header->platform_epoch));
    LH_TRY(lh_cursor_u64(cursor, &header->tenant_epoch));
    return lh_cursor_u64(cursor, &header->user_epoch);
}

/* Reads what stands before the seal; the cursor is then at the seal. Errors: MALFORMED. */
static lh_status read_header(struct lh_cursor *cursor, struct lh_sealed_cookie *cookie)
{
    struct lh_session_header *header = &cookie->header;
    uint8_t version;
    uint8_t key_id;
    uint8_t flags;
    LH_TRY(lh_cursor_u8(cursor, &version));
    LH_TRY(lh_cursor_u8(cursor, &key_id));
    LH_TRY(lh_cursor_u8(cursor, &flags));
    LH_ENSURE(version == LH_SEALED_COOKIE_VERSION && (flags & ~FLAG_USER) == 0, LH_MALFORMED);
    header->has_user = (flags & FLAG_USER) != 0;
    LH_TRY(lh_cursor_u16(cursor, &header->bucket));
    LH_TRY(lh_cursor_copy(cursor, header->lease.bytes, sizeof(header->lease.bytes)));
    LH_TRY(read_numbers(cursor, cookie));
    return lh_cursor_copy(cursor, header->user_tag.bytes, sizeof(header->user_tag.bytes));
}

static bool is_sane(const struct lh_session_header *header, uint64_t issued_ms)
{
    return lh_session_header_is_sane(header) && !header->has_state &&
           issued_ms >= header->created_ms && issued_ms < header->absolute_end_ms;
}

lh_status lh_sealed_cookie_verify(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                                  const struct lh_raw_sealed_cookie *raw,
                                  struct lh_sealed_cookie *out_cookie)
{
    struct lh_digest mac;
    lh_status status = lh_cell_mac(cell, uid, raw->key_id, raw->authentic, &mac);
    LH_ENSURE(status.code != LH_ABSENT, LH_BAD_MAC);
    LH_TRY(status);
    LH_ENSURE(lh_secret_is_equal(mac.bytes, raw->mac.ptr, LH_SEALED_COOKIE_MAC_BYTES), LH_BAD_MAC);

    struct lh_cursor cursor = lh_cursor_over(raw->authentic);
    struct lh_sealed_cookie cookie = {.header = {.format = 0, .uid = *uid}};
    LH_ENSURE(lh_is_ok(read_header(&cursor, &cookie)), LH_TAMPERED);
    LH_ENSURE(is_sane(&cookie.header, cookie.issued_ms), LH_TAMPERED);
    cookie.header_bytes = lh_slice_cut(raw->authentic, 0, LH_SEALED_COOKIE_HEADER_BYTES);
    cookie.sealed = cursor.rest;
    *out_cookie = cookie;
    return lh_ok();
}

lh_status lh_sealed_cookie_judge(const struct lh_sealed_cookie *cookie,
                                 const struct lh_session_facts *facts, uint64_t now_ms)
{
    /* Its last use is unknown; that it was issued is the last that is known of it. */
    LH_ENSURE(!lh_session_is_over(&cookie->header, cookie->issued_ms, now_ms), LH_EXPIRED);
    lh_status status = lh_session_judge(&cookie->header, facts);
    /* An older record was put back by somebody; an older cookie was only kept. */
    LH_ENSURE(status.code != LH_TAMPERED, LH_REVOKED);
    return status;
}

uint64_t lh_sealed_cookie_end_ms(const struct lh_sealed_cookie *cookie)
{
    uint64_t absolute_end_ms = cookie->header.absolute_end_ms;
    uint64_t idle_end_ms = cookie->issued_ms + (uint64_t)cookie->header.idle_s * MS_PER_S;
    return cookie->header.idle_s > 0 && idle_end_ms < absolute_end_ms ? idle_end_ms
                                                                      : absolute_end_ms;
}

/* --- The seal --------------------------------------------------------------------------------- */

/* The uid is in no cookie: whoever opens it says for whom. */
static void make_aad(lh_slice header_bytes, const struct lh_tenant_uid *uid,
                     uint8_t out_aad[AAD_BYTES])
{
    LH_BUG_IF(header_bytes.len != LH_SEALED_COOKIE_HEADER_BYTES);
    memcpy(out_aad, header_bytes.ptr, LH_SEALED_COOKIE_HEADER_BYTES);
    memcpy(out_aad + LH_SEALED_COOKIE_HEADER_BYTES, uid->bytes, LH_TENANT_UID_BYTES);
}

lh_status lh_sealed_cookie_open(struct lh_crypto *crypto, const struct lh_datakey *key,
                                const struct lh_sealed_cookie *cookie, struct lh_buf *plain,
                                struct lh_principal *out_principal)
{
    uint8_t aad[AAD_BYTES];
    make_aad(cookie->header_bytes, &cookie->header.uid, aad);
    lh_buf_clear(plain);
    LH_TRY(lh_sealing_key_open(crypto, &key->cookie, LH_SLICE_OF(aad), cookie->sealed, plain));
    LH_TRY(
        lh_principal_read_within(lh_buf_view(plain), LH_SEALED_PRINCIPAL_MAX_BYTES, out_principal));
    bool has_subject = out_principal->subject.len > 0;
    LH_ENSURE(has_subject == cookie->header.has_user, LH_TAMPERED);
    return lh_ok();
}

/* --- Writing ---------------------------------------------------------------------------------- */

static lh_status write_numbers(const struct lh_session_header *header, uint64_t issued_ms,
                               struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u64(out, header->generation));
    LH_TRY(lh_buf_add_u32(out, header->dek_id));
    LH_TRY(lh_buf_add_u64(out, header->created_ms));
    LH_TRY(lh_buf_add_u64(out, header->absolute_end_ms));
    LH_TRY(lh_buf_add_u64(out, issued_ms));
    LH_TRY(lh_buf_add_u32(out, header->idle_s));
    LH_TRY(lh_buf_add_u64(out, header->platform_epoch));
    LH_TRY(lh_buf_add_u64(out, header->tenant_epoch));
    return lh_buf_add_u64(out, header->user_epoch);
}

static lh_status write_header(const struct lh_session_header *header, uint8_t key_id,
                              uint64_t issued_ms, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, LH_SEALED_COOKIE_VERSION));
    LH_TRY(lh_buf_add_u8(out, key_id));
    LH_TRY(lh_buf_add_u8(out, header->has_user ? FLAG_USER : 0));
    LH_TRY(lh_buf_add_u16(out, header->bucket));
    LH_TRY(lh_buf_add(out, lh_lease_id_view(&header->lease)));
    LH_TRY(write_numbers(header, issued_ms, out));
    return lh_buf_add(out, LH_SLICE_OF(header->user_tag.bytes));
}

static lh_status seal_principal(struct lh_crypto *crypto, const struct lh_datakey *key,
                                const struct lh_sealed_cookie_spec *spec, struct lh_buf *bytes)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = lh_buf_bounded(LH_SEALED_PRINCIPAL_MAX_BYTES);
    LH_TRY(lh_principal_write_within(spec->principal, LH_SEALED_PRINCIPAL_MAX_BYTES, &plain));
    uint8_t aad[AAD_BYTES];
    make_aad(lh_buf_view(bytes), &spec->header->uid, aad);
    return lh_sealing_key_seal(crypto, &key->cookie, LH_SLICE_OF(aad), lh_buf_view(&plain), bytes);
}

lh_status lh_sealed_cookie_write(struct lh_crypto *crypto, struct lh_cell *cell,
                                 const struct lh_datakey *key,
                                 const struct lh_sealed_cookie_spec *spec, struct lh_buf *out_text)
{
    const struct lh_session_header *header = spec->header;
    bool has_subject = spec->principal->subject.len > 0;
    LH_ENSURE(header->format == 0 && is_sane(header, spec->issued_ms) &&
                  header->has_user == has_subject && header->dek_id == key->dek_id,
              LH_INVALID);
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = lh_buf_bounded(LH_SEALED_COOKIE_MAX_BYTES);
    uint8_t key_id = lh_cell_key_id(cell);
    LH_TRY(write_header(header, key_id, spec->issued_ms, &bytes));
    LH_TRY(seal_principal(crypto, key, spec, &bytes));
    struct lh_digest mac;
    LH_TRY(lh_cell_mac(cell, &header->uid, key_id, lh_buf_view(&bytes), &mac));
    LH_TRY(lh_buf_add(&bytes, lh_slice_of(mac.bytes, LH_SEALED_COOKIE_MAC_BYTES)));
    return lh_base64url_add(out_text, lh_buf_view(&bytes));
}
