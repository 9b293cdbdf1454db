/*
 * Sealed bodies: what opens, and that nothing that was moved, spliced, cut or altered does.
 */
#include "support/test.h"

#include "keys/envelope.h"

#define HEADER    LH_SLICE_LITERAL("the fixed header of one session")
#define PRINCIPAL LH_SLICE_LITERAL("alice, admin")
#define STATE     LH_SLICE_LITERAL("{\"cart\":[1,2,3]}")

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static struct lh_datakey datakey_of_byte(struct lh_crypto *crypto, uint8_t byte)
{
    struct lh_datakey key = {.dek_id = 1};
    memset(key.record.key.bytes, byte, sizeof(key.record.key.bytes));
    assert_ok(lh_aead_commitment(crypto, &key.record.key, key.record.commitment));
    return key;
}

static struct lh_buf sealed_body(struct lh_crypto *crypto, const struct lh_datakey *key,
                                 lh_slice header, lh_slice principal, lh_slice state)
{
    struct lh_buf body = LH_BUF_EMPTY;
    assert_ok(lh_envelope_seal(crypto, key, header, principal, state, &body));
    return body;
}

/* Opens both parts of a body; the first that does not open decides. */
static lh_status open_both(struct lh_crypto *crypto, const struct lh_datakey *key, lh_slice header,
                           lh_slice body)
{
    struct lh_envelope envelope;
    LH_TRY(lh_envelope_parse(body, &envelope));
    LH_CLEANUP(lh_buf_fini) struct lh_buf principal = LH_BUF_EMPTY;
    LH_TRY(lh_envelope_open_principal(crypto, key, header, &envelope, &principal));
    LH_CLEANUP(lh_buf_fini) struct lh_buf state = LH_BUF_EMPTY;
    return lh_envelope_open_state(crypto, key, header, &envelope, &state);
}

static void test_envelope__opens_what_was_sealed(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    struct lh_envelope envelope;
    assert_ok(lh_envelope_parse(lh_buf_view(&body), &envelope));
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_text(&plain, "> "));
    assert_ok(lh_envelope_open_principal(*state, &key, HEADER, &envelope, &plain));
    assert_slice_text(lh_buf_view(&plain), "> alice, admin");
    assert_ok(lh_envelope_open_state(*state, &key, HEADER, &envelope, &plain));
    assert_slice_text(lh_buf_view(&plain), "> alice, admin{\"cart\":[1,2,3]}");
}

static void test_envelope__no_state_is_absent_not_empty(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, LH_SLICE_EMPTY);
    struct lh_envelope envelope;
    assert_ok(lh_envelope_parse(lh_buf_view(&body), &envelope));
    assert_int_equal(envelope.sealed_state.len, 0);
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_ok(lh_envelope_open_principal(*state, &key, HEADER, &envelope, &plain));
    assert_status(lh_envelope_open_state(*state, &key, HEADER, &envelope, &plain), LH_ABSENT);
}

static void test_envelope__the_largest_principal_fits_and_one_byte_more_does_not(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    uint8_t principal[LH_PRINCIPAL_MAX_BYTES + 1] = {0};
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body =
        sealed_body(*state, &key, HEADER, lh_slice_of(principal, LH_PRINCIPAL_MAX_BYTES), STATE);
    assert_ok(open_both(*state, &key, HEADER, lh_buf_view(&body)));
    LH_CLEANUP(lh_buf_fini) struct lh_buf refused = LH_BUF_EMPTY;
    assert_status(lh_envelope_seal(*state, &key, HEADER, LH_SLICE_OF(principal), STATE, &refused),
                  LH_TOO_LARGE);
}

static void test_envelope__no_other_header_opens(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    uint8_t header[64];
    memcpy(header, HEADER.ptr, HEADER.len);
    for (size_t i = 0; i < HEADER.len; i++) {
        header[i] ^= 1;
        assert_status(open_both(*state, &key, lh_slice_of(header, HEADER.len), lh_buf_view(&body)),
                      LH_TAMPERED);
        header[i] ^= 1;
    }
    assert_status(open_both(*state, &key, lh_slice_of(header, HEADER.len - 1), lh_buf_view(&body)),
                  LH_TAMPERED);
}

static void test_envelope__no_other_key_opens(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    struct lh_datakey other = datakey_of_byte(*state, 2);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    assert_status(open_both(*state, &other, HEADER, lh_buf_view(&body)), LH_TAMPERED);
}

static void test_envelope__the_commitment_decides_before_the_seal(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    /* The seal would open; only the commitment says that this is another key. */
    struct lh_datakey key_of_other_commitment = key;
    key_of_other_commitment.record.commitment[31] ^= 1;
    assert_status(open_both(*state, &key_of_other_commitment, HEADER, lh_buf_view(&body)),
                  LH_TAMPERED);
}

static void test_envelope__principal_and_state_do_not_change_places(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    struct lh_envelope envelope;
    assert_ok(lh_envelope_parse(lh_buf_view(&body), &envelope));
    struct lh_envelope swapped = {envelope.commitment, envelope.sealed_state,
                                  envelope.sealed_principal};
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_status(lh_envelope_open_principal(*state, &key, HEADER, &swapped, &plain), LH_TAMPERED);
    assert_status(lh_envelope_open_state(*state, &key, HEADER, &swapped, &plain), LH_TAMPERED);
    assert_int_equal(plain.len, 0);
}

static void test_envelope__parts_of_two_sessions_do_not_mix(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    const lh_slice other_header = LH_SLICE_LITERAL("the fixed header of two session");
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf other = sealed_body(*state, &key, other_header, PRINCIPAL, STATE);
    struct lh_envelope a;
    struct lh_envelope b;
    assert_ok(lh_envelope_parse(lh_buf_view(&body), &a));
    assert_ok(lh_envelope_parse(lh_buf_view(&other), &b));
    struct lh_envelope spliced = {a.commitment, a.sealed_principal, b.sealed_state};
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_ok(lh_envelope_open_principal(*state, &key, HEADER, &spliced, &plain));
    assert_status(lh_envelope_open_state(*state, &key, HEADER, &spliced, &plain), LH_TAMPERED);
}

static void test_envelope__no_altered_byte_opens(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    for (size_t i = 0; i < body.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            body.ptr[i] ^= (uint8_t)(1U << bit);
            assert_status(open_both(*state, &key, HEADER, lh_buf_view(&body)), LH_TAMPERED);
            body.ptr[i] ^= (uint8_t)(1U << bit);
        }
    }
    assert_ok(open_both(*state, &key, HEADER, lh_buf_view(&body)));
}

static void test_envelope__no_other_length_opens(void **state)
{
    struct lh_datakey key = datakey_of_byte(*state, 1);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf body = sealed_body(*state, &key, HEADER, PRINCIPAL, STATE);
    for (size_t len = 0; len < body.len; len++) {
        assert_status(open_both(*state, &key, HEADER, lh_slice_cut(lh_buf_view(&body), 0, len)),
                      LH_TAMPERED);
    }
    assert_ok(lh_buf_add_u8(&body, 0));
    assert_status(open_both(*state, &key, HEADER, lh_buf_view(&body)), LH_TAMPERED);
}

/* A body of commitment and two parts of the given lengths, zero bytes all. */
static lh_status parse_lengths(uint32_t principal_len, uint32_t state_len)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf body = LH_BUF_EMPTY;
    uint8_t *room;
    assert_ok(lh_buf_add_room(&body, LH_AEAD_COMMITMENT_BYTES, &room));
    memset(room, 0, LH_AEAD_COMMITMENT_BYTES);
    uint32_t lengths[] = {principal_len, state_len};
    for (size_t i = 0; i < 2; i++) {
        assert_ok(lh_buf_add_u32(&body, lengths[i]));
        for (uint32_t n = 0; n < lengths[i] && n < 1024; n++) {
            assert_ok(lh_buf_add_u8(&body, 0));
        }
    }
    struct lh_envelope envelope;
    return lh_envelope_parse(lh_buf_view(&body), &envelope);
}

static void test_envelope__lengths_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const uint32_t least = LH_AEAD_OVERHEAD_BYTES;
    const uint32_t most = LH_AEAD_OVERHEAD_BYTES + LH_PRINCIPAL_MAX_BYTES;
    assert_ok(parse_lengths(least, 0));
    assert_ok(parse_lengths(most, least + 1));
    assert_status(parse_lengths(0, 0), LH_TAMPERED);
    assert_status(parse_lengths(least - 1, 0), LH_TAMPERED);
    assert_status(parse_lengths(most + 1, 0), LH_TAMPERED);
    assert_status(parse_lengths(least, 1), LH_TAMPERED);
    assert_status(parse_lengths(least, least), LH_TAMPERED); /* a state of no bytes is none */
    assert_status(parse_lengths(least, UINT32_MAX), LH_TAMPERED);
    assert_status(parse_lengths(UINT32_MAX, 0), LH_TAMPERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope__opens_what_was_sealed),
        cmocka_unit_test(test_envelope__no_state_is_absent_not_empty),
        cmocka_unit_test(test_envelope__the_largest_principal_fits_and_one_byte_more_does_not),
        cmocka_unit_test(test_envelope__no_other_header_opens),
        cmocka_unit_test(test_envelope__no_other_key_opens),
        cmocka_unit_test(test_envelope__the_commitment_decides_before_the_seal),
        cmocka_unit_test(test_envelope__principal_and_state_do_not_change_places),
        cmocka_unit_test(test_envelope__parts_of_two_sessions_do_not_mix),
        cmocka_unit_test(test_envelope__no_altered_byte_opens),
        cmocka_unit_test(test_envelope__no_other_length_opens),
        cmocka_unit_test(test_envelope__lengths_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
