/*
 * Mistakes in policies: each is told with its place, and nothing is changed.
 */
#include "applying.h"

static void mistaken(struct made_home *made, const char *text, const char *told)
{
    struct applied applied;
    assert_status(apply_text(made, text, false, false, &applied), LH_MALFORMED);
    assert_int_equal(applied.changes, 0);
    assert_true(applied.mistakes > 0);
    if (strstr(applied.told, told) == NULL) {
        fail_msg("got \"%s\", expected something with \"%s\"", applied.told, told);
    }
    assert_why(made, "nothing was changed");
}

static void test_apply__unknown_keys_get_a_suggestion(void **state)
{
    struct made_home *made = *state;
    mistaken(made, "tenant: {}", "f:1:1: unknown key \"tenant\"; did you mean \"tenants\"?\n");
    mistaken(made, "tenants:\n  acme:\n    domain: []",
             "f:3:5: unknown key \"domain\"; did you mean \"domains\"?\n");
    mistaken(made, "tiers:\n  gold: {idel: 1h}",
             "f:2:10: unknown key \"idel\"; did you mean \"idle\"?\n");
    mistaken(made, "tenants: {acme: {colour: red}}", "f:1:18: unknown key \"colour\"\n");
}

static void test_apply__wrong_types_are_named(void **state)
{
    struct made_home *made = *state;
    mistaken(made, "- a",
             "f:1:1: a document with \"tiers\" and \"tenants\" is a map, not a list\n");
    mistaken(made, "tenants: [acme]", "f:1:10: \"tenants\" is a map, not a list\n");
    mistaken(made, "tenants: {acme: gold}", "a tenant is a map, not a text\n");
    mistaken(made, "tenants: {acme: }", "a tenant is a map, not nothing\n");
    mistaken(made, "tenants: {acme: {tier: [gold]}}", "f:1:24: tier is a text, not a list\n");
    mistaken(made, "tenants: {acme: {tier: }}", "tier is a text, not nothing\n");
    mistaken(made, "tenants: {acme: {domains: a.example}}", "is a list like [a, b], not a text\n");
    mistaken(made, "tenants: {acme: {domains: [[a]]}}", "a domain is a text, not a list\n");
    mistaken(made, "tenants: {acme: {rbac: [admin]}}", "is a map, not a list\n");
    mistaken(made, "tenants: {acme: {rbac: {admin: x}}}", "is a list like [a, b], not a text\n");
    mistaken(made, "tiers: {gold: 1h}", "a tier is a map, not a text\n");
}

static void test_apply__bad_values_are_named(void **state)
{
    struct made_home *made = *state;
    mistaken(made, "tiers: {gold: {idle: 3600, absolute: 8h}}",
             "f:1:22: idle is a time with its unit (s, m, h, d), from 1s to 400d\n");
    mistaken(made, "tiers: {gold: {idle: 1h, absolute: 401d}}", "absolute is a time");
    mistaken(made, "tiers: {gold: {idle: 500ms, absolute: 1h}}", "idle is a time");
    mistaken(made, "tiers: {gold: {idle: 0s, absolute: 1h}}", "idle is a time");
    mistaken(made, "tiers: {gold: {idle: 2h, absolute: 1h}}",
             "f:1:9: idle is longer than absolute\n");
    mistaken(made, "tiers: {gold: {state_size: 65k}}", "state_size is a size from 0 to 64k\n");
    mistaken(made, "tiers: {gold: {sessions_max: many}}",
             "sessions_max is a number from 0 (no limit) to 1000000000000\n");
    mistaken(made, "tiers: {gold: {sessions_max: 1000000000001}}",
             "sessions_max is a number from 0 (no limit) to 1000000000000\n");
    mistaken(made, "tiers: {gold: {sessions_per_user_max: 1001}}",
             "sessions_per_user_max is a number from 0 (no limit) to 1000\n");
    mistaken(made, "tiers: {gold: {sessions_per_user_max: -1}}",
             "sessions_per_user_max is a number from 0 (no limit) to 1000\n");
    mistaken(made, "tiers: {Gold: {}}", "a tier's name is 1 to 32 of a-z, 0-9 and \"-\"\n");
    mistaken(made, "tenants: {acme: {state: removed}}", "state is \"active\" or \"disabled\"\n");
    mistaken(made, "tenants: {acme: {domains: [localhost]}}",
             "f:1:28: a domain is a full host name");
    mistaken(made, "tenants: {acme: {domains: [\"a.example\", A.EXAMPLE]}}",
             "f:1:41: a domain is in the list already\n");
    mistaken(made, "tenants: {acme: {aliases: [admin]}}", "no tenant may be called \"admin\"");
    mistaken(made, "tenants: {abc: {}}", "f:1:11: a tenant's name has 4 to 36 characters");
    mistaken(made, "tenants: {default: {}}", "no tenant may be called \"default\"");
    mistaken(made, "tenants: {acme: {rbac: {\"a,b\": []}}}", "a role is 1 to 255");
    mistaken(made, "tenants: {acme: {rbac: {admin: [\"x y\"]}}}", "a scope is 1 to 255");
    mistaken(made, "tenants: {acme: {rbac: {admin: [\"x\\r\\ny\"]}}}", "a scope is 1 to 255");
}

static void test_apply__broken_yaml_is_named(void **state)
{
    struct made_home *made = *state;
    mistaken(made, "tenants: {acme: &x {}, globex: *x}", "f:1:17: anchors");
    mistaken(made, "tenants: {acme: {}, acme: {}}",
             "f:1:21: \"acme\" is given already on line 1\n");
    mistaken(made, "tenants: {acme: {}", "f:2:1: did not find expected");
}

static void test_apply__a_thing_is_written_once_in_all_documents(void **state)
{
    struct made_home *made = *state;
    mistaken(made, "tenants: {acme: {}}\n---\ntenants: {ACME: {}}",
             "f:3:11: tenant \"acme\" is written already in f:1\n");
    mistaken(made, "tiers: {free: {}}\n---\ntiers: {free: {}}",
             "f:3:9: tier \"free\" is written already in f:1\n");
    struct applied applied;
    const struct lh_admin_document documents[] = {{S("one"), S("tenants: {acme: {}}")},
                                                  {S("two"), S("\ntenants: {acme: {}}")}};
    const struct lh_admin_apply_options options = {
        .on_change = keep_change, .on_mistake = keep_mistake, .context = &applied};
    applied = (struct applied){.changes = 0};
    assert_status(lh_admin_apply(made->admin, documents, 2, &options), LH_MALFORMED);
    assert_string_equal(applied.told, "two:2:11: tenant \"acme\" is written already in one:1\n");
}

static void test_apply__all_mistakes_are_counted_and_the_first_ones_told(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    static char text[4096];
    size_t len = (size_t)snprintf(text, sizeof(text), "tenants: {acme: {}}\ntiers:\n");
    for (int i = 0; i < 50; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "  t%d: {colour: red}\n", i);
    }
    assert_status(apply_text(made, text, false, false, &applied), LH_MALFORMED);
    assert_int_equal(applied.mistakes, 20);
    assert_why(made, "50 mistakes; nothing was changed");
}

static void test_apply__hostile_bytes_do_not_reach_the_terminal(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_status(apply_text(made, "\"\\e[31m\\u202e\": 1", false, false, &applied), LH_MALFORMED);
    for (const char *c = applied.told; *c != '\0'; c++) {
        assert_true((*c >= 0x20 && *c < 0x7f) || *c == '\n');
    }
}

static void test_apply__nothing_written_is_nothing_to_do(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    static const char *const texts[] = {"", "---\n", "# nothing\n", "tenants: {}\ntiers: {}\n",
                                        "{}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_ok(apply_text(made, texts[i], false, false, &applied));
        assert_int_equal(applied.changes + applied.mistakes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_apply__unknown_keys_get_a_suggestion),
        WITH_HOME(test_apply__wrong_types_are_named),
        WITH_HOME(test_apply__bad_values_are_named),
        WITH_HOME(test_apply__broken_yaml_is_named),
        WITH_HOME(test_apply__a_thing_is_written_once_in_all_documents),
        WITH_HOME(test_apply__all_mistakes_are_counted_and_the_first_ones_told),
        WITH_HOME(test_apply__hostile_bytes_do_not_reach_the_terminal),
        WITH_HOME(test_apply__nothing_written_is_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
