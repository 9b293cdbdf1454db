/*
 * vectors DIR [WRONG]: walks a directory of published collections, prints one line per file and
 * fails if a case came out wrong (or, where WRONG is given, another number than that) or none ran.
 */
#include "vectors.h"

#include <ftw.h>

struct collection {
    const char *file; /* the end of the path */
    run_fn run;       /* NULL: not run, for the reason */
    const char *reason;
};

static const struct collection collections[] = {
    {"wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", run_wycheproof_es256, NULL},
    {"wycheproof/ed25519_test.json", run_wycheproof_ed25519, NULL},
    {"wycheproof/rsa_pss_2048_sha256_mgf1_32_test.json", run_wycheproof_ps256, NULL},
    {"wycheproof/rsa_signature_2048_sha256_test.json", run_wycheproof_rs256, NULL},
    {"wycheproof/rsa_signature_3072_sha256_test.json", run_wycheproof_rs256, NULL},
    {"wycheproof/rsa_signature_4096_sha256_test.json", run_wycheproof_rs256, NULL},
    {"wycheproof/hkdf_sha256_test.json", run_wycheproof_hkdf, NULL},
    {"wycheproof/hmac_sha256_test.json", run_wycheproof_hmac, NULL},
    {"wycheproof/siphash_2_4_test.json", run_wycheproof_siphash, NULL},
    {"c2sp/xaes-256-gcm.json", run_c2sp_xaes, NULL},
    {"structured-field-tests/schema/", NULL, "schemas of the cases"},
    {"structured-field-tests/serialisation-tests/", NULL,
     "we write nothing but what was read: there are no values to refuse"},
    {"structured-field-tests/", run_structured_fields, NULL},
    {"blns/blns.json", run_naughty_strings, NULL},
    {"blns/blns.base64.json", NULL, "the same strings as blns.json"},
    {"wycheproof/aes_gcm_test.json", NULL,
     "AES-GCM has no interface of its own here, only XAES-256-GCM, which is built on it"},
    {"wycheproof/aes_kwp_test.json", NULL, "no AES key wrap with padding yet"},
    {"wycheproof/aes_wrap_test.json", NULL, "no AES key wrap yet"},
    {"wycheproof/ecdsa_secp256r1_sha256_test.json", NULL, "signatures in DER are never accepted"},
    {"wycheproof/rsa_oaep_", NULL, "no RSA-OAEP yet"},
    {"jose-cookbook-rfc7520/jwk/", run_jose_key, NULL},
    {"jose-cookbook-rfc7520/6.nesting", NULL, "a JWE with a JWS in it: refused as each JWE is"},
    {"jose-cookbook-rfc7520/", run_jose_example, NULL},
    {"saml-node/", NULL, "no SAML yet"},
    {"http1-llhttp/", NULL, "needs a running gateway: integration tests"},
};
#define COLLECTIONS (sizeof(collections) / sizeof(collections[0]))

_Noreturn static void die(const char *what, const char *name)
{
    fprintf(stderr, "vectors: %s: %s\n", what, name);
    exit(2);
}

const char *vector_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL) {
        die("no such text", name);
    }
    return text;
}

void vector_bytes(const json_t *object, const char *name, struct lh_buf *out)
{
    const char *text = vector_text(object, name);
    size_t len = strlen(text);
    lh_buf_clear(out);
    for (size_t i = 0; i + 1 < len; i += 2) {
        char pair[3] = {text[i], text[i + 1], 0};
        char *end;
        uint8_t byte = (uint8_t)strtoul(pair, &end, 16);
        if (end != pair + 2 || !lh_is_ok(lh_buf_add_u8(out, byte))) {
            die("no hexadecimal", name);
        }
    }
    if (len % 2 != 0) {
        die("half a byte", name);
    }
}

void vector_count(struct tally *tally, bool is_right, const char *what)
{
    tally->passed += is_right;
    tally->failed += !is_right;
    if (!is_right) {
        printf("  wrong: case %s\n", what);
    }
}

void vector_skip(struct tally *tally, const char *reason)
{
    tally->skipped++;
    tally->skip_reason = reason;
}

/* --- The walk. nftw passes no context, so what it gathers lies here. --- */

static struct lh_crypto *crypto;
static struct tally total;
static size_t root_len;

static const struct collection *find_collection(const char *path)
{
    for (size_t i = 0; i < COLLECTIONS; i++) {
        if (strstr(path, collections[i].file) != NULL) {
            return &collections[i];
        }
    }
    return NULL;
}

static void run_file(const struct collection *collection, const char *path, const char *name)
{
    json_error_t error;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (file == NULL) {
        die(error.text, path);
    }
    struct tally tally = {0};
    collection->run(crypto, file, &tally);
    json_decref(file);
    printf("%s: %u passed, %u failed", name, tally.passed, tally.failed);
    if (tally.skipped > 0) {
        printf(", %u skipped: %s", tally.skipped, tally.skip_reason);
    }
    printf("\n");
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.skipped += tally.skipped;
}

/* What else lies in a collection: licences, keys, certificates. */
static bool is_vector_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".json") == 0 || strcmp(dot, ".xml") == 0);
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)place;
    if (type != FTW_F || !is_vector_file(path)) {
        return 0;
    }
    const char *name = path + root_len;
    const struct collection *collection = find_collection(path);
    if (collection != NULL && collection->run != NULL) {
        run_file(collection, path, name);
    } else {
        printf("%s: skipped: %s\n", name,
               collection != NULL ? collection->reason
                                  : "a collection that this runner does not know");
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: vectors DIR [WRONG]\n");
        return 2;
    }
    if (!lh_is_ok(lh_crypto_new(&crypto))) {
        die("cannot start", "crypto");
    }
    root_len = strlen(argv[1]) + (argv[1][strlen(argv[1]) - 1] != '/');
    if (nftw(argv[1], visit, 8, FTW_PHYS) != 0) {
        die("cannot read", argv[1]);
    }
    printf("total: %u passed, %u failed, %u skipped\n", total.passed, total.failed, total.skipped);
    lh_crypto_free(crypto);
    unsigned long expected = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    return total.failed == expected && total.passed > 0 ? 0 : 1;
}
