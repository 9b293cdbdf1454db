/*
 * Rows of issuers and signing keys: what survives, and what is refused.
 */
#include "support/test.h"

#include "issuer_fixture.h"
#include "registry/issuer_codec.h"
#include "registry/registry.h"

static struct lh_arena arena;

static int set_up(void **state)
{
    (void)state;
    arena = lh_arena_bounded((size_t)1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lh_arena_fini(&arena);
    return 0;
}

static void test_issuer_row__survives(void **state)
{
    (void)state;
    struct made_issuer made;
    make_issuer(&made, "https://idp.example");
    made.issuer.is_shared = true;
    made.issuer.bind_claim = TEXT("org");
    made.issuer.bind_value = TEXT("acme \xc3\xa4");
    made.issuer.audience_count = 2;
    made.issuer.key_count = 2;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    struct lh_issuer back;
    assert_ok(lh_issuer_row_write(&made.issuer, &row));
    assert_ok(lh_issuer_row_read(made.issuer.iss, lh_buf_view(&row), &arena, &back));
    assert_slice_text(back.iss, "https://idp.example");
    assert_true(back.is_shared && !back.is_own);
    assert_slice_text(back.bind_claim, "org");
    assert_slice_text(back.bind_value, "acme \xc3\xa4");
    assert_int_equal(back.audience_count, 2);
    assert_slice_text(back.audiences[1], "web");
    assert_int_equal(back.skew_s, 30);
    assert_slice_text(back.typ, "at+jwt");
    assert_int_equal(back.key_count, 2);
    assert_slice_text(back.keys[0].kid, "k1");
    assert_int_equal(back.keys[0].algorithm, LH_ES256);
    assert_true(back.keys[0].until_ms == 77);
    assert_true(lh_slice_is_equal(back.keys[1].material, LH_SLICE_OF(made.modulus)));
    LH_CLEANUP(lh_buf_fini) struct lh_buf again = LH_BUF_EMPTY;
    assert_ok(lh_issuer_row_write(&back, &again));
    assert_true(lh_slice_is_equal(lh_buf_view(&row), lh_buf_view(&again)));
}

static void test_issuer_row_read__refuses_every_cut_and_every_tail(void **state)
{
    (void)state;
    struct made_issuer made;
    make_issuer(&made, "https://idp.example");
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    struct lh_issuer back;
    assert_ok(lh_issuer_row_write(&made.issuer, &row));
    for (size_t len = 0; len < row.len; len++) {
        assert_status(lh_issuer_row_read(made.issuer.iss, lh_slice_of(row.ptr, len), &arena, &back),
                      LH_MALFORMED);
    }
    assert_ok(lh_buf_add_u8(&row, 0));
    assert_status(lh_issuer_row_read(made.issuer.iss, lh_buf_view(&row), &arena, &back),
                  LH_MALFORMED);
}

/* Each byte of the head and of the counts set to something that no writer writes. */
static void test_issuer_row_read__judges_as_if_a_stranger_had_written(void **state)
{
    (void)state;
    struct made_issuer made;
    make_issuer(&made, "https://idp.example");
    made.issuer.audience_count = 1;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_issuer_row_write(&made.issuer, &row));
    /* version, flags, "tenant_id", "", 1 audience "api", skew, "at+jwt", 1 key "k1", algorithm */
    static const struct {
        size_t at;
        uint8_t byte;
        enum lh_code expected;
    } changes[] = {
        {0, 0, LH_MALFORMED},    {0, 2, LH_FUTURE_FORMAT}, {1, 2, LH_MALFORMED},
        {3, 0x1f, LH_MALFORMED}, {13, 17, LH_MALFORMED},   {14, 0, LH_MALFORMED},
        {18, 31, LH_MALFORMED},  {26, 0, LH_MALFORMED},    {26, 33, LH_MALFORMED},
        {30, 0, LH_MALFORMED},   {30, 1, LH_MALFORMED},    {30, 5, LH_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct lh_issuer back;
        uint8_t before = row.ptr[changes[i].at];
        row.ptr[changes[i].at] = changes[i].byte;
        lh_status status = lh_issuer_row_read(made.issuer.iss, lh_buf_view(&row), &arena, &back);
        row.ptr[changes[i].at] = before;
        if (status.code != changes[i].expected) {
            fail_msg("change %zu: got %s", i, lh_status_name(status));
        }
    }
    struct lh_issuer back;
    assert_ok(lh_issuer_row_read(made.issuer.iss, lh_buf_view(&row), &arena, &back));
    assert_status(lh_issuer_row_read(LH_SLICE_EMPTY, lh_buf_view(&row), &arena, &back),
                  LH_MALFORMED);
}

static void test_issuer_row_write__refuses_what_is_no_issuer(void **state)
{
    (void)state;
    struct made_issuer made;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    make_issuer(&made, "");
    assert_status(lh_issuer_row_write(&made.issuer, &row), LH_INVALID);
    assert_int_equal(row.len, 0);
}

static void test_issuer_row__the_largest_fits(void **state)
{
    (void)state;
    static struct lh_verify_key keys[LH_ISSUER_KEYS_MAX];
    static char kids[LH_ISSUER_KEYS_MAX][LH_ISSUER_TEXT_MAX_BYTES];
    static char names[LH_ISSUER_AUDIENCES_MAX][LH_ISSUER_TEXT_MAX_BYTES];
    static uint8_t material[LH_PUBLIC_MATERIAL_MAX_BYTES] = {4, 0};
    lh_slice audiences[LH_ISSUER_AUDIENCES_MAX];
    struct made_issuer made;
    make_issuer(&made, "https://idp.example");
    for (size_t i = 0; i < LH_ISSUER_KEYS_MAX; i++) {
        memset(kids[i], 'a' + (int)i % 26, sizeof(kids[i]));
        kids[i][0] = (char)('A' + i / 26);
        keys[i] = (struct lh_verify_key){
            .kid = LH_SLICE_OF(kids[i]), .algorithm = LH_RS256, .material = LH_SLICE_OF(material)};
    }
    for (size_t i = 0; i < LH_ISSUER_AUDIENCES_MAX; i++) {
        memset(names[i], 'a' + (int)i, sizeof(names[i]));
        audiences[i] = LH_SLICE_OF(names[i]);
    }
    made.issuer.bind_claim = LH_SLICE_OF(names[0]);
    made.issuer.bind_value = LH_SLICE_OF(names[1]);
    made.issuer.typ = LH_SLICE_OF(names[2]);
    made.issuer.audiences = audiences;
    made.issuer.audience_count = LH_ISSUER_AUDIENCES_MAX;
    made.issuer.keys = keys;
    made.issuer.key_count = LH_ISSUER_KEYS_MAX;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = lh_buf_bounded(LH_ISSUER_ROW_MAX_BYTES);
    struct lh_issuer back;
    assert_ok(lh_issuer_row_write(&made.issuer, &row));
    assert_ok(lh_issuer_row_read(made.issuer.iss, lh_buf_view(&row), &arena, &back));
    assert_int_equal(back.key_count, LH_ISSUER_KEYS_MAX);
}

static void test_signing_row__survives_and_is_judged(void **state)
{
    (void)state;
    struct lh_wrapped_signing_key key = {.id = 3,
                                         .created_ms = 1,
                                         .from_ms = 2,
                                         .until_ms = 3,
                                         .life_s = 4,
                                         .x = {5},
                                         .y = {6},
                                         .blob = LH_SLICE_LITERAL("wrapped")};
    struct lh_wrapped_signing_key back = {.id = 3};
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_signing_row_write(&key, &row));
    assert_ok(lh_signing_row_read(lh_buf_view(&row), &back));
    assert_true(back.id == 3 && back.created_ms == 1 && back.from_ms == 2 && back.until_ms == 3);
    assert_true(back.life_s == 4 && back.x[0] == 5 && back.y[0] == 6);
    assert_slice_text(back.blob, "wrapped");
    size_t fixed = row.len - back.blob.len;
    for (size_t len = 0; len < fixed; len++) {
        assert_status(lh_signing_row_read(lh_slice_of(row.ptr, len), &back), LH_MALFORMED);
    }
    assert_ok(lh_signing_row_read(lh_slice_of(row.ptr, fixed), &back)); /* signs no more */
    lh_buf_clear(&row);
    key.until_ms = 2; /* over before it began */
    assert_status(lh_signing_row_write(&key, &row), LH_INVALID);
    key.until_ms = 0;
    key.life_s = 0;
    assert_status(lh_signing_row_write(&key, &row), LH_INVALID);
    key.life_s = 1;
    static const uint8_t large[LH_SIGNING_BLOB_MAX_BYTES + 1];
    key.blob = LH_SLICE_OF(large);
    assert_status(lh_signing_row_write(&key, &row), LH_INVALID);
}

static void test_shared_key__is_of_one_iss_and_one_tenant_alone(void **state)
{
    (void)state;
    struct lh_tenant_uid uid;
    memset(uid.bytes, 'b', sizeof(uid.bytes));
    struct lh_issuer_key whole, prefix;
    assert_ok(lh_shared_key_init(TEXT("a"), &uid, &whole));
    assert_ok(lh_shared_key_init(TEXT("ab"), NULL, &prefix));
    assert_false(lh_slice_has_prefix(lh_issuer_key_view(&whole), lh_issuer_key_view(&prefix)));
    assert_ok(lh_shared_key_init(TEXT("a"), NULL, &prefix));
    assert_true(lh_slice_has_prefix(lh_issuer_key_view(&whole), lh_issuer_key_view(&prefix)));
    static const uint8_t large[LH_ISSUER_TEXT_MAX_BYTES + 1];
    assert_status(lh_shared_key_init(LH_SLICE_OF(large), &uid, &whole), LH_INVALID);
    assert_status(lh_issuer_key_init(&uid, LH_SLICE_EMPTY, &whole), LH_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issuer_row__survives),
        cmocka_unit_test(test_issuer_row_read__refuses_every_cut_and_every_tail),
        cmocka_unit_test(test_issuer_row_read__judges_as_if_a_stranger_had_written),
        cmocka_unit_test(test_issuer_row_write__refuses_what_is_no_issuer),
        cmocka_unit_test(test_issuer_row__the_largest_fits),
        cmocka_unit_test(test_signing_row__survives_and_is_judged),
        cmocka_unit_test(test_shared_key__is_of_one_iss_and_one_tenant_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
