/*
 * Sealed cookies of twenty tenants: copied, renamed, put together from two, cut, altered, played
 * again after they were revoked, by a thief who knows even the key of their MACs. Nobody passes
 * but each with his own.
 */
#include "long/asked_gate.h"
#include "support/test.h"
#include "unit/admin/acts.h"

#include "codec/base64url.h"
#include "session/sealed_cookie.h"
#include "setup/home.h"

#define TENANTS     20U
#define EACH        2U
#define COOKIES     (TENANTS * EACH)
#define VALUE_BYTES 1024U

struct sealed {
    char tenant[16];
    char name[64];
    char ref[64];
    char value[VALUE_BYTES];
    uint8_t bytes[VALUE_BYTES];
    size_t len;
    uint8_t key_id;
    struct lh_tenant_uid uid;
};

struct scene {
    struct made_home made;
    struct fake_host fake;
    struct asked_gate asked;
    struct sealed cookies[COOKIES];
    unsigned long refused[LH_REASON_COUNT];
};

/* --- Making ----------------------------------------------------------------------------------- */

static void keep(void *context, const struct lh_admin_credential *credential)
{
    struct sealed *sealed = context;
    (void)snprintf(sealed->name, sizeof(sealed->name), "%.*s",
                   LH_SLICE_ARG(credential->cookie_name));
    (void)snprintf(sealed->ref, sizeof(sealed->ref), "%.*s", LH_SLICE_ARG(credential->ref));
    (void)snprintf(sealed->value, sizeof(sealed->value), "%.*s",
                   LH_SLICE_ARG(credential->cookie_value));
}

static void issue(struct scene *scene, unsigned n)
{
    struct sealed *sealed = &scene->cookies[n];
    lh_slice role = S("admin");
    (void)snprintf(sealed->tenant, sizeof(sealed->tenant), "tenant-%02u", n / EACH);
    const struct lh_admin_session_spec spec = {.tenant = S(sealed->tenant),
                                               .subject = n % EACH == 0 ? S("alice") : S("bob"),
                                               .roles = {&role, n % EACH},
                                               .is_sealed = true};
    assert_ok(lh_admin_session_create(scene->made.admin, &spec, keep, sealed));
}

static void steal(struct scene *scene, struct sealed *sealed)
{
    struct lh_home *home = scene->asked.home;
    struct lh_tenant *tenant = NULL;
    struct lh_tenant_id id;
    struct lh_raw_sealed_cookie raw;
    assert_ok(lh_tenant_id_parse(S(sealed->tenant), &id));
    assert_ok(lh_directory_find_name(home->directory, &id, lh_clock_now_ms(&home->clock), &tenant));
    sealed->uid = tenant->uid;
    lh_tenant_unref(tenant);
    assert_ok(lh_sealed_cookie_parse(S(sealed->value), sealed->bytes, &raw));
    sealed->key_id = raw.key_id;
    sealed->len = raw.authentic.len + raw.mac.len;
}

static void open_gate(struct scene *scene)
{
    char why[LH_HOME_ERROR_BYTES];
    assert_ok(asked_gate_open(&scene->asked, scene->made.path, &scene->fake.host, why));
    scene->asked.cookie = LH_GATE_COOKIE_SEALED;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    made_home_init(&scene->made);
    made_home_set(&scene->made, "locked_memory = best_effort");
    for (unsigned i = 0; i < TENANTS; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "tenant-%02u", i);
        assert_ok(add_tenant(&scene->made, id, "premium", NULL, NULL));
    }
    for (unsigned n = 0; n < COOKIES; n++) {
        issue(scene, n);
    }
    made_home_close(&scene->made); /* a process opens an environment once */
    fake_host_init(&scene->fake);
    open_gate(scene);
    for (unsigned n = 0; n < COOKIES; n++) {
        steal(scene, &scene->cookies[n]);
    }
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    asked_gate_close(&scene->asked);
    made_home_fini(&scene->made);
    for (unsigned reason = 0; reason < LH_REASON_COUNT; reason++) {
        if (scene->refused[reason] > 0) {
            print_message("%8lu %s\n", scene->refused[reason],
                          lh_reason_name((enum lh_reason)reason));
        }
    }
    free(scene);
    return 0;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static enum lh_reason ask(struct scene *scene, const struct sealed *at, const char *name,
                          const char *value)
{
    char cookie[2 * VALUE_BYTES + 80];
    (void)snprintf(cookie, sizeof(cookie), "%s=%s", name, value);
    return asked_gate_ask(&scene->asked, at->tenant, cookie);
}

static void assert_refused(struct scene *scene, const struct sealed *at, const char *name,
                           const char *value, const char *what)
{
    enum lh_reason reason = ask(scene, at, name, value);
    if (reason == LH_REASON_OK) {
        fail_msg("%s passes at %s", what, at->tenant);
    }
    scene->refused[reason]++;
}

static void assert_bytes_refused(struct scene *scene, const struct sealed *at, lh_slice bytes,
                                 const char *what)
{
    char text[2 * VALUE_BYTES] = {0};
    lh_base64url_write(bytes, text);
    assert_refused(scene, at, at->name, text, what);
}

/* The same where the MAC has been made to fit, under the key of a tenant. */
static void assert_forged_refused(struct scene *scene, const struct sealed *at, lh_slice authentic,
                                  const char *what)
{
    uint8_t bytes[VALUE_BYTES];
    struct lh_digest mac;
    memcpy(bytes, authentic.ptr, authentic.len);
    assert_ok(lh_cell_mac(scene->asked.home->cell, &at->uid, at->key_id, authentic, &mac));
    memcpy(bytes + authentic.len, mac.bytes, LH_SEALED_COOKIE_MAC_BYTES);
    assert_bytes_refused(scene, at, lh_slice_of(bytes, authentic.len + LH_SEALED_COOKIE_MAC_BYTES),
                         what);
}

static void assert_all_pass(struct scene *scene)
{
    for (unsigned n = 0; n < COOKIES; n++) {
        struct sealed *sealed = &scene->cookies[n];
        assert_string_equal(lh_reason_name(ask(scene, sealed, sealed->name, sealed->value)),
                            lh_reason_name(LH_REASON_OK));
    }
}

/* --- Tests ------------------------------------------------------------------------------------ */

static bool is_one_tenant(const struct sealed *a, const struct sealed *b)
{
    return strcmp(a->tenant, b->tenant) == 0;
}

static lh_slice authentic_of(const struct sealed *sealed)
{
    return lh_slice_of(sealed->bytes, sealed->len - LH_SEALED_COOKIE_MAC_BYTES);
}

/* The header of one and the seal of another. */
static void splice(struct scene *scene, const struct sealed *a, const struct sealed *b)
{
    uint8_t bytes[VALUE_BYTES];
    memcpy(bytes, b->bytes, b->len);
    memcpy(bytes, a->bytes, LH_SEALED_COOKIE_HEADER_BYTES);
    lh_slice authentic = lh_slice_of(bytes, b->len - LH_SEALED_COOKIE_MAC_BYTES);
    assert_bytes_refused(scene, a, lh_slice_of(bytes, b->len), "two halves");
    assert_forged_refused(scene, a, authentic, "two halves under a MAC that fits");
    assert_forged_refused(scene, b, authentic, "two halves under another MAC that fits");
}

static void copy(struct scene *scene, const struct sealed *a, const struct sealed *b)
{
    splice(scene, a, b);
    if (!is_one_tenant(a, b)) {
        assert_refused(scene, a, b->name, b->value, "another tenant's cookie");
        assert_refused(scene, a, a->name, b->value, "another tenant's cookie, renamed");
        assert_refused(scene, a, LH_COOKIE_NAME, b->value, "another tenant's cookie, unnamed");
        assert_forged_refused(scene, a, authentic_of(b), "another tenant's cookie, under our MAC");
    }
}

static void test_swaps__no_sealed_cookie_passes_for_another(void **state)
{
    struct scene *scene = *state;
    assert_all_pass(scene);
    for (unsigned i = 0; i < COOKIES; i++) {
        for (unsigned j = 0; j < COOKIES; j++) {
            if (i != j) {
                copy(scene, &scene->cookies[i], &scene->cookies[j]);
            }
        }
    }
    assert_all_pass(scene);
}

static void alter(struct scene *scene, struct sealed *sealed)
{
    lh_slice whole = lh_slice_of(sealed->bytes, sealed->len);
    for (size_t bit = 0; bit < 8 * sealed->len; bit++) {
        sealed->bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_bytes_refused(scene, sealed, whole, "an altered cookie");
        if (bit / 8 < authentic_of(sealed).len) {
            assert_forged_refused(scene, sealed, authentic_of(sealed),
                                  "an altered cookie whose MAC fits");
        }
        sealed->bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    for (size_t len = 0; len < sealed->len; len++) {
        assert_bytes_refused(scene, sealed, lh_slice_of(sealed->bytes, len), "a cut cookie");
        if (len < authentic_of(sealed).len) {
            assert_forged_refused(scene, sealed, lh_slice_of(sealed->bytes, len),
                                  "a cut cookie whose MAC fits");
        }
    }
}

static void test_swaps__no_sealed_cookie_with_a_bit_altered_or_cut_passes(void **state)
{
    struct scene *scene = *state;
    assert_all_pass(scene);
    for (unsigned n = 0; n < COOKIES; n += EACH) {
        alter(scene, &scene->cookies[n]);
    }
    assert_all_pass(scene);
}

/* Of each tenant the first one is revoked; the other one lives. */
static void test_swaps__a_revoked_sealed_cookie_is_not_played_again(void **state)
{
    struct scene *scene = *state;
    assert_all_pass(scene);
    asked_gate_close(&scene->asked);
    made_home_reopen(&scene->made);
    for (unsigned n = 0; n < COOKIES; n += EACH) {
        struct sealed *sealed = &scene->cookies[n];
        assert_ok(
            lh_admin_session_revoke_sealed(scene->made.admin, S(sealed->tenant), S(sealed->ref)));
    }
    made_home_close(&scene->made);
    open_gate(scene);
    for (unsigned n = 0; n < COOKIES; n++) {
        struct sealed *sealed = &scene->cookies[n];
        enum lh_reason reason = ask(scene, sealed, sealed->name, sealed->value);
        assert_string_equal(
            lh_reason_name(reason),
            lh_reason_name(n % EACH == 0 ? LH_REASON_SESSION_REVOKED : LH_REASON_OK));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_swaps__no_sealed_cookie_passes_for_another),
        cmocka_unit_test(test_swaps__no_sealed_cookie_with_a_bit_altered_or_cut_passes),
        cmocka_unit_test(test_swaps__a_revoked_sealed_cookie_is_not_played_again), /* the last */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
