/*
 * Finding a tenant's signature key, and the names of algorithms.
 */
#include "tenant/signature_key.h"

#include "base/text_list.h"

#include "base/banned.h"

static const struct {
    enum lh_http_signature_algorithm algorithm;
    const char *name;
} algorithms[] = {
    {LH_HTTP_HMAC_SHA256, "hmac-sha256"},
    {LH_HTTP_ED25519, "ed25519"},
};
#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

const char *lh_http_signature_algorithm_name(enum lh_http_signature_algorithm algorithm)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        if (algorithms[i].algorithm == algorithm) {
            return algorithms[i].name;
        }
    }
    return NULL;
}

lh_status lh_http_signature_algorithm_parse(lh_slice name,
                                            enum lh_http_signature_algorithm *out_algorithm)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        if (lh_slice_is_equal(name, lh_slice_from_text(algorithms[i].name))) {
            *out_algorithm = algorithms[i].algorithm;
            return lh_ok();
        }
    }
    return lh_status_of(LH_MALFORMED);
}

bool lh_signature_key_id_is_valid(lh_slice text)
{
    if (text.len == 0 || text.len > LH_SIGNATURE_KEY_ID_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '\\') {
            return false;
        }
    }
    return true;
}

static bool is_material_sane(const struct lh_signature_key *key)
{
    switch (key->algorithm) {
    case LH_HTTP_HMAC_SHA256:
        return key->dek_id > 0 && key->material.len > 0 &&
               key->material.len <= LH_SIGNATURE_MATERIAL_MAX_BYTES;
    case LH_HTTP_ED25519:
        return key->dek_id == 0 && key->material.len == LH_SIGNATURE_PUBLIC_BYTES;
    }
    return false;
}

static bool are_tokens(const lh_slice *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!lh_text_is_token(texts[i])) {
            return false;
        }
    }
    return count <= LH_TEXT_LIST_MAX;
}

bool lh_signature_key_is_sane(const struct lh_signature_key *key)
{
    return lh_signature_key_id_is_valid(key->key_id) && is_material_sane(key) &&
           lh_text_is_token(key->subject) && are_tokens(key->roles, key->role_count) &&
           are_tokens(key->scopes, key->scope_count);
}

const struct lh_signature_key *lh_signature_keys_find(const struct lh_signature_key *keys,
                                                      size_t count, lh_slice key_id,
                                                      uint64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        bool is_open = keys[i].until_ms == 0 || now_ms < keys[i].until_ms;
        if (is_open && lh_slice_is_equal(keys[i].key_id, key_id)) {
            return &keys[i];
        }
    }
    return NULL;
}
