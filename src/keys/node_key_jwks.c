/*
 * The public halves of a node's keys as a JWK set (RFC 7517, RFC 7518 §6.2.1), for whoever
 * verifies contexts.
 */
#include "codec/base64url.h"
#include "keys/jwks_file.h"
#include "keys/node_key_file.h"

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

lh_status lh_node_key_set_publish(const struct lh_node_key_set *set, const char *path,
                                  unsigned mode, uint64_t now_ms)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(JWKS_MAX_BYTES);
    LH_TRY(write_jwks(set, now_ms, &text));
    return lh_jwks_publish(path, lh_buf_view(&text), mode);
}
