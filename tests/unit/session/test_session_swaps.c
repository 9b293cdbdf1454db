/*
 * Records in the wrong place, put together from others, cut or altered: nothing of that opens,
 * the place is set aside, and whoever the bytes belong to is not touched.
 */
#include "session_fixture.h"

/* Two sessions of one tenant and one of another, alike but for who they are. */
struct three {
    struct made_session mine;
    struct made_session other;
    struct made_session foreign;
};

static void make_three(struct fixture *fixture, struct three *three)
{
    struct lh_session_spec spec = spec_of_alice();
    make_session(fixture, fixture->acme, &spec, &three->mine);
    make_session(fixture, fixture->acme, &spec, &three->other);
    make_session(fixture, fixture->globex, &spec, &three->foreign);
}

static void three_fini(struct three *three)
{
    made_session_fini(&three->mine);
    made_session_fini(&three->other);
    made_session_fini(&three->foreign);
}

/* Puts a record where it does not belong. */
static void assert_foreign(struct fixture *fixture, const struct made_session *place,
                           const struct made_session *record)
{
    memset(&fixture->queue, 0, sizeof(fixture->queue));
    put_row(fixture, &place->key, &record->row, lh_buf_view(&record->record));
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_row row = record->row;
    row.record = lh_buf_view(&record->record);
    assert_ok(lh_store_create(fixture->store, &op, &record->key, &row)); /* the victim's own */

    assert_status(load_only(fixture, &place->handle), LH_FOREIGN);
    assert_int_equal(fixture->queue.quarantines, 1);
    assert_true(lh_session_key_is_equal(&fixture->queue.set_aside[0], &place->key));
    assert_ok(load_only(fixture, &record->handle));
    assert_int_equal(fixture->queue.quarantines, 1);
    /* Once it is set aside it stays refused, and is neither told as a leak nor queued again. */
    assert_ok(lh_store_quarantine(fixture->store, &op, &place->key));
    assert_status(load_only(fixture, &place->handle), LH_QUARANTINED);
    assert_int_equal(fixture->queue.quarantines, 1);
}

static void test_swaps__a_record_of_another_tenant_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    assert_foreign(fixture, &three.mine, &three.foreign);
    assert_foreign(fixture, &three.foreign, &three.mine);
}

static void test_swaps__a_record_of_another_session_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    assert_foreign(fixture, &three.mine, &three.other);
}

static void test_swaps__a_record_in_another_bucket_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    struct made_session moved = three.mine;
    moved.key.bucket ^= 1;
    moved.handle.bucket ^= 1;
    assert_foreign(fixture, &moved, &three.mine);
}

static void test_swaps__without_a_queue_a_foreign_record_is_set_aside_at_once(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    put_row(fixture, &three.mine.key, &three.foreign.row, lh_buf_view(&three.foreign.record));
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_status(lh_vault_load(fixture->acts, &op, &three.mine.handle, &loaded), LH_FOREIGN);
    struct lh_store_row row;
    assert_ok(lh_store_load(fixture->store, &op, &three.mine.key, &loaded.bytes, &row));
    assert_true(row.is_quarantined);
}

/* --- Put together from others ----------------------------------------------------------------- */

/* header ‖ commitment ‖ principal ‖ state, each taken from one of two records. */
static void splice(const struct made_session *a, const struct made_session *b, unsigned from_b,
                   struct lh_buf *out)
{
    const struct made_session *sources[4];
    struct lh_envelope envelopes[4];
    lh_slice headers[4];
    for (unsigned i = 0; i < 4; i++) {
        sources[i] = (from_b & (1U << i)) != 0 ? b : a;
        struct lh_session_header header;
        lh_slice body;
        assert_ok(
            lh_session_header_read(lh_buf_view(&sources[i]->record), &header, &headers[i], &body));
        assert_ok(lh_envelope_parse(body, &envelopes[i]));
    }
    assert_ok(lh_buf_add(out, headers[0]));
    assert_ok(lh_buf_add(out, envelopes[1].commitment));
    assert_ok(lh_buf_add_u32(out, (uint32_t)envelopes[2].sealed_principal.len));
    assert_ok(lh_buf_add(out, envelopes[2].sealed_principal));
    assert_ok(lh_buf_add_u32(out, (uint32_t)envelopes[3].sealed_state.len));
    assert_ok(lh_buf_add(out, envelopes[3].sealed_state));
}

static void assert_no_splice_opens(struct fixture *fixture, const struct made_session *mine,
                                   const struct made_session *other, bool is_one_key)
{
    for (unsigned from_b = 0; from_b < 16; from_b++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf record = LH_BUF_EMPTY;
        splice(mine, other, from_b, &record);
        put_row(fixture, &mine->key, &mine->row, lh_buf_view(&record));
        lh_status status = load_and_open(fixture, fixture->acme, &mine->handle);
        /* The commitment is to the key: that of another session under the same key is the same. */
        bool is_whole = from_b == 0 || (is_one_key && from_b == 2);
        bool has_other_header = (from_b & 1U) != 0;
        assert_int_equal(status.code, is_whole           ? LH_OK
                                      : has_other_header ? LH_FOREIGN
                                                         : LH_TAMPERED);
    }
}

static void test_swaps__parts_of_two_sessions_of_a_tenant_do_not_make_one(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    memset(&fixture->queue, 0, sizeof(fixture->queue));
    assert_no_splice_opens(fixture, &three.mine, &three.other, true);
}

static void test_swaps__parts_of_sessions_of_two_tenants_do_not_make_one(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    memset(&fixture->queue, 0, sizeof(fixture->queue));
    assert_no_splice_opens(fixture, &three.mine, &three.foreign, false);
}

static void test_swaps__parts_of_two_generations_do_not_make_one(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    struct made_session newer = three.mine;
    newer.record = LH_BUF_EMPTY;
    newer.header.generation = newer.row.generation = 2;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(lh_buf_fini) struct lh_buf principal = LH_BUF_EMPTY;
    assert_ok(lh_principal_write(&spec.principal, &principal));
    seal_record(fixture, fixture->acme, &newer.header, lh_buf_view(&principal), spec.state,
                &newer.record);
    for (unsigned from_b = 1; from_b < 16; from_b++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf record = LH_BUF_EMPTY;
        splice(&three.mine, &newer, from_b, &record);
        bool has_newer_header = (from_b & 1U) != 0;
        const struct lh_store_row *row = has_newer_header ? &newer.row : &three.mine.row;
        put_row(fixture, &three.mine.key, row, lh_buf_view(&record));
        bool is_whole = from_b == 2 || (from_b | 2U) == 15;
        assert_status(load_and_open(fixture, fixture->acme, &three.mine.handle),
                      is_whole ? LH_OK : LH_TAMPERED);
    }
    made_session_fini(&newer);
}

static void test_swaps__a_state_cannot_be_taken_off_unseen(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    struct lh_session_header header;
    lh_slice fixed;
    lh_slice body;
    struct lh_envelope envelope;
    assert_ok(lh_session_header_read(lh_buf_view(&three.mine.record), &header, &fixed, &body));
    assert_ok(lh_envelope_parse(body, &envelope));
    LH_CLEANUP(lh_buf_fini) struct lh_buf record = LH_BUF_EMPTY;
    assert_ok(
        lh_buf_add(&record, lh_slice_cut(lh_buf_view(&three.mine.record), 0,
                                         three.mine.record.len - 4 - envelope.sealed_state.len)));
    assert_ok(lh_buf_add_u32(&record, 0));
    put_row(fixture, &three.mine.key, &three.mine.row, lh_buf_view(&record));
    assert_status(load_only(fixture, &three.mine.handle), LH_TAMPERED);
}

/* --- Altered ---------------------------------------------------------------------------------- */

static void test_swaps__no_altered_bit_of_a_record_opens(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    struct lh_buf *record = &three.mine.record;
    for (size_t i = 0; i < record->len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memset(&fixture->queue, 0, sizeof(fixture->queue));
            record->ptr[i] ^= (uint8_t)(1U << bit);
            put_row(fixture, &three.mine.key, &three.mine.row, lh_buf_view(record));
            lh_status status = load_and_open(fixture, fixture->acme, &three.mine.handle);
            bool is_alarm = lh_status_class(status) == LH_CLASS_TAMPERED;
            /* A format byte of the future is unknown; a hash that is not the secret's refuses. */
            bool is_refused = status.code == LH_FUTURE_FORMAT || status.code == LH_BAD_SECRET;
            if (!is_alarm && !is_refused) {
                fail_msg("byte %zu bit %u: %s", i, bit, lh_status_name(status));
            }
            record->ptr[i] ^= (uint8_t)(1U << bit);
        }
    }
    put_row(fixture, &three.mine.key, &three.mine.row, lh_buf_view(record));
    assert_ok(load_and_open(fixture, fixture->acme, &three.mine.handle));
}

static void test_swaps__no_shortened_or_lengthened_record_opens(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    struct lh_buf *record = &three.mine.record;
    for (size_t len = 1; len < record->len; len++) {
        put_row(fixture, &three.mine.key, &three.mine.row,
                lh_slice_cut(lh_buf_view(record), 0, len));
        assert_status(load_and_open(fixture, fixture->acme, &three.mine.handle), LH_TAMPERED);
    }
    assert_ok(lh_buf_add_u8(record, 0));
    put_row(fixture, &three.mine.key, &three.mine.row, lh_buf_view(record));
    assert_status(load_and_open(fixture, fixture->acme, &three.mine.handle), LH_TAMPERED);
}

static void test_swaps__indexes_that_lie_about_the_record_are_tampered(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    struct lh_store_row rows[5];
    for (size_t i = 0; i < 5; i++) {
        rows[i] = three.mine.row;
    }
    rows[0].generation++;
    rows[1].absolute_end_ms += 1000;
    rows[2].idle_s = 0;
    rows[3].has_user = false;
    rows[4].user_tag.bytes[0] ^= 1;
    for (size_t i = 0; i < 5; i++) {
        put_row(fixture, &three.mine.key, &rows[i], lh_buf_view(&three.mine.record));
        assert_status(load_only(fixture, &three.mine.handle), LH_TAMPERED);
    }
}

/* --- Keys ------------------------------------------------------------------------------------- */

static void test_swaps__a_record_that_names_another_key_does_not_open(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    const size_t dek_id_at = 2 + 16 + 2 + 16 + 8 + 3; /* its last byte */
    struct lh_buf *record = &three.mine.record;
    static const uint8_t ids[] = {2, 3, 255}; /* another living one, and two that are not there */
    for (size_t i = 0; i < sizeof(ids); i++) {
        record->ptr[dek_id_at] = ids[i];
        put_row(fixture, &three.mine.key, &three.mine.row, lh_buf_view(record));
        assert_ok(load_only(fixture, &three.mine.handle));
        assert_status(load_and_open(fixture, fixture->acme, &three.mine.handle), LH_TAMPERED);
    }
}

static void test_swaps__an_anonymous_principal_under_a_user_s_header_does_not_open(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(three_fini) struct three three;
    make_three(fixture, &three);
    struct lh_principal nobody = {.subject = LH_SLICE_EMPTY};
    LH_CLEANUP(lh_buf_fini) struct lh_buf principal = LH_BUF_EMPTY;
    assert_ok(lh_principal_write(&nobody, &principal));
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(lh_buf_fini) struct lh_buf record = LH_BUF_EMPTY;
    seal_record(fixture, fixture->acme, &three.mine.header, lh_buf_view(&principal), spec.state,
                &record);
    put_row(fixture, &three.mine.key, &three.mine.row, lh_buf_view(&record));
    assert_status(load_and_open(fixture, fixture->acme, &three.mine.handle), LH_TAMPERED);
}

#define SWAP_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWAP_TEST(test_swaps__a_record_of_another_tenant_is_foreign),
        SWAP_TEST(test_swaps__a_record_of_another_session_is_foreign),
        SWAP_TEST(test_swaps__a_record_in_another_bucket_is_foreign),
        SWAP_TEST(test_swaps__without_a_queue_a_foreign_record_is_set_aside_at_once),
        SWAP_TEST(test_swaps__parts_of_two_sessions_of_a_tenant_do_not_make_one),
        SWAP_TEST(test_swaps__parts_of_sessions_of_two_tenants_do_not_make_one),
        SWAP_TEST(test_swaps__parts_of_two_generations_do_not_make_one),
        SWAP_TEST(test_swaps__a_state_cannot_be_taken_off_unseen),
        SWAP_TEST(test_swaps__no_altered_bit_of_a_record_opens),
        SWAP_TEST(test_swaps__no_shortened_or_lengthened_record_opens),
        SWAP_TEST(test_swaps__indexes_that_lie_about_the_record_are_tampered),
        SWAP_TEST(test_swaps__a_record_that_names_another_key_does_not_open),
        SWAP_TEST(test_swaps__an_anonymous_principal_under_a_user_s_header_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
