/*
 * Sealed cookies: nothing that was not made under a cell's secret passes its MAC; what passes one
 * that is right is a session or is refused, and opens only if it was sealed; what is written reads
 * back as it was, for its own tenant alone.
 */
#include "fuzz.h"

#include "session/sealed_cookie.h"

#define KEY_ID 1

/* One for the process: the target is called again and again. */
struct keys {
    struct lh_crypto *crypto;
    struct lh_cell *cell;
    struct lh_datakey datakey;
};

static struct keys *open_keys(void)
{
    static struct keys keys;
    static const struct lh_tenant_uid uid = {{7}};
    if (keys.cell == NULL) {
        struct lh_key secret = {{1, 2, 3}};
        struct lh_key dek = {{4, 5, 6}};
        FUZZ_CHECK(lh_is_ok(lh_crypto_new(&keys.crypto)));
        FUZZ_CHECK(lh_is_ok(lh_sealing_key_derive(keys.crypto, &dek, LH_SLICE_LITERAL("fuzz"), &uid,
                                                  &keys.datakey.cookie)));
        keys.datakey.dek_id = 1;
        FUZZ_CHECK(lh_is_ok(
            lh_cell_new(keys.crypto, KEY_ID, &secret, LH_LOCK_BEST_EFFORT, 2, &keys.cell)));
    }
    return &keys;
}

static lh_status open_text(lh_slice text, const struct lh_tenant_uid *uid, struct lh_buf *plain,
                           struct lh_sealed_cookie *cookie, struct lh_principal *principal)
{
    struct keys *keys = open_keys();
    uint8_t *room = fuzz_room(lh_sealed_cookie_room_bytes(text.len));
    struct lh_raw_sealed_cookie raw;
    lh_status status = lh_sealed_cookie_parse(text, room, &raw);
    if (lh_is_ok(status)) {
        status = lh_sealed_cookie_verify(keys->cell, uid, &raw, cookie);
    }
    if (lh_is_ok(status)) {
        FUZZ_CHECK(lh_session_header_is_sane(&cookie->header));
        status = lh_sealed_cookie_open(keys->crypto, &keys->datakey, cookie, plain, principal);
    }
    free(room);
    return status;
}

/* The input as a cookie's value. */
static void check_text(lh_slice text)
{
    struct lh_tenant_uid uid = {{7}};
    struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_sealed_cookie cookie;
    struct lh_principal principal;
    lh_status status = open_text(text, &uid, &plain, &cookie, &principal);
    FUZZ_CHECK(status.code == LH_MALFORMED || status.code == LH_TOO_LARGE ||
               status.code == LH_BAD_MAC);
    lh_buf_fini(&plain);
}

/* The input as bytes under a MAC that is right: only the seal is in the way. */
static void check_bytes(lh_slice input)
{
    struct lh_tenant_uid uid = {{7}};
    struct lh_buf bytes = LH_BUF_EMPTY;
    struct lh_buf text = LH_BUF_EMPTY;
    struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_digest mac;
    struct lh_sealed_cookie cookie;
    struct lh_principal principal;
    lh_slice authentic = lh_slice_cut(input, 0, LH_SEALED_COOKIE_MAX_BYTES);
    FUZZ_CHECK(lh_is_ok(lh_cell_mac(open_keys()->cell, &uid, KEY_ID, authentic, &mac)));
    FUZZ_CHECK(lh_is_ok(lh_buf_add(&bytes, authentic)));
    FUZZ_CHECK(lh_is_ok(lh_buf_add(&bytes, lh_slice_of(mac.bytes, LH_SEALED_COOKIE_MAC_BYTES))));
    FUZZ_CHECK(lh_is_ok(lh_base64url_add(&text, lh_buf_view(&bytes))));
    FUZZ_CHECK(!lh_is_ok(open_text(lh_buf_view(&text), &uid, &plain, &cookie, &principal)));
    lh_buf_fini(&bytes);
    lh_buf_fini(&text);
    lh_buf_fini(&plain);
}

static bool read_header(struct lh_cursor *cursor, struct lh_session_header *header,
                        uint64_t *issued_ms)
{
    *header = (struct lh_session_header){.dek_id = 1};
    uint8_t user;
    return lh_is_ok(lh_cursor_u8(cursor, &user)) &&
           lh_is_ok(lh_cursor_copy(cursor, header->uid.bytes, sizeof(header->uid.bytes))) &&
           lh_is_ok(lh_cursor_u16(cursor, &header->bucket)) &&
           lh_is_ok(lh_cursor_u64(cursor, &header->generation)) &&
           lh_is_ok(lh_cursor_u64(cursor, &header->created_ms)) &&
           lh_is_ok(lh_cursor_u64(cursor, &header->absolute_end_ms)) &&
           lh_is_ok(lh_cursor_u64(cursor, issued_ms)) &&
           lh_is_ok(lh_cursor_u32(cursor, &header->idle_s)) &&
           lh_is_ok(lh_cursor_u64(cursor, &header->user_epoch)) &&
           lh_is_ok(
               lh_cursor_copy(cursor, header->user_tag.bytes, sizeof(header->user_tag.bytes))) &&
           (header->has_user = (user & 1) != 0, true);
}

static void check_same(const struct lh_sealed_cookie *cookie,
                       const struct lh_session_header *header, uint64_t issued_ms)
{
    FUZZ_CHECK(cookie->issued_ms == issued_ms && cookie->header.bucket == header->bucket);
    FUZZ_CHECK(cookie->header.generation == header->generation);
    FUZZ_CHECK(cookie->header.created_ms == header->created_ms);
    FUZZ_CHECK(cookie->header.absolute_end_ms == header->absolute_end_ms);
    FUZZ_CHECK(cookie->header.idle_s == header->idle_s);
    FUZZ_CHECK(cookie->header.user_epoch == header->user_epoch);
    FUZZ_CHECK(cookie->header.has_user == header->has_user);
}

/* The input as fields and a principal: what is written is accepted, for its own tenant only. */
static void check_fields(lh_slice input)
{
    struct lh_session_header header;
    uint64_t issued_ms;
    struct lh_principal principal;
    struct lh_cursor cursor = lh_cursor_over(input);
    if (!read_header(&cursor, &header, &issued_ms) ||
        !lh_is_ok(lh_principal_read_within(cursor.rest, SIZE_MAX, &principal))) {
        return;
    }
    struct keys *keys = open_keys();
    struct lh_buf text = LH_BUF_EMPTY;
    struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_sealed_cookie_spec spec = {&header, issued_ms, &principal};
    lh_status status =
        lh_sealed_cookie_write(keys->crypto, keys->cell, &keys->datakey, &spec, &text);
    FUZZ_CHECK(status.code == LH_OK || status.code == LH_INVALID || status.code == LH_TOO_LARGE);
    if (lh_is_ok(status)) {
        struct lh_sealed_cookie cookie;
        FUZZ_CHECK(text.len <= LH_SEALED_COOKIE_TEXT_MAX_BYTES);
        FUZZ_CHECK(
            lh_is_ok(open_text(lh_buf_view(&text), &header.uid, &plain, &cookie, &principal)));
        FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&plain), cursor.rest));
        check_same(&cookie, &header, issued_ms);
        header.uid.bytes[0] ^= 1;
        status = open_text(lh_buf_view(&text), &header.uid, &plain, &cookie, &principal);
        FUZZ_CHECK(status.code == LH_BAD_MAC);
    }
    lh_buf_fini(&text);
    lh_buf_fini(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice input = lh_slice_of(bytes, len);
    check_text(input);
    check_bytes(input);
    check_fields(input);
    return 0;
}
