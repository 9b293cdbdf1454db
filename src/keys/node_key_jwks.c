/*
 * The public halves of a node's keys as a JWK set (RFC 7517, RFC 7518 §6.2.1), for whoever
 * verifies contexts.
 */
#include "codec/base64url.h"
#include "keys/key_file.h"
#include "keys/node_key_file.h"

#include <fcntl.h>

#include "base/banned.h"

/* One key takes some 250 bytes. */
#define JWKS_MAX_BYTES ((size_t)8192)

static lh_status write_jwk(const struct lh_node_key *key, struct lh_buf *out)
{
    uint8_t x[LH_ES256_COORDINATE_BYTES];
    uint8_t y[LH_ES256_COORDINATE_BYTES];
    LH_TRY(lh_signing_key_public(key->pair, x, y));
    /* A kid is [a-z0-9-]: it needs no escaping. */
    LH_TRY(lh_buf_add_format(out,
                             "{\"alg\":\"ES256\",\"crv\":\"P-256\",\"kid\":\"%.*s\","
                             "\"kty\":\"EC\",\"use\":\"sig\",\"x\":\"",
                             (int)key->kid.len, key->kid.text));
    LH_TRY(lh_base64url_add(out, LH_SLICE_OF(x)));
    LH_TRY(lh_buf_add_text(out, "\",\"y\":\""));
    LH_TRY(lh_base64url_add(out, LH_SLICE_OF(y)));
    return lh_buf_add_text(out, "\"}");
}

static lh_status write_jwks(const struct lh_node_key_set *set, uint64_t now_ms, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_text(out, "{\"keys\":["));
    bool is_first = true;
    for (size_t i = 0; i < set->count; i++) {
        const struct lh_node_key *key = &set->keys[i];
        if (lh_node_key_is_over(key, now_ms)) {
            continue;
        }
        if (!is_first) {
            LH_TRY(lh_buf_add_text(out, ","));
        }
        LH_TRY(write_jwk(key, out));
        is_first = false;
    }
    return lh_buf_add_text(out, "]}\n");
}

/* Opens the directory of a path and names the file in it. Errors: UNREADABLE, NO_MEMORY. */
static lh_status open_parent(const char *path, int *out_fd, const char **out_name)
{
    const char *slash = strrchr(path, '/');
    LH_CLEANUP(lh_buf_fini) struct lh_buf parent = LH_BUF_EMPTY;
    if (slash == NULL) {
        LH_TRY(lh_buf_add_text(&parent, "."));
    } else {
        /* With its slash, so that the root is no case of its own. */
        LH_TRY(lh_buf_add(&parent, lh_slice_of(path, (size_t)(slash - path) + 1)));
    }
    LH_TRY(lh_buf_terminate(&parent));
    *out_fd = open((const char *)parent.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LH_ENSURE(*out_fd >= 0, LH_UNREADABLE);
    *out_name = slash == NULL ? path : slash + 1;
    return lh_ok();
}

lh_status lh_node_key_set_publish(const struct lh_node_key_set *set, const char *path,
                                  unsigned mode, uint64_t now_ms)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(JWKS_MAX_BYTES);
    LH_TRY(write_jwks(set, now_ms, &text));
    const char *name;
    LH_CLEANUP(lh_key_fd_close) int dir_fd = -1;
    LH_TRY(open_parent(path, &dir_fd, &name));
    return lh_key_file_write(dir_fd, name, lh_buf_view(&text), LH_KEY_FILE_REPLACE, mode);
}
