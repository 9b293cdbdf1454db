/*
 * The one token of a session: given, replaced, and of a record that an older version wrote.
 */
#include "session_fixture.h"

static lh_status load(struct fixture *fixture, const struct lh_handle *handle,
                      struct lh_loaded_session *loaded)
{
    struct lh_op op = lh_op_idle(0, NULL);
    return lh_vault_load(fixture->vault, &op, handle, loaded);
}

static struct lh_token_tag tag_of(struct fixture *fixture, const char *jti)
{
    struct lh_token_tag tag;
    assert_ok(lh_token_tag_of(fixture->crypto, lh_slice_from_text(jti), &tag));
    return tag;
}

static lh_status set(struct fixture *fixture, const struct lh_loaded_session *loaded,
                     const char *jti, struct lh_session_header *out_header)
{
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_token_tag tag = tag_of(fixture, jti);
    return lh_vault_set_token(fixture->acts, &op, fixture->acme, loaded, &tag, out_header);
}

/* By the handle; fails the test on errors. */
static void give(struct fixture *fixture, const struct lh_handle *handle, const char *jti,
                 struct lh_session_header *out_header)
{
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, handle, &loaded));
    assert_ok(set(fixture, &loaded, jti, out_header));
}

static bool has_token(struct fixture *fixture, const struct lh_handle *handle, const char *jti)
{
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    struct lh_token_tag tag = tag_of(fixture, jti);
    assert_ok(load(fixture, handle, &loaded));
    return lh_session_has_token(&loaded.header, &tag);
}

static void rotate(struct fixture *fixture, const struct lh_handle *handle,
                   struct lh_handle *out_handle)
{
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_header header;
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->acts, &op, handle, &loaded));
    assert_ok(lh_vault_rotate(fixture->acts, &op, fixture->acme, &loaded, out_handle, &header));
}

static void test_set_token__changes_the_tag_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, 5000);
    struct lh_session_header header;
    give(fixture, &made.handle, "first", &header);
    struct lh_session_header expected = made.header;
    expected.generation = 2;
    expected.token_tag = tag_of(fixture, "first");
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf wanted = LH_BUF_EMPTY;
    assert_ok(lh_session_header_write(&header, &bytes));
    assert_ok(lh_session_header_write(&expected, &wanted));
    assert_true(lh_slice_is_equal(lh_buf_view(&bytes), lh_buf_view(&wanted)));
    assert_ok(load_and_open(fixture, fixture->acme, &made.handle));
    assert_int_equal(fixture->queue.grace_ends, 0);
}

static void test_set_token__the_last_one_is_the_only_one(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made, other;
    make_session(fixture, fixture->acme, &spec, &made);
    make_session(fixture, fixture->acme, &spec, &other);
    struct lh_session_header header;
    assert_false(has_token(fixture, &made.handle, "first"));
    give(fixture, &made.handle, "first", &header);
    assert_true(has_token(fixture, &made.handle, "first"));
    give(fixture, &made.handle, "second", &header);
    assert_int_equal(header.generation, 3);
    assert_true(has_token(fixture, &made.handle, "second"));
    assert_false(has_token(fixture, &made.handle, "first"));
    assert_false(has_token(fixture, &other.handle, "second"));
    made_session_fini(&other);
}

/* A record that was put back is older than what the registry demands. */
static void test_set_token__a_record_of_before_is_of_an_older_generation(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_session_header first, second;
    give(fixture, &made.handle, "first", &first);
    give(fixture, &made.handle, "second", &second);
    const struct lh_session_facts facts = {.least_generation = second.generation,
                                           .platform_epoch = first.platform_epoch,
                                           .tenant_epoch = first.tenant_epoch};
    assert_status(lh_session_judge(&first, &facts), LH_TAMPERED);
    assert_ok(lh_session_judge(&second, &facts));
}

static void test_set_token__a_rotation_keeps_it_and_a_new_lease_has_none(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_session_header header;
    give(fixture, &made.handle, "first", &header);
    struct lh_handle next, changed;
    rotate(fixture, &made.handle, &next);
    assert_true(has_token(fixture, &next, "first"));
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, &next, &loaded));
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    spec.replaces = &loaded;
    assert_ok(
        lh_vault_create(fixture->acts, &op, fixture->acme, &spec, &changed, &header, &evicted));
    assert_false(has_token(fixture, &changed, "first"));
}

/* What a previous secret is worth neither grows nor ends by it. */
static void test_set_token__leaves_a_grace_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle next;
    struct lh_session_header header;
    rotate(fixture, &made.handle, &next);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_inspect(fixture->acts, &op, &made.key, &loaded));
    assert_ok(set(fixture, &loaded, "first", &header));
    assert_ok(load_only(fixture, &made.handle)); /* the grace goes on */
    lh_loaded_session_fini(&loaded);
    assert_ok(lh_vault_inspect(fixture->acts, &op, &made.key, &loaded));
    assert_ok(lh_store_end_grace(fixture->store, NULL, &made.key, 3)); /* since it was loaded */
    assert_ok(set(fixture, &loaded, "second", &header));
    assert_status(load_only(fixture, &made.handle), LH_BAD_SECRET);
    assert_ok(load_only(fixture, &next));
    struct lh_handle last;
    rotate(fixture, &next, &last); /* another previous secret, another grace */
    assert_ok(load_only(fixture, &next));
}

static void test_set_token__gives_nothing_to_nobody_and_to_the_previous_secret(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made, anonymous;
    make_session(fixture, fixture->acme, &spec, &made);
    make_session(fixture, fixture->acme, &(struct lh_session_spec){.idle_s = 0}, &anonymous);
    struct lh_handle next;
    struct lh_session_header header;
    rotate(fixture, &made.handle, &next);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, &made.handle, &loaded));
    assert_status(set(fixture, &loaded, "first", &header), LH_FORBIDDEN);
    lh_loaded_session_fini(&loaded);
    assert_ok(load(fixture, &anonymous.handle, &loaded));
    assert_status(set(fixture, &loaded, "first", &header), LH_FORBIDDEN);
    made_session_fini(&anonymous);
}

static void test_set_token__loses_against_a_change_and_a_revocation(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_header header;
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, &made.handle, &loaded));
    give(fixture, &made.handle, "first", &header);
    assert_status(set(fixture, &loaded, "second", &header), LH_CONFLICT);
    assert_true(has_token(fixture, &made.handle, "first"));
    lh_loaded_session_fini(&loaded);
    assert_ok(load(fixture, &made.handle, &loaded));
    assert_ok(lh_vault_revoke(fixture->acts, &op, &made.key, made.header.absolute_end_ms));
    assert_status(set(fixture, &loaded, "second", &header), LH_REVOKED);
    fake_host_advance(&fixture->fake, (uint64_t)ABSOLUTE_S * 1000);
    assert_status(set(fixture, &loaded, "second", &header), LH_EXPIRED);
}

/* An older version's record: it opens as it is, and is of the present format with its next change.
 */
static void test_format_1__is_opened_and_followed_by_the_present_one(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_session_header old = made.header;
    old.format = 1;
    LH_CLEANUP(lh_buf_fini) struct lh_buf principal = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf record = LH_BUF_EMPTY;
    assert_ok(lh_principal_write(&spec.principal, &principal));
    seal_record(fixture, fixture->acme, &old, lh_buf_view(&principal), spec.state, &record);
    put_row(fixture, &made.key, &made.row, lh_buf_view(&record));
    assert_ok(load_and_open(fixture, fixture->acme, &made.handle));
    assert_false(has_token(fixture, &made.handle, "first"));
    /* Nobody takes it for one of the present format: what is sealed is bound to its header. */
    LH_CLEANUP(lh_buf_fini) struct lh_buf raised = LH_BUF_EMPTY;
    lh_slice old_bytes = lh_buf_view(&record);
    static const struct lh_token_tag none;
    assert_ok(lh_buf_add(&raised, LH_SLICE_LITERAL("\x02")));
    assert_ok(lh_buf_add(&raised, lh_slice_cut(old_bytes, 1, LH_SESSION_HEADER_BYTES_FORMAT_1)));
    assert_ok(lh_buf_add(&raised, LH_SLICE_OF(none.bytes)));
    assert_ok(lh_buf_add(&raised,
                         lh_slice_cut(old_bytes, LH_SESSION_HEADER_BYTES_FORMAT_1, old_bytes.len)));
    put_row(fixture, &made.key, &made.row, lh_buf_view(&raised));
    assert_status(load_and_open(fixture, fixture->acme, &made.handle), LH_TAMPERED);
    put_row(fixture, &made.key, &made.row, old_bytes);
    struct lh_session_header header;
    give(fixture, &made.handle, "first", &header);
    assert_int_equal(header.format, 2);
    assert_ok(load_and_open(fixture, fixture->acme, &made.handle));
    assert_true(has_token(fixture, &made.handle, "first"));
}

#define TOKEN_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOKEN_TEST(test_set_token__changes_the_tag_and_nothing_else),
        TOKEN_TEST(test_set_token__the_last_one_is_the_only_one),
        TOKEN_TEST(test_set_token__a_record_of_before_is_of_an_older_generation),
        TOKEN_TEST(test_set_token__a_rotation_keeps_it_and_a_new_lease_has_none),
        TOKEN_TEST(test_set_token__leaves_a_grace_as_it_is),
        TOKEN_TEST(test_set_token__gives_nothing_to_nobody_and_to_the_previous_secret),
        TOKEN_TEST(test_set_token__loses_against_a_change_and_a_revocation),
        TOKEN_TEST(test_format_1__is_opened_and_followed_by_the_present_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
