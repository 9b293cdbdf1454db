/*
 * The keys of a node as a process knows them: which one signs now, which ones verify, and making
 * and retiring them.
 */
#include "keys/node_key.h"

#include "base/bug.h"
#include "keys/key_file.h"
#include "keys/node_key_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define NODE_KEYS_MAGIC  0x4c484e4bU /* "LHNK" */
#define KID_RANDOM_BYTES 8U
#define HOST_NAME_BYTES  ((size_t)256)
/* A change of a directory within one tick of its time stamp does not show in it. */
#define STAMP_SETTLES_S 2

/* How a directory looked when it was read. */
struct stamp {
    dev_t device;
    ino_t inode;
    struct timespec changed;
    bool is_settled; /* a later change would show */
};

struct lh_node_keys {
    uint32_t magic;
    struct lh_crypto *crypto; /* borrowed */
    char *dir;                /* owned */
    struct stamp stamp;
    struct lh_node_key_set set;
};

void lh_node_name_of_host(char out_name[LH_NODE_NAME_MAX_BYTES + 1])
{
    char host[HOST_NAME_BYTES] = "";
    (void)gethostname(host, sizeof(host) - 1);
    size_t len = 0;
    for (; len < LH_NODE_NAME_MAX_BYTES && host[len] != '\0' && host[len] != '.'; len++) {
        char letter = host[len];
        bool is_upper = letter >= 'A' && letter <= 'Z';
        bool is_kept = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
        out_name[len] = is_upper ? (char)(letter - 'A' + 'a') : is_kept ? letter : '-';
    }
    out_name[len] = '\0';
    if (len == 0) {
        (void)snprintf(out_name, LH_NODE_NAME_MAX_BYTES + 1, "node");
    }
}

/* --- Making and retiring ---------------------------------------------------------------------- */

static bool is_node_name(lh_slice name)
{
    if (name.len == 0 || name.len > LH_NODE_NAME_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.ptr[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-')) {
            return false;
        }
    }
    return true;
}

static lh_status make_kid(struct lh_crypto *crypto, lh_slice node_name, struct lh_node_kid *out_kid)
{
    uint8_t seed[KID_RANDOM_BYTES];
    LH_TRY(lh_random(crypto, seed, sizeof(seed)));
    char text[LH_NODE_KID_MAX_BYTES + 1];
    int len = snprintf(text, sizeof(text), "%.*s-", LH_SLICE_ARG(node_name));
    for (size_t i = 0; i < sizeof(seed); i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%02x", seed[i]);
    }
    out_kid->len = (uint8_t)len;
    memcpy(out_kid->text, text, (size_t)len);
    return lh_ok();
}

/* The directory is made by init: that it is missing is no answer about keys. */
static lh_status open_dir(const char *dir, int *out_fd)
{
    lh_status status = lh_key_dir_open(AT_FDCWD, dir, out_fd);
    return status.code == LH_ABSENT ? lh_status_of(LH_UNREADABLE) : status;
}

/* Removes the files of keys whose time is over; set keeps the others. */
static lh_status retire_keys(int dir_fd, uint64_t now_ms, struct lh_node_key_set *set,
                             size_t *out_removed)
{
    size_t removed = 0;
    while (removed < set->count && lh_node_key_is_over(&set->keys[removed], now_ms)) {
        LH_TRY(lh_node_key_file_remove(dir_fd, &set->keys[removed].kid));
        removed++;
    }
    for (size_t i = 0; i < removed; i++) {
        lh_signing_key_free(set->keys[i].pair);
    }
    for (size_t i = removed; i < set->count; i++) {
        set->keys[i - removed] = set->keys[i];
    }
    set->count -= removed;
    *out_removed = removed;
    return lh_ok();
}

/* When a key made now begins to sign. */
static uint64_t first_use(const struct lh_node_key_set *set, uint64_t now_ms)
{
    if (set->count == 0) {
        return now_ms;
    }
    uint64_t after_all = set->keys[set->count - 1].use_from_ms + 1;
    uint64_t after_lead = now_ms + LH_NODE_KEY_LEAD_MS;
    return after_all > after_lead ? after_all : after_lead;
}

/* Draws a key and adds it to the set, which owns its pair. */
static lh_status draw_key(struct lh_crypto *crypto, lh_slice node_name, uint64_t now_ms,
                          struct lh_node_key_set *set)
{
    struct lh_node_key key = {.created_ms = now_ms, .use_from_ms = first_use(set, now_ms)};
    LH_TRY(make_kid(crypto, node_name, &key.kid));
    LH_TRY(lh_signing_key_generate(crypto, &key.pair));
    set->keys[set->count++] = key;
    return lh_ok();
}

/* Opens the directory and waits until nobody else makes a key in it. Errors: UNREADABLE... */
static lh_status lock_dir(const char *dir, int *out_fd)
{
    lh_status status = lh_key_dir_open(AT_FDCWD, dir, out_fd);
    LH_ENSURE(status.code != LH_ABSENT, LH_UNREADABLE);
    LH_TRY(status);
    LH_ENSURE(flock(*out_fd, LOCK_EX) == 0, LH_UNREADABLE);
    return lh_ok();
}

lh_status lh_node_key_create(struct lh_crypto *crypto, const struct lh_node_key_place *place,
                             lh_slice node_name, uint64_t now_ms, struct lh_node_kid *out_kid)
{
    LH_ENSURE(is_node_name(node_name), LH_INVALID);
    LH_CLEANUP(lh_key_fd_close) int dir_fd = -1;
    LH_TRY(lock_dir(place->dir, &dir_fd));
    LH_CLEANUP(lh_node_key_set_fini) struct lh_node_key_set set = {.count = 0};
    LH_TRY(lh_node_key_set_read(crypto, dir_fd, &set));
    size_t removed;
    LH_TRY(retire_keys(dir_fd, now_ms, &set, &removed));
    LH_ENSURE(set.count < LH_NODE_KEYS_MAX, LH_LIMITED);

    LH_TRY(draw_key(crypto, node_name, now_ms, &set));
    const struct lh_node_key *key = &set.keys[set.count - 1];
    LH_TRY(lh_node_key_set_publish(&set, place->jwks, place->jwks_mode, now_ms));
    LH_TRY(lh_node_key_file_write(crypto, dir_fd, key));
    *out_kid = key->kid;
    return lh_ok();
}

lh_status lh_node_key_retire(struct lh_crypto *crypto, const char *dir, uint64_t now_ms,
                             size_t *out_removed)
{
    LH_CLEANUP(lh_key_fd_close) int dir_fd = -1;
    LH_TRY(open_dir(dir, &dir_fd));
    LH_CLEANUP(lh_node_key_set_fini) struct lh_node_key_set set = {.count = 0};
    LH_TRY(lh_node_key_set_read(crypto, dir_fd, &set));
    return retire_keys(dir_fd, now_ms, &set, out_removed);
}

/* --- The set ---------------------------------------------------------------------------------- */

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static struct stamp stamp_of(const struct stat *found)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* the clock that files are stamped by */
    return (struct stamp){
        .device = found->st_dev,
        .inode = found->st_ino,
        .changed = found->st_mtim,
        .is_settled = now.tv_sec - found->st_mtim.tv_sec > STAMP_SETTLES_S,
    };
}

/* Reads stamp and set, the stamp first: what changes meanwhile is read again. */
static lh_status read_dir(struct lh_crypto *crypto, const char *dir, struct stamp *out_stamp,
                          struct lh_node_key_set *out_set)
{
    LH_CLEANUP(lh_key_fd_close) int dir_fd = -1;
    LH_TRY(open_dir(dir, &dir_fd));
    struct stat found;
    LH_ENSURE(fstat(dir_fd, &found) == 0, LH_UNREADABLE);
    LH_CLEANUP(lh_node_key_set_fini) struct lh_node_key_set set = {.count = 0};
    LH_TRY(lh_node_key_set_read(crypto, dir_fd, &set));
    LH_ENSURE(set.count > 0, LH_KEY_DOWN);
    *out_stamp = stamp_of(&found);
    *out_set = set;
    set.count = 0;
    return lh_ok();
}

static void drop_keys(struct lh_node_keys **keys)
{
    lh_node_keys_close(*keys);
}

lh_status lh_node_keys_open(struct lh_crypto *crypto, const char *dir,
                            struct lh_node_keys **out_keys)
{
    LH_CLEANUP(drop_keys) struct lh_node_keys *keys = calloc(1, sizeof(*keys));
    LH_ENSURE(keys != NULL, LH_NO_MEMORY);
    keys->magic = NODE_KEYS_MAGIC;
    keys->crypto = crypto;
    keys->dir = strdup(dir);
    LH_ENSURE(keys->dir != NULL, LH_NO_MEMORY);
    LH_TRY(read_dir(crypto, dir, &keys->stamp, &keys->set));
    *out_keys = keys;
    keys = NULL;
    return lh_ok();
}

void lh_node_keys_close(struct lh_node_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    LH_MAGIC_CHECK(keys, NODE_KEYS_MAGIC);
    lh_node_key_set_fini(&keys->set);
    free(keys->dir);
    keys->magic = 0;
    free(keys);
}

static bool has_changed(const struct lh_node_keys *keys)
{
    struct stat found;
    if (!keys->stamp.is_settled || stat(keys->dir, &found) != 0) {
        return true; /* reading it says what is wrong */
    }
    return found.st_dev != keys->stamp.device || found.st_ino != keys->stamp.inode ||
           !is_same_time(found.st_mtim, keys->stamp.changed);
}

static bool is_same_set(const struct lh_node_key_set *a, const struct lh_node_key_set *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!lh_slice_is_equal(lh_node_kid_view(&a->keys[i].kid),
                               lh_node_kid_view(&b->keys[i].kid))) {
            return false;
        }
    }
    return true;
}

lh_status lh_node_keys_refresh(struct lh_node_keys *keys, bool *out_has_changed)
{
    LH_MAGIC_CHECK(keys, NODE_KEYS_MAGIC);
    *out_has_changed = false;
    if (!has_changed(keys)) {
        return lh_ok();
    }
    struct stamp stamp;
    LH_CLEANUP(lh_node_key_set_fini) struct lh_node_key_set fresh = {.count = 0};
    LH_TRY(read_dir(keys->crypto, keys->dir, &stamp, &fresh));
    keys->stamp = stamp;
    if (!is_same_set(&keys->set, &fresh)) {
        struct lh_node_key_set old = keys->set;
        keys->set = fresh;
        fresh = old;
        *out_has_changed = true;
    }
    return lh_ok();
}

lh_status lh_node_keys_signer(const struct lh_node_keys *keys, uint64_t now_ms,
                              const struct lh_node_key **out_key)
{
    LH_MAGIC_CHECK(keys, NODE_KEYS_MAGIC);
    for (size_t i = keys->set.count; i > 0; i--) {
        if (keys->set.keys[i - 1].use_from_ms <= now_ms) {
            *out_key = &keys->set.keys[i - 1];
            return lh_ok();
        }
    }
    return lh_status_of(LH_KEY_DOWN);
}

lh_status lh_node_keys_find(const struct lh_node_keys *keys, lh_slice kid, uint64_t now_ms,
                            const struct lh_node_key **out_key)
{
    LH_MAGIC_CHECK(keys, NODE_KEYS_MAGIC);
    for (size_t i = 0; i < keys->set.count; i++) {
        const struct lh_node_key *key = &keys->set.keys[i];
        if (lh_slice_is_equal(lh_node_kid_view(&key->kid), kid)) {
            LH_ENSURE(key->use_from_ms <= now_ms && !lh_node_key_is_over(key, now_ms), LH_ABSENT);
            *out_key = key;
            return lh_ok();
        }
    }
    return lh_status_of(LH_ABSENT);
}

size_t lh_node_keys_count(const struct lh_node_keys *keys)
{
    LH_MAGIC_CHECK(keys, NODE_KEYS_MAGIC);
    return keys->set.count;
}

const struct lh_node_key *lh_node_keys_at(const struct lh_node_keys *keys, size_t index)
{
    LH_MAGIC_CHECK(keys, NODE_KEYS_MAGIC);
    LH_BUG_IF(index >= keys->set.count);
    return &keys->set.keys[index];
}
