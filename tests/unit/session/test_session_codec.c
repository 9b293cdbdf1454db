/*
 * The bytes of headers and principals: every field in its place, and no value that cannot be.
 */
#include "support/hex.h"
#include "support/test.h"

#include "session/session.h"

#define T UINT64_C(0x0000018bcfe56800)

static void fill(void *bytes, uint8_t value, size_t len)
{
    memset(bytes, value, len);
}

static struct lh_session_header full_header(void)
{
    struct lh_session_header header = {
        .format = 2,
        .has_user = true,
        .has_state = true,
        .bucket = 0x0102,
        .generation = 0x1112131415161718,
        .dek_id = 0x21222324,
        .created_ms = T,
        .absolute_end_ms = T + 0x01020304,
        .idle_s = 0x31323334,
        .platform_epoch = 0x4142434445464748,
        .tenant_epoch = 0x5152535455565758,
        .user_epoch = 0x6162636465666768,
        .grace_end_ms = 0x7172737475767778,
    };
    fill(header.uid.bytes, 0xa1, sizeof(header.uid.bytes));
    fill(header.lease.bytes, 0xa2, sizeof(header.lease.bytes));
    fill(header.user_tag.bytes, 0xa3, sizeof(header.user_tag.bytes));
    fill(header.secret_hash.bytes, 0xa4, sizeof(header.secret_hash.bytes));
    fill(header.previous_hash.bytes, 0xa5, sizeof(header.previous_hash.bytes));
    fill(header.token_tag.bytes, 0xa6, sizeof(header.token_tag.bytes));
    return header;
}

/* As the version before wrote it. */
static struct lh_session_header header_of_format_1(void)
{
    struct lh_session_header header = full_header();
    header.format = 1;
    fill(header.token_tag.bytes, 0, sizeof(header.token_tag.bytes));
    return header;
}

#define FIELDS_OF_BOTH_FORMATS                                                                     \
    "03"                                                                                           \
    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"                                                             \
    "0102"                                                                                         \
    "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"                                                             \
    "1112131415161718"                                                                             \
    "21222324"                                                                                     \
    "0000018bcfe56800"                                                                             \
    "0000018bd0e76b04"                                                                             \
    "31323334"                                                                                     \
    "4142434445464748"                                                                             \
    "5152535455565758"                                                                             \
    "6162636465666768"                                                                             \
    "a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3"                                                             \
    "a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4"                             \
    "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"                             \
    "7172737475767778"

static void test_header__every_field_has_its_place(void **state)
{
    (void)state;
    struct lh_session_header header = full_header();
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    assert_int_equal(bytes.len, LH_SESSION_HEADER_BYTES);
    assert_slice_hex(lh_buf_view(&bytes),
                     "02" FIELDS_OF_BOTH_FORMATS "a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6");
}

static void test_header__of_format_1_has_no_tag_and_is_read_as_it_lies(void **state)
{
    (void)state;
    struct lh_session_header header = header_of_format_1();
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    assert_int_equal(bytes.len, LH_SESSION_HEADER_BYTES_FORMAT_1);
    assert_slice_hex(lh_buf_view(&bytes), "01" FIELDS_OF_BOTH_FORMATS);
    assert_ok(lh_buf_add_text(&bytes, "the body"));
    struct lh_session_header again = full_header();
    lh_slice fixed;
    lh_slice body;
    assert_ok(lh_session_header_read(lh_buf_view(&bytes), &again, &fixed, &body));
    assert_slice_text(body, "the body");
    assert_int_equal(fixed.len, LH_SESSION_HEADER_BYTES_FORMAT_1);
    assert_int_equal(again.format, 1);
    static const struct lh_token_tag none;
    assert_memory_equal(&again.token_tag, &none, sizeof(none));
    for (size_t len = 0; len < LH_SESSION_HEADER_BYTES_FORMAT_1; len++) {
        assert_status(lh_session_header_read(lh_slice_cut(lh_buf_view(&bytes), 0, len), &header,
                                             &fixed, &body),
                      LH_TAMPERED);
    }
}

static void test_header__is_read_as_it_was_written_with_the_body_behind_it(void **state)
{
    (void)state;
    struct lh_session_header header = full_header();
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    assert_ok(lh_buf_add_text(&bytes, "the body"));
    struct lh_session_header again;
    lh_slice fixed;
    lh_slice body;
    assert_ok(lh_session_header_read(lh_buf_view(&bytes), &again, &fixed, &body));
    assert_slice_text(body, "the body");
    assert_int_equal(fixed.len, LH_SESSION_HEADER_BYTES);
    assert_ptr_equal(fixed.ptr, bytes.ptr);
    LH_CLEANUP(lh_buf_fini) struct lh_buf rewritten = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&again, &rewritten));
    assert_true(lh_slice_is_equal(lh_buf_view(&rewritten), fixed));
}

static void test_header__shortened_anywhere_is_tampered(void **state)
{
    (void)state;
    struct lh_session_header header = full_header();
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    lh_slice fixed;
    lh_slice body;
    for (size_t len = 0; len < bytes.len; len++) {
        assert_status(lh_session_header_read(lh_slice_cut(lh_buf_view(&bytes), 0, len), &header,
                                             &fixed, &body),
                      LH_TAMPERED);
    }
}

static void test_header__a_newer_format_is_unknown_and_an_older_one_tampered(void **state)
{
    (void)state;
    struct lh_session_header header = full_header();
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    lh_slice fixed;
    lh_slice body;
    for (unsigned format = 0; format <= UINT8_MAX; format++) {
        bytes.ptr[0] = (uint8_t)format;
        enum lh_code expected = format == 0 ? LH_TAMPERED : format <= 2 ? LH_OK : LH_FUTURE_FORMAT;
        assert_status(lh_session_header_read(lh_buf_view(&bytes), &header, &fixed, &body),
                      expected);
    }
    /* Also when nothing else of it can be read. */
    static const uint8_t lone = 3;
    assert_status(lh_session_header_read(LH_SLICE_OF(lone), &header, &fixed, &body),
                  LH_FUTURE_FORMAT);
}

static void test_header__flags_that_nobody_knows_are_tampered(void **state)
{
    (void)state;
    struct lh_session_header header = full_header();
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    lh_slice fixed;
    lh_slice body;
    for (unsigned bit = 2; bit < 8; bit++) {
        bytes.ptr[1] = (uint8_t)(3U | 1U << bit);
        assert_status(lh_session_header_read(lh_buf_view(&bytes), &header, &fixed, &body),
                      LH_TAMPERED);
    }
}

/* Where the fields lie that a test changes. */
enum {
    AT_FLAGS = 1,
    AT_BUCKET = 18,
    AT_GENERATION = 36,
    AT_DEK = 44,
    AT_CREATED = 48,
    AT_END = 56,
    AT_USER_EPOCH = 84,
    AT_TAG = 92,
    AT_PREVIOUS = 140,
    AT_GRACE = 172,
    AT_TOKEN = 180
};

static lh_status read_altered(size_t at, lh_slice value)
{
    struct lh_session_header header = full_header();
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    memcpy(bytes.ptr + at, value.ptr, value.len);
    lh_slice fixed;
    lh_slice body;
    return lh_session_header_read(lh_buf_view(&bytes), &header, &fixed, &body);
}

static void test_header__values_that_cannot_be_are_not_read(void **state)
{
    (void)state;
    static const uint8_t zeros[32];
    static const uint8_t bucket_2048[] = {0x08, 0x00};
    static const uint8_t bucket_2047[] = {0x07, 0xff};
    static const uint8_t late[] = {0x00, 0x00, 0x02, 0x8b, 0xcf, 0xe5, 0x68, 0x00};
    static const uint8_t anonymous = 2;
    assert_ok(read_altered(AT_BUCKET, LH_SLICE_OF(bucket_2047)));
    assert_status(read_altered(AT_BUCKET, LH_SLICE_OF(bucket_2048)), LH_TAMPERED);
    assert_status(read_altered(AT_GENERATION, lh_slice_of(zeros, 8)), LH_TAMPERED);
    assert_status(read_altered(AT_DEK, lh_slice_of(zeros, 4)), LH_TAMPERED);
    assert_status(read_altered(AT_END, lh_slice_of(zeros, 8)), LH_TAMPERED);
    assert_status(read_altered(AT_CREATED, LH_SLICE_OF(late)), LH_TAMPERED);
    assert_status(read_altered(AT_END, LH_SLICE_OF(late)), LH_TAMPERED); /* longer than any tier */
    assert_status(read_altered(AT_CREATED, lh_slice_of(zeros, 8)), LH_TAMPERED);
    assert_status(read_altered(AT_FLAGS, LH_SLICE_OF(anonymous)), LH_TAMPERED); /* with a tag */
    assert_ok(read_altered(AT_TAG, lh_slice_of(zeros, 16)));
    assert_ok(read_altered(AT_TOKEN, lh_slice_of(zeros, 16)));
    assert_status(read_altered(AT_GRACE, lh_slice_of(zeros, 8)), LH_TAMPERED); /* with a hash */
    assert_ok(read_altered(AT_PREVIOUS, lh_slice_of(zeros, 32)));
    assert_ok(read_altered(AT_USER_EPOCH, lh_slice_of(zeros, 8)));
}

static void test_header__values_that_cannot_be_are_not_written(void **state)
{
    (void)state;
    struct lh_session_header bad[10];
    for (size_t i = 0; i < 10; i++) {
        bad[i] = full_header();
    }
    bad[0].format = 3;
    bad[1].bucket = 2048;
    bad[2].generation = 0;
    bad[3].dek_id = 0;
    bad[4].absolute_end_ms = bad[4].created_ms;
    bad[5].absolute_end_ms = bad[5].created_ms + (uint64_t)LH_TIER_ABSOLUTE_MAX_S * 1000 + 1;
    bad[6].has_user = false;
    bad[7].grace_end_ms = 0;
    bad[8].format = 1; /* which has no place for a tag */
    bad[9].format = 0;
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    for (size_t i = 0; i < 10; i++) {
        assert_status(lh_session_header_write(&bad[i], &bytes), LH_INVALID);
        assert_int_equal(bytes.len, 0);
    }
    bad[5].absolute_end_ms--;
    assert_ok(lh_session_header_write(&bad[5], &bytes));
}

static void test_header__of_nobody_has_no_token(void **state)
{
    (void)state;
    struct lh_session_header header = full_header();
    header.has_user = false;
    header.user_epoch = 0;
    fill(header.user_tag.bytes, 0, sizeof(header.user_tag.bytes));
    assert_false(lh_session_header_is_sane(&header));
    fill(header.token_tag.bytes, 0, sizeof(header.token_tag.bytes));
    assert_true(lh_session_header_is_sane(&header));
}

static void test_token_tag__is_what_sha256_of_the_jti_begins_with(void **state)
{
    (void)state;
    struct lh_crypto *crypto;
    assert_ok(lh_crypto_new(&crypto));
    struct lh_token_tag tag, other;
    assert_ok(lh_token_tag_of(crypto, LH_SLICE_LITERAL("abc"), &tag));
    assert_slice_hex(LH_SLICE_OF(tag.bytes), "ba7816bf8f01cfea414140de5dae2223"); /* FIPS 180-4 */
    assert_ok(lh_token_tag_of(crypto, LH_SLICE_LITERAL("abd"), &other));
    assert_memory_not_equal(&tag, &other, sizeof(tag));
    lh_crypto_free(crypto);
}

static void test_has_token__compares_every_byte_and_matches_none_with_none(void **state)
{
    (void)state;
    struct lh_session_header header = full_header();
    struct lh_token_tag tag = header.token_tag;
    assert_true(lh_session_has_token(&header, &tag));
    for (size_t bit = 0; bit < 8 * sizeof(tag.bytes); bit++) {
        tag.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_false(lh_session_has_token(&header, &tag));
        tag.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    fill(header.token_tag.bytes, 0, sizeof(header.token_tag.bytes));
    assert_false(lh_session_has_token(&header, &tag));
    fill(tag.bytes, 0, sizeof(tag.bytes));
    assert_false(lh_session_has_token(&header, &tag));
}

/* --- Principals ------------------------------------------------------------------------------- */

static void add_text(struct lh_text_list *list, const char *text)
{
    list->items[list->count++] = lh_slice_from_text(text);
}

static void test_principal__has_one_byte_of_length_before_each_text(void **state)
{
    (void)state;
    struct lh_principal principal = {.subject = LH_SLICE_LITERAL("bob")};
    add_text(&principal.roles, "a");
    add_text(&principal.roles, "bc");
    add_text(&principal.groups, "g");
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_ok(lh_principal_write(&principal, &plain));
    assert_slice_hex(lh_buf_view(&plain), "03626f62"
                                          "02"
                                          "0161"
                                          "026263"
                                          "00"
                                          "01"
                                          "0167");
    struct lh_principal again;
    assert_ok(lh_principal_read(lh_buf_view(&plain), &again));
    assert_slice_text(again.subject, "bob");
    assert_int_equal(again.roles.count, 2);
    assert_slice_text(again.roles.items[1], "bc");
    assert_int_equal(again.scopes.count, 0);
    assert_slice_text(again.groups.items[0], "g");
}

static void test_principal__lists_and_bytes_are_bounded(void **state)
{
    (void)state;
    struct lh_principal principal = {.subject = LH_SLICE_LITERAL("bob")};
    for (size_t i = 0; i < LH_PRINCIPAL_LIST_MAX; i++) {
        add_text(&principal.roles, "r");
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_ok(lh_principal_write(&principal, &plain));
    principal.roles.count++;
    assert_status(lh_principal_write(&principal, &plain), LH_TOO_LARGE);

    char text[256];
    memset(text, 'x', sizeof(text));
    struct lh_principal large = {.subject = lh_slice_of(text, 255)};
    large.roles.items[0] = lh_slice_of(text, 252); /* 1 + 255 + 1 + 1 + 252 + 1 + 1 = 512 */
    large.roles.count = 1;
    lh_buf_clear(&plain);
    assert_ok(lh_principal_write(&large, &plain));
    assert_int_equal(plain.len, LH_PRINCIPAL_MAX_BYTES);
    struct lh_principal again;
    assert_ok(lh_principal_read(lh_buf_view(&plain), &again));
    large.roles.items[0].len++;
    assert_status(lh_principal_write(&large, &plain), LH_TOO_LARGE);
    assert_int_equal(plain.len, LH_PRINCIPAL_MAX_BYTES);
}

static void test_principal__what_is_no_principal_is_tampered_and_leaves_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "03626f",
        "03626f62",
        "03626f620000",
        "03626f6200000000",
        "0000000100",
        "000021",
        "0000000101",
        "0362622c000000", /* a comma in the subject */
        "00010120"
        "0000", /* a space as role */
        "000100"
        "0000", /* an empty role */
        "ff00",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t room[32];
        struct lh_principal principal;
        memset(&principal, 0xee, sizeof(principal));
        assert_status(lh_principal_read(hex_bytes(bad[i], room), &principal), LH_TAMPERED);
        assert_int_equal(principal.subject.len + principal.roles.count, 0);
    }
    static const uint8_t long_zeros[LH_PRINCIPAL_MAX_BYTES + 1];
    struct lh_principal principal;
    assert_status(lh_principal_read(LH_SLICE_OF(long_zeros), &principal), LH_TAMPERED);
}

static void test_principal__tokens_are_printable_ascii_that_is_safe_in_headers(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
        uint8_t text[] = {'a', (uint8_t)byte, 'b'};
        bool is_safe = byte > 0x20 && byte < 0x7f && strchr(",\"\\", (int)byte) == NULL;
        assert_int_equal(lh_principal_is_token(LH_SLICE_OF(text)), is_safe);
    }
    static char longest[256];
    memset(longest, 'x', sizeof(longest));
    assert_false(lh_principal_is_token(LH_SLICE_EMPTY));
    assert_true(lh_principal_is_token(lh_slice_of(longest, 255)));
    assert_false(lh_principal_is_token(lh_slice_of(longest, 256)));
    assert_true(lh_principal_is_token(LH_SLICE_LITERAL("auth0|5f7c8ec7c33c6c004bbafe82")));
    assert_true(lh_principal_is_token(LH_SLICE_LITERAL("alice@acme.example")));
}

static void test_user_tag__is_bound_to_tenant_and_subject(void **state)
{
    (void)state;
    struct lh_crypto *crypto;
    assert_ok(lh_crypto_new(&crypto));
    static struct lh_tenant acme;
    static struct lh_tenant globex;
    fill(acme.index_key.bytes, 1, sizeof(acme.index_key.bytes));
    fill(globex.index_key.bytes, 2, sizeof(globex.index_key.bytes));
    struct lh_user_tag tag;
    struct lh_user_tag again;
    struct lh_user_tag other;
    assert_ok(lh_user_tag_of(crypto, &acme, LH_SLICE_LITERAL("alice"), &tag));
    struct lh_digest mac;
    assert_ok(
        lh_hmac_sha256(crypto, LH_SLICE_OF(acme.index_key.bytes), LH_SLICE_LITERAL("alice"), &mac));
    assert_memory_equal(tag.bytes, mac.bytes, sizeof(tag.bytes));
    assert_ok(lh_user_tag_of(crypto, &acme, LH_SLICE_LITERAL("alice"), &again));
    assert_memory_equal(tag.bytes, again.bytes, sizeof(tag.bytes));
    assert_ok(lh_user_tag_of(crypto, &globex, LH_SLICE_LITERAL("alice"), &other));
    assert_memory_not_equal(tag.bytes, other.bytes, sizeof(tag.bytes));
    assert_ok(lh_user_tag_of(crypto, &acme, LH_SLICE_LITERAL("Alice"), &other));
    assert_memory_not_equal(tag.bytes, other.bytes, sizeof(tag.bytes));
    lh_crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header__every_field_has_its_place),
        cmocka_unit_test(test_header__of_format_1_has_no_tag_and_is_read_as_it_lies),
        cmocka_unit_test(test_header__of_nobody_has_no_token),
        cmocka_unit_test(test_token_tag__is_what_sha256_of_the_jti_begins_with),
        cmocka_unit_test(test_has_token__compares_every_byte_and_matches_none_with_none),
        cmocka_unit_test(test_header__is_read_as_it_was_written_with_the_body_behind_it),
        cmocka_unit_test(test_header__shortened_anywhere_is_tampered),
        cmocka_unit_test(test_header__a_newer_format_is_unknown_and_an_older_one_tampered),
        cmocka_unit_test(test_header__flags_that_nobody_knows_are_tampered),
        cmocka_unit_test(test_header__values_that_cannot_be_are_not_read),
        cmocka_unit_test(test_header__values_that_cannot_be_are_not_written),
        cmocka_unit_test(test_principal__has_one_byte_of_length_before_each_text),
        cmocka_unit_test(test_principal__lists_and_bytes_are_bounded),
        cmocka_unit_test(test_principal__what_is_no_principal_is_tampered_and_leaves_nothing),
        cmocka_unit_test(test_principal__tokens_are_printable_ascii_that_is_safe_in_headers),
        cmocka_unit_test(test_user_tag__is_bound_to_tenant_and_subject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
