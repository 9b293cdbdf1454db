/*
 * Making the world of a token, and the tokens.
 */
#include "token_fixture.h"

#include "codec/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>

const char *const signer_kids[SIGNERS] = {"rsa-1", "pss-1", "ec-1", "ed-1"};
const char *const signer_algs[SIGNERS] = {"RS256", "PS256", "ES256", "EdDSA"};

/* --- Keys ------------------------------------------------------------------------------------- */

static lh_slice rsa_material(const struct world *world, uint8_t *out)
{
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(world->rsa, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    int len = BN_num_bytes(n);
    out[0] = (uint8_t)(len >> 8);
    out[1] = (uint8_t)len;
    assert_int_equal(BN_bn2bin(n, out + 2), len);
    BN_free(n);
    memcpy(out + 2 + len, "\x01\x00\x01", 3);
    return lh_slice_of(out, 2 + (size_t)len + 3);
}

static lh_slice p256_material(const struct lh_signing_key *pair, uint8_t *out)
{
    assert_ok(lh_signing_key_public(pair, out, out + 32));
    return lh_slice_of(out, 64);
}

static lh_slice ed25519_material(const struct world *world, uint8_t *out)
{
    size_t len = 32;
    assert_int_equal(EVP_PKEY_get_raw_public_key(world->ed25519, out, &len), 1);
    return lh_slice_of(out, len);
}

static void make_rows(struct world *world)
{
    static const enum lh_algorithm algorithms[SIGNERS] = {LH_RS256, LH_PS256, LH_ES256, LH_EDDSA};
    lh_slice materials[SIGNERS] = {
        rsa_material(world, world->materials[RS256]),
        rsa_material(world, world->materials[PS256]),
        p256_material(world->p256, world->materials[ES256]),
        ed25519_material(world, world->materials[EDDSA]),
    };
    for (size_t i = 0; i < SIGNERS; i++) {
        world->foreign_keys[i] = (struct lh_verify_key){.kid = lh_slice_from_text(signer_kids[i]),
                                                        .algorithm = algorithms[i],
                                                        .material = materials[i]};
    }
    world->own_key =
        (struct lh_verify_key){.kid = LH_SLICE_LITERAL("own-1"),
                               .algorithm = LH_ES256,
                               .material = p256_material(world->own, world->materials[SIGNERS])};
}

/* --- Tenants ---------------------------------------------------------------------------------- */

static void make_tenant(struct lh_tenant *tenant, const char *id, uint8_t byte,
                        struct lh_issuer *issuers, size_t count)
{
    memset(tenant, 0, sizeof(*tenant));
    assert_ok(lh_tenant_id_parse(lh_slice_from_text(id), &tenant->id));
    memset(tenant->uid.bytes, byte, sizeof(tenant->uid.bytes));
    tenant->counter = 7;
    tenant->platform_counter = 8;
    tenant->issuers = issuers;
    tenant->issuer_count = count;
}

int reset_world(void **state)
{
    struct world *world = *state;
    struct lh_issuer foreign = {.iss = LH_SLICE_LITERAL(IDP),
                                .bind_claim = LH_SLICE_LITERAL("tenant_id"),
                                .skew_s = 30,
                                .keys = world->foreign_keys,
                                .key_count = SIGNERS,
                                .generation = 5};
    make_rows(world);
    world->acme_issuers[0] = (struct lh_issuer){.iss = LH_SLICE_LITERAL(OWN),
                                                .is_own = true,
                                                .bind_claim = LH_SLICE_LITERAL("tenant_id"),
                                                .skew_s = 30,
                                                .keys = &world->own_key,
                                                .key_count = 1,
                                                .generation = 5};
    world->acme_issuers[1] = foreign;
    world->globex_issuers[0] = foreign;
    make_tenant(&world->acme, "acme", 0xaa, world->acme_issuers, 2);
    make_tenant(&world->globex, "globex", 0xbb, world->globex_issuers, 1);
    return 0;
}

int make_world(void **state)
{
    static struct world world;
    struct lh_key_cache_options options = {.keys_max = 16, .hash_key = {{3}}};
    world.rsa = EVP_RSA_gen(2048);
    world.ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (world.rsa == NULL || world.ed25519 == NULL || !lh_is_ok(lh_crypto_new(&world.crypto)) ||
        !lh_is_ok(lh_signing_key_generate(world.crypto, &world.p256)) ||
        !lh_is_ok(lh_signing_key_generate(world.crypto, &world.own))) {
        return -1;
    }
    options.crypto = world.crypto;
    world.verifier.crypto = world.crypto;
    *state = &world;
    return lh_is_ok(lh_key_cache_new(&options, &world.verifier.keys)) ? reset_world(state) : -1;
}

int free_world(void **state)
{
    struct world *world = *state;
    lh_key_cache_free(world->verifier.keys);
    lh_signing_key_free(world->p256);
    lh_signing_key_free(world->own);
    EVP_PKEY_free(world->rsa);
    EVP_PKEY_free(world->ed25519);
    lh_crypto_free(world->crypto);
    return 0;
}

/* --- Texts ------------------------------------------------------------------------------------ */

static void add(struct text *text, const char *more, size_t len)
{
    assert_true(text->len + len < sizeof(text->bytes));
    memcpy(text->bytes + text->len, more, len);
    text->len += len;
    text->bytes[text->len] = 0;
}

static void add_text(struct text *text, const char *more)
{
    add(text, more, strlen(more));
}

static void add_member(struct text *text, const char *name, const char *json)
{
    add_text(text, text->len == 1 ? "\"" : ",\"");
    add_text(text, name);
    add_text(text, "\":");
    add_text(text, json);
}

static const struct member *find_change(const struct member *changes, size_t count,
                                        const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(changes[i].name, name) == 0) {
            return &changes[i];
        }
    }
    return NULL;
}

/* The defaults as changed, then the changes that are none of a default. */
static void write_object(struct text *out, const struct member *defaults, size_t default_count,
                         const struct member *changes, size_t count)
{
    out->len = 0;
    add_text(out, "{");
    for (size_t i = 0; i < default_count; i++) {
        const struct member *change = find_change(changes, count, defaults[i].name);
        const char *json = change != NULL ? change->json : defaults[i].json;
        if (json != NULL) {
            add_member(out, defaults[i].name, json);
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool is_default = find_change(defaults, default_count, changes[i].name) != NULL;
        if (!is_default && changes[i].json != NULL) {
            add_member(out, changes[i].name, changes[i].json);
        }
    }
    add_text(out, "}");
}

void write_claims(struct text *out, const struct member *changes, size_t count)
{
    static const struct member defaults[] = {
        {"iss", "\"" IDP "\""}, {"aud", "\"api\""},   {"exp", "1700000600"},
        {"iat", "1700000000"},  {"sub", "\"alice\""}, {"tenant_id", "\"acme\""},
        {"jti", "\"id-1\""},
    };
    write_object(out, defaults, sizeof(defaults) / sizeof(defaults[0]), changes, count);
}

static void write_header(struct text *out, enum signer signer, const struct member *changes,
                         size_t count)
{
    char alg[16];
    char kid[16];
    (void)snprintf(alg, sizeof(alg), "\"%s\"", signer_algs[signer]);
    (void)snprintf(kid, sizeof(kid), "\"%s\"", signer_kids[signer]);
    const struct member defaults[] = {{"alg", alg}, {"kid", kid}, {"typ", "\"JWT\""}};
    write_object(out, defaults, 3, changes, count);
}

/* --- Signing ---------------------------------------------------------------------------------- */

static size_t sign_by_openssl(EVP_PKEY *pair, bool is_pss, lh_slice input, uint8_t *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings;
    size_t len = LH_SIGNATURE_MAX_BYTES;
    const char *digest = EVP_PKEY_is_a(pair, "RSA") ? "SHA256" : NULL;
    assert_int_equal(EVP_DigestSignInit_ex(context, &settings, digest, NULL, NULL, pair, NULL), 1);
    if (is_pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    assert_int_equal(EVP_DigestSign(context, out, &len, input.ptr, input.len), 1);
    EVP_MD_CTX_free(context);
    return len;
}

static size_t sign(const struct world *world, enum signer signer, lh_slice input, uint8_t *out)
{
    if (signer == ES256) {
        assert_ok(lh_es256_sign(world->p256, input, out));
        return LH_ES256_SIGNATURE_BYTES;
    }
    return sign_by_openssl(signer == EDDSA ? world->ed25519 : world->rsa, signer == PS256, input,
                           out);
}

static void add_base64url(struct text *out, lh_slice bytes)
{
    assert_true(out->len + LH_BASE64URL_TEXT_LEN(bytes.len) < sizeof(out->bytes));
    lh_base64url_write(bytes, out->bytes + out->len);
    out->len += LH_BASE64URL_TEXT_LEN(bytes.len);
    out->bytes[out->len] = 0;
}

void sign_raw(const struct world *world, enum signer signer, lh_slice header, lh_slice claims,
              struct text *out)
{
    uint8_t signature[LH_SIGNATURE_MAX_BYTES];
    out->len = 0;
    add_base64url(out, header);
    add_text(out, ".");
    add_base64url(out, claims);
    size_t len = sign(world, signer, text_view(out), signature);
    add_text(out, ".");
    add_base64url(out, lh_slice_of(signature, len));
}

void sign_claims(const struct world *world, enum signer signer, const struct member *changes,
                 size_t count, struct text *out)
{
    static struct text header;
    static struct text claims;
    write_header(&header, signer, NULL, 0);
    write_claims(&claims, changes, count);
    sign_raw(world, signer, text_view(&header), text_view(&claims), out);
}

void sign_header(const struct world *world, enum signer signer, const struct member *changes,
                 size_t count, struct text *out)
{
    static struct text header;
    static struct text claims;
    write_header(&header, signer, changes, count);
    write_claims(&claims, NULL, 0);
    sign_raw(world, signer, text_view(&header), text_view(&claims), out);
}

/* --- Asking ----------------------------------------------------------------------------------- */

struct lh_token_question ask(const struct world *world, const struct lh_tenant *tenant,
                             lh_slice text, uint64_t now_ms)
{
    struct lh_token_question question = {.tenant = tenant,
                                         .tenant_counter = tenant->counter,
                                         .platform_counter = tenant->platform_counter,
                                         .now_ms = now_ms};
    assert_ok(lh_token_text_of(world->crypto, text, &question.text));
    return question;
}

lh_status verify_at(const struct world *world, const struct lh_tenant *tenant, lh_slice text,
                    uint64_t now_ms, struct lh_verified_token *out_token)
{
    static void
        *room; /* exactly as large as it must be, so that a sanitizer sees what lies beyond */
    const struct lh_raw_token *raw;
    free(room);
    room = malloc(lh_raw_token_room_bytes(text.len));
    assert_non_null(room);
    struct lh_token_question question = ask(world, tenant, text, now_ms);
    LH_TRY(lh_raw_token_read(&question.text, room, &raw));
    return lh_token_verify(&world->verifier, &question, raw, out_token);
}

lh_status verify(const struct world *world, const struct text *text)
{
    struct lh_verified_token token;
    return verify_at(world, &world->acme, text_view(text), NOW, &token);
}

lh_status verify_claim(const struct world *world, const char *name, const char *json)
{
    static struct text text;
    struct member change = {name, json};
    sign_claims(world, ES256, &change, 1, &text);
    return verify(world, &text);
}
