/*
 * What OpenSSL alone takes for one signature of each kind, as cheaply as EVP allows: algorithms
 * fetched, key and contexts prepared, the message as long as what is signed in a token of 700
 * bytes. Prints the nanoseconds of CPU.
 *
 *     raw_verify MS
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A token of 700 bytes without its signature and the dot before it. */
#define RS256_BYTES     357U
#define ES256_BYTES     613U
#define SIGNATURE_BYTES 512U
#define DIGEST_BYTES    32U
#define NS_PER_S        UINT64_C(1000000000)
#define NS_PER_MS       UINT64_C(1000000)
#define BATCH           16U

struct pair {
    const char *name;
    EVP_PKEY *pkey;
    size_t message_len;
    uint8_t message[ES256_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    size_t signature_len;
    EVP_MD *sha256;
    EVP_MD_CTX *hash;
    EVP_PKEY_CTX *verifier;
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int sign(struct pair *pair)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    pair->signature_len = sizeof(pair->signature);
    int is_done = context != NULL && pair->pkey != NULL &&
                  EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pair->pkey) == 1 &&
                  EVP_DigestSign(context, pair->signature, &pair->signature_len, pair->message,
                                 pair->message_len) == 1;
    EVP_MD_CTX_free(context);
    return is_done;
}

static int prepare(struct pair *pair)
{
    pair->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    pair->hash = EVP_MD_CTX_new();
    pair->verifier = EVP_PKEY_CTX_new(pair->pkey, NULL);
    return pair->sha256 != NULL && pair->hash != NULL && pair->verifier != NULL &&
           EVP_PKEY_verify_init(pair->verifier) == 1 &&
           EVP_PKEY_CTX_set_signature_md(pair->verifier, pair->sha256) == 1;
}

static void finish(struct pair *pair)
{
    EVP_PKEY_CTX_free(pair->verifier);
    EVP_MD_CTX_free(pair->hash);
    EVP_MD_free(pair->sha256);
    EVP_PKEY_free(pair->pkey);
}

static int verify(const struct pair *pair)
{
    uint8_t digest[DIGEST_BYTES];
    return EVP_DigestInit_ex2(pair->hash, pair->sha256, NULL) == 1 &&
           EVP_DigestUpdate(pair->hash, pair->message, pair->message_len) == 1 &&
           EVP_DigestFinal_ex(pair->hash, digest, NULL) == 1 &&
           EVP_PKEY_verify(pair->verifier, pair->signature, pair->signature_len, digest,
                           sizeof(digest)) == 1;
}

/* As many as fit the time. returns: 0 if one of them does not hold. */
static int repeat(const struct pair *pair, uint64_t run_ns, double *out_ns)
{
    uint64_t began_ns = cpu_ns();
    uint64_t spent_ns = 0;
    uint64_t count = 0;
    while (spent_ns < run_ns) {
        for (unsigned i = 0; i < BATCH; i++) {
            if (!verify(pair)) {
                return 0;
            }
        }
        count += BATCH;
        spent_ns = cpu_ns() - began_ns;
    }
    *out_ns = (double)spent_ns / (double)count;
    return 1;
}

static int measure(struct pair *pair, uint64_t run_ns)
{
    double each_ns = 0;
    int is_done = sign(pair) && prepare(pair) && repeat(pair, run_ns, &each_ns);
    if (is_done) {
        (void)printf("%s %.0f\n", pair->name, each_ns);
    }
    return is_done;
}

int main(int count, char **arguments)
{
    struct pair pairs[] = {
        {.name = "RS256", .pkey = EVP_RSA_gen(2048), .message_len = RS256_BYTES},
        {.name = "ES256", .pkey = EVP_EC_gen("P-256"), .message_len = ES256_BYTES},
    };
    uint64_t run_ns = count == 2 ? strtoull(arguments[1], NULL, 10) * NS_PER_MS : 0;
    int is_done = run_ns > 0;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        is_done = is_done && measure(&pairs[i], run_ns);
        finish(&pairs[i]);
    }
    if (!is_done) {
        (void)fprintf(stderr, "raw_verify MS: milliseconds for each algorithm\n");
    }
    return is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}
