/*
 * Which cookie is read, what goes on to the upstream, and what a bad cookie is told (abuse group
 * C, and S as far as it is the credential's).
 */
#include "failing_calls.h"
#include "gate_fixture.h"

/* What Cookie headers come to at acme's own host, or at one that names no tenant. */
static enum lh_reason reason_of(struct installation *all, bool is_host_named, const char *cookie)
{
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    sent_init(&sent, is_host_named ? "acme.example.test" : "gateway.test");
    if (!is_host_named) {
        sent_add(&sent, "X-Tenant-ID", "acme");
    }
    sent_add(&sent, "Cookie", cookie);
    enum lh_reason reason = sent_decide(&sent, all, &policy);
    sent_fini(&sent);
    return reason;
}

/* Fills each "@" of a pattern with the next argument; into one of two rooms in turn. */
static const char *text(const char *pattern, const char *a, const char *b, const char *c,
                        const char *d)
{
    static char rooms[2][1024];
    static unsigned turn;
    const char *arguments[] = {a, b, c, d};
    size_t used = 0, len = 0;
    char *room = rooms[turn++ % 2];
    for (; *pattern != '\0'; pattern++) {
        const char *piece = *pattern == '@' ? arguments[used++] : pattern;
        size_t piece_len = *pattern == '@' ? strlen(piece) : 1;
        assert_true(len + piece_len < sizeof(rooms[0]));
        memcpy(room + len, piece, piece_len);
        len += piece_len;
    }
    room[len] = '\0';
    return room;
}

static void test_cookie__both_names_where_the_host_names_the_tenant(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_reason(reason_of(all, true, text("__Host-lh=@", alice.cookie, "", "", "")), OK);
    assert_reason(reason_of(all, true, text("@=@", alice.suffixed_name, alice.cookie, "", "")), OK);
    assert_reason(
        reason_of(all, true,
                  text("@=@; __Host-lh=@", alice.suffixed_name, alice.cookie, alice.cookie, "")),
        OK);
}

static void test_cookie__only_the_suffixed_name_where_it_does_not(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_reason(reason_of(all, false, text("__Host-lh=@", alice.cookie, "", "", "")),
                  NO_CREDENTIAL);
    assert_reason(reason_of(all, false, text("@=@", alice.suffixed_name, alice.cookie, "", "")),
                  OK);
    assert_reason(reason_of(all, false,
                            text("__Host-lh=junk; @=@", alice.suffixed_name, alice.cookie, "", "")),
                  OK);
}

static void test_cookie__two_that_disagree_are_401(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor other = sign_in_alice(all, &all->acme);
    assert_reason(
        reason_of(all, true,
                  text("@=@; __Host-lh=@", alice.suffixed_name, alice.cookie, other.cookie, "")),
        COOKIE_CONFLICT);
    assert_reason(
        reason_of(all, true, text("@=@; __Host-lh=", alice.suffixed_name, alice.cookie, "", "")),
        COOKIE_CONFLICT);
}

/* C01: neither the first nor the last wins. */
static void test_cookie__the_same_name_twice_is_400(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_reason(
        reason_of(all, true, text("__Host-lh=@; __Host-lh=@", alice.cookie, alice.cookie, "", "")),
        COOKIE_DUPLICATE);
    assert_reason(
        reason_of(all, true, text("__Host-lh=x; a=b; __Host-lh=@", alice.cookie, "", "", "")),
        COOKIE_DUPLICATE);
    assert_reason(
        reason_of(all, false,
                  text("@=@; @=y", alice.suffixed_name, alice.cookie, alice.suffixed_name, "")),
        COOKIE_DUPLICATE);
}

/* C07: several lines are one header. */
static void test_cookie__several_lines_are_read_as_one(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    sent_add(&sent, "Cookie", "a=1");
    sent_add_cookie(&sent, &alice);
    sent_add(&sent, "cookie", "b=\"x y\";c=3");
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_true(sent.decision.has_cookie);
    assert_slice_text(sent.decision.cookie, "a=1; b=\"x y\"; c=3");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), COOKIE_DUPLICATE);
    sent_fini(&sent);
}

/* C02 to C06: what is like the name is not the name. */
static void test_cookie__names_are_compared_byte_by_byte(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    static const char *const forms[] = {
        "lh=@",
        "__host-lh=@",
        "%5f%5fHost-lh=@",
        "\xe2\x80\x80__Host-lh=@",
        "\xa0__Host-lh=@",
        "\x85__Host-lh=@",
        "=__Host-lh=@",
        "$Version=1; x=__Host-lh=@",
        "__Host-lh",
        "__Host-lh2=@",
        "__Secure-lh=@",
        "__Host-lh-=@",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_reason(reason_of(all, true, text(forms[i], alice.cookie, "", "", "")),
                      NO_CREDENTIAL);
    }
    assert_reason(reason_of(all, true, text(" \t__Host-lh=@\t ", alice.cookie, "", "", "")), OK);
}

static void test_cookie__values_are_taken_as_they_are(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_reason(reason_of(all, true, text("__Host-lh=\"@\"", alice.cookie, "", "", "")),
                  COOKIE_MALFORMED);
    assert_reason(reason_of(all, true, text("__Host-lh=@=", alice.cookie, "", "", "")),
                  COOKIE_MALFORMED);
    assert_reason(reason_of(all, true, "__Host-lh="), COOKIE_MALFORMED);
    assert_reason(reason_of(all, true, "__Host-lh=count=99999999"), COOKIE_MALFORMED);
}

/* C10 */
static void test_cookie__odd_headers_are_no_credential(void **state)
{
    struct installation *all = *state;
    static const char *const odd[] = {"", ";", "=", ";;;;", " ", "=;=", "; ;a", "\t"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_reason(reason_of(all, true, odd[i]), NO_CREDENTIAL);
    }
}

/* T29: the other tenant's cookie is there, and is not read. */
static void test_cookie__only_the_resolved_tenants_cookie_is_read(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(reason_of(all, false,
                            text("@=@; @=@", bob.suffixed_name, bob.cookie, alice.suffixed_name,
                                 alice.cookie)),
                  OK);
    assert_reason(reason_of(all, false, text("@=@", bob.suffixed_name, bob.cookie, "", "")),
                  NO_CREDENTIAL);
    assert_reason(reason_of(all, false, text("@=@", alice.suffixed_name, bob.cookie, "", "")),
                  BAD_MAC);
}

static void test_cookie__an_invented_one_costs_no_look_up(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    char forged[sizeof(alice.cookie)];
    for (size_t i = 0; i + 1 < sizeof(forged); i++) {
        memcpy(forged, alice.cookie, sizeof(forged));
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        failing_calls_reset();
        enum lh_reason reason = reason_of(all, true, text("__Host-lh=@", forged, "", "", ""));
        assert_true(reason == LH_REASON_BAD_MAC || reason == LH_REASON_COOKIE_MALFORMED);
        assert_int_equal(failing_calls.store_loads, 0);
    }
    struct lh_datakey_counts counts;
    lh_datakey_cache_read_counts(all->datakeys, &counts);
    assert_int_equal(counts.hits, 0);
}

/* Our cookies never reach an upstream, whatever tenant they are of (C13); others do, untouched. */
static void test_cookie__ours_are_taken_out_and_others_stay(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    sent_add(&sent, "Cookie",
             text("theme=\"dark; x\" ; __Host-lh=@;lang=de=AT;__Host-lh-00000000=abc; =odd",
                  alice.cookie, "", "", ""));
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_slice_text(sent.decision.cookie, "theme=\"dark; x\"; lang=de=AT; =odd");
    sent_fini(&sent);

    sent_init(&sent, "acme.example.test");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_false(sent.decision.has_cookie);
    sent_fini(&sent);
}

static void test_cookie__is_taken_out_on_locations_that_are_off_too(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OFF;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, "anything at all");
    sent_add(&sent, "Cookie", text("a=b; __Host-lh=@; __Host-lh=@", alice.cookie, "x", "", ""));
    assert_reason(sent_decide(&sent, all, &policy), OFF);
    assert_slice_text(sent.decision.cookie, "a=b");
    assert_int_equal(sent.decision.http_status, 0);
    assert_false(sent.decision.is_private);
    sent_fini(&sent);
}

/* Where cookies are no credential they are neither read nor removed, nor a reason. */
static void test_cookie__is_left_alone_where_it_is_no_credential(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.credentials = 0;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    sent_add_cookie(&sent, &alice);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), NO_CREDENTIAL);
    policy.mode = LH_GATE_OPTIONAL;
    assert_reason(sent_decide(&sent, all, &policy), ANONYMOUS);
    assert_int_equal(sent.decision.cookie.len,
                     2 * (sizeof("__Host-lh=") - 1) + 2 + 2 * strlen(alice.cookie));
    sent_fini(&sent);
}

/* C08: time is linear, and nothing of it is kept. */
static void test_cookie__twenty_thousand_pairs_are_read_in_linear_time(void **state)
{
    struct installation *all = *state;
    enum { PAIRS = 20000 };
    struct visitor alice = sign_in_alice(all, &all->acme);
    char *cookie = malloc(3 * PAIRS + 256);
    assert_non_null(cookie);
    for (size_t i = 0; i < PAIRS; i++) {
        memcpy(cookie + 3 * i, i % 2 == 0 ? "a=;" : ";;;", 3);
    }
    (void)snprintf(cookie + 3 * PAIRS, 256, "__Host-lh=%s", alice.cookie);
    assert_reason(reason_of(all, true, cookie), OK);
    free(cookie);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_cookie__both_names_where_the_host_names_the_tenant),
        GATE_TEST(test_cookie__only_the_suffixed_name_where_it_does_not),
        GATE_TEST(test_cookie__two_that_disagree_are_401),
        GATE_TEST(test_cookie__the_same_name_twice_is_400),
        GATE_TEST(test_cookie__several_lines_are_read_as_one),
        GATE_TEST(test_cookie__names_are_compared_byte_by_byte),
        GATE_TEST(test_cookie__values_are_taken_as_they_are),
        GATE_TEST(test_cookie__odd_headers_are_no_credential),
        GATE_TEST(test_cookie__only_the_resolved_tenants_cookie_is_read),
        GATE_TEST(test_cookie__an_invented_one_costs_no_look_up),
        GATE_TEST(test_cookie__ours_are_taken_out_and_others_stay),
        GATE_TEST(test_cookie__is_taken_out_on_locations_that_are_off_too),
        GATE_TEST(test_cookie__is_left_alone_where_it_is_no_credential),
        GATE_TEST(test_cookie__twenty_thousand_pairs_are_read_in_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
