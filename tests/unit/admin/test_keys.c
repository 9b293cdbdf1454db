/*
 * Listing and rotating keys.
 */
#include "acts.h"

#include "setup/home.h"

#include <dirent.h>
#include <sys/stat.h>

struct shown_keys {
    int calls;
    char text[4096]; /* "kind tenant id state;" each */
    uint64_t last_until_ms;
    uint64_t last_from_ms;
};

static void keep_key(void *context, const struct lh_admin_key *key)
{
    struct shown_keys *shown = context;
    size_t len = strlen(shown->text);
    shown->calls++;
    bool is_node = lh_slice_is_equal(key->kind, S("node"));
    (void)snprintf(shown->text + len, sizeof(shown->text) - len, "%.*s %.*s %.*s %.*s;",
                   LH_SLICE_ARG(key->kind), LH_SLICE_ARG(key->tenant),
                   is_node ? 0 : (int)key->id.len, (const char *)key->id.ptr,
                   LH_SLICE_ARG(key->state));
    shown->last_until_ms = key->until_ms;
    shown->last_from_ms = key->from_ms;
}

static struct shown_keys list(struct made_home *made, const char *tenant)
{
    struct shown_keys shown = {.calls = 0};
    assert_ok(lh_admin_key_list(made->admin, S(tenant), keep_key, &shown));
    return shown;
}

static void rotate(struct made_home *made, const char *tenant)
{
    struct shown_keys shown = {.calls = 0};
    assert_ok(lh_admin_key_rotate(made->admin, S(tenant), keep_key, &shown));
    assert_int_equal(shown.calls, 1);
}

static struct lh_tenant *load_acme(struct made_home *made)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S("acme"), &tenant));
    return tenant;
}

static void test_key_list__shows_cell_node_and_tenants(void **state)
{
    struct made_home *made = *state;
    assert_string_equal(
        list(made, "").text,
        "cell  1 active;node   active;tenant acme 1 active;tenant globex 1 active;");
    assert_string_equal(list(made, "globex").text, "tenant globex 1 active;");
    struct shown_keys shown = {.calls = 0};
    assert_status(lh_admin_key_list(made->admin, S("nobody"), keep_key, &shown), LH_ABSENT);
}

static void test_key_rotate__what_was_sealed_before_still_opens(void **state)
{
    struct made_home *made = *state;
    struct made_session before, after;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &before));
    rotate(made, "acme");
    assert_string_equal(list(made, "acme").text,
                        "tenant acme 1 decrypt-only;tenant acme 2 active;");
    assert_ok(make_session(made, "acme", "bob", &after));
    assert_ok(show_session(made, "acme", before.ref, &shown));
    assert_string_equal(shown.subject, "alice");
    assert_int_equal(shown.key_id, 1);
    assert_ok(show_session(made, "acme", after.ref, &shown));
    assert_string_equal(shown.subject, "bob");
    assert_int_equal(shown.key_id, 2);
    made_home_reopen(made);
    assert_ok(show_session(made, "acme", before.ref, &shown));
    assert_string_equal(shown.subject, "alice");
    assert_string_equal(list(made, "globex").text, "tenant globex 1 active;");
    assert_int_equal(made_home_logged(made, "audit key_rotated tenant=acme key=2"), 1);
}

static void test_key_rotate__an_old_key_goes_when_no_session_can_need_it(void **state)
{
    struct made_home *made = *state;
    rotate(made, "acme");
    fake_host_advance(&made->fake, UINT64_C(399) * 86400 * 1000);
    rotate(made, "acme");
    assert_string_equal(
        list(made, "acme").text,
        "tenant acme 1 decrypt-only;tenant acme 2 decrypt-only;tenant acme 3 active;");
    fake_host_advance(&made->fake, UINT64_C(2) * 86400 * 1000);
    rotate(made, "acme");
    struct shown_keys shown = list(made, "acme");
    assert_non_null(strstr(shown.text, "tenant acme 1 destroyed;"));
    assert_non_null(strstr(shown.text, "tenant acme 2 decrypt-only;"));
    assert_non_null(strstr(shown.text, "tenant acme 4 active;"));
    struct lh_tenant *tenant = load_acme(made);
    for (size_t i = 0; i < tenant->dek_count; i++) {
        /* Of a destroyed key not even the wrapped form is left. */
        assert_int_equal(tenant->deks[i].blob.len > 0, tenant->deks[i].state != LH_DEK_DESTROYED);
    }
    lh_tenant_unref(tenant);
}

/* A key that waits for machines to learn of it gives way to the next one. */
static void test_key_rotate__a_waiting_key_steps_down_too(void **state)
{
    struct made_home *made = *state;
    struct lh_tenant *tenant = load_acme(made);
    struct lh_wrapped_dek waiting = tenant->deks[0];
    waiting.id = 2;
    waiting.state = LH_DEK_PENDING;
    struct lh_registry_txn *txn = NULL;
    assert_ok(lh_registry_begin(made->home->registry, &txn));
    assert_ok(lh_registry_put_dek(txn, &tenant->uid, &waiting));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    lh_tenant_unref(tenant);
    rotate(made, "acme");
    assert_string_equal(
        list(made, "acme").text,
        "tenant acme 1 decrypt-only;tenant acme 2 decrypt-only;tenant acme 3 active;");
}

static void test_key_rotate__has_a_limit_and_stays_usable(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_keys shown = {.calls = 0};
    lh_status status = lh_status_of(LH_OK);
    for (int i = 0; i < 100 && lh_is_ok(status); i++) {
        status = lh_admin_key_rotate(made->admin, S("acme"), keep_key, &shown);
    }
    assert_status(status, LH_LIMITED);
    assert_ok(make_session(made, "acme", "alice", &session));
    fake_host_advance(&made->fake, UINT64_C(401) * 86400 * 1000);
    rotate(made, "acme"); /* destroyed keys do not count */
}

static void test_key_rotate_all__leaves_removed_tenants_alone(void **state)
{
    struct made_home *made = *state;
    struct shown_keys shown = {.calls = 0};
    assert_ok(lh_admin_tenant_remove(made->admin, S("globex")));
    assert_ok(add_tenant(made, "initech", NULL, NULL, NULL));
    assert_ok(lh_admin_key_rotate_all(made->admin, keep_key, &shown));
    assert_string_equal(shown.text, "tenant acme 2 active;tenant initech 2 active;");
    assert_status(lh_admin_key_rotate(made->admin, S("globex"), keep_key, &shown), LH_ABSENT);
}

static off_t size_of(const struct made_home *made, const char *name)
{
    char path[SCRATCH_PATH_BYTES];
    struct stat entry;
    made_home_path(made, name, path);
    assert_int_equal(stat(path, &entry), 0);
    return entry.st_size;
}

static void test_key_rotate_node__is_published_now_and_used_later(void **state)
{
    struct made_home *made = *state;
    struct shown_keys shown = {.calls = 0};
    off_t before = size_of(made, "public/jwks.json");
    assert_ok(lh_admin_key_rotate_node(made->admin, keep_key, &shown));
    assert_string_equal(shown.text, "node   pending;");
    assert_int_equal(shown.last_from_ms, lh_clock_now_ms(&made->fake.clock) + 10 * 60 * 1000);
    assert_true(size_of(made, "public/jwks.json") > before);
    assert_int_equal(made_home_logged(made, "audit node_key_rotated kid="), 1);
    fake_host_advance(&made->fake, 10 * 60 * 1000);
    shown = list(made, "");
    assert_non_null(strstr(shown.text, "node   verify-only;node   active;"));
}

static size_t count_files(const struct made_home *made, const char *name)
{
    char path[SCRATCH_PATH_BYTES];
    made_home_path(made, name, path);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

static void test_key_rotate_node__the_old_private_half_goes_with_the_next_act(void **state)
{
    struct made_home *made = *state;
    struct shown_keys shown = {.calls = 0};
    assert_ok(lh_admin_key_rotate_node(made->admin, keep_key, &shown));
    assert_int_equal(count_files(made, "node"), 2);
    fake_host_advance(&made->fake, 12 * 60 * 1000);
    assert_ok(lh_admin_tenant_disable(made->admin, S("acme")));
    assert_int_equal(count_files(made, "node"), 2);
    fake_host_advance(&made->fake, 1);
    assert_ok(lh_admin_tenant_enable(made->admin, S("acme")));
    assert_int_equal(count_files(made, "node"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_key_rotate_node__the_old_private_half_goes_with_the_next_act),
        WITH_HOME(test_key_list__shows_cell_node_and_tenants),
        WITH_HOME(test_key_rotate__what_was_sealed_before_still_opens),
        WITH_HOME(test_key_rotate__an_old_key_goes_when_no_session_can_need_it),
        WITH_HOME(test_key_rotate__a_waiting_key_steps_down_too),
        WITH_HOME(test_key_rotate__has_a_limit_and_stays_usable),
        WITH_HOME(test_key_rotate_all__leaves_removed_tenants_alone),
        WITH_HOME(test_key_rotate_node__is_published_now_and_used_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
