/*
 * Sealed cookies: what was sealed is what opens, for its own tenant; nothing that was altered,
 * moved, cut or put together opens, whoever made the MAC.
 */
#include "sealed_fixture.h"

/* --- What was sealed -------------------------------------------------------------------------- */

static void test_sealed_cookie__opens_as_it_was_sealed(void **state)
{
    struct cookies *cookies = *state;
    struct lh_session_spec spec = spec_of_bob();
    struct lh_session_header made;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_ok(create(cookies, cookies->fixture->acme, &spec, &text, &made));

    struct lh_sealed_cookie cookie;
    assert_ok(verify(cookies, cookies->fixture->acme, lh_buf_view(&text), &cookie));
    const struct lh_session_header *header = &cookie.header;
    assert_true(lh_tenant_uid_is_equal(&header->uid, &cookies->fixture->acme->uid));
    assert_memory_equal(header->lease.bytes, made.lease.bytes, sizeof(made.lease.bytes));
    assert_memory_equal(header->user_tag.bytes, made.user_tag.bytes, sizeof(made.user_tag.bytes));
    assert_int_equal(header->bucket, made.bucket);
    assert_int_equal(header->generation, 1);
    assert_int_equal(header->dek_id, 1);
    assert_int_equal(header->created_ms, made.created_ms);
    assert_int_equal(cookie.issued_ms, made.created_ms);
    assert_int_equal(header->absolute_end_ms, made.created_ms + ABSOLUTE_S * 1000);
    assert_int_equal(header->idle_s, IDLE_S);
    assert_int_equal(header->platform_epoch, 10);
    assert_int_equal(header->tenant_epoch, 100);
    assert_int_equal(header->user_epoch, 5);
    assert_true(header->has_user && !header->has_state);

    assert_ok(open_cookie(cookies, cookies->fixture->acme, &cookie));
    assert_slice_text(cookies->principal.subject, "alice");
    assert_slice_text(cookies->principal.roles.items[0], "admin");
    assert_slice_text(cookies->principal.scopes.items[0], "orders:read");
    assert_slice_text(cookies->principal.groups.items[0], "staff");
}

static void test_sealed_cookie__shows_nothing_of_the_principal_and_never_repeats(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf again = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    create_one(cookies, cookies->fixture->acme, &again);
    decode(lh_buf_view(&text), &bytes);
    static const char *const words[] = {"alice", "admin", "orders", "staff"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_null(memmem(bytes.ptr, bytes.len, words[i], strlen(words[i])));
    }
    assert_int_equal(text.len, again.len);
    assert_memory_not_equal(text.ptr + 4, again.ptr + 4, 16);
    assert_memory_not_equal(text.ptr + text.len - 64, again.ptr + again.len - 64, 32);
    assert_int_equal(bytes.ptr[0], LH_SEALED_COOKIE_VERSION);
    assert_int_equal(bytes.ptr[1], KEY_ID);
}

static void test_sealed_cookie__of_nobody_is_anonymous(void **state)
{
    struct cookies *cookies = *state;
    struct lh_session_spec nobody = {.user_epoch = 9};
    struct lh_session_header header;
    struct lh_sealed_cookie cookie;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_ok(create(cookies, cookies->fixture->acme, &nobody, &text, &header));
    assert_ok(verify(cookies, cookies->fixture->acme, lh_buf_view(&text), &cookie));
    assert_false(cookie.header.has_user);
    assert_ok(open_cookie(cookies, cookies->fixture->acme, &cookie));
    assert_int_equal(cookies->principal.subject.len, 0);
}

static void test_sealed_cookie__has_no_place_for_a_state(void **state)
{
    struct cookies *cookies = *state;
    struct lh_session_spec spec = spec_of_alice();
    struct lh_session_header header;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_status(create(cookies, cookies->fixture->acme, &spec, &text, &header), LH_INVALID);
    cookies->fixture->acme->active_dek = 0;
    spec = spec_of_bob();
    assert_status(create(cookies, cookies->fixture->acme, &spec, &text, &header), LH_KEY_DOWN);
    assert_int_equal(text.len, 0);
}

/* --- Size ------------------------------------------------------------------------------------- */

/* A principal of exactly len bytes: 4 for the lengths and counts, then roles of up to 256. */
static struct lh_session_spec spec_of_len(size_t len)
{
    static char role[LH_TEXT_MAX_BYTES];
    memset(role, 'r', sizeof(role));
    struct lh_session_spec spec = {.principal = {.subject = LH_SLICE_LITERAL("s")}};
    struct lh_text_list *lists[] = {&spec.principal.roles, &spec.principal.scopes};
    for (size_t left = len - 5, count = 0; left > 0; count++) {
        size_t part = left > 256 ? 256 : left;
        part -= left - part == 1; /* no role of no bytes at the end */
        struct lh_text_list *list = lists[count / LH_TEXT_LIST_MAX];
        list->items[list->count++] = lh_slice_of(role, part - 1);
        left -= part;
    }
    return spec;
}

static void test_sealed_cookie__is_as_large_as_browsers_keep_and_no_larger(void **state)
{
    struct cookies *cookies = *state;
    struct lh_session_header header;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_int_equal(LH_SEALED_PRINCIPAL_MAX_BYTES, 2868);
    struct lh_session_spec spec = spec_of_len(2868);
    assert_ok(create(cookies, cookies->fixture->acme, &spec, &text, &header));
    assert_in_range(LH_COOKIE_SUFFIXED_NAME_BYTES + 1 + text.len, 4093, 4096);
    assert_ok(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)));
    assert_int_equal(cookies->principal.roles.count, 12);

    lh_buf_clear(&text);
    spec = spec_of_len(2869);
    assert_status(create(cookies, cookies->fixture->acme, &spec, &text, &header), LH_TOO_LARGE);
    assert_int_equal(text.len, 0);
}

static void test_sealed_cookie__a_longer_value_is_not_looked_at(void **state)
{
    struct cookies *cookies = *state;
    char text[LH_SEALED_COOKIE_TEXT_MAX_BYTES + 1];
    memset(text, 'A', sizeof(text));
    text[1] = 'g'; /* version 2 */
    struct lh_raw_sealed_cookie raw;
    assert_status(lh_sealed_cookie_parse(LH_SLICE_OF(text), cookies->room, &raw), LH_TOO_LARGE);
    assert_status(lh_sealed_cookie_parse(lh_slice_of(text, sizeof(text) - 1), cookies->room, &raw),
                  LH_MALFORMED); /* 4077 is no length of base64url */
    assert_ok(lh_sealed_cookie_parse(lh_slice_of(text, sizeof(text) - 2), cookies->room, &raw));
}

/* --- What was altered ------------------------------------------------------------------------- */

static void test_sealed_cookie__no_flipped_bit_passes_and_none_costs_a_key(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    decode(lh_buf_view(&text), &bytes);
    fixture_renew_datakeys(cookies->fixture);
    size_t unwraps = cookies->fixture->kms.unwraps;
    for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
        bytes.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        lh_buf_clear(&text);
        assert_ok(lh_base64url_add(&text, lh_buf_view(&bytes)));
        assert_status(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)),
                      bit / 8 == 0 ? LH_MALFORMED : LH_BAD_MAC);
        bytes.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(cookies->fixture->kms.unwraps, unwraps);
}

static void test_sealed_cookie__no_other_length_passes(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    for (size_t len = 0; len < text.len; len++) {
        lh_status status =
            accept_cookie(cookies, cookies->fixture->acme, lh_slice_of(text.ptr, len));
        assert_true(status.code == LH_MALFORMED || status.code == LH_BAD_MAC);
    }
    assert_ok(lh_buf_add_text(&text, "AAAA"));
    assert_status(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)), LH_BAD_MAC);
    assert_status(accept_cookie(cookies, cookies->fixture->acme, LH_SLICE_LITERAL("%41")),
                  LH_MALFORMED);
}

/* Even with the cell's secret in hand nothing that the seal covers can be changed. */
static void test_sealed_cookie__a_right_mac_does_not_open_altered_bytes(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    decode(lh_buf_view(&text), &bytes);
    lh_slice authentic = lh_slice_of(bytes.ptr, bytes.len - LH_SEALED_COOKIE_MAC_BYTES);
    for (size_t bit = 8; bit < 8 * authentic.len; bit++) {
        bytes.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        forge(cookies, cookies->fixture->acme, authentic, &text);
        lh_status status = accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text));
        bool is_key_id = bit / 8 == 1;
        assert_int_equal(status.code, is_key_id ? LH_BAD_MAC : LH_TAMPERED);
        bytes.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    forge(cookies, cookies->fixture->acme, authentic, &text);
    assert_ok(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)));
}

/* Seals as we do, whatever the header's bytes say. */
static void seal_as_we_do(struct cookies *cookies, lh_slice header_bytes,
                          const struct lh_principal *principal, struct lh_buf *text)
{
    const struct lh_tenant *acme = cookies->fixture->acme;
    struct lh_op op = lh_op_idle(0, NULL);
    const struct lh_datakey *key;
    assert_ok(lh_datakey_cache_get(cookies->fixture->datakeys, &op, acme, 1, &key));
    LH_CLEANUP(lh_buf_fini) struct lh_buf aad = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_buf_add(&aad, header_bytes));
    assert_ok(lh_buf_add(&aad, lh_tenant_uid_view(&acme->uid)));
    assert_ok(lh_principal_write(principal, &plain));
    assert_ok(lh_buf_add(&bytes, header_bytes));
    assert_ok(lh_sealing_key_seal(cookies->fixture->crypto, &key->cookie, lh_buf_view(&aad),
                                  lh_buf_view(&plain), &bytes));
    forge(cookies, acme, lh_buf_view(&bytes), text);
}

static void test_sealed_cookie__that_is_of_no_session_is_tampered_whoever_sealed_it(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    decode(lh_buf_view(&text), &bytes);
    lh_slice header = lh_slice_of(bytes.ptr, LH_SEALED_COOKIE_HEADER_BYTES);
    struct lh_session_spec bob = spec_of_bob();
    seal_as_we_do(cookies, header, &bob.principal, &text);
    assert_ok(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)));
    /* Highest bytes of bucket, absolute end and issued; all of the generation; an unknown flag. */
    static const size_t places[] = {3, 41, 49, 28, 2};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        uint8_t kept = bytes.ptr[places[i]];
        bytes.ptr[places[i]] = places[i] == 28 ? 0 : 0xff;
        seal_as_we_do(cookies, header, &bob.principal, &text);
        struct lh_sealed_cookie cookie;
        assert_status(verify(cookies, cookies->fixture->acme, lh_buf_view(&text), &cookie),
                      LH_TAMPERED);
        bytes.ptr[places[i]] = kept;
    }
    struct lh_principal nobody = {.subject = LH_SLICE_EMPTY};
    seal_as_we_do(cookies, header, &nobody, &text);
    assert_status(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)), LH_TAMPERED);
}

/* --- Swaps ------------------------------------------------------------------------------------ */

static void test_sealed_cookie__of_one_tenant_is_not_another_s(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    assert_status(accept_cookie(cookies, cookies->fixture->globex, lh_buf_view(&text)), LH_BAD_MAC);
    decode(lh_buf_view(&text), &bytes);
    forge(cookies, cookies->fixture->globex,
          lh_slice_of(bytes.ptr, bytes.len - LH_SEALED_COOKIE_MAC_BYTES), &text);
    assert_status(accept_cookie(cookies, cookies->fixture->globex, lh_buf_view(&text)),
                  LH_TAMPERED);
}

/* The uid is in the AAD: two tenants with one data key would still be two. */
static void test_sealed_cookie__does_not_open_for_another_uid_under_the_same_key(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    struct lh_sealed_cookie cookie;
    assert_ok(verify(cookies, cookies->fixture->acme, lh_buf_view(&text), &cookie));
    struct lh_op op = lh_op_idle(0, NULL);
    const struct lh_datakey *key;
    assert_ok(
        lh_datakey_cache_get(cookies->fixture->datakeys, &op, cookies->fixture->acme, 1, &key));
    struct lh_datakey copy = *key;
    assert_ok(lh_sealed_cookie_open(cookies->fixture->crypto, &copy, &cookie, &cookies->plain,
                                    &cookies->principal));
    cookie.header.uid.bytes[0] ^= 1;
    assert_status(lh_sealed_cookie_open(cookies->fixture->crypto, &copy, &cookie, &cookies->plain,
                                        &cookies->principal),
                  LH_TAMPERED);
}

static void test_sealed_cookie__a_header_opens_no_other_seal(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf first = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf second = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    decode(lh_buf_view(&text), &first);
    lh_buf_clear(&text);
    create_one(cookies, cookies->fixture->acme, &text);
    decode(lh_buf_view(&text), &second);
    assert_int_equal(first.len, second.len);
    memcpy(second.ptr, first.ptr, LH_SEALED_COOKIE_HEADER_BYTES);
    forge(cookies, cookies->fixture->acme,
          lh_slice_of(second.ptr, second.len - LH_SEALED_COOKIE_MAC_BYTES), &text);
    assert_status(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)), LH_TAMPERED);
}

static void test_sealed_cookie__is_no_handle_and_a_handle_is_none(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    struct lh_raw_handle raw_handle;
    assert_status(lh_handle_parse(lh_buf_view(&text), &raw_handle), LH_MALFORMED);
    struct lh_handle handle = {.uid = cookies->fixture->acme->uid};
    char handle_text[LH_HANDLE_TEXT_BYTES];
    assert_ok(lh_handle_write(cookies->cell, &handle, handle_text));
    struct lh_raw_sealed_cookie raw;
    assert_status(lh_sealed_cookie_parse(LH_SLICE_OF(handle_text), cookies->room, &raw),
                  LH_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CELL(test_sealed_cookie__opens_as_it_was_sealed),
        WITH_CELL(test_sealed_cookie__shows_nothing_of_the_principal_and_never_repeats),
        WITH_CELL(test_sealed_cookie__of_nobody_is_anonymous),
        WITH_CELL(test_sealed_cookie__has_no_place_for_a_state),
        WITH_CELL(test_sealed_cookie__is_as_large_as_browsers_keep_and_no_larger),
        WITH_CELL(test_sealed_cookie__a_longer_value_is_not_looked_at),
        WITH_CELL(test_sealed_cookie__no_flipped_bit_passes_and_none_costs_a_key),
        WITH_CELL(test_sealed_cookie__no_other_length_passes),
        WITH_CELL(test_sealed_cookie__a_right_mac_does_not_open_altered_bytes),
        WITH_CELL(test_sealed_cookie__that_is_of_no_session_is_tampered_whoever_sealed_it),
        WITH_CELL(test_sealed_cookie__of_one_tenant_is_not_another_s),
        WITH_CELL(test_sealed_cookie__does_not_open_for_another_uid_under_the_same_key),
        WITH_CELL(test_sealed_cookie__a_header_opens_no_other_seal),
        WITH_CELL(test_sealed_cookie__is_no_handle_and_a_handle_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
