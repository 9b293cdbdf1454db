/*
 * Acts when memory runs out: each allocation fails in turn. An act is then done or not done, and
 * what it says is true.
 */
#include "applying.h"

#include "support/failing_alloc.h"

#include "setup/home.h"

/* More allocations than any act here makes. */
#define ALLOCATIONS_MAX 4000U

/*
 * Whether the nth allocation of an act failed: the act, and false when it made fewer.
 * failing_alloc_count counts on after the failure.
 */
static bool has_failed(size_t nth)
{
    size_t count = failing_alloc_count();
    failing_alloc_at(0);
    return count >= nth;
}

static void test_tenant_add__is_done_or_not_done_without_memory(void **state)
{
    struct made_home *made = *state;
    struct shown_tenant shown;
    size_t nth = 1;
    for (bool goes_on = true; goes_on; nth++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "tenant-%zu", nth);
        failing_alloc_at(nth);
        lh_status added = add_tenant(made, id, NULL, NULL, NULL);
        goes_on = has_failed(nth);
        lh_status found = show_tenant(made, id, &shown);
        if (lh_is_ok(added)) {
            assert_ok(found);
        }
        assert_true(nth < ALLOCATIONS_MAX);
    }
    assert_true(nth > 10);
}

static void test_session_revoke__is_true_to_its_word_without_memory(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    size_t nth = 1;
    for (bool goes_on = true; goes_on; nth++) {
        assert_ok(make_session(made, "acme", "alice", &session));
        failing_alloc_at(nth);
        lh_status revoked = lh_admin_session_revoke(made->admin, S("acme"), S(session.ref));
        goes_on = has_failed(nth);
        lh_status shows = show_session(made, "acme", session.ref, &shown);
        if (lh_is_ok(revoked)) {
            assert_status(shows, LH_REVOKED);
        }
        assert_true(nth < ALLOCATIONS_MAX);
    }
    assert_true(nth > 5);
}

static void test_apply__is_done_or_not_done_without_memory(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    struct shown_tenant shown;
    size_t nth = 1;
    for (bool goes_on = true; goes_on; nth++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "tenants:\n  new-%zu: {tier: free}\n  acme: {rbac: {r: [s%zu]}, "
                       "signature_keys: {p%zu: {roles: [a], jwk: {kty: OKP, crv: Ed25519, x: "
                       "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}}}}\n",
                       nth, nth, nth);
        char id[32], role[32];
        (void)snprintf(id, sizeof(id), "new-%zu", nth);
        (void)snprintf(role, sizeof(role), "r=s%zu;", nth);
        failing_alloc_at(nth);
        lh_status done = apply_text(made, text, false, false, &applied);
        goes_on = has_failed(nth);
        bool is_there = lh_is_ok(show_tenant(made, id, &shown));
        assert_ok(show_tenant(made, "acme", &shown));
        assert_int_equal(strcmp(shown.roles, role) == 0, is_there);
        if (lh_is_ok(done)) {
            assert_true(is_there);
        }
        assert_true(nth < ALLOCATIONS_MAX);
    }
    assert_true(nth > 20);
}

/* What was handed out: how often, and the tag of the last one. */
struct handed_out {
    struct lh_crypto *crypto;
    int calls;
    struct lh_token_tag tag;
};

static void keep_tag(void *context, const struct lh_admin_token *made)
{
    struct handed_out *handed_out = context;
    handed_out->calls++;
    assert_ok(lh_token_tag_of(handed_out->crypto, made->jti, &handed_out->tag));
}

static size_t count_signing_keys(struct made_home *made)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S("acme"), &tenant));
    size_t count = tenant->signing_key_count;
    lh_tenant_unref(tenant);
    return count;
}

static void test_token_mint__hands_out_one_or_none_without_memory(void **state)
{
    struct made_home *made = *state;
    const struct lh_admin_token_spec spec = {.tenant = S("acme"), .subject = S("alice")};
    size_t nth = 1;
    for (bool goes_on = true; goes_on; nth++) {
        struct handed_out handed_out = {.crypto = made->home->crypto};
        failing_alloc_at(nth);
        lh_status minted = lh_admin_token_mint(made->admin, &spec, keep_tag, &handed_out);
        goes_on = has_failed(nth);
        assert_int_equal(handed_out.calls, lh_is_ok(minted) ? 1 : 0);
        assert_true(count_signing_keys(made) <= 1);
        assert_true(nth < ALLOCATIONS_MAX);
    }
    assert_int_equal(count_signing_keys(made), 1);
    assert_true(nth > 10);
}

/* Whether that is the token of the session, by its record. */
static bool is_its_token(struct made_home *made, const struct lh_session_key *key,
                         const struct lh_token_tag *tag)
{
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_inspect(made->home->vault, &op, key, &loaded));
    return lh_session_has_token(&loaded.header, tag);
}

static struct lh_session_key key_of(struct made_home *made, const char *ref)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S("acme"), &tenant));
    uint16_t bucket;
    struct lh_session_key key = {.uid = tenant->uid};
    assert_ok(lh_session_ref_parse(S(ref), &bucket, &key.lease));
    key.bucket = bucket;
    return key;
}

/* Which is the session's, and stays it unless the act says that another took its place. */
static void test_token_mint__gives_a_session_what_it_hands_out_without_memory(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice", &session));
    const struct lh_session_key key = key_of(made, session.ref);
    const struct lh_admin_token_spec spec = {
        .tenant = S("acme"), .subject = S("alice"), .ref = S(session.ref)};
    struct handed_out last = {.crypto = made->home->crypto};
    assert_ok(lh_admin_token_mint(made->admin, &spec, keep_tag, &last));
    size_t nth = 1, kept = 0;
    for (bool goes_on = true; goes_on; nth++) {
        struct handed_out handed_out = {.crypto = made->home->crypto};
        failing_alloc_at(nth);
        lh_status minted = lh_admin_token_mint(made->admin, &spec, keep_tag, &handed_out);
        goes_on = has_failed(nth);
        assert_int_equal(handed_out.calls, lh_is_ok(minted) ? 1 : 0);
        bool is_ended = strstr(lh_admin_why(made->admin), "nobody was given") != NULL;
        if (lh_is_ok(minted)) {
            assert_true(is_its_token(made, &key, &handed_out.tag));
            last = handed_out;
        } else if (!is_ended) {
            assert_true(is_its_token(made, &key, &last.tag));
            kept++;
        } else {
            assert_false(is_its_token(made, &key, &last.tag));
            assert_ok(lh_admin_token_mint(made->admin, &spec, keep_tag, &last));
        }
        assert_true(nth < ALLOCATIONS_MAX);
    }
    assert_true(nth > 20 && kept > 10);
}

static void count_made(void *context, const struct lh_admin_signature_key *key)
{
    (void)key;
    (*(unsigned *)context)++;
}

static size_t count_signature_keys(struct made_home *made)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S("acme"), &tenant));
    size_t count = tenant->signature_key_count;
    lh_tenant_unref(tenant);
    return count;
}

static void test_key_add__a_secret_is_told_or_not_made_without_memory(void **state)
{
    struct made_home *made = *state;
    const struct lh_admin_signature_key_spec spec = {.tenant = S("acme"),
                                                     .algorithm = S("hmac-sha256")};
    size_t nth = 1;
    for (bool goes_on = true; goes_on; nth++) {
        unsigned told = 0;
        size_t before = count_signature_keys(made);
        failing_alloc_at(nth);
        lh_status added = lh_admin_signature_key_add(made->admin, &spec, count_made, &told);
        goes_on = has_failed(nth);
        assert_int_equal(told, lh_is_ok(added) ? 1 : 0);
        assert_int_equal(count_signature_keys(made), before + told);
        assert_true(nth < ALLOCATIONS_MAX);
    }
    assert_true(nth > 10);
}

static void keep_nothing(void *context, const struct lh_admin_key *key)
{
    (void)context;
    (void)key;
}

/* A rotation that fails leaves secrets under the key that they were sealed under. */
static void test_key_rotate__moves_all_secrets_or_none_without_memory(void **state)
{
    struct made_home *made = *state;
    const struct lh_admin_signature_key_spec spec = {.tenant = S("acme"),
                                                     .algorithm = S("hmac-sha256")};
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    unsigned told = 0;
    assert_ok(lh_admin_signature_key_add(made->admin, &spec, count_made, &told));
    assert_ok(lh_admin_signature_key_add(made->admin, &spec, count_made, &told));
    size_t nth = 1;
    for (bool goes_on = true; goes_on; nth++) {
        struct lh_tenant *tenant = NULL;
        failing_alloc_at(nth);
        lh_status rotated = lh_admin_key_rotate(made->admin, S("acme"), keep_nothing, NULL);
        goes_on = has_failed(nth);
        assert_true(lh_is_ok(rotated) || goes_on);
        assert_ok(source->load_by_name(source->self, S("acme"), &tenant));
        for (size_t i = 0; i < tenant->signature_key_count; i++) {
            assert_int_equal(tenant->signature_keys[i].dek_id, tenant->active_dek);
        }
        lh_tenant_unref(tenant);
        assert_true(nth < ALLOCATIONS_MAX);
    }
    assert_true(nth > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_tenant_add__is_done_or_not_done_without_memory),
        WITH_HOME(test_session_revoke__is_true_to_its_word_without_memory),
        WITH_HOME(test_apply__is_done_or_not_done_without_memory),
        WITH_HOME(test_key_add__a_secret_is_told_or_not_made_without_memory),
        WITH_HOME(test_key_rotate__moves_all_secrets_or_none_without_memory),
        WITH_HOME(test_token_mint__hands_out_one_or_none_without_memory),
        WITH_HOME(test_token_mint__gives_a_session_what_it_hands_out_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
