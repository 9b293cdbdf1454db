/*
 * judge_tokens JWKS ISS NOW_S: verifies tokens for a tenant "acme" of which ISS is the only issuer.
 * Reads from standard input 4 bytes of length, big-endian, and the token; answers each with one
 * line: the name of the status, and the subject that it is for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/jwk.h"
#include "token/key_cache.h"
#include "token/token.h"

#define TOKEN_MAX_BYTES 65536U
#define JWKS_MAX_BYTES  65536U

struct judge {
    struct lh_crypto *crypto;
    struct lh_token_verifier verifier;
    struct lh_tenant tenant;
    struct lh_issuer issuer;
    uint64_t now_ms;
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "judge_tokens: %s\n", what);
    exit(2);
}

static void import_keys(struct judge *judge, const char *path)
{
    static char text[JWKS_MAX_BYTES];
    static struct lh_arena arena;
    arena = lh_arena_bounded(1 << 20);
    struct lh_jwk_import import = {.crypto = judge->crypto, .arena = &arena};
    struct lh_jwk_fault fault;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        die("no keys");
    }
    size_t len = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    if (!lh_is_ok(lh_jwks_import(&import, lh_slice_of(text, len), &judge->issuer.keys,
                                 &judge->issuer.key_count, &fault))) {
        die(fault.what);
    }
}

static void open_judge(struct judge *judge, char **argv)
{
    struct lh_key_cache_options options = {.keys_max = 32};
    if (!lh_is_ok(lh_crypto_new(&judge->crypto))) {
        die("no crypto");
    }
    options.crypto = judge->crypto;
    judge->verifier.crypto = judge->crypto;
    if (!lh_is_ok(lh_key_cache_new(&options, &judge->verifier.keys)) ||
        !lh_is_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &judge->tenant.id))) {
        die("no memory");
    }
    judge->issuer.iss = lh_slice_from_text(argv[2]);
    judge->issuer.bind_claim = LH_SLICE_LITERAL(LH_CLAIM_TENANT);
    judge->issuer.skew_s = LH_TOKEN_SKEW_MAX_S;
    judge->tenant.issuers = &judge->issuer;
    judge->tenant.issuer_count = 1;
    judge->now_ms = strtoull(argv[3], NULL, 10) * 1000;
    import_keys(judge, argv[1]);
}

static void judge_token(struct judge *judge, lh_slice text)
{
    struct lh_token_question question = {.tenant = &judge->tenant, .now_ms = judge->now_ms};
    struct lh_verified_token token = {.sub = LH_SLICE_EMPTY};
    const struct lh_raw_token *raw;
    void *room = malloc(lh_raw_token_room_bytes(text.len));
    if (room == NULL || !lh_is_ok(lh_token_text_of(judge->crypto, text, &question.text))) {
        die("no memory");
    }
    lh_status status = lh_raw_token_read(&question.text, room, &raw);
    if (lh_is_ok(status)) {
        status = lh_token_verify(&judge->verifier, &question, raw, &token);
    }
    (void)printf("%s %.*s\n", lh_status_name(status), LH_SLICE_ARG(token.sub));
    free(room);
}

int main(int argc, char **argv)
{
    static struct judge judge;
    static uint8_t text[TOKEN_MAX_BYTES];
    uint8_t prefix[4];
    if (argc != 4) {
        die("usage: judge_tokens JWKS ISS NOW_S");
    }
    open_judge(&judge, argv);
    while (fread(prefix, 1, sizeof(prefix), stdin) == sizeof(prefix)) {
        size_t len =
            (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 | prefix[3];
        if (len > sizeof(text) || fread(text, 1, len, stdin) != len) {
            die("a token is cut off or too long");
        }
        judge_token(&judge, lh_slice_of(text, len));
    }
    return 0;
}
