/*
 * Minting tokens and the keys that sign them: what is minted is what verifies, nothing else, and
 * the next key is published before it is used.
 */
#include "acts.h"

#include "setup/home.h"
#include "token/key_cache.h"
#include "token/token.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MINUTE_MS (UINT64_C(60) * 1000)

struct kept_token {
    int calls;
    char token[8192], iss[128], kid[32], jti[64], type[32], audiences[256];
    uint64_t expires_ms;
};

static void keep(lh_slice text, char *out, size_t size)
{
    (void)snprintf(out, size, "%.*s", LH_SLICE_ARG(text));
}

static void keep_token(void *context, const struct lh_admin_token *made)
{
    struct kept_token *kept = context;
    kept->calls++;
    assert_true(made->token.len < sizeof(kept->token));
    memcpy(kept->token, made->token.ptr, made->token.len);
    kept->token[made->token.len] = '\0';
    keep(made->iss, kept->iss, sizeof(kept->iss));
    keep(made->kid, kept->kid, sizeof(kept->kid));
    keep(made->jti, kept->jti, sizeof(kept->jti));
    keep(made->type, kept->type, sizeof(kept->type));
    join_texts(&made->audiences, kept->audiences, sizeof(kept->audiences));
    kept->expires_ms = made->expires_ms;
}

static struct lh_admin_token_spec spec_of(const char *tenant, const char *subject)
{
    return (struct lh_admin_token_spec){.tenant = S(tenant), .subject = S(subject)};
}

static lh_status mint(struct made_home *made, const struct lh_admin_token_spec *spec,
                      struct kept_token *kept)
{
    memset(kept, 0, sizeof(*kept));
    return lh_admin_token_mint(made->admin, spec, keep_token, kept);
}

static uint64_t now_of(const struct made_home *made)
{
    return lh_clock_now_ms(&made->fake.clock);
}

static struct lh_tenant *load(struct made_home *made, const char *id)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(id), &tenant));
    return tenant;
}

/* --- Verifying as the gate does --------------------------------------------------------------- */

struct verifying {
    struct lh_key_cache *keys;
    struct lh_verified_token token;
    void *room;
    struct lh_tenant *tenant;
};

static lh_status verify(struct made_home *made, const char *id, const char *text,
                        struct verifying *verifying)
{
    const struct lh_key_cache_options options = {.crypto = made->home->crypto, .keys_max = 8};
    memset(verifying, 0, sizeof(*verifying));
    verifying->tenant = load(made, id);
    assert_ok(lh_key_cache_new(&options, &verifying->keys));
    verifying->room = malloc(lh_raw_token_room_bytes(strlen(text)));
    const struct lh_token_verifier verifier = {.crypto = made->home->crypto,
                                               .keys = verifying->keys};
    struct lh_token_question question = {.tenant = verifying->tenant, .now_ms = now_of(made)};
    const struct lh_raw_token *raw;
    assert_ok(lh_token_text_of(made->home->crypto, S(text), &question.text));
    assert_ok(lh_raw_token_read(&question.text, verifying->room, &raw));
    return lh_token_verify(&verifier, &question, raw, &verifying->token);
}

static void finish(struct verifying *verifying)
{
    lh_key_cache_free(verifying->keys);
    free(verifying->room);
    lh_tenant_unref(verifying->tenant);
}

static void assert_verifies(struct made_home *made, const char *id, const char *text,
                            enum lh_code expected)
{
    struct verifying verifying;
    assert_status(verify(made, id, text, &verifying), expected);
    finish(&verifying);
}

/* --- Minting ---------------------------------------------------------------------------------- */

static void test_token_mint__is_verified_as_what_was_asked_for(void **state)
{
    struct made_home *made = *state;
    struct kept_token kept;
    struct verifying verifying;
    lh_slice roles[] = {S("admin"), S("audit")}, scopes[] = {S("orders:read")}, groups[] = {S("g")};
    lh_slice audiences[] = {S("api"), S("web")};
    struct lh_admin_token_spec spec = spec_of("acme", "alice");
    spec.roles = (struct lh_admin_texts){roles, 2};
    spec.scopes = (struct lh_admin_texts){scopes, 1};
    spec.groups = (struct lh_admin_texts){groups, 1};
    spec.audiences = (struct lh_admin_texts){audiences, 2};
    spec.ttl_s = 600;
    assert_ok(mint(made, &spec, &kept));
    assert_int_equal(kept.calls, 1);
    assert_string_equal(kept.type, "at+jwt");
    assert_string_equal(kept.audiences, "api,web");
    assert_int_equal(kept.expires_ms, now_of(made) / 1000 * 1000 + 600 * 1000);
    assert_ok(verify(made, "acme", kept.token, &verifying));
    const struct lh_verified_token *token = &verifying.token;
    assert_true(token->is_own && token->kind == LH_TOKEN_ACCESS);
    assert_slice_text(token->sub, "alice");
    assert_slice_text(token->jti, kept.jti);
    assert_slice_text(token->iss, kept.iss);
    assert_int_equal(token->sid.len, 0);
    assert_true(token->roles.count == 2 && token->scopes.count == 1 && token->groups.count == 1);
    assert_true(lh_token_is_for(token, audiences, 1));
    assert_true(token->epochs.tenant == verifying.tenant->epoch);
    assert_true(token->epochs.platform == verifying.tenant->platform_epoch);
    finish(&verifying);
    assert_verifies(made, "globex", kept.token, LH_ABSENT);
    assert_int_equal(made_home_logged(made, "audit token_minted tenant=acme kid="), 1);
    assert_int_equal(made_home_logged(made, "audit signing_key_rotated tenant=acme kid="), 1);
    assert_int_equal(made_home_logged(made, "alice"), 0);
    assert_int_equal(made_home_logged(made, kept.token), 0);
}

static void test_token_mint__each_has_a_jti_of_its_own_and_one_key(void **state)
{
    struct made_home *made = *state;
    struct kept_token first, second;
    struct lh_admin_token_spec spec = spec_of("acme", "alice");
    assert_ok(mint(made, &spec, &first));
    made_home_reopen(made);
    assert_ok(mint(made, &spec, &second));
    assert_string_not_equal(first.jti, second.jti);
    assert_string_equal(first.kid, second.kid);
    assert_string_equal(first.audiences, "leasehold");
    assert_true(first.expires_ms == now_of(made) / 1000 * 1000 + 3600 * 1000);
    spec.tenant = S("globex");
    assert_ok(mint(made, &spec, &second));
    assert_string_not_equal(first.kid, second.kid);
    assert_string_not_equal(first.iss, second.iss);
    assert_verifies(made, "acme", second.token, LH_ABSENT);
}

static void test_token_mint__service_tokens_are_of_a_type_and_scope_of_their_own(void **state)
{
    struct made_home *made = *state;
    struct kept_token kept;
    struct verifying verifying;
    lh_slice scopes[] = {S("orders:read")};
    struct lh_admin_token_spec spec = spec_of("acme", "shop");
    spec.is_service = true;
    assert_ok(mint(made, &spec, &kept));
    assert_string_equal(kept.type, "lh-service+jwt");
    assert_ok(verify(made, "acme", kept.token, &verifying));
    assert_int_equal(verifying.token.kind, LH_TOKEN_SERVICE);
    assert_int_equal(verifying.token.scopes.count, 1);
    assert_slice_text(verifying.token.scopes.items[0], "sessions:*");
    finish(&verifying);
    spec.scopes = (struct lh_admin_texts){scopes, 1};
    assert_status(mint(made, &spec, &kept), LH_INVALID);
}

static void test_token_mint__never_lives_longer_than_the_tier(void **state)
{
    struct made_home *made = *state;
    struct kept_token kept;
    struct lh_admin_token_spec spec = spec_of("globex", "bob"); /* free: 8 h */
    spec.ttl_s = 8 * 3600 + 1;
    assert_status(mint(made, &spec, &kept), LH_LIMITED);
    assert_why(made, "28800 s at most");
    assert_int_equal(kept.calls, 0);
    spec.ttl_s = 8 * 3600;
    assert_ok(mint(made, &spec, &kept));
    fake_host_advance(&made->fake, UINT64_C(8) * 3600 * 1000);
    assert_verifies(made, "globex", kept.token, LH_OK); /* the skew */
    fake_host_advance(&made->fake, 5000 + 1000);
    assert_verifies(made, "globex", kept.token, LH_EXPIRED);
}

static void test_token_mint__belongs_to_a_live_session_of_its_subject(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct kept_token kept;
    struct verifying verifying;
    struct lh_admin_token_spec spec = spec_of("globex", "bob");
    assert_ok(make_session(made, "globex", "bob", &session));
    spec.ref = S(session.ref);
    assert_ok(mint(made, &spec, &kept));
    assert_ok(verify(made, "globex", kept.token, &verifying));
    assert_slice_text(verifying.token.sid, session.ref);
    finish(&verifying);
    spec.subject = S("eve");
    assert_status(mint(made, &spec, &kept), LH_MISMATCH);
    spec.subject = S("bob");
    spec.tenant = S("acme");
    assert_status(mint(made, &spec, &kept), LH_ABSENT);
    spec.tenant = S("globex");
    spec.ttl_s = 8 * 3600;
    fake_host_advance(&made->fake, 2000);
    assert_status(mint(made, &spec, &kept), LH_LIMITED); /* the session ends before */
    assert_ok(lh_admin_session_revoke(made->admin, S("globex"), S(session.ref)));
    spec.ttl_s = 0;
    assert_status(mint(made, &spec, &kept), LH_REVOKED);
    spec.ref = S("nonsense");
    assert_status(mint(made, &spec, &kept), LH_MALFORMED);
}

static void test_token_mint__is_for_active_tenants_and_proper_names(void **state)
{
    struct made_home *made = *state;
    struct kept_token kept;
    lh_slice bad[] = {S("a b")};
    struct lh_admin_token_spec spec = spec_of("nobody", "alice");
    assert_status(mint(made, &spec, &kept), LH_ABSENT);
    spec = spec_of("acme", "");
    assert_status(mint(made, &spec, &kept), LH_MALFORMED);
    spec = spec_of("acme", "alice");
    spec.audiences = (struct lh_admin_texts){bad, 1};
    assert_status(mint(made, &spec, &kept), LH_MALFORMED);
    spec.audiences.count = 0;
    spec.roles = (struct lh_admin_texts){bad, 1};
    assert_status(mint(made, &spec, &kept), LH_MALFORMED);
    spec.roles.count = 0;
    assert_ok(lh_admin_tenant_disable(made->admin, S("acme")));
    assert_status(mint(made, &spec, &kept), LH_DISABLED);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = load(made, "acme");
    assert_int_equal(tenant->signing_key_count, 0); /* nothing was made on the way */
}

static void test_token_mint__a_logout_ends_what_was_minted(void **state)
{
    struct made_home *made = *state;
    struct kept_token kept;
    struct verifying verifying;
    struct lh_admin_token_spec spec = spec_of("acme", "alice");
    assert_ok(mint(made, &spec, &kept));
    fake_host_advance(&made->fake, 1000);
    assert_ok(lh_admin_session_revoke_all(made->admin, S("acme")));
    assert_ok(verify(made, "acme", kept.token, &verifying));
    struct lh_token_epochs present = {.tenant = verifying.tenant->epoch,
                                      .platform = verifying.tenant->platform_epoch};
    assert_true(lh_token_is_logged_out(&verifying.token, &present));
    finish(&verifying);
    assert_ok(mint(made, &spec, &kept));
    assert_ok(verify(made, "acme", kept.token, &verifying));
    assert_false(lh_token_is_logged_out(&verifying.token, &present));
    finish(&verifying);
}

/* --- Keys ------------------------------------------------------------------------------------- */

struct listed {
    char text[512]; /* "state " each */
    uint64_t from_ms, until_ms;
};

static void list_signing(void *context, const struct lh_admin_key *key)
{
    struct listed *listed = context;
    size_t len = strlen(listed->text);
    if (lh_slice_is_equal(key->kind, S("signing"))) {
        (void)snprintf(listed->text + len, sizeof(listed->text) - len, "%.*s ",
                       LH_SLICE_ARG(key->state));
        listed->from_ms = key->from_ms;
        listed->until_ms = key->until_ms;
    }
}

static void assert_keys(struct made_home *made, const char *expected)
{
    struct listed listed = {.text = ""};
    assert_ok(lh_admin_key_list(made->admin, S("acme"), list_signing, &listed));
    assert_string_equal(listed.text, expected);
}

static lh_status rotate(struct made_home *made, const char *tenant, struct listed *listed)
{
    *listed = (struct listed){.text = ""};
    return lh_admin_key_rotate_signing(made->admin, S(tenant), list_signing, listed);
}

/* How many kids the published set has; -1: there is none. */
static int published(struct made_home *made, const char *id)
{
    char path[SCRATCH_PATH_BYTES], name[128], uid[LH_TENANT_UID_TEXT_BYTES + 1] = "";
    static char text[65536];
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = load(made, id);
    lh_tenant_uid_write(&tenant->uid, uid);
    (void)snprintf(name, sizeof(name), "public/%s/jwks.json", uid);
    made_home_path(made, name, path);
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        return -1;
    }
    ssize_t len = read(fd, text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_int_equal(close(fd), 0);
    assert_null(strstr(text, "\"d\""));
    int kids = 0;
    for (const char *at = strstr(text, "\"kid\""); at != NULL; at = strstr(at + 1, "\"kid\"")) {
        kids++;
    }
    return kids;
}

static void test_key_rotate_signing__is_published_before_it_is_used(void **state)
{
    struct made_home *made = *state;
    struct kept_token before, meanwhile, after;
    struct listed listed;
    struct lh_admin_token_spec spec = spec_of("acme", "alice");
    assert_int_equal(published(made, "acme"), -1);
    assert_ok(mint(made, &spec, &before));
    assert_int_equal(published(made, "acme"), 1);
    assert_keys(made, "active ");
    assert_ok(rotate(made, "acme", &listed));
    assert_string_equal(listed.text, "pending ");
    assert_true(listed.from_ms == now_of(made) + 10 * MINUTE_MS);
    assert_int_equal(published(made, "acme"), 2);
    assert_keys(made, "active pending ");
    assert_status(rotate(made, "acme", &listed), LH_LIMITED);
    fake_host_advance(&made->fake, 10 * MINUTE_MS - 1);
    assert_ok(mint(made, &spec, &meanwhile));
    assert_string_equal(before.kid, meanwhile.kid);
    fake_host_advance(&made->fake, 1);
    assert_keys(made, "verify-only active ");
    assert_ok(mint(made, &spec, &after));
    assert_string_not_equal(before.kid, after.kid);
    assert_verifies(made, "acme", before.token, LH_OK);
    assert_verifies(made, "acme", after.token, LH_OK);
    assert_int_equal(published(made, "globex"), -1);
    assert_int_equal(made_home_logged(made, "audit signing_key_rotated tenant=acme"), 2);
}

static void test_key_rotate_signing__an_old_key_goes_when_no_token_can_need_it(void **state)
{
    struct made_home *made = *state;
    struct kept_token token;
    struct listed listed;
    struct lh_admin_token_spec spec = spec_of("acme", "alice"); /* premium: 14 d */
    assert_ok(mint(made, &spec, &token));
    assert_ok(rotate(made, "acme", &listed));
    fake_host_advance(&made->fake, 10 * MINUTE_MS);
    assert_ok(mint(made, &spec, &token));
    struct lh_tenant *tenant = load(made, "acme");
    assert_int_equal(tenant->signing_keys[0].blob.len, 0); /* it signs no more */
    assert_true(tenant->signing_keys[1].blob.len > 0);
    lh_tenant_unref(tenant);
    fake_host_advance(&made->fake, UINT64_C(14) * 86400 * 1000);
    assert_keys(made, "verify-only active ");
    fake_host_advance(&made->fake, MINUTE_MS);
    assert_keys(made, "over active ");
    assert_ok(rotate(made, "acme", &listed));
    assert_keys(made, "active pending ");
    assert_int_equal(published(made, "acme"), 2);
}

static void test_key_rotate_signing__a_longer_token_keeps_its_key_longer(void **state)
{
    struct made_home *made = *state;
    struct kept_token token;
    struct listed listed;
    struct lh_admin_token_spec spec = spec_of("globex", "bob");
    assert_ok(mint(made, &spec, &token));
    struct lh_tenant *tenant = load(made, "globex");
    assert_int_equal(tenant->signing_keys[0].life_s, 8 * 3600);
    struct lh_registry_txn *txn;
    assert_ok(lh_registry_begin(made->home->registry, &txn));
    assert_ok(lh_registry_get_tier(txn, S("premium"), &tenant->tier));
    assert_ok(lh_registry_put_tenant(txn, tenant));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    lh_tenant_unref(tenant);
    assert_ok(rotate(made, "globex", &listed));
    spec.ttl_s = 14 * 86400;
    assert_ok(mint(made, &spec, &token));
    fake_host_advance(&made->fake, UINT64_C(14) * 86400 * 1000);
    assert_verifies(made, "globex", token.token, LH_OK);
}

static void test_key_rotate_signing_all__is_for_those_that_have_one(void **state)
{
    struct made_home *made = *state;
    struct kept_token token;
    struct listed listed = {.text = ""};
    struct lh_admin_token_spec spec = spec_of("acme", "alice");
    assert_ok(mint(made, &spec, &token));
    assert_ok(lh_admin_key_rotate_signing_all(made->admin, list_signing, &listed));
    assert_string_equal(listed.text, "pending ");
    assert_ok(lh_admin_key_rotate_signing_all(made->admin, list_signing, &listed));
    assert_string_equal(listed.text, "pending "); /* it waits already: left alone */
    assert_int_equal(published(made, "globex"), -1);
    assert_status(rotate(made, "nobody", &listed), LH_ABSENT);
}

static void test_tenant_remove__withdraws_its_published_keys(void **state)
{
    struct made_home *made = *state;
    struct kept_token token;
    char path[SCRATCH_PATH_BYTES], name[128], uid[LH_TENANT_UID_TEXT_BYTES + 1] = "";
    struct stat entry;
    struct lh_admin_token_spec spec = spec_of("acme", "alice");
    assert_ok(mint(made, &spec, &token));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = load(made, "acme");
    lh_tenant_uid_write(&tenant->uid, uid);
    (void)snprintf(name, sizeof(name), "public/%s/jwks.json", uid);
    made_home_path(made, name, path);
    assert_ok(lh_admin_tenant_remove(made->admin, S("acme")));
    assert_int_equal(stat(path, &entry), 0);
    assert_int_equal(entry.st_size, strlen("{\"keys\":[]}\n"));
}

/* Who cannot publish makes no key. */
static void test_token_mint__makes_no_key_that_it_cannot_publish(void **state)
{
    struct made_home *made = *state;
    struct kept_token token;
    char path[SCRATCH_PATH_BYTES];
    struct lh_admin_token_spec spec = spec_of("acme", "alice");
    made_home_path(made, "public", path);
    assert_int_equal(chmod(path, 0777), 0);
    assert_status(mint(made, &spec, &token), LH_UNSAFE_FILE);
    assert_int_equal(chmod(path, 0700), 0);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = load(made, "acme");
    assert_int_equal(tenant->signing_key_count, 0);
    assert_ok(mint(made, &spec, &token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_token_mint__is_verified_as_what_was_asked_for),
        WITH_HOME(test_token_mint__each_has_a_jti_of_its_own_and_one_key),
        WITH_HOME(test_token_mint__service_tokens_are_of_a_type_and_scope_of_their_own),
        WITH_HOME(test_token_mint__never_lives_longer_than_the_tier),
        WITH_HOME(test_token_mint__belongs_to_a_live_session_of_its_subject),
        WITH_HOME(test_token_mint__is_for_active_tenants_and_proper_names),
        WITH_HOME(test_token_mint__a_logout_ends_what_was_minted),
        WITH_HOME(test_token_mint__makes_no_key_that_it_cannot_publish),
        WITH_HOME(test_key_rotate_signing__is_published_before_it_is_used),
        WITH_HOME(test_key_rotate_signing__an_old_key_goes_when_no_token_can_need_it),
        WITH_HOME(test_key_rotate_signing__a_longer_token_keeps_its_key_longer),
        WITH_HOME(test_key_rotate_signing_all__is_for_those_that_have_one),
        WITH_HOME(test_tenant_remove__withdraws_its_published_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
