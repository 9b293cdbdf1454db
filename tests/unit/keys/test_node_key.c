/*
 * The node's keys: who signs when, who is verified until when, and what is published.
 */
#include "support/public_half.h"

#include "node_key_fixture.h"

#include "codec/base64url.h"
#include "codec/json.h"

/* --- Who signs -------------------------------------------------------------------------------- */

static void test_node_key__the_first_key_signs_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    assert_true(lh_slice_has_prefix(lh_node_kid_view(&kid), LH_SLICE_LITERAL("gw-1-")));
    assert_int_equal(kid.len, strlen("gw-1-") + 16);
    struct lh_node_keys *keys = open_keys(fixture);
    assert_signer(keys, NOW, &kid);
    const struct lh_node_key *key;
    assert_status(lh_node_keys_signer(keys, NOW - 1, &key), LH_KEY_DOWN);
    lh_node_keys_close(keys);
}

static void test_node_key__a_later_key_takes_over_after_the_lead_to_the_millisecond(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid first = create(fixture, NOW);
    struct lh_node_kid second = create(fixture, NOW + 5);
    struct lh_node_keys *keys = open_keys(fixture);
    assert_int_equal(lh_node_keys_count(keys), 2);
    assert_signer(keys, NOW + 5 + LEAD - 1, &first);
    assert_signer(keys, NOW + 5 + LEAD, &second);
    assert_int_equal(lh_node_keys_at(keys, 0)->last_use_ms, NOW + 5 + LEAD);
    assert_int_equal(lh_node_keys_at(keys, 1)->last_use_ms, 0);
    lh_node_keys_close(keys);
}

static void test_node_key__two_rotations_at_once_stay_in_order(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    struct lh_node_kid second = create(fixture, NOW);
    struct lh_node_kid third = create(fixture, NOW);
    struct lh_node_keys *keys = open_keys(fixture);
    assert_true(is_kid(lh_node_keys_at(keys, 1), &second));
    assert_true(is_kid(lh_node_keys_at(keys, 2), &third));
    assert_signer(keys, NOW + LEAD, &second);
    assert_signer(keys, NOW + LEAD + 1, &third);
    lh_node_keys_close(keys);
}

static void test_node_key__is_verified_from_first_use_until_it_has_lingered(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid first = create(fixture, NOW);
    struct lh_node_kid second = create(fixture, NOW);
    struct lh_node_keys *keys = open_keys(fixture);
    const struct lh_node_key *key;
    const uint64_t turn = NOW + LEAD;
    assert_ok(lh_node_keys_find(keys, lh_node_kid_view(&first), turn + LINGER, &key));
    assert_true(is_kid(key, &first));
    assert_status(lh_node_keys_find(keys, lh_node_kid_view(&first), turn + LINGER + 1, &key),
                  LH_ABSENT);
    assert_status(lh_node_keys_find(keys, lh_node_kid_view(&second), turn - 1, &key), LH_ABSENT);
    assert_ok(lh_node_keys_find(keys, lh_node_kid_view(&second), turn, &key));
    assert_ok(lh_node_keys_find(keys, lh_node_kid_view(&second), turn + 1000 * LEAD, &key));
    assert_status(lh_node_keys_find(keys, LH_SLICE_LITERAL("gw-1-0000"), NOW, &key), LH_ABSENT);
    assert_status(lh_node_keys_find(keys, LH_SLICE_EMPTY, NOW, &key), LH_ABSENT);
    lh_node_keys_close(keys);
}

static void test_node_key__signs_what_its_reopened_self_verifies(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    struct lh_node_keys *signing = open_keys(fixture);
    struct lh_node_keys *verifying = open_keys(fixture);
    const struct lh_node_key *key;
    assert_ok(lh_node_keys_signer(signing, NOW, &key));
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    assert_ok(lh_es256_sign(key->pair, MESSAGE, signature));
    assert_ok(lh_node_keys_find(verifying, lh_node_kid_view(&key->kid), NOW, &key));
    assert_ok(verify_by_half(fixture->crypto, key->pair, MESSAGE, LH_SLICE_OF(signature)));
    lh_node_keys_close(signing);
    lh_node_keys_close(verifying);
}

/* --- Retiring --------------------------------------------------------------------------------- */

static void test_node_key__only_keys_whose_time_is_over_are_retired(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid first = create(fixture, NOW);
    struct lh_node_kid second = create(fixture, NOW);
    size_t removed;
    const uint64_t end = NOW + LEAD + LINGER;
    assert_ok(lh_node_key_retire(fixture->crypto, fixture->node, end, &removed));
    assert_int_equal(removed, 0);
    assert_ok(lh_node_key_retire(fixture->crypto, fixture->node, end + 1, &removed));
    assert_int_equal(removed, 1);
    char path[SCRATCH_PATH_BYTES];
    kid_path(fixture, &first, path);
    assert_int_equal(access(path, F_OK), -1);
    kid_path(fixture, &second, path);
    assert_int_equal(access(path, F_OK), 0);
    /* The last key stays, however old. */
    assert_ok(lh_node_key_retire(fixture->crypto, fixture->node, end * 2, &removed));
    assert_int_equal(removed, 0);
}

static void test_node_key__making_one_retires_the_old_and_is_limited(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < LH_NODE_KEYS_MAX; i++) {
        (void)create(fixture, NOW);
    }
    struct lh_node_kid kid;
    assert_status(try_create(fixture, NODE, NOW, &kid), LH_LIMITED);
    assert_int_equal(files_in(fixture->node), LH_NODE_KEYS_MAX);
    (void)create(fixture, NOW + 10 * LEAD);
    assert_int_equal(files_in(fixture->node), 2);
}

static void test_node_key__names_of_nodes_are_checked(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid;
    static const char *const bad[] = {"",     "Gw",  "gw_1", "gw.1",
                                      "../x", "a b", "gw\"", "abcdefghijklmnopqrstuvwxyz-0123456"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(try_create(fixture, lh_slice_from_text(bad[i]), NOW, &kid), LH_INVALID);
    }
    assert_int_equal(files_in(fixture->node), 0);
    assert_ok(try_create(fixture, LH_SLICE_LITERAL("abcdefghijklmnopqrstuvwxyz-01234"), NOW, &kid));
    assert_int_equal(kid.len, LH_NODE_KID_MAX_BYTES);
    struct lh_node_keys *keys = open_keys(fixture);
    assert_signer(keys, NOW, &kid);
    lh_node_keys_close(keys);
}

static void test_node_key__the_host_s_name_is_a_node_s_name(void **state)
{
    struct fixture *fixture = *state;
    char name[LH_NODE_NAME_MAX_BYTES + 1];
    lh_node_name_of_host(name);
    struct lh_node_kid kid;
    assert_ok(try_create(fixture, lh_slice_from_text(name), NOW, &kid));
}

/* --- What is published ------------------------------------------------------------------------ */

static lh_status publish(struct fixture *fixture, const char *path, uint64_t now_ms)
{
    int dir_fd = open(fixture->node, O_RDONLY | O_DIRECTORY);
    struct lh_node_key_set set;
    assert_ok(lh_node_key_set_read(fixture->crypto, dir_fd, &set));
    lh_status status = lh_node_key_set_publish(&set, path, 0644, now_ms);
    lh_node_key_set_fini(&set);
    assert_int_equal(close(dir_fd), 0);
    return status;
}

static json_t *published(struct fixture *fixture, uint64_t now_ms)
{
    assert_ok(publish(fixture, fixture->jwks, now_ms));
    json_t *document = json_load_file(fixture->jwks, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    return document;
}

static void assert_member(const json_t *jwk, const char *name, const char *expected)
{
    assert_string_equal(json_string_value(json_object_get(jwk, name)), expected);
}

static void read_coordinate(const json_t *jwk, const char *name,
                            uint8_t out_bytes[LH_ES256_COORDINATE_BYTES])
{
    size_t len;
    assert_ok(lh_base64url_decode(lh_slice_from_text(json_string_value(json_object_get(jwk, name))),
                                  out_bytes, LH_ES256_COORDINATE_BYTES, &len));
    assert_int_equal(len, LH_ES256_COORDINATE_BYTES);
}

static void test_node_key__the_published_key_verifies_what_the_node_signs(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    struct lh_node_keys *keys = open_keys(fixture);
    json_t *document = published(fixture, NOW);
    const json_t *jwk = json_array_get(json_object_get(document, "keys"), 0);
    assert_int_equal(json_object_size(jwk), 7); /* nothing private beside these */
    assert_member(jwk, "kty", "EC");
    assert_member(jwk, "crv", "P-256");
    assert_member(jwk, "alg", "ES256");
    assert_member(jwk, "use", "sig");
    assert_slice_text(lh_node_kid_view(&kid), json_string_value(json_object_get(jwk, "kid")));

    uint8_t x[LH_ES256_COORDINATE_BYTES];
    uint8_t y[LH_ES256_COORDINATE_BYTES];
    read_coordinate(jwk, "x", x);
    read_coordinate(jwk, "y", y);
    struct lh_public_key *public_key;
    assert_ok(public_key_of_point(fixture->crypto, x, y, &public_key));
    const struct lh_node_key *key;
    assert_ok(lh_node_keys_signer(keys, NOW, &key));
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    assert_ok(lh_es256_sign(key->pair, MESSAGE, signature));
    assert_ok(lh_public_key_verify(public_key, MESSAGE, LH_SLICE_OF(signature)));
    lh_public_key_free(public_key);
    json_decref(document);
    lh_node_keys_close(keys);
}

static size_t published_count(struct fixture *fixture, uint64_t now_ms)
{
    json_t *document = published(fixture, now_ms);
    size_t count = json_array_size(json_object_get(document, "keys"));
    json_decref(document);
    return count;
}

static void test_node_key__waiting_keys_are_published_and_old_ones_until_they_are_over(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    (void)create(fixture, NOW);
    assert_int_equal(published_count(fixture, NOW), 2);
    assert_int_equal(published_count(fixture, NOW + LEAD + LINGER), 2);
    assert_int_equal(published_count(fixture, NOW + LEAD + LINGER + 1), 1);
}

static void test_node_key__publishing_replaces_the_file_whole(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    assert_int_equal(published_count(fixture, NOW), 1);
    struct stat before;
    assert_int_equal(stat(fixture->jwks, &before), 0);
    assert_int_equal(before.st_mode & 07777, 0644);
    int old = open(fixture->jwks, O_RDONLY);
    assert_int_equal(published_count(fixture, NOW), 1);
    struct stat after;
    assert_int_equal(stat(fixture->jwks, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(fstat(old, &before), 0);
    assert_true(before.st_size > 0); /* a reader of the old one keeps it whole */
    assert_int_equal(close(old), 0);
    assert_int_equal(files_in(fixture->dir.path), 2); /* the node directory and the file */
    assert_status(publish(fixture, "/nowhere/jwks.json", NOW), LH_UNREADABLE);
}

/* Once its file is there it will sign: by then its public half must lie where others look. */
static void test_node_key__is_published_before_there_is_one(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    char jwks[SCRATCH_PATH_BYTES];
    (void)snprintf(jwks, sizeof(jwks), "%s", fixture->jwks);
    scratch_dir_path(&fixture->dir, "nowhere/jwks.json", fixture->jwks);
    assert_status(try_create(fixture, NODE, NOW, &kid), LH_UNREADABLE);
    assert_int_equal(files_in(fixture->node), 1);
    (void)snprintf(fixture->jwks, sizeof(fixture->jwks), "%s", jwks);
    kid = create(fixture, NOW);
    json_t *document = json_load_file(fixture->jwks, JSON_REJECT_DUPLICATES, NULL);
    const json_t *keys = json_object_get(document, "keys");
    assert_int_equal(json_array_size(keys), 2);
    assert_slice_text(lh_node_kid_view(&kid),
                      json_string_value(json_object_get(json_array_get(keys, 1), "kid")));
    json_decref(document);
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(test_node_key__the_first_key_signs_at_once),
        NODE_TEST(test_node_key__a_later_key_takes_over_after_the_lead_to_the_millisecond),
        NODE_TEST(test_node_key__two_rotations_at_once_stay_in_order),
        NODE_TEST(test_node_key__is_verified_from_first_use_until_it_has_lingered),
        NODE_TEST(test_node_key__signs_what_its_reopened_self_verifies),
        NODE_TEST(test_node_key__only_keys_whose_time_is_over_are_retired),
        NODE_TEST(test_node_key__making_one_retires_the_old_and_is_limited),
        NODE_TEST(test_node_key__names_of_nodes_are_checked),
        NODE_TEST(test_node_key__the_host_s_name_is_a_node_s_name),
        NODE_TEST(test_node_key__the_published_key_verifies_what_the_node_signs),
        NODE_TEST(test_node_key__waiting_keys_are_published_and_old_ones_until_they_are_over),
        NODE_TEST(test_node_key__publishing_replaces_the_file_whole),
        NODE_TEST(test_node_key__is_published_before_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
