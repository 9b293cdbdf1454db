/*
 * Every allocation of making, loading and opening a session fails in turn: the answer is an
 * error or the right session, nothing leaks, and the next try succeeds.
 */
#include "session_fixture.h"

#include "support/failing_alloc.h"

#include "session/sealed_cookie.h"

/* An endless loop would mean that failures are swallowed and tried again. */
#define ALLOCATIONS_MAX 500

static bool is_told(lh_status status)
{
    return status.code == LH_NO_MEMORY || status.code == LH_CRYPTO;
}

/* Runs act with each allocation failing in turn until none is left to fail. */
static void torture(struct fixture *fixture, lh_status (*act)(struct fixture *fixture))
{
    size_t told = 0;
    for (size_t nth = 1; nth < ALLOCATIONS_MAX; nth++) {
        fixture_renew_datakeys(fixture);
        fake_host_advance(&fixture->fake, 1);
        failing_alloc_at(nth);
        lh_status status = act(fixture);
        bool has_failed = failing_alloc_count() >= nth;
        failing_alloc_at(0);
        if (!has_failed) {
            assert_ok(status);
            assert_true(told > 0);
            return;
        }
        assert_true(lh_is_ok(status) || is_told(status));
        told += is_told(status) ? 1 : 0;
        fake_host_advance(&fixture->fake, LH_DATAKEY_BACKOFF_MS);
        assert_ok(act(fixture));
    }
    fail();
}

static lh_status create_one(struct fixture *fixture)
{
    struct lh_session_spec spec = spec_of_alice();
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    struct lh_session_header header;
    return lh_vault_create(fixture->acts, &op, fixture->acme, &spec, &handle, &header, &evicted);
}

static void test_torture__making_a_session(void **state)
{
    torture(*state, create_one);
}

static struct made_session made; /* the one that is loaded again and again */

static lh_status load_one(struct fixture *fixture)
{
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    LH_TRY(lh_vault_load(fixture->vault, &op, &made.handle, &loaded));
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    LH_TRY(lh_vault_open(fixture->vault, &op, fixture->acme, &loaded, &plain, &principal));
    assert_slice_text(principal.subject, "alice");
    LH_CLEANUP(lh_buf_fini) struct lh_buf opened = LH_BUF_EMPTY;
    LH_TRY(lh_vault_open_state(fixture->vault, &op, fixture->acme, &loaded, &opened));
    assert_slice_text(lh_buf_view(&opened), "{\"cart\":[1,2]}");
    return lh_ok();
}

static void test_torture__loading_and_opening_a_session(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    make_session(fixture, fixture->acme, &spec, &made);
    torture(fixture, load_one);
    made_session_fini(&made);
}

static lh_status give_token(struct fixture *fixture)
{
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    struct lh_session_header header;
    const struct lh_token_tag tag = {{7}};
    LH_TRY(lh_vault_inspect(fixture->acts, &op, &made.key, &loaded));
    LH_TRY(lh_vault_set_token(fixture->acts, &op, fixture->acme, &loaded, &tag, &header));
    assert_true(lh_session_has_token(&header, &tag));
    return lh_ok();
}

static void test_torture__giving_a_session_its_token(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    make_session(fixture, fixture->acme, &spec, &made);
    torture(fixture, give_token);
    assert_ok(load_one(fixture)); /* what it holds is still there */
    made_session_fini(&made);
}

static struct lh_cell *cell; /* of the one test that follows */

static lh_status seal_and_open_one(struct fixture *fixture)
{
    struct lh_session_spec spec = spec_of_alice();
    spec.state = LH_SLICE_EMPTY;
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_header header;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_TRY(lh_vault_create_sealed(fixture->vault, &op, cell, fixture->acme, &spec, &text, &header));
    uint8_t room[1024];
    struct lh_raw_sealed_cookie raw;
    struct lh_sealed_cookie cookie;
    LH_TRY(lh_sealed_cookie_parse(lh_buf_view(&text), room, &raw));
    LH_TRY(lh_sealed_cookie_verify(cell, &fixture->acme->uid, &raw, &cookie));
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    LH_TRY(lh_vault_open_sealed(fixture->vault, &op, fixture->acme, &cookie, &plain, &principal));
    assert_slice_text(principal.subject, "alice");
    return lh_ok();
}

static void test_torture__sealing_and_opening_a_cookie(void **state)
{
    struct fixture *fixture = *state;
    struct lh_key secret = {{9}};
    assert_ok(lh_cell_new(fixture->crypto, 1, &secret, LH_LOCK_BEST_EFFORT, 2, &cell));
    torture(fixture, seal_and_open_one);
    lh_cell_free(cell);
}

#define TORTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TORTURE_TEST(test_torture__making_a_session),
        TORTURE_TEST(test_torture__loading_and_opening_a_session),
        TORTURE_TEST(test_torture__giving_a_session_its_token),
        TORTURE_TEST(test_torture__sealing_and_opening_a_cookie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
