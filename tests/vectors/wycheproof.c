/*
 * Wycheproof's formats. A group holds what its cases share (a public key, the length of a tag); a
 * case says "valid", "invalid" or "acceptable".
 */
#include "vectors.h"

#include "base/siphash.h"

void each_case(struct lh_crypto *crypto, const json_t *file, case_fn run, struct tally *tally)
{
    size_t group_index;
    const json_t *group;
    json_array_foreach(json_object_get(file, "testGroups"), group_index, group)
    {
        size_t test_index;
        const json_t *test;
        json_array_foreach(json_object_get(group, "tests"), test_index, test)
        {
            run(crypto, group, test, tally);
        }
    }
}

void count_verdict(struct tally *tally, const json_t *test, bool is_accepted)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%lld",
                   (long long)json_integer_value(json_object_get(test, "tcId")));
    bool is_valid = strcmp(vector_text(test, "result"), "valid") == 0;
    vector_count(tally, is_accepted == is_valid, number);
}

/* --- HKDF --- */

static void run_hkdf_case(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                          struct tally *tally)
{
    (void)group;
    LH_CLEANUP(lh_buf_fini) struct lh_buf ikm = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf label = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf expected = LH_BUF_EMPTY;
    vector_bytes(test, "ikm", &ikm);
    vector_bytes(test, "info", &label);
    vector_bytes(test, "okm", &expected);
    if (*vector_text(test, "salt") != 0 || expected.len == 0) {
        vector_skip(tally, "our HKDF takes no salt and makes 32 bytes");
        return;
    }
    /* Output is a prefix of longer output, so the first 32 bytes can be judged. */
    struct lh_key key;
    size_t len = expected.len < sizeof(key.bytes) ? expected.len : sizeof(key.bytes);
    bool is_equal = lh_is_ok(lh_hkdf(crypto, lh_buf_view(&ikm), lh_buf_view(&label), &key)) &&
                    memcmp(key.bytes, expected.ptr, len) == 0;
    count_verdict(tally, test, is_equal);
}

void run_wycheproof_hkdf(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    each_case(crypto, file, run_hkdf_case, tally);
}

/* --- HMAC, one-shot and prepared --- */

static bool is_mac(struct lh_crypto *crypto, lh_slice key, lh_slice message, lh_slice tag)
{
    struct lh_digest mac;
    if (!lh_is_ok(lh_hmac_sha256(crypto, key, message, &mac)) || tag.len > sizeof(mac.bytes)) {
        return false;
    }
    bool holds = memcmp(mac.bytes, tag.ptr, tag.len) == 0;
    if (key.len == LH_KEY_BYTES) {
        struct lh_key fixed;
        struct lh_mac_key *prepared = NULL;
        struct lh_digest again;
        memcpy(fixed.bytes, key.ptr, sizeof(fixed.bytes));
        holds = holds && lh_is_ok(lh_mac_key_new(crypto, &fixed, &prepared)) &&
                lh_is_ok(lh_mac(prepared, message, &again)) &&
                memcmp(again.bytes, mac.bytes, sizeof(mac.bytes)) == 0;
        lh_mac_key_free(prepared);
    }
    return holds;
}

static void run_hmac_case(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                          struct tally *tally)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf key = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf message = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf tag = LH_BUF_EMPTY;
    vector_bytes(test, "key", &key);
    vector_bytes(test, "msg", &message);
    vector_bytes(test, "tag", &tag);
    if (key.len == 0 || key.len > LH_HMAC_KEY_MAX_BYTES) {
        vector_skip(tally, "keys that are empty or longer than a block are refused");
        return;
    }
    size_t tag_bytes = (size_t)json_integer_value(json_object_get(group, "tagSize")) / 8;
    count_verdict(tally, test,
                  tag.len == tag_bytes &&
                      is_mac(crypto, lh_buf_view(&key), lh_buf_view(&message), lh_buf_view(&tag)));
}

void run_wycheproof_hmac(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    each_case(crypto, file, run_hmac_case, tally);
}

/* --- SipHash-2-4 --- */

static void run_siphash_case(struct lh_crypto *crypto, const json_t *group, const json_t *test,
                             struct tally *tally)
{
    (void)crypto;
    (void)group;
    LH_CLEANUP(lh_buf_fini) struct lh_buf key = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf message = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf tag = LH_BUF_EMPTY;
    struct lh_siphash_key fixed;
    vector_bytes(test, "key", &key);
    vector_bytes(test, "msg", &message);
    vector_bytes(test, "tag", &tag);
    if (key.len != sizeof(fixed.bytes)) {
        vector_skip(tally, "a key of another length cannot be expressed");
        return;
    }
    memcpy(fixed.bytes, key.ptr, sizeof(fixed.bytes));
    uint64_t hash = lh_siphash(&fixed, lh_buf_view(&message));
    bool is_equal = tag.len == sizeof(hash);
    for (size_t i = 0; i < tag.len && is_equal; i++) {
        is_equal = tag.ptr[i] == (uint8_t)(hash >> (8 * i));
    }
    count_verdict(tally, test, is_equal);
}

void run_wycheproof_siphash(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    each_case(crypto, file, run_siphash_case, tally);
}
