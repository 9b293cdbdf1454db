/*
 * A node directory of its own, for two files of tests.
 */
#ifndef LH_TESTS_KEYS_NODE_KEY_FIXTURE_H
#define LH_TESTS_KEYS_NODE_KEY_FIXTURE_H

#include "support/fake_host.h"
#include "support/scratch_dir.h"
#include "support/test.h"

#include "keys/node_key_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW     FAKE_HOST_NOW_MS
#define LEAD    LH_NODE_KEY_LEAD_MS
#define LINGER  LH_NODE_KEY_LINGER_MS
#define NODE    LH_SLICE_LITERAL("gw-1")
#define MESSAGE LH_SLICE_LITERAL("header.payload")

struct fixture {
    struct scratch_dir dir;
    char node[SCRATCH_PATH_BYTES];
    char jwks[SCRATCH_PATH_BYTES];
    struct lh_crypto *crypto;
};

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_crypto_free(fixture->crypto);
    scratch_dir_fini(&fixture->dir);
    free(fixture);
    return 0;
}

static inline lh_status try_create(struct fixture *fixture, lh_slice name, uint64_t now_ms,
                                   struct lh_node_kid *out_kid)
{
    const struct lh_node_key_place place = {fixture->node, fixture->jwks, 0644};
    return lh_node_key_create(fixture->crypto, &place, name, now_ms, out_kid);
}

static inline struct lh_node_kid create(struct fixture *fixture, uint64_t now_ms)
{
    struct lh_node_kid kid;
    assert_ok(try_create(fixture, NODE, now_ms, &kid));
    return kid;
}

static inline struct lh_node_keys *open_keys(struct fixture *fixture)
{
    struct lh_node_keys *keys;
    assert_ok(lh_node_keys_open(fixture->crypto, fixture->node, &keys));
    return keys;
}

static inline bool is_kid(const struct lh_node_key *key, const struct lh_node_kid *kid)
{
    return lh_slice_is_equal(lh_node_kid_view(&key->kid), lh_node_kid_view(kid));
}

static inline void assert_signer(struct lh_node_keys *keys, uint64_t now_ms,
                                 const struct lh_node_kid *kid)
{
    const struct lh_node_key *key;
    assert_ok(lh_node_keys_signer(keys, now_ms, &key));
    assert_true(is_kid(key, kid));
}

static inline void kid_path(const struct fixture *fixture, const struct lh_node_kid *kid,
                            char out_path[SCRATCH_PATH_BYTES])
{
    int len = snprintf(out_path, SCRATCH_PATH_BYTES, "%s/%.*s.key", fixture->node, (int)kid->len,
                       kid->text);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
}

static inline size_t files_in(const char *path)
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

#endif
