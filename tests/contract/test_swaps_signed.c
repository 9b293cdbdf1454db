/*
 * Signed requests of twenty tenants: every part of one put into the other, signed by one for the
 * other, altered in every bit, cut, sent again; and the rows of one tenant's secrets put under
 * another. Nobody passes but each with his own, once.
 */
#include "signed_field.h"

#include "codec/base64url.h"

#include <ctype.h>

/* --- Tests ------------------------------------------------------------------------------------ */

static bool is_same(const struct signed_request *a, const struct signed_request *b)
{
    for (enum part part = 0; part < PARTS; part++) {
        if (strcmp(a->parts[part], b->parts[part]) != 0) {
            return false;
        }
    }
    return true;
}

/* Every way to put parts of one into the other: of them all but all or none. */
static void splice(struct scene *scene, const struct service *a, const struct service *b)
{
    for (unsigned taken = 1; taken < (1U << PARTS) - 1; taken++) {
        struct signed_request mixed = a->good;
        for (enum part part = 0; part < PARTS; part++) {
            if ((taken & (1U << part)) != 0) {
                memcpy(mixed.parts[part], b->good.parts[part], sizeof(mixed.parts[part]));
            }
        }
        if (!is_same(&mixed, &a->good) && !is_same(&mixed, &b->good)) {
            assert_refused(scene, &mixed, "a signature beside parts of another request");
        }
    }
}

/* What b's service can sign, and may not: for a, under a's key id or its own. */
static void impersonate(struct scene *scene, const struct service *a, const struct service *b)
{
    if (strcmp(a->tenant, b->tenant) == 0) {
        return;
    }
    struct signed_request forged = b->good;
    memcpy(forged.parts[TENANT], a->good.parts[TENANT], sizeof(forged.parts[TENANT]));
    sign(scene, b, &forged);
    assert_refused(scene, &forged, "another tenant's signature");
    forged = a->good;
    sign(scene, b, &forged);
    assert_refused(scene, &forged, "another tenant's signature under our key id");
}

static void test_swaps__no_part_of_a_signed_request_passes_in_another(void **state)
{
    struct scene *scene = *state;
    for (unsigned i = 0; i < SERVICES; i++) {
        for (unsigned j = 0; j < SERVICES; j++) {
            if (i != j) {
                splice(scene, &scene->services[i], &scene->services[j]);
                impersonate(scene, &scene->services[i], &scene->services[j]);
            }
        }
    }
    assert_each_passes_once(scene);
}

/* Names of hosts have no case. */
static bool means_the_same(enum text text, const char *a, const char *b)
{
    bool is_same_text = true;
    for (size_t i = 0; is_same_text && a[i] != '\0'; i++) {
        is_same_text = tolower((unsigned char)a[i]) == tolower((unsigned char)b[i]);
    }
    return text == AUTHORITY && is_same_text;
}

static void alter_texts(struct scene *scene, const struct service *service)
{
    for (enum text text = 0; text < TEXTS; text++) {
        struct texts texts = texts_of(&service->good);
        const struct texts before = texts;
        for (size_t bit = 0; bit < 8 * strlen(before.of[text]); bit++) {
            texts.of[text][bit / 8] ^= (char)(1U << (bit % 8));
            if (texts.of[text][bit / 8] != '\0' &&
                !means_the_same(text, before.of[text], texts.of[text])) {
                assert_refusal(scene, ask_texts(scene, &texts), service->tenant,
                               "an altered request");
            }
            texts.of[text][bit / 8] = before.of[text][bit / 8];
        }
        for (size_t len = 0; len < strlen(before.of[text]); len++) {
            texts.of[text][len] = '\0';
            assert_refusal(scene, ask_texts(scene, &texts), service->tenant, "a cut request");
            texts.of[text][len] = before.of[text][len];
        }
    }
}

static void alter_signature(struct scene *scene, const struct service *service)
{
    struct signed_request altered = service->good;
    uint8_t bytes[64];
    size_t len = 0;
    assert_ok(lh_base64_decode(S(altered.parts[SIGNATURE]), bytes, sizeof(bytes), &len));
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        write_signature(lh_slice_of(bytes, len), &altered);
        assert_refused(scene, &altered, "an altered signature");
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    for (size_t cut = 0; cut < len; cut++) {
        write_signature(lh_slice_of(bytes, cut), &altered);
        assert_refused(scene, &altered, "a cut signature");
    }
}

static void test_swaps__no_signed_request_with_a_bit_altered_or_cut_passes(void **state)
{
    struct scene *scene = *state;
    for (unsigned n = 0; n < SERVICES; n++) {
        alter_signature(scene, &scene->services[n]);
    }
    for (unsigned n = 0; n < KINDS; n++) {
        alter_texts(scene, &scene->services[n]);
    }
    assert_each_passes_once(scene);
}

/* As who can write the registry would do it: the sealed secret of each under every other tenant. */
static void copy_rows(struct scene *scene)
{
    struct lh_tenant *tenants[TENANTS];
    struct lh_registry_txn *txn;
    assert_ok(lh_registry_begin(scene->made.home->registry, &txn));
    for (unsigned i = 0; i < TENANTS; i++) {
        struct lh_tenant_id id;
        struct lh_tenant_uid uid;
        assert_ok(lh_tenant_id_parse(S(scene->services[KINDS * i].tenant), &id));
        assert_ok(lh_registry_find_uid(txn, &id, &uid));
        assert_ok(lh_registry_get_tenant(txn, &uid, &tenants[i]));
    }
    for (unsigned i = 0; i < TENANTS; i++) {
        for (unsigned j = 0; j < TENANTS; j++) {
            const struct lh_signature_key *row =
                lh_signature_keys_find(tenants[j]->signature_keys, tenants[j]->signature_key_count,
                                       S(scene->services[KINDS * j].key_id), 0);
            assert_non_null(row);
            if (i != j) {
                assert_ok(lh_registry_put_signature_key(txn, &tenants[i]->uid, row));
            }
        }
    }
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    for (unsigned i = 0; i < TENANTS; i++) {
        lh_tenant_unref(tenants[i]);
    }
}

static void test_swaps__a_copied_secret_opens_for_its_tenant_alone(void **state)
{
    struct scene *scene = *state;
    asked_gate_close(&scene->asked);
    made_home_reopen(&scene->made);
    copy_rows(scene);
    made_home_close(&scene->made);
    open_gate(scene);
    for (unsigned i = 0; i < TENANTS; i++) {
        for (unsigned j = 0; j < TENANTS; j++) {
            struct service *thief = &scene->services[KINDS * j];
            struct signed_request forged = thief->good;
            WRITE(&forged, TENANT, "%s", scene->services[KINDS * i].tenant);
            sign(scene, thief, &forged);
            if (i != j) {
                assert_string_equal(lh_reason_name(ask(scene, &forged)), "integrity");
                scene->refused[LH_REASON_INTEGRITY]++;
            }
        }
    }
    assert_each_passes_once(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_swaps__no_part_of_a_signed_request_passes_in_another),
        cmocka_unit_test(test_swaps__no_signed_request_with_a_bit_altered_or_cut_passes),
        cmocka_unit_test(test_swaps__a_copied_secret_opens_for_its_tenant_alone), /* the last */
    };
    return cmocka_run_group_tests(tests, signed_set_up, signed_tear_down);
}
