/*
 * Applying policies: the difference, the whole of it or nothing, and twice is once.
 */
#include "applying.h"

#include "registry/registry_env.h"
#include "setup/home.h"

#define POLICY                                                                                     \
    "tiers:\n"                                                                                     \
    "  gold: {idle: 1h, absolute: 8h}\n"                                                           \
    "tenants:\n"                                                                                   \
    "  acme:\n"                                                                                    \
    "    tier: gold\n"                                                                             \
    "    domains: [app.acme.example, Shop.Acme.example]\n"                                         \
    "    aliases: [acme-corp]\n"                                                                   \
    "    rbac:\n"                                                                                  \
    "      admin: [orders:read, orders:write]\n"                                                   \
    "      viewer: [orders:read]\n"                                                                \
    "  initech:\n"                                                                                 \
    "    state: disabled\n"

#define DIFFERENCE                                                                                 \
    "add tier gold/idle >1h\n"                                                                     \
    "add tier gold/absolute >8h\n"                                                                 \
    "add tier gold/state_size >16k\n"                                                              \
    "change tenant acme/tier premium>gold\n"                                                       \
    "add tenant acme/alias >acme-corp\n"                                                           \
    "add tenant acme/domain >app.acme.example\n"                                                   \
    "add tenant acme/domain >shop.acme.example\n"                                                  \
    "add tenant acme/role admin >orders:read orders:write\n"                                       \
    "add tenant acme/role viewer >orders:read\n"                                                   \
    "add tenant initech/ >\n"                                                                      \
    "change tenant initech/state active>disabled\n"

/* What every write moves: the counters of the platform and two tenants, and the generation. */
struct standing {
    uint64_t counters[3];
    uint64_t generation;
};

static struct standing read_standing(struct made_home *made)
{
    struct standing standing;
    const struct lh_counters *counters = lh_registry_counters(made->home->registry);
    for (uint32_t slot = 0; slot < 3; slot++) {
        assert_ok(lh_counters_read(counters, slot, &standing.counters[slot]));
    }
    struct lh_registry_view view;
    assert_ok(lh_registry_view_open(made->home->registry, &view));
    assert_ok(lh_registry_get_number(&view, LH_META_GENERATION, &standing.generation));
    lh_registry_view_close(&view);
    return standing;
}

static lh_status apply(struct made_home *made, const char *text, struct applied *applied)
{
    return apply_text(made, text, false, false, applied);
}

static void test_apply__tells_the_difference_and_makes_it_so(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant shown;
    assert_ok(apply(made, POLICY, &applied));
    assert_string_equal(applied.told, DIFFERENCE);
    assert_ok(show_tenant(made, "acme", &shown));
    assert_string_equal(shown.tier, "gold");
    assert_int_equal(shown.idle_s, 3600);
    assert_string_equal(shown.domains, "app.acme.example,shop.acme.example");
    assert_string_equal(shown.aliases, "acme-corp");
    assert_string_equal(shown.roles, "admin=orders:read,orders:write;viewer=orders:read;");
    assert_ok(show_tenant(made, "initech", &shown));
    assert_string_equal(shown.state, "disabled");
    assert_string_equal(shown.tier, "standard");
    assert_int_equal(shown.key_count, 1);
    assert_int_equal(made_home_logged(made, "audit tier_changed tier=gold"), 1);
    assert_int_equal(made_home_logged(made, "audit tenant_changed tenant=acme"), 1);
    assert_int_equal(made_home_logged(made, "audit tenant_created tenant=initech"), 1);
    assert_int_equal(made_home_logged(made, "audit tenant_disabled tenant=initech"), 1);
}

static void test_apply__twice_is_once(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_ok(apply(made, POLICY, &applied));
    made_home_reopen(made);
    made->fake.log[0] = '\0';
    assert_ok(apply(made, POLICY, &applied));
    assert_int_equal(applied.changes, 0);
    assert_int_equal(made_home_logged(made, "audit"), 0);
}

static void test_apply__a_dry_run_tells_the_same_and_changes_nothing(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant before, after;
    assert_ok(show_tenant(made, "acme", &before));
    assert_ok(apply_text(made, POLICY, true, false, &applied));
    assert_string_equal(applied.told, DIFFERENCE);
    assert_ok(show_tenant(made, "acme", &after));
    assert_memory_equal(&before, &after, sizeof(before));
    assert_status(show_tenant(made, "initech", &after), LH_ABSENT);
    assert_int_equal(made_home_logged(made, "audit"), 0);
    assert_ok(apply(made, POLICY, &applied));
    assert_string_equal(applied.told, DIFFERENCE);
}

/* Not even what is over is swept, and no worker forgets anything. */
static void test_apply__a_dry_run_writes_nothing(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(lh_admin_session_revoke(made->admin, S("acme"), S(session.ref)));
    fake_host_advance(&made->fake, UINT64_C(401) * 86400 * 1000);
    struct standing before = read_standing(made);
    assert_ok(apply_text(made, POLICY, true, false, &applied));
    struct standing after = read_standing(made);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_ok(apply(made, POLICY, &applied));
    after = read_standing(made);
    assert_true(after.generation > before.generation);
}

static void test_apply__a_new_tenants_sessions_work(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct made_session session;
    struct shown_session shown;
    assert_ok(apply(made, "tenants: {initech: {tier: free}}", &applied));
    assert_ok(make_session(made, "initech", "peter", &session));
    assert_ok(show_session(made, "initech", session.ref, &shown));
    assert_string_equal(shown.subject, "peter");
}

static void test_apply__what_is_not_written_stays(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant before, after;
    assert_ok(apply(made, POLICY, &applied));
    assert_ok(show_tenant(made, "acme", &before));
    assert_ok(apply(made, "tenants: {acme: {}, globex: {tier: standard}}", &applied));
    assert_string_equal(applied.told, "change tenant globex/tier free>standard\n");
    assert_ok(show_tenant(made, "acme", &after));
    assert_memory_equal(&before, &after, sizeof(before));
    assert_ok(apply(made, "tiers: {gold: {idle: 2h}}", &applied));
    assert_string_equal(applied.told, "change tier gold/idle 1h>2h\n");
    assert_ok(show_tenant(made, "acme", &after));
    assert_int_equal(after.idle_s, 7200);
    assert_int_equal(after.absolute_s, 8 * 3600);
}

static void test_apply__rates_of_a_tier_reach_its_tenants(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant shown;
    assert_ok(apply(made, POLICY, &applied));
    assert_ok(show_tenant(made, "acme", &shown));
    assert_int_equal(shown.requests_per_s, 0); /* a new tier has no limit until one is written */
    assert_ok(apply(made, "tiers: {gold: {requests_per_s: 50}}", &applied));
    assert_string_equal(applied.told, "change tier gold/requests_per_s 0>50\n"
                                      "change tier gold/requests_burst 0>50\n");
    assert_ok(apply(made, "tiers: {gold: {requests_burst: 120}}", &applied));
    assert_string_equal(applied.told, "change tier gold/requests_burst 50>120\n");
    assert_ok(show_tenant(made, "acme", &shown));
    assert_int_equal(shown.requests_per_s, 50);
    assert_int_equal(shown.requests_burst, 120);
    assert_ok(apply(made, "tiers: {gold: {requests_per_s: 0}}", &applied));
    assert_ok(show_tenant(made, "acme", &shown));
    assert_int_equal(shown.requests_per_s, 0);
    assert_int_equal(shown.requests_burst, 0);
    assert_ok(
        apply(made, "tiers: {silver: {idle: 1h, absolute: 1h, requests_per_s: 7}}", &applied));
    assert_string_equal(applied.told, "add tier silver/idle >1h\n"
                                      "add tier silver/absolute >1h\n"
                                      "add tier silver/state_size >16k\n"
                                      "add tier silver/requests_per_s >7\n"
                                      "add tier silver/requests_burst >7\n");
}

static void test_apply__an_impossible_rate_is_told(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    static const char *const wrong[] = {"requests_per_s: 1000001", "requests_per_s: -1",
                                        "requests_per_s: [1]",     "requests_burst: 0",
                                        "requests_burst: 1000001", "requests_burst: 1k"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "tiers: {free: {%s}}", wrong[i]);
        assert_status(apply(made, text, &applied), LH_MALFORMED);
        assert_int_equal(applied.changes, 0);
    }
    assert_ok(apply(made, "tiers: {free: {requests_per_s: 1000000, requests_burst: 1}}", &applied));
}

static void test_apply__an_empty_list_drops_all(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant shown;
    assert_ok(apply(made, POLICY, &applied));
    assert_ok(apply(made, "tenants: {acme: {domains: [], aliases: [], rbac: {}}}", &applied));
    assert_string_equal(applied.told, "drop tenant acme/alias acme-corp>\n"
                                      "drop tenant acme/domain shop.acme.example>\n"
                                      "drop tenant acme/domain app.acme.example>\n"
                                      "drop tenant acme/role admin orders:read orders:write>\n"
                                      "drop tenant acme/role viewer orders:read>\n");
    assert_ok(show_tenant(made, "acme", &shown));
    assert_string_equal(shown.domains, "");
    assert_string_equal(shown.roles, "");
    assert_status(show_tenant(made, "acme-corp", &shown), LH_ABSENT);
}

/* The audit log must name a tenant that only lost something. */
static void test_apply__dropping_a_name_alone_is_audited(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_ok(apply(made, "tenants: {acme: {domains: [app.acme.example]}}", &applied));
    made->fake.log[0] = '\0';
    assert_ok(apply(made, "tenants: {acme: {domains: []}}", &applied));
    assert_int_equal(applied.changes, 1);
    assert_int_equal(made_home_logged(made, "audit tenant_changed tenant=acme"), 1);
}

static void test_apply__its_own_id_is_no_alias(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_status(apply(made, "tenants:\n  acme: {aliases: [acme]}\n", &applied), LH_EXISTS);
    assert_why(made, "f:2:3: \"acme\" is the tenant's id already");
}

static void test_apply__roles_change_by_what_they_give(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_ok(apply(made, "tenants: {acme: {rbac: {a: [x, y], b: [z]}}}", &applied));
    assert_ok(apply(made, "tenants: {acme: {rbac: {b: [z], a: [y, x]}}}", &applied));
    assert_int_equal(applied.changes, 0);
    assert_ok(apply(made, "tenants: {acme: {rbac: {b: [z, w], c: []}}}", &applied));
    assert_string_equal(applied.told, "drop tenant acme/role a x y>\n"
                                      "change tenant acme/role b z>z w\n"
                                      "add tenant acme/role c >\n");
}

static void test_apply__one_refusal_undoes_all(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant shown;
    assert_ok(add_tenant(made, "umbrella", NULL, "taken.example.com", NULL));
    made->fake.log[0] = '\0';
    assert_status(apply(made,
                        "tiers: {gold: {idle: 1h, absolute: 2h}}\n"
                        "tenants:\n"
                        "  initech: {tier: gold}\n"
                        "  acme: {tier: gold, domains: [taken.example.com]}\n",
                        &applied),
                  LH_EXISTS);
    assert_why(made, "f:4:3: \"taken.example.com\" is in use by another tenant");
    assert_int_equal(applied.changes, 0);
    assert_status(show_tenant(made, "initech", &shown), LH_ABSENT);
    assert_ok(show_tenant(made, "acme", &shown));
    assert_string_equal(shown.tier, "premium");
    assert_int_equal(made_home_logged(made, "audit"), 0);
    assert_ok(apply(made, "tenants: {acme: {tier: free}}", &applied));
}

static void test_apply__refusals_have_their_place(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_status(apply(made, "tenants:\n  acme: {tier: nope}\n", &applied), LH_ABSENT);
    assert_why(made, "f:2:3: there is no tier \"nope\"");
    assert_status(apply(made, "tiers:\n  gold: {idle: 1h}\n", &applied), LH_MALFORMED);
    assert_why(made, "f:2:3: a new tier needs idle and absolute");
    assert_status(apply(made, "tiers:\n  free: {idle: 9h}\n", &applied), LH_MALFORMED);
    assert_why(made, "f:2:3: idle (32400 s) would be longer than absolute (28800 s)");
    assert_ok(add_tenant(made, "umbrella", NULL, NULL, "umbra"));
    assert_status(apply(made, "tenants:\n\n  umbra: {}\n", &applied), LH_EXISTS);
    assert_why(made, "f:3:3: \"umbra\" is an alias of tenant \"umbrella\"");
    assert_ok(lh_admin_tenant_remove(made->admin, S("umbrella")));
    assert_status(apply(made, "tenants: {umbrella: {}}", &applied), LH_RESERVED);
}

static void test_apply__a_domain_moves_only_by_reclaiming_it(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant shown;
    static const char *const moved = "tenants:\n"
                                     "  globex: {domains: [app.acme.example]}\n"
                                     "  acme: {domains: []}\n";
    assert_ok(apply(made, "tenants: {acme: {domains: [app.acme.example]}}", &applied));
    assert_status(apply(made, moved, &applied), LH_RESERVED);
    assert_ok(apply_text(made, moved, true, true, &applied));
    assert_int_equal(made_home_logged(made, "name_reclaimed"), 0);
    assert_ok(apply_text(made, moved, false, true, &applied));
    assert_string_equal(applied.told, "drop tenant acme/domain app.acme.example>\n"
                                      "add tenant globex/domain >app.acme.example\n");
    assert_int_equal(made_home_logged(made, "audit name_reclaimed name=app.acme.example"), 1);
    assert_ok(show_tenant(made, "globex", &shown));
    assert_string_equal(shown.domains, "app.acme.example");
}

static void test_apply__a_shorter_tier_leaves_living_sessions_alone(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct made_session session;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(apply(made, "tiers: {premium: {idle: 1h, absolute: 1h}}", &applied));
    fake_host_advance(&made->fake, 2 * 3600 * 1000);
    assert_ok(show_session(made, "acme", session.ref, &shown));
    assert_int_equal(shown.absolute_end_ms, session.absolute_end_ms);
}

static void test_apply__many_tenants_in_one_step(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant shown;
    static char text[64 * 1024];
    size_t len = (size_t)snprintf(text, sizeof(text), "tenants:\n");
    for (int i = 0; i < 300; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "  tenant-%d: {domains: [t%d.example.com]}\n", i, i);
    }
    assert_ok(apply(made, text, &applied));
    assert_int_equal(applied.changes, 600);
    assert_ok(show_tenant(made, "tenant-299", &shown));
    assert_string_equal(shown.domains, "t299.example.com");
    assert_ok(apply(made, text, &applied));
    assert_int_equal(applied.changes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_apply__tells_the_difference_and_makes_it_so),
        WITH_HOME(test_apply__twice_is_once),
        WITH_HOME(test_apply__a_dry_run_tells_the_same_and_changes_nothing),
        WITH_HOME(test_apply__a_new_tenants_sessions_work),
        WITH_HOME(test_apply__what_is_not_written_stays),
        WITH_HOME(test_apply__rates_of_a_tier_reach_its_tenants),
        WITH_HOME(test_apply__an_impossible_rate_is_told),
        WITH_HOME(test_apply__an_empty_list_drops_all),
        WITH_HOME(test_apply__dropping_a_name_alone_is_audited),
        WITH_HOME(test_apply__its_own_id_is_no_alias),
        WITH_HOME(test_apply__a_dry_run_writes_nothing),
        WITH_HOME(test_apply__roles_change_by_what_they_give),
        WITH_HOME(test_apply__one_refusal_undoes_all),
        WITH_HOME(test_apply__refusals_have_their_place),
        WITH_HOME(test_apply__a_domain_moves_only_by_reclaiming_it),
        WITH_HOME(test_apply__a_shorter_tier_leaves_living_sessions_alone),
        WITH_HOME(test_apply__many_tenants_in_one_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
