/*
 * The record's bytes: the fixed header, which is the AAD of all that is sealed, and the principal.
 * Fields of the header have fixed places; nothing in it is optional. Format 2 ends in the tag of a
 * token; format 1 is the same without.
 */
#include "session/session.h"

#include "base/bug.h"
#include "base/secret.h"

#include "base/banned.h"

#define FLAG_USER          0x01U
#define FLAG_STATE         0x02U
#define FLAGS_ALL          (FLAG_USER | FLAG_STATE)

#define MS_PER_S           1000U

#define FORMAT_WITHOUT_TAG 1U

/* --- Fixed header ----------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

static bool has_tag(const struct lh_session_header *header)
{
    return !is_zero(header->token_tag.bytes, sizeof(header->token_tag.bytes));
}

/* Both on the way in and on the way out. */
bool lh_session_header_is_sane(const struct lh_session_header *header)
{
    const uint64_t life_max_ms = (uint64_t)LH_TIER_ABSOLUTE_MAX_S * MS_PER_S;
    bool is_anonymous_clean =
        header->has_user || (is_zero(header->user_tag.bytes, sizeof(header->user_tag.bytes)) &&
                             header->user_epoch == 0 && !has_tag(header));
    bool has_no_stray_hash =
        header->grace_end_ms != 0 ||
        is_zero(header->previous_hash.bytes, sizeof(header->previous_hash.bytes));
    return header->bucket < LH_STORE_BUCKETS_MAX && header->generation > 0 && header->dek_id > 0 &&
           header->absolute_end_ms > header->created_ms &&
           header->absolute_end_ms - header->created_ms <= life_max_ms && is_anonymous_clean &&
           has_no_stray_hash;
}

static lh_status write_numbers(const struct lh_session_header *header, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u64(out, header->generation));
    LH_TRY(lh_buf_add_u32(out, header->dek_id));
    LH_TRY(lh_buf_add_u64(out, header->created_ms));
    LH_TRY(lh_buf_add_u64(out, header->absolute_end_ms));
    LH_TRY(lh_buf_add_u32(out, header->idle_s));
    LH_TRY(lh_buf_add_u64(out, header->platform_epoch));
    LH_TRY(lh_buf_add_u64(out, header->tenant_epoch));
    return lh_buf_add_u64(out, header->user_epoch);
}

static lh_status write_fields(const struct lh_session_header *header, struct lh_buf *out)
{
    uint8_t flags =
        (uint8_t)((header->has_user ? FLAG_USER : 0U) | (header->has_state ? FLAG_STATE : 0U));
    LH_TRY(lh_buf_add_u8(out, header->format));
    LH_TRY(lh_buf_add_u8(out, flags));
    LH_TRY(lh_buf_add(out, lh_tenant_uid_view(&header->uid)));
    LH_TRY(lh_buf_add_u16(out, header->bucket));
    LH_TRY(lh_buf_add(out, lh_lease_id_view(&header->lease)));
    LH_TRY(write_numbers(header, out));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(header->user_tag.bytes)));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(header->secret_hash.bytes)));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(header->previous_hash.bytes)));
    LH_TRY(lh_buf_add_u64(out, header->grace_end_ms));
    return header->format == FORMAT_WITHOUT_TAG
               ? lh_ok()
               : lh_buf_add(out, LH_SLICE_OF(header->token_tag.bytes));
}

static size_t size_of_format(uint8_t format)
{
    return format == FORMAT_WITHOUT_TAG ? LH_SESSION_HEADER_BYTES_FORMAT_1
                                        : LH_SESSION_HEADER_BYTES;
}

/* Every format up to the present one. */
static bool is_format(uint8_t format)
{
    return format >= FORMAT_WITHOUT_TAG && format <= LH_RECORD_FORMAT;
}

lh_status lh_session_header_write(const struct lh_session_header *header, struct lh_buf *out)
{
    LH_ENSURE(is_format(header->format) && lh_session_header_is_sane(header), LH_INVALID);
    LH_ENSURE(header->format != FORMAT_WITHOUT_TAG || !has_tag(header), LH_INVALID);
    LH_TRY(lh_buf_reserve(out, LH_SESSION_HEADER_BYTES));
    size_t before = out->len;
    LH_TRY(write_fields(header, out));
    LH_BUG_IF(out->len - before != size_of_format(header->format));
    return lh_ok();
}

static lh_status read_numbers(struct lh_cursor *cursor, struct lh_session_header *out_header)
{
    LH_TRY(lh_cursor_u64(cursor, &out_header->generation));
    LH_TRY(lh_cursor_u32(cursor, &out_header->dek_id));
    LH_TRY(lh_cursor_u64(cursor, &out_header->created_ms));
    LH_TRY(lh_cursor_u64(cursor, &out_header->absolute_end_ms));
    LH_TRY(lh_cursor_u32(cursor, &out_header->idle_s));
    LH_TRY(lh_cursor_u64(cursor, &out_header->platform_epoch));
    LH_TRY(lh_cursor_u64(cursor, &out_header->tenant_epoch));
    return lh_cursor_u64(cursor, &out_header->user_epoch);
}

/* All behind the format byte. Errors: MALFORMED. */
static lh_status read_fields(struct lh_cursor *cursor, struct lh_session_header *out_header)
{
    uint8_t flags;
    LH_TRY(lh_cursor_u8(cursor, &flags));
    LH_ENSURE((flags & ~FLAGS_ALL) == 0, LH_MALFORMED);
    out_header->has_user = (flags & FLAG_USER) != 0;
    out_header->has_state = (flags & FLAG_STATE) != 0;
    LH_TRY(lh_cursor_copy(cursor, out_header->uid.bytes, sizeof(out_header->uid.bytes)));
    LH_TRY(lh_cursor_u16(cursor, &out_header->bucket));
    LH_TRY(lh_cursor_copy(cursor, out_header->lease.bytes, sizeof(out_header->lease.bytes)));
    LH_TRY(read_numbers(cursor, out_header));
    LH_TRY(lh_cursor_copy(cursor, out_header->user_tag.bytes, sizeof(out_header->user_tag.bytes)));
    LH_TRY(lh_cursor_copy(cursor, out_header->secret_hash.bytes,
                          sizeof(out_header->secret_hash.bytes)));
    LH_TRY(lh_cursor_copy(cursor, out_header->previous_hash.bytes,
                          sizeof(out_header->previous_hash.bytes)));
    LH_TRY(lh_cursor_u64(cursor, &out_header->grace_end_ms));
    return out_header->format == FORMAT_WITHOUT_TAG
               ? lh_ok()
               : lh_cursor_copy(cursor, out_header->token_tag.bytes,
                                sizeof(out_header->token_tag.bytes));
}

lh_status lh_session_header_read(lh_slice record, struct lh_session_header *out_header,
                                 lh_slice *out_header_bytes, lh_slice *out_body)
{
    struct lh_cursor cursor = lh_cursor_over(record);
    struct lh_session_header header = {.format = 0};
    LH_ENSURE(lh_is_ok(lh_cursor_u8(&cursor, &header.format)), LH_TAMPERED);
    LH_ENSURE(header.format <= LH_RECORD_FORMAT, LH_FUTURE_FORMAT);
    LH_ENSURE(is_format(header.format), LH_TAMPERED);
    LH_ENSURE(lh_is_ok(read_fields(&cursor, &header)), LH_TAMPERED);
    LH_ENSURE(lh_session_header_is_sane(&header), LH_TAMPERED);
    *out_header = header;
    *out_header_bytes = lh_slice_cut(record, 0, size_of_format(header.format));
    *out_body = cursor.rest;
    return lh_ok();
}

/* --- Principal -------------------------------------------------------------------------------- */

static lh_status write_text(lh_slice text, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, (uint8_t)text.len));
    return lh_buf_add(out, text);
}

static lh_status write_list(const struct lh_text_list *list, struct lh_buf *out)
{
    LH_ENSURE(list->count <= LH_PRINCIPAL_LIST_MAX, LH_TOO_LARGE);
    LH_TRY(lh_buf_add_u8(out, (uint8_t)list->count));
    for (size_t i = 0; i < list->count; i++) {
        LH_ENSURE(lh_principal_is_token(list->items[i]), LH_MALFORMED);
        LH_TRY(write_text(list->items[i], out));
    }
    return lh_ok();
}

lh_status lh_principal_write_within(const struct lh_principal *principal, size_t max_bytes,
                                    struct lh_buf *out)
{
    /* An empty subject is that of an anonymous session. */
    LH_ENSURE(principal->subject.len == 0 || lh_principal_is_token(principal->subject),
              LH_MALFORMED);
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = lh_buf_bounded(max_bytes);
    LH_TRY(write_text(principal->subject, &plain));
    LH_TRY(write_list(&principal->roles, &plain));
    LH_TRY(write_list(&principal->scopes, &plain));
    LH_TRY(write_list(&principal->groups, &plain));
    return lh_buf_add(out, lh_buf_view(&plain));
}

lh_status lh_principal_write(const struct lh_principal *principal, struct lh_buf *out)
{
    return lh_principal_write_within(principal, LH_PRINCIPAL_MAX_BYTES, out);
}

static lh_status read_text(struct lh_cursor *cursor, lh_slice *out_text)
{
    uint8_t len;
    LH_TRY(lh_cursor_u8(cursor, &len));
    return lh_cursor_view(cursor, len, out_text);
}

static lh_status read_list(struct lh_cursor *cursor, struct lh_text_list *out_list)
{
    uint8_t count;
    LH_TRY(lh_cursor_u8(cursor, &count));
    LH_ENSURE(count <= LH_PRINCIPAL_LIST_MAX, LH_MALFORMED);
    for (size_t i = 0; i < count; i++) {
        LH_TRY(read_text(cursor, &out_list->items[i]));
        LH_ENSURE(lh_principal_is_token(out_list->items[i]), LH_MALFORMED);
    }
    out_list->count = count;
    return lh_ok();
}

static lh_status read_principal(lh_slice plain, struct lh_principal *out_principal)
{
    struct lh_cursor cursor = lh_cursor_over(plain);
    LH_TRY(read_text(&cursor, &out_principal->subject));
    LH_ENSURE(out_principal->subject.len == 0 || lh_principal_is_token(out_principal->subject),
              LH_MALFORMED);
    LH_TRY(read_list(&cursor, &out_principal->roles));
    LH_TRY(read_list(&cursor, &out_principal->scopes));
    LH_TRY(read_list(&cursor, &out_principal->groups));
    return lh_cursor_finish(&cursor);
}

lh_status lh_principal_read_within(lh_slice plain, size_t max_bytes,
                                   struct lh_principal *out_principal)
{
    LH_ENSURE(plain.len <= max_bytes, LH_TAMPERED);
    if (!lh_is_ok(read_principal(plain, out_principal))) {
        *out_principal = (struct lh_principal){.subject = LH_SLICE_EMPTY};
        return lh_status_of(LH_TAMPERED);
    }
    return lh_ok();
}

lh_status lh_principal_read(lh_slice plain, struct lh_principal *out_principal)
{
    return lh_principal_read_within(plain, LH_PRINCIPAL_MAX_BYTES, out_principal);
}

static lh_slice move_text(lh_slice text, const uint8_t *from, const uint8_t *to)
{
    return text.len == 0 ? LH_SLICE_EMPTY : lh_slice_of(to + (text.ptr - from), text.len);
}

static void move_list(const struct lh_text_list *list, const uint8_t *from, const uint8_t *to,
                      struct lh_text_list *out_list)
{
    for (size_t i = 0; i < list->count; i++) {
        out_list->items[i] = move_text(list->items[i], from, to);
    }
    out_list->count = list->count;
}

void lh_principal_move(const struct lh_principal *principal, const uint8_t *from, const uint8_t *to,
                       struct lh_principal *out_principal)
{
    out_principal->subject = move_text(principal->subject, from, to);
    move_list(&principal->roles, from, to, &out_principal->roles);
    move_list(&principal->scopes, from, to, &out_principal->scopes);
    move_list(&principal->groups, from, to, &out_principal->groups);
}

lh_status lh_token_tag_of(struct lh_crypto *crypto, lh_slice jti, struct lh_token_tag *out_tag)
{
    struct lh_digest digest;
    LH_TRY(lh_sha256(crypto, jti, &digest));
    memcpy(out_tag->bytes, digest.bytes, sizeof(out_tag->bytes));
    return lh_ok();
}

bool lh_session_has_token(const struct lh_session_header *header, const struct lh_token_tag *tag)
{
    bool is_same = lh_secret_is_equal(header->token_tag.bytes, tag->bytes, sizeof(tag->bytes));
    return has_tag(header) && is_same;
}

lh_status lh_user_tag_of(struct lh_crypto *crypto, const struct lh_tenant *tenant, lh_slice subject,
                         struct lh_user_tag *out_tag)
{
    struct lh_digest mac;
    LH_TRY(lh_hmac_sha256(crypto, LH_SLICE_OF(tenant->index_key.bytes), subject, &mac));
    memcpy(out_tag->bytes, mac.bytes, sizeof(out_tag->bytes));
    return lh_ok();
}
