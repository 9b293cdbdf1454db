/*
 * The node's keys: who signs when, who is verified until when, what is published, and files that
 * are not ours.
 */
#include "support/fake_host.h"
#include "support/scratch_dir.h"
#include "support/test.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "keys/node_key.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOW FAKE_HOST_NOW_MS
#define LEAD LH_NODE_KEY_LEAD_MS
#define LINGER LH_NODE_KEY_LINGER_MS
#define NODE LH_SLICE_LITERAL("gw-1")
#define MESSAGE LH_SLICE_LITERAL("header.payload")

struct fixture {
    struct scratch_dir dir;
    char node[SCRATCH_PATH_BYTES];
    char jwks[SCRATCH_PATH_BYTES];
    struct lh_crypto *crypto;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    scratch_dir_init(&fixture->dir);
    scratch_dir_path(&fixture->dir, "node", fixture->node);
    scratch_dir_path(&fixture->dir, "jwks.json", fixture->jwks);
    assert_int_equal(mkdir(fixture->node, 0700), 0);
    assert_ok(lh_crypto_new(&fixture->crypto));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_crypto_free(fixture->crypto);
    scratch_dir_fini(&fixture->dir);
    free(fixture);
    return 0;
}

static struct lh_node_kid create(struct fixture *fixture, uint64_t now_ms)
{
    struct lh_node_kid kid;
    assert_ok(lh_node_key_create(fixture->crypto, fixture->node, NODE, now_ms, &kid));
    return kid;
}

static struct lh_node_keys *open_keys(struct fixture *fixture)
{
    struct lh_node_keys *keys;
    assert_ok(lh_node_keys_open(fixture->crypto, fixture->node, &keys));
    return keys;
}

static bool is_kid(const struct lh_node_key *key, const struct lh_node_kid *kid)
{
    return lh_slice_is_equal(lh_node_kid_view(&key->kid), lh_node_kid_view(kid));
}

static void assert_signer(struct lh_node_keys *keys, uint64_t now_ms, const struct lh_node_kid *kid)
{
    const struct lh_node_key *key;
    assert_ok(lh_node_keys_signer(keys, now_ms, &key));
    assert_true(is_kid(key, kid));
}

static void kid_path(const struct fixture *fixture, const struct lh_node_kid *kid,
                     char out_path[SCRATCH_PATH_BYTES])
{
    int len = snprintf(out_path, SCRATCH_PATH_BYTES, "%s/%.*s.key", fixture->node, (int)kid->len,
                       kid->text);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
}

static size_t files_in(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(dir);
    return count;
}

/* --- Who signs ---------------------------------------------------------------------------------- */

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
    assert_ok(lh_es256_verify(key->pair, MESSAGE, LH_SLICE_OF(signature)));
    lh_node_keys_close(signing);
    lh_node_keys_close(verifying);
}

/* --- Retiring ----------------------------------------------------------------------------------- */

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
    assert_status(lh_node_key_create(fixture->crypto, fixture->node, NODE, NOW, &kid), LH_LIMITED);
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
        assert_status(lh_node_key_create(fixture->crypto, fixture->node, lh_slice_from_text(bad[i]),
                                         NOW, &kid),
                      LH_INVALID);
    }
    assert_int_equal(files_in(fixture->node), 0);
    assert_ok(lh_node_key_create(fixture->crypto, fixture->node,
                                 LH_SLICE_LITERAL("abcdefghijklmnopqrstuvwxyz-01234"), NOW, &kid));
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
    assert_ok(
        lh_node_key_create(fixture->crypto, fixture->node, lh_slice_from_text(name), NOW, &kid));
}

/* --- Changes ------------------------------------------------------------------------------------ */

/* Sets the directory's time stamp into the past, as if nothing had changed for long. */
static void let_stamp_settle(const struct fixture *fixture)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1600000000}};
    assert_int_equal(utimensat(AT_FDCWD, fixture->node, times, 0), 0);
}

static void test_node_key__a_change_is_seen_by_refresh(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid first = create(fixture, NOW);
    let_stamp_settle(fixture);
    struct lh_node_keys *keys = open_keys(fixture);
    bool has_changed;
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_false(has_changed);
    struct lh_node_kid second = create(fixture, NOW);
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_true(has_changed);
    assert_signer(keys, NOW, &first);
    assert_signer(keys, NOW + LEAD, &second);
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_false(has_changed);
    lh_node_keys_close(keys);
}

static void test_node_key__changes_within_one_tick_are_all_seen(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    struct lh_node_keys *keys = open_keys(fixture);
    bool has_changed;
    for (size_t i = 2; i <= LH_NODE_KEYS_MAX; i++) {
        (void)create(fixture, NOW);
        /* As if the file system's clock had not moved. */
        struct timespec now;
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = now.tv_sec}};
        assert_int_equal(utimensat(AT_FDCWD, fixture->node, times, 0), 0);
        assert_ok(lh_node_keys_refresh(keys, &has_changed));
        assert_true(has_changed);
        assert_int_equal(lh_node_keys_count(keys), i);
    }
    lh_node_keys_close(keys);
}

static void test_node_key__the_old_set_serves_while_the_directory_is_broken(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    let_stamp_settle(fixture);
    struct lh_node_keys *keys = open_keys(fixture);
    char aside[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "aside", aside);
    bool has_changed;

    assert_int_equal(rename(fixture->node, aside), 0);
    assert_status(lh_node_keys_refresh(keys, &has_changed), LH_UNREADABLE);
    assert_false(has_changed);
    assert_signer(keys, NOW, &kid);
    assert_int_equal(mkdir(fixture->node, 0700), 0);
    assert_status(lh_node_keys_refresh(keys, &has_changed), LH_KEY_DOWN);
    assert_signer(keys, NOW, &kid);
    assert_int_equal(rmdir(fixture->node), 0);
    assert_int_equal(rename(aside, fixture->node), 0);
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_false(has_changed);
    lh_node_keys_close(keys);
}

/* --- What is published -------------------------------------------------------------------------- */

static json_t *published(struct fixture *fixture, struct lh_node_keys *keys, uint64_t now_ms)
{
    assert_ok(lh_node_keys_publish(keys, fixture->jwks, 0644, now_ms));
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
    json_t *document = published(fixture, keys, NOW);
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
    struct lh_signing_key *public_key;
    assert_ok(lh_signing_key_from_public(fixture->crypto, x, y, &public_key));
    const struct lh_node_key *key;
    assert_ok(lh_node_keys_signer(keys, NOW, &key));
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    assert_ok(lh_es256_sign(key->pair, MESSAGE, signature));
    assert_ok(lh_es256_verify(public_key, MESSAGE, LH_SLICE_OF(signature)));
    lh_signing_key_free(public_key);
    json_decref(document);
    lh_node_keys_close(keys);
}

static size_t published_count(struct fixture *fixture, struct lh_node_keys *keys, uint64_t now_ms)
{
    json_t *document = published(fixture, keys, now_ms);
    size_t count = json_array_size(json_object_get(document, "keys"));
    json_decref(document);
    return count;
}

static void test_node_key__waiting_keys_are_published_and_old_ones_until_they_are_over(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    (void)create(fixture, NOW);
    struct lh_node_keys *keys = open_keys(fixture);
    assert_int_equal(published_count(fixture, keys, NOW), 2);
    assert_int_equal(published_count(fixture, keys, NOW + LEAD + LINGER), 2);
    assert_int_equal(published_count(fixture, keys, NOW + LEAD + LINGER + 1), 1);
    lh_node_keys_close(keys);
}

static void test_node_key__publishing_replaces_the_file_whole(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    struct lh_node_keys *keys = open_keys(fixture);
    assert_int_equal(published_count(fixture, keys, NOW), 1);
    struct stat before;
    assert_int_equal(stat(fixture->jwks, &before), 0);
    assert_int_equal(before.st_mode & 07777, 0644);
    int old = open(fixture->jwks, O_RDONLY);
    assert_int_equal(published_count(fixture, keys, NOW), 1);
    struct stat after;
    assert_int_equal(stat(fixture->jwks, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(fstat(old, &before), 0);
    assert_true(before.st_size > 0); /* a reader of the old one keeps it whole */
    assert_int_equal(close(old), 0);
    assert_int_equal(files_in(fixture->dir.path), 2); /* the node directory and the file */
    assert_status(lh_node_keys_publish(keys, "/nowhere/jwks.json", 0644, NOW), LH_UNREADABLE);
    lh_node_keys_close(keys);
}

/* --- Files that are not ours -------------------------------------------------------------------- */

static void open_refuses(struct fixture *fixture, enum lh_code expected)
{
    struct lh_node_keys *keys = NULL;
    assert_status(lh_node_keys_open(fixture->crypto, fixture->node, &keys), expected);
    assert_null(keys);
}

static void test_node_key__an_empty_or_missing_directory_is_no_set(void **state)
{
    struct fixture *fixture = *state;
    open_refuses(fixture, LH_KEY_DOWN);
    assert_int_equal(rmdir(fixture->node), 0);
    open_refuses(fixture, LH_UNREADABLE);
    struct lh_node_kid kid;
    assert_status(lh_node_key_create(fixture->crypto, fixture->node, NODE, NOW, &kid),
                  LH_UNREADABLE);
}

static void test_node_key__files_open_to_others_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    char path[SCRATCH_PATH_BYTES];
    kid_path(fixture, &kid, path);
    assert_int_equal(chmod(path, 0640), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(fixture->node, 0755), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
}

static void test_node_key__a_key_under_another_name_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    char path[SCRATCH_PATH_BYTES];
    char other[SCRATCH_PATH_BYTES];
    kid_path(fixture, &kid, path);
    kid.text[kid.len - 1] ^= 1;
    kid_path(fixture, &kid, other);
    assert_int_equal(rename(path, other), 0);
    open_refuses(fixture, LH_TAMPERED);
}

static void test_node_key__no_altered_or_shortened_file_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    char path[SCRATCH_PATH_BYTES];
    kid_path(fixture, &kid, path);
    uint8_t content[512];
    int fd = open(path, O_RDWR);
    ssize_t len = read(fd, content, sizeof(content));
    assert_true(len > 0);
    for (ssize_t i = 0; i < len; i++) {
        uint8_t flipped = content[i] ^ 0x20;
        assert_int_equal(pwrite(fd, &flipped, 1, i), 1);
        open_refuses(fixture, i == 4 ? LH_FUTURE_FORMAT : LH_TAMPERED); /* 4: the version */
        assert_int_equal(pwrite(fd, &content[i], 1, i), 1);
    }
    for (ssize_t keep = len - 1; keep >= 0; keep--) {
        assert_int_equal(ftruncate(fd, keep), 0);
        open_refuses(fixture, LH_TAMPERED);
    }
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    open_refuses(fixture, LH_TAMPERED);
    assert_int_equal(close(fd), 0);
}

static void test_node_key__other_files_and_leftovers_are_not_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    static const char *const names[] = {"README", ".gw-1-00.key.77.new", ".hidden.key", "x.keys"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[SCRATCH_PATH_BYTES];
        int len = snprintf(path, sizeof(path), "%s/%s", fixture->node, names[i]);
        assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
    struct lh_node_keys *keys = open_keys(fixture);
    assert_int_equal(lh_node_keys_count(keys), 1);
    assert_signer(keys, NOW, &kid);
    lh_node_keys_close(keys);
    lh_node_keys_close(NULL);
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(test_node_key__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(the_first_key_signs_at_once),
        NODE_TEST(a_later_key_takes_over_after_the_lead_to_the_millisecond),
        NODE_TEST(two_rotations_at_once_stay_in_order),
        NODE_TEST(is_verified_from_first_use_until_it_has_lingered),
        NODE_TEST(signs_what_its_reopened_self_verifies),
        NODE_TEST(only_keys_whose_time_is_over_are_retired),
        NODE_TEST(making_one_retires_the_old_and_is_limited),
        NODE_TEST(names_of_nodes_are_checked),
        NODE_TEST(the_host_s_name_is_a_node_s_name),
        NODE_TEST(a_change_is_seen_by_refresh),
        NODE_TEST(changes_within_one_tick_are_all_seen),
        NODE_TEST(the_old_set_serves_while_the_directory_is_broken),
        NODE_TEST(the_published_key_verifies_what_the_node_signs),
        NODE_TEST(waiting_keys_are_published_and_old_ones_until_they_are_over),
        NODE_TEST(publishing_replaces_the_file_whole),
        NODE_TEST(an_empty_or_missing_directory_is_no_set),
        NODE_TEST(files_open_to_others_are_refused),
        NODE_TEST(a_key_under_another_name_is_refused),
        NODE_TEST(no_altered_or_shortened_file_is_read),
        NODE_TEST(other_files_and_leftovers_are_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
