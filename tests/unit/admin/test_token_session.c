/*
 * The token of a session: minted for it, kept in its record, replaced by the next one.
 */
#include "acts.h"

#include "setup/home.h"

struct kept {
    int calls;
    char jti[64];
};

static void keep_jti(void *context, const struct lh_admin_token *made)
{
    struct kept *kept = context;
    kept->calls++;
    (void)snprintf(kept->jti, sizeof(kept->jti), "%.*s", LH_SLICE_ARG(made->jti));
}

/* A token for acme's subject; ref NULL: of no session. */
static lh_status mint(struct made_home *made, const char *subject, const char *ref,
                      struct kept *out_kept)
{
    const struct lh_admin_token_spec spec = {
        .tenant = S("acme"), .subject = S(subject), .ref = S(ref == NULL ? "" : ref)};
    *out_kept = (struct kept){.calls = 0};
    lh_status status = lh_admin_token_mint(made->admin, &spec, keep_jti, out_kept);
    assert_int_equal(out_kept->calls, lh_is_ok(status) ? 1 : 0);
    return status;
}

static struct lh_tenant *load_acme(struct made_home *made)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S("acme"), &tenant));
    return tenant;
}

/* As it lies in the store. */
static struct lh_session_header header_of(struct made_home *made, const char *ref)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = load_acme(made);
    struct lh_session_key key = {.uid = tenant->uid};
    uint16_t bucket;
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_session_ref_parse(S(ref), &bucket, &key.lease));
    key.bucket = bucket;
    assert_ok(lh_vault_inspect(made->home->vault, &op, &key, &loaded));
    return loaded.header;
}

static bool has_token(struct made_home *made, const char *ref, const char *jti)
{
    struct lh_token_tag tag;
    struct lh_session_header header = header_of(made, ref);
    assert_ok(lh_token_tag_of(made->home->crypto, S(jti), &tag));
    return lh_session_has_token(&header, &tag);
}

/* What the registry demands of a session's record. */
static uint64_t demanded(struct made_home *made, const char *ref)
{
    struct lh_session_header header = header_of(made, ref);
    struct lh_revocation revocation;
    assert_ok(
        lh_registry_read_revocation(made->home->registry, &header.uid, &header.lease, &revocation));
    assert_false(revocation.is_revoked);
    return revocation.least_generation;
}

static void demand(struct made_home *made, const char *ref, uint64_t generation)
{
    struct lh_session_header header = header_of(made, ref);
    const struct lh_revocation revocation = {.least_generation = generation};
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    assert_ok(lh_registry_begin(made->home->registry, &txn));
    assert_ok(lh_registry_put_revocation(txn, &header.uid, &header.lease, &revocation,
                                         header.absolute_end_ms));
    assert_ok(lh_registry_commit(txn));
}

static lh_status try_cookie(struct made_home *made, const char *value)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = load_acme(made);
    struct lh_raw_handle raw;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    assert_ok(lh_handle_parse(S(value), &raw));
    assert_ok(lh_handle_verify(made->home->cell, &tenant->uid, &raw, &handle));
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    return lh_vault_load(made->home->vault, &op, &handle, &loaded);
}

static void test_token_mint__of_a_session_leaves_its_tag_and_all_else_alone(void **state)
{
    struct made_home *made = *state;
    struct made_session session, other;
    struct kept first, second, free;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(make_session(made, "acme", "alice", &other));
    struct lh_session_header before = header_of(made, session.ref);
    assert_int_equal(demanded(made, session.ref), 0);
    assert_ok(mint(made, "alice", session.ref, &first));
    assert_true(has_token(made, session.ref, first.jti));
    assert_int_equal(demanded(made, session.ref), 2);
    assert_ok(mint(made, "alice", NULL, &free)); /* of no session: replaces nothing */
    assert_true(has_token(made, session.ref, first.jti));
    assert_ok(mint(made, "alice", session.ref, &second));
    assert_true(has_token(made, session.ref, second.jti));
    assert_false(has_token(made, session.ref, first.jti));
    assert_int_equal(demanded(made, session.ref), 3);
    struct lh_session_header after = header_of(made, session.ref);
    assert_int_equal(after.generation, 3);
    assert_int_equal(after.absolute_end_ms, before.absolute_end_ms);
    assert_memory_equal(&after.secret_hash, &before.secret_hash, sizeof(after.secret_hash));
    assert_ok(try_cookie(made, session.value));
    assert_int_equal(header_of(made, other.ref).generation, 1);
    assert_int_equal(demanded(made, other.ref), 0);
    made_home_reopen(made);
    assert_true(has_token(made, session.ref, second.jti));
    assert_int_equal(made_home_logged(made, "audit session_rotated"), 0);
}

static void test_token_mint__of_a_session_moves_the_counter_of_its_tenant_alone(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct kept kept;
    uint64_t before[4], after[4];
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(mint(made, "alice", NULL, &kept)); /* makes the tenant's key */
    const struct lh_counters *counters = lh_registry_counters(made->home->registry);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load_acme(made);
    for (uint32_t slot = 0; slot < 4; slot++) {
        assert_ok(lh_counters_read(counters, slot, &before[slot]));
    }
    assert_ok(mint(made, "alice", session.ref, &kept));
    for (uint32_t slot = 0; slot < 4; slot++) {
        assert_ok(lh_counters_read(counters, slot, &after[slot]));
        assert_int_equal(after[slot] - before[slot], slot == acme->slot ? 2 : 0);
    }
}

/* What the registry says is asked again where nobody else can write to it. */
static void test_token_mint__gives_no_record_that_was_put_back_a_new_generation(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct kept kept;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(mint(made, "alice", session.ref, &kept));
    demand(made, session.ref, 3); /* another's act: what lies in the store is an older record */
    struct kept refused;
    assert_status(mint(made, "alice", session.ref, &refused), LH_KEY_DOWN);
    assert_int_equal(header_of(made, session.ref).generation, 2);
    assert_int_equal(demanded(made, session.ref), 3);
    assert_true(has_token(made, session.ref, kept.jti));
}

static void test_token_mint__leaves_a_session_alone_that_is_not_its_subjects(void **state)
{
    struct made_home *made = *state;
    struct made_session session, nobody;
    struct kept kept;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(make_session(made, "acme", NULL, &nobody));
    assert_status(mint(made, "bob", session.ref, &kept), LH_MISMATCH);
    assert_status(mint(made, "bob", nobody.ref, &kept), LH_MISMATCH);
    assert_int_equal(header_of(made, session.ref).generation, 1);
    assert_int_equal(header_of(made, nobody.ref).generation, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_token_mint__of_a_session_leaves_its_tag_and_all_else_alone),
        WITH_HOME(test_token_mint__of_a_session_moves_the_counter_of_its_tenant_alone),
        WITH_HOME(test_token_mint__gives_no_record_that_was_put_back_a_new_generation),
        WITH_HOME(test_token_mint__leaves_a_session_alone_that_is_not_its_subjects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
