/*
 * Nanoseconds per operation of what a decision is made of, on one thread. Each figure is the
 * median of several runs, so that a neighbour's work on the machine shows in none of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/base64url.h"
#include "codec/cookie.h"
#include "codec/hostname.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/public_key.h"
#include "crypto/signature.h"

#define RUNS 7U
/* Long enough that reading the clock does not count. */
#define RUN_NS       30000000U

#define RECORD_BYTES 512U
#define HEADER_BYTES 48U
#define HANDLE_BYTES 36U

/* Everything that the operations work on, made once. */
struct bench {
    struct lh_crypto *crypto;
    struct lh_key key;
    struct lh_mac_key *mac_key;
    struct lh_signing_key *signing_key;
    struct lh_public_key *public_key;
    uint8_t bytes[RECORD_BYTES];
    uint8_t opened[RECORD_BYTES];
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    struct lh_buf sealed;
    struct lh_buf sealed_short;
    struct lh_buf scratch;
};

typedef lh_status (*operation_fn)(struct bench *bench);

static lh_slice header(const struct bench *bench)
{
    return lh_slice_of(bench->bytes, HEADER_BYTES);
}

static lh_slice record(const struct bench *bench)
{
    return LH_SLICE_OF(bench->bytes);
}

static lh_status random_16(struct bench *bench)
{
    return lh_random(bench->crypto, bench->opened, 16);
}

static lh_status sha256_16(struct bench *bench)
{
    struct lh_digest digest;
    return lh_sha256(bench->crypto, lh_slice_of(bench->bytes, 16), &digest);
}

static lh_status sha256_512(struct bench *bench)
{
    struct lh_digest digest;
    return lh_sha256(bench->crypto, record(bench), &digest);
}

static lh_status mac_handle(struct bench *bench)
{
    struct lh_digest mac;
    return lh_mac(bench->mac_key, lh_slice_of(bench->bytes, HANDLE_BYTES), &mac);
}

static lh_status hmac_handle(struct bench *bench)
{
    struct lh_digest mac;
    return lh_hmac_sha256(bench->crypto, LH_SLICE_OF(bench->key.bytes),
                          lh_slice_of(bench->bytes, HANDLE_BYTES), &mac);
}

static lh_status prepare_mac_key(struct bench *bench)
{
    struct lh_mac_key *key;
    LH_TRY(lh_mac_key_new(bench->crypto, &bench->key, &key));
    lh_mac_key_free(key);
    return lh_ok();
}

static lh_status hkdf(struct bench *bench)
{
    struct lh_key key;
    return lh_hkdf(bench->crypto, LH_SLICE_OF(bench->key.bytes), header(bench), &key);
}

static lh_status seal_512(struct bench *bench)
{
    lh_buf_clear(&bench->scratch);
    return lh_aead_seal(bench->crypto, &bench->key, header(bench), record(bench), &bench->scratch);
}

static lh_status open_512(struct bench *bench)
{
    return lh_aead_open(bench->crypto, &bench->key, header(bench), lh_buf_view(&bench->sealed),
                        bench->opened);
}

static lh_status open_128(struct bench *bench)
{
    return lh_aead_open(bench->crypto, &bench->key, header(bench),
                        lh_buf_view(&bench->sealed_short), bench->opened);
}

static lh_status es256_sign(struct bench *bench)
{
    return lh_es256_sign(bench->signing_key, record(bench), bench->signature);
}

static lh_status es256_verify(struct bench *bench)
{
    return lh_public_key_verify(bench->public_key, record(bench), LH_SLICE_OF(bench->signature));
}

static lh_status base64url_decode_handle(struct bench *bench)
{
    size_t len;
    return lh_base64url_decode(
        LH_SLICE_LITERAL(
            "AQAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIz"),
        bench->opened, sizeof(bench->opened), &len);
}

static lh_status base64url_write_512(struct bench *bench)
{
    lh_buf_clear(&bench->scratch);
    return lh_base64url_add(&bench->scratch, record(bench));
}

static lh_status filter_cookies(struct bench *bench)
{
    struct lh_cookie_walk walk = lh_cookie_walk_over(LH_SLICE_LITERAL(
        "theme=dark; _ga=GA1.2.1234567890.1234567890; __Host-lh="
        "AQAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIz; lang=en; a=b"));
    struct lh_cookie_line line = {.text = (char *)bench->opened}; /* has room for it */
    struct lh_cookie_pair pair;
    while (lh_cookie_next(&walk, &pair)) {
        if (!lh_slice_has_prefix(pair.name, LH_SLICE_LITERAL("__Host-lh"))) {
            lh_cookie_line_add(&line, pair.whole);
        }
    }
    return lh_ok();
}

static lh_status parse_hostname(struct bench *bench)
{
    (void)bench;
    struct lh_hostname name;
    lh_slice label;
    LH_TRY(lh_hostname_parse(LH_SLICE_LITERAL("acme.eu-west-1.example.com:8443"), &name));
    return lh_hostname_label_below(&name, LH_SLICE_LITERAL("eu-west-1.example.com"), &label);
}

static lh_status parse_json(struct bench *bench)
{
    (void)bench;
    LH_CLEANUP(lh_json_fini) json_t *value = NULL;
    return lh_json_parse(
        LH_SLICE_LITERAL("{\"iss\":\"https://id.example.com/acme\",\"aud\":[\"api\",\"web\"],"
                         "\"exp\":1700000000,\"iat\":1699996400,\"sub\":\"248289761001\","
                         "\"tenant_id\":\"acme\",\"jti\":\"8f14e45f-ceea-467f-a9f1-1f2e3d4c5b6a\","
                         "\"scope\":\"orders:read orders:write\"}"),
        4096, &value);
}

static lh_status add_json_string(struct bench *bench)
{
    lh_buf_clear(&bench->scratch);
    return lh_json_add_string(&bench->scratch, LH_SLICE_LITERAL("orders:read orders:write admin"));
}

struct row {
    const char *name;
    operation_fn run;
};

static const struct row rows[] = {
    {"random 16 B", random_16},
    {"SHA-256 of 16 B", sha256_16},
    {"SHA-256 of 512 B", sha256_512},
    {"MAC of a handle, prepared key", mac_handle},
    {"HMAC of a handle, raw key", hmac_handle},
    {"prepare a MAC key", prepare_mac_key},
    {"HKDF", hkdf},
    {"open 128 B", open_128},
    {"seal 512 B", seal_512},
    {"open 512 B", open_512},
    {"ES256 sign", es256_sign},
    {"ES256 verify", es256_verify},
    {"base64url, decode a handle", base64url_decode_handle},
    {"base64url, write 512 B", base64url_write_512},
    {"filter 5 cookies", filter_cookies},
    {"host name and its label", parse_hostname},
    {"JSON claims, 250 B", parse_json},
    {"JSON string, 30 B", add_json_string},
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void run_or_die(struct bench *bench, const struct row *row)
{
    lh_status status = row->run(bench);
    if (!lh_is_ok(status)) {
        fprintf(stderr, "micro: %s: %s\n", row->name, lh_status_name(status));
        exit(1);
    }
}

/* Doubles the repetitions until a run is long enough to be measured. */
static double run_ns(struct bench *bench, const struct row *row)
{
    for (uint64_t repetitions = 16;; repetitions *= 2) {
        uint64_t begin = now_ns();
        for (uint64_t i = 0; i < repetitions; i++) {
            run_or_die(bench, row);
        }
        uint64_t elapsed = now_ns() - begin;
        if (elapsed >= RUN_NS) {
            return (double)elapsed / (double)repetitions;
        }
    }
}

static int compare_runs(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void measure(struct bench *bench, const struct row *row)
{
    double runs[RUNS];
    run_or_die(bench, row); /* warm */
    for (size_t i = 0; i < RUNS; i++) {
        runs[i] = run_ns(bench, row);
    }
    qsort(runs, RUNS, sizeof(runs[0]), compare_runs);
    printf("%-32s %10.0f ns   (%.0f to %.0f)\n", row->name, runs[RUNS / 2], runs[0],
           runs[RUNS - 1]);
}

static lh_status make_public_key(struct bench *bench)
{
    uint8_t material[2U * LH_ES256_COORDINATE_BYTES];
    LH_TRY(
        lh_signing_key_public(bench->signing_key, material, material + LH_ES256_COORDINATE_BYTES));
    return lh_public_key_new(bench->crypto, LH_ES256, LH_SLICE_OF(material), &bench->public_key);
}

static lh_status prepare(struct bench *bench)
{
    LH_TRY(lh_crypto_new(&bench->crypto));
    LH_TRY(lh_random(bench->crypto, bench->key.bytes, sizeof(bench->key.bytes)));
    LH_TRY(lh_random(bench->crypto, bench->bytes, sizeof(bench->bytes)));
    LH_TRY(lh_mac_key_new(bench->crypto, &bench->key, &bench->mac_key));
    LH_TRY(lh_signing_key_generate(bench->crypto, &bench->signing_key));
    LH_TRY(es256_sign(bench));
    LH_TRY(make_public_key(bench));
    LH_TRY(lh_aead_seal(bench->crypto, &bench->key, header(bench), record(bench), &bench->sealed));
    return lh_aead_seal(bench->crypto, &bench->key, header(bench), lh_slice_of(bench->bytes, 128),
                        &bench->sealed_short);
}

static void clean_up(struct bench *bench)
{
    lh_buf_fini(&bench->scratch);
    lh_buf_fini(&bench->sealed);
    lh_buf_fini(&bench->sealed_short);
    lh_public_key_free(bench->public_key);
    lh_signing_key_free(bench->signing_key);
    lh_mac_key_free(bench->mac_key);
    lh_crypto_free(bench->crypto);
}

/* Names on the command line select rows; none means all. */
static bool is_selected(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i]) != NULL) {
            return true;
        }
    }
    return argc == 1;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (!lh_is_ok(prepare(&bench))) {
        fprintf(stderr, "micro: cannot start\n");
        return 1;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (is_selected(rows[i].name, argc, argv)) {
            measure(&bench, &rows[i]);
        }
    }
    clean_up(&bench);
    return 0;
}
