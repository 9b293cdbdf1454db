/*
 * Whatever is copied, renamed, moved, put together, cut, altered or replayed of the sessions of
 * twenty tenants: nobody passes. Each session passes before and after, so that a gate which refuses
 * everything does not pass for a safe one.
 *
 * tools/mutate --without-tenant-comparison runs this again where no tenant is compared to another.
 */
#include "swaps_field.h"

/* --- Cookies ---------------------------------------------------------------------------------- */

/* Parts of a cookie, each taken from one of two. */
static void splice_cookies(struct field *field, struct session *a, struct session *b)
{
    static const size_t ends[] = {2, 4, 4 + LH_LEASE_ID_BYTES,
                                  4 + LH_LEASE_ID_BYTES + LH_SESSION_SECRET_BYTES, LH_HANDLE_BYTES};
    struct lh_raw_handle of_a, of_b;
    assert_ok(lh_handle_parse(S(a->value), &of_a));
    assert_ok(lh_handle_parse(S(b->value), &of_b));
    for (unsigned from_b = 0; from_b < 32; from_b++) {
        uint8_t bytes[LH_HANDLE_BYTES];
        char text[LH_HANDLE_TEXT_BYTES];
        for (size_t part = 0, at = 0; part < 5; at = ends[part++]) {
            const uint8_t *source = (from_b & (1U << part)) != 0 ? of_b.bytes : of_a.bytes;
            memcpy(bytes + at, source + at, ends[part] - at);
        }
        lh_base64url_write(LH_SLICE_OF(bytes), text);
        bool is_a = lh_slice_is_equal(LH_SLICE_OF(text), S(a->value));
        bool is_b_at_home =
            is_one_tenant(a, b) && lh_slice_is_equal(LH_SLICE_OF(text), S(b->value));
        if (!is_a && !is_b_at_home) {
            assert_refused(field, a, a->name, LH_SLICE_OF(text), "a cookie put together from two");
        }
    }
}

static void copy_cookies(struct field *field, struct session *a, struct session *b)
{
    splice_cookies(field, a, b);
    assert_forged_refused(field, a, a, b, "the secret of another session");
    if (!is_one_tenant(a, b)) {
        assert_refused(field, a, b->name, S(b->value), "another tenant's cookie");
        assert_refused(field, a, a->name, S(b->value), "another tenant's cookie, renamed");
        assert_refused(field, a, LH_COOKIE_NAME, S(b->value), "another tenant's cookie, unnamed");
        assert_forged_refused(field, a, b, b, "another tenant's lease and secret");
    }
}

static void test_swaps__no_cookie_passes_for_another(void **state)
{
    each_pair(*state, copy_cookies);
}

static void alter_cookie(struct field *field, const struct session *session)
{
    struct lh_raw_handle raw;
    char text[LH_HANDLE_TEXT_BYTES];
    assert_ok(lh_handle_parse(S(session->value), &raw));
    for (size_t bit = 0; bit < (size_t)8 * LH_HANDLE_BYTES; bit++) {
        raw.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        lh_base64url_write(LH_SLICE_OF(raw.bytes), text);
        assert_refused(field, session, session->name, LH_SLICE_OF(text), "an altered cookie");
        raw.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    memcpy(text, session->value, sizeof(text));
    for (size_t bit = 0; bit < (size_t)8 * sizeof(text); bit++) {
        text[bit / 8] = (char)(session->value[bit / 8] ^ (1 << (bit % 8)));
        /* What ends a cookie's value leaves a shorter one. */
        assert_refused(field, session, session->name, LH_SLICE_OF(text), "an altered cookie text");
        text[bit / 8] = session->value[bit / 8];
    }
    for (size_t len = 0; len < sizeof(text); len++) {
        assert_refused(field, session, session->name, lh_slice_of(text, len), "a cut cookie");
    }
}

static void test_swaps__no_cookie_with_a_bit_altered_or_cut_passes(void **state)
{
    struct field *field = *state;
    assert_all_pass(field);
    for (unsigned n = 0; n < SESSIONS; n++) {
        alter_cookie(field, &field->sessions[n]);
    }
    assert_all_pass(field);
}

/* --- Records ---------------------------------------------------------------------------------- */

/* With a's own cookie, and with one that knows b's secret. */
static void assert_planted_refused(struct field *field, const struct session *a,
                                   const struct session *b, lh_slice record, const char *what)
{
    if (plant(field, &a->key, b, record)) {
        assert_refused(field, a, a->name, S(a->value), what);
    }
    /* Anew: the first may have set it aside. */
    if (plant(field, &a->key, b, record)) {
        assert_forged_refused(field, a, a, b, what);
    }
}

/* b's record under a header that says what a's place expects. */
static void rewrite(const struct session *b, const struct lh_session_header *header,
                    struct lh_buf *out_record)
{
    lh_slice body = lh_slice_cut(lh_buf_view(&b->record), LH_SESSION_HEADER_BYTES, b->record.len);
    assert_ok(lh_session_header_write(header, out_record));
    assert_ok(lh_buf_add(out_record, body));
}

static void copy_record(struct field *field, struct session *a, struct session *b)
{
    assert_planted_refused(field, a, b, lh_buf_view(&b->record), "a record moved");
    struct lh_session_header header = b->header;
    header.uid = a->key.uid;
    header.bucket = (uint16_t)a->key.bucket;
    header.lease = a->key.lease;
    LH_CLEANUP(lh_buf_fini) struct lh_buf renamed = LH_BUF_EMPTY;
    rewrite(b, &header, &renamed);
    assert_planted_refused(field, a, b, lh_buf_view(&renamed), "a record renamed");
    LH_CLEANUP(lh_buf_fini) struct lh_buf under_mine = LH_BUF_EMPTY;
    rewrite(b, &a->header, &under_mine);
    assert_planted_refused(field, a, b, lh_buf_view(&under_mine), "a record under another header");
    if (is_one_tenant(a, b)) {
        return;
    }
    /* The same lease in a's tenant, as it is and with the uid rewritten. */
    struct lh_session_key key = {a->key.uid, b->key.bucket, b->key.lease};
    if (plant(field, &key, b, lh_buf_view(&b->record))) {
        assert_forged_refused(field, a, b, b, "a record copied to another tenant");
    }
    header = b->header;
    header.uid = a->key.uid;
    LH_CLEANUP(lh_buf_fini) struct lh_buf claimed = LH_BUF_EMPTY;
    rewrite(b, &header, &claimed);
    if (plant(field, &key, b, lh_buf_view(&claimed))) {
        assert_forged_refused(field, a, b, b, "a record claimed for another tenant");
    }
}

static void test_swaps__no_record_passes_in_another_place(void **state)
{
    each_pair(*state, copy_record);
}

/* header, commitment, principal, state, each taken from one of two. */
static void splice(const struct session *a, const struct session *b, unsigned from_b,
                   struct lh_buf *out_record)
{
    const struct session *sources[4];
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
    assert_ok(lh_buf_add(out_record, headers[0]));
    assert_ok(lh_buf_add(out_record, envelopes[1].commitment));
    assert_ok(lh_buf_add_u32(out_record, (uint32_t)envelopes[2].sealed_principal.len));
    assert_ok(lh_buf_add(out_record, envelopes[2].sealed_principal));
    assert_ok(lh_buf_add_u32(out_record, (uint32_t)envelopes[3].sealed_state.len));
    assert_ok(lh_buf_add(out_record, envelopes[3].sealed_state));
}

static void splice_records(struct field *field, struct session *a, struct session *b)
{
    for (unsigned from_b = 1; from_b < 16; from_b++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf record = LH_BUF_EMPTY;
        splice(a, b, from_b, &record);
        /* Under one key the commitments are one, and both may have no state. */
        if (!lh_slice_is_equal(lh_buf_view(&record), lh_buf_view(&a->record))) {
            assert_planted_refused(field, a, b, lh_buf_view(&record), "a record of two");
        }
    }
}

static void test_swaps__no_record_put_together_from_two_passes(void **state)
{
    each_pair(*state, splice_records);
}

static void alter_record(struct field *field, struct session *session)
{
    struct lh_buf *record = &session->record;
    for (size_t bit = 0; bit < 8 * record->len; bit++) {
        record->ptr[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        if (plant(field, &session->key, session, lh_buf_view(record))) {
            assert_refused(field, session, session->name, S(session->value), "an altered record");
        }
        record->ptr[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    for (size_t len = 0; len < record->len; len++) {
        if (plant(field, &session->key, session, lh_slice_cut(lh_buf_view(record), 0, len))) {
            assert_refused(field, session, session->name, S(session->value), "a cut record");
        }
    }
    assert_true(plant(field, &session->key, session, lh_buf_view(record)));
    assert_passes(field, session);
}

static void test_swaps__no_record_with_a_bit_altered_or_cut_passes(void **state)
{
    struct field *field = *state;
    for (unsigned n = 0; n < SESSIONS; n++) {
        alter_record(field, &field->sessions[n]);
    }
}

/* --- Older generations ------------------------------------------------------------------------ */

/* As a rotation leaves it: generation 1 is no longer enough. */
static void mark_generation(struct field *field, const struct session *session)
{
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    const struct lh_revocation mark = {.least_generation = 2};
    assert_ok(lh_registry_begin(field->made.home->registry, &txn));
    assert_ok(lh_registry_put_revocation(txn, &session->key.uid, &session->key.lease, &mark,
                                         session->row.absolute_end_ms));
    assert_ok(lh_registry_commit(txn));
}

/* Ends what a session is by one of the ways that there are. */
static void end_session(struct field *field, unsigned n)
{
    struct session *session = &field->sessions[n];
    uint64_t ended;
    switch (n / KINDS % 4) { /* a tenant's sessions end in one way */
    case 0:
        assert_ok(lh_admin_session_revoke(field->made.admin, S(session->tenant), S(session->ref)));
        break;
    case 1:
        if (n % KINDS != ANONYMOUS) {
            assert_ok(lh_admin_session_revoke_user(field->made.admin, S(session->tenant),
                                                   S(n % KINDS == A_USER ? "bob" : "alice"),
                                                   &ended));
            break;
        }
        mark_generation(field, session);
        break;
    case 2:
        mark_generation(field, session);
        break;
    default:
        assert_ok(lh_admin_session_revoke_all(field->made.admin, S(session->tenant)));
        break;
    }
}

static void test_swaps__no_record_of_before_a_revoke_or_a_mark_passes(void **state)
{
    struct field *field = *state;
    assert_all_pass(field);
    reopen(field, end_session);
    put_all(field); /* the tombstones are gone, and the records are back */
    for (unsigned n = 0; n < SESSIONS; n++) {
        struct session *session = &field->sessions[n];
        assert_refused(field, session, session->name, S(session->value), "a record replayed");
    }
}

#define SWAPS(test) cmocka_unit_test_setup_teardown(test, swaps_set_up, swaps_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWAPS(test_swaps__no_cookie_passes_for_another),
        SWAPS(test_swaps__no_cookie_with_a_bit_altered_or_cut_passes),
        SWAPS(test_swaps__no_record_passes_in_another_place),
        SWAPS(test_swaps__no_record_put_together_from_two_passes),
        SWAPS(test_swaps__no_record_with_a_bit_altered_or_cut_passes),
        SWAPS(test_swaps__no_record_of_before_a_revoke_or_a_mark_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
