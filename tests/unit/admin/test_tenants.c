/*
 * Acts on tenants.
 */
#include "acts.h"

#include <dirent.h>

static void test_tenant_add__has_keys_a_cookie_name_and_its_tiers_lives(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant shown;
    assert_ok(add_tenant(made, "initech", NULL, "App.Initech.Example", "ini-tech"));
    assert_ok(show_tenant(made, "initech", &shown));
    assert_int_equal(shown.calls, 1);
    assert_string_equal(shown.state, "active");
    assert_string_equal(shown.tier, "standard");
    assert_string_equal(shown.domains, "app.initech.example");
    assert_string_equal(shown.aliases, "ini-tech");
    assert_int_equal(shown.idle_s, 2 * 3600);
    assert_int_equal(shown.absolute_s, 24 * 3600);
    assert_int_equal(shown.active_key, 1);
    assert_int_equal(shown.key_count, 1);
    assert_int_equal(strncmp(shown.cookie, "__Host-lh-", 10), 0);
    assert_int_equal(strncmp(shown.cookie + 10, shown.uid, 8), 0);
    assert_int_equal(made_home_logged(made, "audit tenant_created tenant=initech"), 1);
    assert_int_equal(made_home_logged(made, "actor=cli:test"), 1);
    assert_ok(show_tenant(made, "ini-tech", &shown));
    assert_string_equal(shown.id, "initech");
}

static void test_tenant_add__survives_closing_the_home(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant before, after;
    assert_ok(show_tenant(made, "acme", &before));
    made_home_reopen(made);
    assert_ok(show_tenant(made, "acme", &after));
    assert_memory_equal(&before, &after, sizeof(before));
}

static void test_tenant_add__names_that_may_not_be_are_refused(void **state)
{
    struct made_home *made = *state;
    static const char *const malformed[] = {
        "",       "abc",   "-abcd",        "abcd-", "xn--abcd", "ab_cd",       "ab.cd",
        "a/../b", "ab cd", "\xc3\xa4pfel", "*",     "_system",  "ab\ncd\nabcd"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_status(add_tenant(made, malformed[i], NULL, NULL, NULL), LH_MALFORMED);
        assert_why(made, "4 to 36 characters");
    }
    assert_status(add_tenant(made, "default", NULL, NULL, NULL), LH_RESERVED);
    assert_why(made, "there is no default tenant");
    assert_status(add_tenant(made, "a123456789a123456789a123456789a123456", NULL, NULL, NULL),
                  LH_MALFORMED);
}

static void test_tenant_add__domains_that_may_not_be_are_refused(void **state)
{
    struct made_home *made = *state;
    static const char *const malformed[] = {
        "example",          "app.example.com:80", "app.example.com.",
        "app..example.com", "192.0.2.1",          "a_b.example.com",
        ".example.com",     "*.example.com",      "\xc3\xa4.example.com"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_status(add_tenant(made, "initech", NULL, malformed[i], NULL), LH_MALFORMED);
    }
    struct shown_tenant shown;
    assert_status(show_tenant(made, "initech", &shown), LH_ABSENT);
}

static void test_tenant_add__a_name_is_of_one_tenant(void **state)
{
    struct made_home *made = *state;
    assert_ok(add_tenant(made, "initech", NULL, "app.initech.example", "ini-tech"));
    assert_status(add_tenant(made, "acme", NULL, NULL, NULL), LH_EXISTS);
    assert_why(made, "\"acme\" is in use");
    assert_status(add_tenant(made, "ini-tech", NULL, NULL, NULL), LH_EXISTS);
    assert_status(add_tenant(made, "other", NULL, NULL, "acme"), LH_EXISTS);
    assert_status(add_tenant(made, "other", NULL, "app.initech.example", NULL), LH_EXISTS);
    struct shown_tenant shown;
    assert_status(show_tenant(made, "other", &shown), LH_ABSENT);
}

static void test_tenant_add__an_unknown_tier_is_refused(void **state)
{
    struct made_home *made = *state;
    assert_status(add_tenant(made, "initech", "platinum", NULL, NULL), LH_ABSENT);
    assert_why(made, "there is no tier \"platinum\"");
}

static int count_entries(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, NULL);
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
    return count - 2; /* "." and ".." */
}

static void test_tenant_add__what_is_refused_leaves_no_key_behind(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    made_home_path(made, "keyring/tenants", path);
    assert_int_equal(count_entries(path), 2);
    assert_status(add_tenant(made, "other", NULL, NULL, "acme"), LH_EXISTS);
    assert_int_equal(count_entries(path), 2);
}

static void test_tenant_disable__and_enable_come_and_go(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant shown;
    assert_ok(lh_admin_tenant_disable(made->admin, S("acme")));
    assert_ok(lh_admin_tenant_disable(made->admin, S("acme")));
    assert_ok(show_tenant(made, "acme", &shown));
    assert_string_equal(shown.state, "disabled");
    assert_int_equal(made_home_logged(made, "audit tenant_disabled"), 1);
    assert_ok(lh_admin_tenant_enable(made->admin, S("acme")));
    assert_ok(show_tenant(made, "acme", &shown));
    assert_string_equal(shown.state, "active");
    assert_ok(show_tenant(made, "globex", &shown));
    assert_string_equal(shown.state, "active");
    assert_status(lh_admin_tenant_disable(made->admin, S("nobody")), LH_ABSENT);
}

static void test_tenant_rename__the_old_name_stops_and_stays_reserved(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant before, after;
    assert_ok(show_tenant(made, "acme", &before));
    assert_ok(lh_admin_tenant_rename(made->admin, S("acme"), S("acme-corp")));
    assert_status(show_tenant(made, "acme", &after), LH_ABSENT);
    assert_ok(show_tenant(made, "acme-corp", &after));
    assert_string_equal(after.uid, before.uid);
    assert_int_equal(after.epoch, before.epoch);
    assert_status(add_tenant(made, "acme", NULL, NULL, NULL), LH_RESERVED);
    assert_why(made, "--reclaim");
    assert_status(lh_admin_tenant_rename(made->admin, S("globex"), S("acme")), LH_RESERVED);
    assert_ok(lh_admin_tenant_rename(made->admin, S("acme-corp"), S("acme")));
    assert_ok(show_tenant(made, "acme", &after));
    assert_string_equal(after.uid, before.uid);
}

static void test_tenant_rename__to_its_own_name_changes_nothing(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant before, after;
    assert_ok(show_tenant(made, "acme", &before));
    assert_ok(lh_admin_tenant_rename(made->admin, S("acme"), S("acme")));
    assert_ok(show_tenant(made, "acme", &after));
    assert_memory_equal(&before, &after, sizeof(before));
    assert_string_equal(after.state, "active");
    assert_int_equal(made_home_logged(made, "audit"), 0);
}

static void test_tenant_rename__to_its_own_alias_or_another_tenants_name(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant shown;
    assert_ok(add_tenant(made, "initech", NULL, NULL, "ini-tech"));
    assert_ok(lh_admin_tenant_rename(made->admin, S("initech"), S("ini-tech")));
    assert_ok(show_tenant(made, "ini-tech", &shown));
    assert_string_equal(shown.id, "ini-tech");
    assert_string_equal(shown.aliases, "");
    assert_status(lh_admin_tenant_rename(made->admin, S("ini-tech"), S("acme")), LH_EXISTS);
    assert_status(lh_admin_tenant_rename(made->admin, S("nobody"), S("other")), LH_ABSENT);
    assert_status(lh_admin_tenant_rename(made->admin, S("acme"), S("admin")), LH_RESERVED);
}

static void test_tenant_rename__names_free_themselves_after_their_time(void **state)
{
    struct made_home *made = *state;
    assert_ok(lh_admin_tenant_rename(made->admin, S("acme"), S("acme-corp")));
    fake_host_advance(&made->fake, UINT64_C(399) * 86400 * 1000);
    assert_status(add_tenant(made, "acme", NULL, NULL, NULL), LH_RESERVED);
    fake_host_advance(&made->fake, UINT64_C(2) * 86400 * 1000);
    assert_ok(add_tenant(made, "acme", NULL, NULL, NULL));
}

static void test_tenant_remove__names_are_reserved_the_epoch_rises_the_record_stays(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant before, after;
    assert_ok(add_tenant(made, "initech", NULL, "app.initech.example", "ini-tech"));
    assert_ok(show_tenant(made, "initech", &before));
    assert_ok(lh_admin_tenant_remove(made->admin, S("initech")));
    assert_ok(show_tenant(made, "initech", &after));
    assert_string_equal(after.state, "removed");
    assert_string_equal(after.uid, before.uid);
    assert_true(after.epoch > before.epoch);
    assert_string_equal(after.domains, "");
    assert_status(add_tenant(made, "initech", NULL, NULL, NULL), LH_RESERVED);
    assert_status(add_tenant(made, "other", NULL, NULL, "ini-tech"), LH_RESERVED);
    assert_status(add_tenant(made, "other", NULL, "app.initech.example", NULL), LH_RESERVED);
    assert_status(lh_admin_tenant_enable(made->admin, S("initech")), LH_ABSENT);
    assert_status(lh_admin_tenant_remove(made->admin, S("initech")), LH_ABSENT);
}

static void ignore_tenant(void *context, const struct lh_admin_tenant *tenant)
{
    (void)tenant;
    ++*(int *)context;
}

static void test_tenant_add__reclaim_takes_a_reserved_name_and_is_audited(void **state)
{
    struct made_home *made = *state;
    int calls = 0;
    assert_ok(lh_admin_tenant_remove(made->admin, S("acme")));
    const struct lh_admin_tenant_spec spec = {.id = S("acme"), .may_reclaim = true};
    assert_ok(lh_admin_tenant_add(made->admin, &spec, ignore_tenant, &calls));
    assert_int_equal(calls, 1);
    assert_int_equal(made_home_logged(made, "audit name_reclaimed name=acme"), 1);
    assert_status(lh_admin_tenant_add(made->admin, &spec, ignore_tenant, &calls), LH_EXISTS);
}

static void test_tenant_show__of_several_removed_ones_the_last_that_had_the_name(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant first, second, shown;
    int calls = 0;
    const struct lh_admin_tenant_spec spec = {.id = S("acme"), .may_reclaim = true};
    assert_ok(show_tenant(made, "acme", &first));
    assert_ok(lh_admin_tenant_remove(made->admin, S("acme")));
    for (int i = 0; i < 3; i++) {
        fake_host_advance(&made->fake, 1000);
        assert_ok(lh_admin_tenant_add(made->admin, &spec, ignore_tenant, &calls));
        assert_ok(show_tenant(made, "acme", &second));
        assert_ok(lh_admin_tenant_remove(made->admin, S("acme")));
        assert_ok(show_tenant(made, "ACME", &shown));
        assert_int_equal(shown.calls, 1);
        assert_string_equal(shown.uid, second.uid);
        assert_string_equal(lh_admin_why(made->admin), "");
    }
    assert_string_not_equal(first.uid, second.uid);
}

static void test_tenant_add__its_own_id_is_no_alias(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant shown;
    assert_status(add_tenant(made, "initech", NULL, NULL, "initech"), LH_EXISTS);
    assert_why(made, "\"initech\" is the tenant's id already");
    assert_status(show_tenant(made, "initech", &shown), LH_ABSENT);
}

static void test_tenant_list__has_all_and_removed_ones_too(void **state)
{
    struct made_home *made = *state;
    int calls = 0;
    assert_ok(lh_admin_tenant_remove(made->admin, S("globex")));
    assert_ok(lh_admin_tenant_list(made->admin, ignore_tenant, &calls));
    assert_int_equal(calls, 2);
}

static void test_tenant_show__text_that_is_no_id_is_no_question(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant shown;
    assert_status(show_tenant(made, "a b", &shown), LH_MALFORMED);
    assert_status(show_tenant(made, "nobody", &shown), LH_ABSENT);
    assert_why(made, "there is no tenant \"nobody\"");
    assert_ok(show_tenant(made, "ACME", &shown));
    assert_string_equal(shown.id, "acme");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_tenant_add__has_keys_a_cookie_name_and_its_tiers_lives),
        WITH_HOME(test_tenant_add__survives_closing_the_home),
        WITH_HOME(test_tenant_add__names_that_may_not_be_are_refused),
        WITH_HOME(test_tenant_add__domains_that_may_not_be_are_refused),
        WITH_HOME(test_tenant_add__a_name_is_of_one_tenant),
        WITH_HOME(test_tenant_add__an_unknown_tier_is_refused),
        WITH_HOME(test_tenant_add__what_is_refused_leaves_no_key_behind),
        WITH_HOME(test_tenant_disable__and_enable_come_and_go),
        WITH_HOME(test_tenant_rename__the_old_name_stops_and_stays_reserved),
        WITH_HOME(test_tenant_rename__to_its_own_name_changes_nothing),
        WITH_HOME(test_tenant_rename__to_its_own_alias_or_another_tenants_name),
        WITH_HOME(test_tenant_rename__names_free_themselves_after_their_time),
        WITH_HOME(test_tenant_remove__names_are_reserved_the_epoch_rises_the_record_stays),
        WITH_HOME(test_tenant_add__reclaim_takes_a_reserved_name_and_is_audited),
        WITH_HOME(test_tenant_show__of_several_removed_ones_the_last_that_had_the_name),
        WITH_HOME(test_tenant_add__its_own_id_is_no_alias),
        WITH_HOME(test_tenant_list__has_all_and_removed_ones_too),
        WITH_HOME(test_tenant_show__text_that_is_no_id_is_no_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
