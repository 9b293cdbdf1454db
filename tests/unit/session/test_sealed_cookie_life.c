/*
 * How long a sealed cookie lives: its times, what the registry says of it, and its keys.
 */
#include "sealed_fixture.h"

static struct lh_session_facts facts_of(const struct lh_tenant *tenant)
{
    return (struct lh_session_facts){
        .platform_epoch = tenant->platform_epoch, .tenant_epoch = tenant->epoch, .user_epoch = 5};
}

/* --- Life ------------------------------------------------------------------------------------- */

static lh_status judge(struct cookies *cookies, lh_slice text, const struct lh_session_facts *facts,
                       uint64_t age_ms)
{
    struct lh_sealed_cookie cookie;
    LH_TRY(verify(cookies, cookies->fixture->acme, text, &cookie));
    return lh_sealed_cookie_judge(&cookie, facts, cookie.header.created_ms + age_ms);
}

static void test_sealed_cookie__ends_its_idle_time_after_it_was_issued(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    struct lh_session_facts facts = facts_of(cookies->fixture->acme);
    lh_slice value = lh_buf_view(&text);
    assert_ok(judge(cookies, value, &facts, 0));
    assert_ok(judge(cookies, value, &facts, IDLE_S * 1000 - 1));
    assert_status(judge(cookies, value, &facts, IDLE_S * 1000), LH_EXPIRED);
}

static lh_status reissue(struct cookies *cookies, const struct lh_session_header *header,
                         uint64_t issued_ms, struct lh_buf *text)
{
    struct lh_op op = lh_op_idle(0, NULL);
    const struct lh_datakey *key;
    assert_ok(lh_datakey_cache_get(cookies->fixture->datakeys, &op, cookies->fixture->acme,
                                   header->dek_id, &key));
    struct lh_session_spec bob = spec_of_bob();
    struct lh_sealed_cookie_spec spec = {header, issued_ms, &bob.principal};
    lh_buf_clear(text);
    return lh_sealed_cookie_write(cookies->fixture->crypto, cookies->cell, key, &spec, text);
}

static void test_sealed_cookie__issued_again_lives_on_until_its_absolute_end(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    struct lh_session_spec bob = spec_of_bob();
    struct lh_session_header header;
    assert_ok(create(cookies, cookies->fixture->acme, &bob, &text, &header));
    struct lh_session_facts facts = facts_of(cookies->fixture->acme);
    assert_ok(reissue(cookies, &header, header.created_ms + 1000, &text));
    assert_ok(judge(cookies, lh_buf_view(&text), &facts, IDLE_S * 1000));
    assert_ok(reissue(cookies, &header, header.absolute_end_ms - 1000, &text));
    assert_ok(judge(cookies, lh_buf_view(&text), &facts, ABSOLUTE_S * 1000 - 1));
    assert_status(judge(cookies, lh_buf_view(&text), &facts, ABSOLUTE_S * 1000), LH_EXPIRED);
    assert_status(reissue(cookies, &header, header.created_ms - 1, &text), LH_INVALID);
    assert_status(reissue(cookies, &header, header.absolute_end_ms, &text), LH_INVALID);
    header.dek_id = 2;
    assert_ok(reissue(cookies, &header, header.created_ms, &text));
    assert_ok(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)));
    struct lh_session_header other = header;
    other.dek_id = 1; /* the key at hand is that of 2 */
    struct lh_op op = lh_op_idle(0, NULL);
    const struct lh_datakey *key;
    assert_ok(
        lh_datakey_cache_get(cookies->fixture->datakeys, &op, cookies->fixture->acme, 2, &key));
    struct lh_sealed_cookie_spec spec = {&other, header.created_ms, &bob.principal};
    assert_status(
        lh_sealed_cookie_write(cookies->fixture->crypto, cookies->cell, key, &spec, &text),
        LH_INVALID);
    header.format = LH_RECORD_FORMAT;
    assert_status(reissue(cookies, &header, header.created_ms, &text), LH_INVALID);
}

static void test_sealed_cookie__is_over_when_the_registry_says_so(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    const struct lh_session_facts now = facts_of(cookies->fixture->acme);
    struct lh_session_facts later[] = {now, now, now, now, now};
    later[0].is_revoked = true;
    later[1].platform_epoch++;
    later[2].tenant_epoch++;
    later[3].user_epoch++;
    later[4].least_generation = 2;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        assert_status(judge(cookies, lh_buf_view(&text), &later[i], 0), LH_REVOKED);
    }
    struct lh_session_facts same = now;
    same.least_generation = 1;
    assert_ok(judge(cookies, lh_buf_view(&text), &same, 0));
}

/* --- Keys ------------------------------------------------------------------------------------- */

static void test_sealed_cookie__opens_under_the_key_that_it_names_whatever_is_active(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    cookies->fixture->acme->active_dek = 2;
    assert_ok(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)));
    fixture_renew_datakeys(cookies->fixture);
    cookies->fixture->acme->deks[0].state = LH_DEK_DESTROYED;
    assert_status(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)), LH_ABSENT);
}

static void test_sealed_cookie__waits_for_nobody_s_key_but_its_own(void **state)
{
    struct cookies *cookies = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    create_one(cookies, cookies->fixture->acme, &text);
    fixture_renew_datakeys(cookies->fixture);
    cookies->fixture->kms.answer = LH_KEY_DOWN;
    assert_status(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)), LH_KEY_DOWN);
    cookies->fixture->kms.answer = LH_OK;
    fixture_renew_datakeys(cookies->fixture);
    assert_ok(accept_cookie(cookies, cookies->fixture->acme, lh_buf_view(&text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CELL(test_sealed_cookie__ends_its_idle_time_after_it_was_issued),
        WITH_CELL(test_sealed_cookie__issued_again_lives_on_until_its_absolute_end),
        WITH_CELL(test_sealed_cookie__is_over_when_the_registry_says_so),
        WITH_CELL(test_sealed_cookie__opens_under_the_key_that_it_names_whatever_is_active),
        WITH_CELL(test_sealed_cookie__waits_for_nobody_s_key_but_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
