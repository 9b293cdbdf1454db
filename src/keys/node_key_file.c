/*
 * The files of node keys and the directory they lie in.
 */
#include "keys/node_key_file.h"

#include "keys/key_file.h"

#include "base/banned.h"

#define NODE_FILE_MAGIC 0x6c686e6bU /* "lhnk" */
#define KEY_FILE_MODE   0600U
#define KEY_SUFFIX      ".key"
#define FILE_NAME_BYTES (LH_NODE_KID_MAX_BYTES + sizeof(KEY_SUFFIX))

void lh_node_key_set_fini(struct lh_node_key_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        lh_signing_key_free(set->keys[i].pair);
    }
    *set = (struct lh_node_key_set){.count = 0};
}

bool lh_node_key_is_over(const struct lh_node_key *key, uint64_t now_ms)
{
    return key->last_use_ms != 0 && now_ms > key->last_use_ms + LH_NODE_KEY_LINGER_MS;
}

static bool is_kid_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';
}

static void name_file(const struct lh_node_kid *kid, char out_name[FILE_NAME_BYTES])
{
    (void)snprintf(out_name, FILE_NAME_BYTES, "%.*s" KEY_SUFFIX, (int)kid->len, kid->text);
}

/* --- One file --------------------------------------------------------------------------------- */

static lh_status write_content(struct lh_crypto *crypto, const struct lh_node_key *key,
                               struct lh_buf *out)
{
    LH_CLEANUP(lh_key_fini) struct lh_key scalar;
    LH_TRY(lh_signing_key_export(key->pair, &scalar));
    LH_TRY(lh_key_file_add_head(out, NODE_FILE_MAGIC));
    LH_TRY(lh_buf_add_u8(out, key->kid.len));
    LH_TRY(lh_buf_add(out, lh_node_kid_view(&key->kid)));
    LH_TRY(lh_buf_add_u64(out, key->created_ms));
    LH_TRY(lh_buf_add_u64(out, key->use_from_ms));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(scalar.bytes)));
    struct lh_digest digest;
    LH_TRY(lh_sha256(crypto, lh_buf_view(out), &digest));
    return lh_buf_add(out, LH_SLICE_OF(digest.bytes));
}

lh_status lh_node_key_file_write(struct lh_crypto *crypto, int dir_fd,
                                 const struct lh_node_key *key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = lh_buf_bounded(LH_KEY_FILE_MAX_BYTES);
    LH_TRY(write_content(crypto, key, &content));
    char name[FILE_NAME_BYTES];
    name_file(&key->kid, name);
    return lh_key_file_write(dir_fd, name, lh_buf_view(&content), LH_KEY_FILE_NEW, KEY_FILE_MODE);
}

lh_status lh_node_key_file_remove(int dir_fd, const struct lh_node_kid *kid)
{
    char name[FILE_NAME_BYTES];
    name_file(kid, name);
    lh_status status = lh_key_file_destroy(dir_fd, name);
    return status.code == LH_ABSENT ? lh_ok() : status;
}

/* Takes the digest off the end and holds it against the rest. Errors: MALFORMED, CRYPTO. */
static lh_status check_digest(struct lh_crypto *crypto, lh_slice content, lh_slice *out_rest)
{
    LH_ENSURE(content.len > LH_SHA256_BYTES, LH_MALFORMED);
    size_t rest_len = content.len - LH_SHA256_BYTES;
    lh_slice rest = lh_slice_cut(content, 0, rest_len);
    struct lh_digest digest;
    LH_TRY(lh_sha256(crypto, rest, &digest));
    LH_ENSURE(lh_slice_is_equal(lh_slice_cut(content, rest_len, LH_SHA256_BYTES),
                                LH_SLICE_OF(digest.bytes)),
              LH_MALFORMED);
    *out_rest = rest;
    return lh_ok();
}

static lh_status read_kid(struct lh_cursor *cursor, struct lh_node_kid *out_kid)
{
    uint8_t len;
    LH_TRY(lh_cursor_u8(cursor, &len));
    LH_ENSURE(len > 0 && len <= LH_NODE_KID_MAX_BYTES, LH_MALFORMED);
    struct lh_node_kid kid = {.len = len};
    LH_TRY(lh_cursor_copy(cursor, kid.text, len));
    for (size_t i = 0; i < len; i++) {
        LH_ENSURE(is_kid_byte((uint8_t)kid.text[i]), LH_MALFORMED);
    }
    *out_kid = kid;
    return lh_ok();
}

static lh_status parse_content(struct lh_crypto *crypto, lh_slice content,
                               struct lh_node_key *out_key)
{
    struct lh_cursor cursor = lh_cursor_over(content);
    LH_TRY(lh_key_file_read_head(&cursor, NODE_FILE_MAGIC));
    LH_TRY(check_digest(crypto, content, &content));
    cursor = lh_cursor_over(content);
    LH_TRY(lh_key_file_read_head(&cursor, NODE_FILE_MAGIC));
    struct lh_node_key key = {.pair = NULL};
    LH_TRY(read_kid(&cursor, &key.kid));
    LH_TRY(lh_cursor_u64(&cursor, &key.created_ms));
    LH_TRY(lh_cursor_u64(&cursor, &key.use_from_ms));
    lh_slice scalar;
    LH_TRY(lh_cursor_view(&cursor, LH_KEY_BYTES, &scalar));
    LH_TRY(lh_cursor_finish(&cursor));
    LH_TRY(lh_signing_key_import(crypto, scalar, &key.pair));
    *out_key = key;
    return lh_ok();
}

/* Errors: ABSENT (gone meanwhile), TAMPERED, and as lh_key_file_read. */
static lh_status read_key_file(struct lh_crypto *crypto, int dir_fd, const char *name,
                               struct lh_node_key *out_key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = lh_buf_bounded(LH_KEY_FILE_MAX_BYTES);
    lh_status status = lh_key_file_read(dir_fd, name, &content);
    LH_ENSURE(status.code != LH_TOO_LARGE, LH_TAMPERED);
    LH_TRY(status);
    struct lh_node_key key;
    status = parse_content(crypto, lh_buf_view(&content), &key);
    LH_ENSURE(status.code != LH_MALFORMED, LH_TAMPERED);
    LH_TRY(status);
    char expected[FILE_NAME_BYTES];
    name_file(&key.kid, expected);
    if (strcmp(expected, name) != 0) {
        lh_signing_key_free(key.pair);
        return lh_status_of(LH_TAMPERED);
    }
    *out_key = key;
    return lh_ok();
}

/* --- All files of a directory ----------------------------------------------------------------- */

static bool is_used_before(const struct lh_node_key *a, const struct lh_node_key *b)
{
    if (a->use_from_ms != b->use_from_ms) {
        return a->use_from_ms < b->use_from_ms;
    }
    return strncmp(a->kid.text, b->kid.text, LH_NODE_KID_MAX_BYTES) < 0;
}

static void insert_in_order(struct lh_node_key_set *set, const struct lh_node_key *key)
{
    size_t at = set->count;
    while (at > 0 && is_used_before(key, &set->keys[at - 1])) {
        set->keys[at] = set->keys[at - 1];
        at--;
    }
    set->keys[at] = *key;
    set->count++;
}

/* Each key is used until the next one begins. */
static void derive_last_uses(struct lh_node_key_set *set)
{
    for (size_t i = 0; i + 1 < set->count; i++) {
        set->keys[i].last_use_ms = set->keys[i + 1].use_from_ms;
    }
}

static lh_status add_file(struct lh_crypto *crypto, int dir_fd, const char *name,
                          struct lh_node_key_set *set)
{
    /* Temporary files begin with a dot. */
    if (name[0] == '.' ||
        !lh_slice_has_suffix_nocase(lh_slice_from_text(name), LH_SLICE_LITERAL(KEY_SUFFIX))) {
        return lh_ok();
    }
    struct lh_node_key key;
    lh_status status = read_key_file(crypto, dir_fd, name, &key);
    if (status.code == LH_ABSENT) {
        return lh_ok();
    }
    LH_TRY(status);
    if (set->count == LH_NODE_KEYS_MAX) {
        lh_signing_key_free(key.pair);
        return lh_status_of(LH_LIMITED);
    }
    insert_in_order(set, &key);
    return lh_ok();
}

lh_status lh_node_key_set_read(struct lh_crypto *crypto, int dir_fd,
                               struct lh_node_key_set *out_set)
{
    LH_CLEANUP(lh_key_listing_close) DIR *listing = lh_key_listing_open(dir_fd);
    LH_ENSURE(listing != NULL, LH_UNREADABLE);
    LH_CLEANUP(lh_node_key_set_fini) struct lh_node_key_set set = {.count = 0};
    const char *name;
    lh_status status = lh_key_listing_next(listing, &name);
    while (lh_is_ok(status)) {
        LH_TRY(add_file(crypto, dir_fd, name, &set));
        status = lh_key_listing_next(listing, &name);
    }
    LH_ENSURE(status.code == LH_ABSENT, status.code);
    derive_last_uses(&set);
    *out_set = set;
    set.count = 0;
    return lh_ok();
}
