/*
 * Services that sign their requests, and what is done with these.
 */
#include "signed_field.h"

#include "codec/base64url.h"

#define PARTNER      "partner"
#define NONCES_BYTES ((size_t)1024 * 1024)
#define OLD_ENOUGH_S 60U /* a table of nonces judges only what is younger than itself */
#define LIFE_S       300U

/* --- Signing ---------------------------------------------------------------------------------- */

static const char *value_of(const struct signed_request *request, const char *name)
{
    static const char *const fixed[][2] = {
        {"@method", "GET"}, {"@authority", "localhost"}, {"@path", "/"}, {"@scheme", "http"}};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (strcmp(fixed[i][0], name) == 0) {
            return fixed[i][1];
        }
    }
    return request->parts[strcmp(name, "x-tenant-id") == 0 ? TENANT : DIGEST];
}

static void write_parameters(const struct signed_request *request, char *text, size_t size)
{
    (void)snprintf(text, size, "(%s);%s;nonce=\"%s\";keyid=\"%s\"", request->parts[COMPONENTS],
                   request->parts[TIMES], request->parts[NONCE], request->parts[KEY_ID]);
}

/* The signature base (RFC 9421 §2.5), written here once more. */
static void write_base(const struct signed_request *request, char *text, size_t size)
{
    char parameters[TEXT_BYTES], names[128];
    size_t len = 0;
    (void)snprintf(names, sizeof(names), "%s", request->parts[COMPONENTS]);
    for (char *rest = names, *name = strtok_r(names, " \"", &rest); name != NULL;
         name = strtok_r(NULL, " \"", &rest)) {
        len +=
            (size_t)snprintf(text + len, size - len, "\"%s\": %s\n", name, value_of(request, name));
    }
    write_parameters(request, parameters, sizeof(parameters));
    len += (size_t)snprintf(text + len, size - len, "\"@signature-params\": %s", parameters);
    assert_true(len < size);
}

static size_t sign_bytes(const struct scene *scene, const struct service *service, lh_slice base,
                         uint8_t out[64])
{
    size_t len = 64;
    if (service->partner == NULL) {
        struct lh_digest mac;
        assert_ok(
            lh_hmac_sha256(scene->asked.home->crypto, LH_SLICE_OF(service->secret), base, &mac));
        memcpy(out, mac.bytes, sizeof(mac.bytes));
        return sizeof(mac.bytes);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, service->partner), 1);
    assert_int_equal(EVP_DigestSign(context, out, &len, base.ptr, base.len), 1);
    EVP_MD_CTX_free(context);
    return len;
}

void write_signature(lh_slice bytes, struct signed_request *request)
{
    memset(request->parts[SIGNATURE], 0, sizeof(request->parts[SIGNATURE]));
    lh_base64_write(bytes, request->parts[SIGNATURE]);
}

void sign(const struct scene *scene, const struct service *service, struct signed_request *request)
{
    char base[2 * TEXT_BYTES];
    uint8_t bytes[64];
    write_base(request, base, sizeof(base));
    size_t len = sign_bytes(scene, service, S(base), bytes);
    write_signature(lh_slice_of(bytes, len), request);
}

/* A request of a service, different from each other one's in all its parts; n: which. */
static void write_good(struct scene *scene, unsigned n)
{
    struct service *service = &scene->services[n];
    struct signed_request *good = &service->good;
    char body[32], digest[LH_BASE64_TEXT_LEN(LH_SHA256_BYTES) + 1] = "";
    struct lh_digest hash;
    unsigned long now_s = (unsigned long)(lh_clock_now_ms(&scene->asked.home->clock) / 1000);
    int len = snprintf(body, sizeof(body), "body of %u", n);
    assert_ok(lh_sha256(scene->asked.home->crypto, lh_slice_of(body, (size_t)len), &hash));
    lh_base64_write(LH_SLICE_OF(hash.bytes), digest);
    WRITE(good, TENANT, "%s", service->tenant);
    WRITE(good, KEY_ID, "%s", service->key_id);
    WRITE(good, NONCE, "nonce-%u", n);
    WRITE(good, COMPONENTS,
          n / KINDS % 2 == 0
              ? "\"@method\" \"@authority\" \"@path\" \"x-tenant-id\" \"content-digest\""
              : "\"@method\" \"@authority\" \"@path\" \"@scheme\" \"x-tenant-id\" "
                "\"content-digest\"");
    WRITE(good, TIMES, "created=%lu;expires=%lu", now_s, now_s + LIFE_S - n);
    WRITE(good, DIGEST, "sha-256=:%s:", digest);
    sign(scene, service, good);
}

/* --- Making ----------------------------------------------------------------------------------- */

static void keep(void *context, const struct lh_admin_signature_key *made)
{
    struct service *service = context;
    size_t len = 0;
    (void)snprintf(service->key_id, sizeof(service->key_id), "%.*s", LH_SLICE_ARG(made->id));
    if (service->partner == NULL) {
        assert_ok(lh_base64_decode(made->secret, service->secret, sizeof(service->secret), &len));
        assert_int_equal(len, sizeof(service->secret));
    }
}

/* SubjectPublicKeyInfo of an Ed25519 key in PEM. */
static void write_pem(EVP_PKEY *key, char pem[256])
{
    uint8_t spki[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    char text[LH_BASE64_TEXT_LEN(sizeof(spki)) + 1] = "";
    size_t len = LH_SIGNATURE_PUBLIC_BYTES;
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, spki + 12, &len), 1);
    lh_base64_write(LH_SLICE_OF(spki), text);
    (void)snprintf(pem, 256, "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", text);
}

static void employ(struct scene *scene, unsigned n)
{
    struct service *service = &scene->services[n];
    char pem[256] = "";
    (void)snprintf(service->tenant, sizeof(service->tenant), "tenant-%02u", n / KINDS);
    if (n % KINDS == 1) {
        service->partner = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        assert_non_null(service->partner);
        write_pem(service->partner, pem);
    }
    const struct lh_admin_signature_key_spec spec = {
        .tenant = S(service->tenant),
        .algorithm = service->partner == NULL ? S("hmac-sha256") : S("ed25519"),
        .id = service->partner == NULL ? LH_SLICE_EMPTY : S(PARTNER),
        .public_key = S(pem)};
    assert_ok(lh_admin_signature_key_add(scene->made.admin, &spec, keep, service));
}

void open_gate(struct scene *scene)
{
    char why[LH_HOME_ERROR_BYTES];
    memset(scene->nonces, 0, NONCES_BYTES);
    scene->asked.nonces = scene->nonces;
    scene->asked.nonces_len = NONCES_BYTES;
    assert_ok(asked_gate_open(&scene->asked, scene->made.path, &scene->fake.host, why));
    fake_host_advance(&scene->fake, OLD_ENOUGH_S * 1000);
    for (unsigned n = 0; n < SERVICES; n++) {
        write_good(scene, n);
    }
}

int signed_set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene->nonces = aligned_alloc(64, NONCES_BYTES);
    assert_non_null(scene->nonces);
    made_home_init(&scene->made);
    made_home_set(&scene->made, "locked_memory = best_effort");
    for (unsigned i = 0; i < TENANTS; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "tenant-%02u", i);
        assert_ok(add_tenant(&scene->made, id, "premium", NULL, NULL));
    }
    for (unsigned n = 0; n < SERVICES; n++) {
        employ(scene, n);
    }
    made_home_close(&scene->made); /* a process opens an environment once */
    fake_host_init(&scene->fake);
    open_gate(scene);
    *state = scene;
    return 0;
}

int signed_tear_down(void **state)
{
    struct scene *scene = *state;
    asked_gate_close(&scene->asked);
    made_home_fini(&scene->made);
    for (unsigned n = 0; n < SERVICES; n++) {
        EVP_PKEY_free(scene->services[n].partner);
    }
    for (unsigned reason = 0; reason < LH_REASON_COUNT; reason++) {
        if (scene->refused[reason] > 0) {
            print_message("%8lu %s\n", scene->refused[reason],
                          lh_reason_name((enum lh_reason)reason));
        }
    }
    free(scene->nonces);
    free(scene);
    return 0;
}

/* --- Asking ----------------------------------------------------------------------------------- */

struct texts texts_of(const struct signed_request *request)
{
    struct texts texts = {.of = {"GET", "localhost", "/"}};
    char parameters[TEXT_BYTES - 8];
    write_parameters(request, parameters, sizeof(parameters));
    (void)snprintf(texts.of[TENANT_HEADER], TEXT_BYTES, "%s", request->parts[TENANT]);
    (void)snprintf(texts.of[DIGEST_HEADER], TEXT_BYTES, "%s", request->parts[DIGEST]);
    (void)snprintf(texts.of[INPUT], TEXT_BYTES, "sig1=%s", parameters);
    (void)snprintf(texts.of[SIGNED], TEXT_BYTES, "sig1=:%s:", request->parts[SIGNATURE]);
    return texts;
}

static bool next_value(void *headers, lh_slice name, size_t *position, lh_slice *out_value)
{
    static const struct {
        const char *name;
        enum text text;
    } rows[] = {{"x-tenant-id", TENANT_HEADER},
                {"content-digest", DIGEST_HEADER},
                {"signature-input", INPUT},
                {"signature", SIGNED}};
    struct texts *texts = headers;
    while (*position < sizeof(rows) / sizeof(rows[0])) {
        size_t row = (*position)++;
        if (lh_slice_is_equal(S(rows[row].name), name)) {
            *out_value = S(texts->of[rows[row].text]);
            return true;
        }
    }
    return false;
}

enum lh_reason ask_texts(struct scene *scene, struct texts *texts)
{
    const struct lh_request_header headers[] = {
        {LH_HEADER_TENANT, S(texts->of[TENANT_HEADER])},
        {LH_HEADER_SIGNATURE, S(texts->of[INPUT])},
        {LH_HEADER_SIGNATURE, S(texts->of[SIGNED])},
    };
    struct lh_claimed_nonce claimed = {.is_set = false};
    struct lh_request request = {.method = S(texts->of[METHOD]),
                                 .host = LH_SLICE_LITERAL("localhost"),
                                 .authority = S(texts->of[AUTHORITY]),
                                 .path = LH_SLICE_LITERAL("/"),
                                 .target = S(texts->of[TARGET]),
                                 .headers = headers,
                                 .header_count = 3,
                                 .has_body = true,
                                 .next_value = next_value,
                                 .sent_headers = texts,
                                 .claimed = &claimed};
    const struct lh_gate_policy policy = {.mode = LH_GATE_ON,
                                          .tenant_from = LH_GATE_TENANT_HEADER,
                                          .state = LH_GATE_STATE_CLAIMS,
                                          .credentials = LH_GATE_CREDENTIAL_SIGNATURE,
                                          .budget_ms = 60000,
                                          .cold_budget_ms = 60000};
    return asked_gate_decide(&scene->asked, &policy, &request);
}

enum lh_reason ask(struct scene *scene, const struct signed_request *request)
{
    struct texts texts = texts_of(request);
    return ask_texts(scene, &texts);
}

/* A nonce that was used, or could be claimed, tells of a signature that held: a pass too. */
void assert_refusal(struct scene *scene, enum lh_reason reason, const char *tenant,
                    const char *what)
{
    if (reason == LH_REASON_OK || reason == LH_REASON_SIGNATURE_REPLAYED ||
        reason == LH_REASON_SIGNATURE_TENANT) {
        fail_msg("%s passes at %s", what, tenant);
    }
    scene->refused[reason]++;
}

void assert_refused(struct scene *scene, const struct signed_request *request, const char *what)
{
    assert_refusal(scene, ask(scene, request), request->parts[TENANT], what);
}

void assert_each_passes_once(struct scene *scene)
{
    for (unsigned n = 0; n < SERVICES; n++) {
        struct service *service = &scene->services[n];
        assert_string_equal(lh_reason_name(ask(scene, &service->good)), "ok");
        assert_string_equal(lh_reason_name(ask(scene, &service->good)), "signature_replayed");
        (void)snprintf(service->good.parts[NONCE], sizeof(service->good.parts[NONCE]),
                       "again-%u-%lu", n, scene->refused[LH_REASON_SIGNATURE_INVALID]);
        sign(scene, service, &service->good);
    }
}
