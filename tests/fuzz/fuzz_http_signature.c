/*
 * Request signatures: a request of a target and header lines. What is read as a signature covers
 * nothing twice, makes a base of one line per component, and does not hold; and whatever passes all
 * but the last test holds with the right bytes.
 */
#include "fuzz.h"

#include "token/http_signature.h"

#define NOW_MS    UINT64_C(1700000000000)
#define LINES_MAX 64

/* A request, as lines: the target, whether there is a body ("+" or not), then headers. */
struct request {
    lh_slice lines[LINES_MAX];
    size_t count;
};

static lh_slice take_line(lh_slice *rest)
{
    size_t end = lh_slice_find(*rest, '\n');
    lh_slice line = lh_slice_cut(*rest, 0, end);
    *rest = lh_slice_cut(*rest, end + 1, rest->len);
    return line;
}

static bool next_value(void *headers, lh_slice name, size_t *position, lh_slice *out_value)
{
    const struct request *request = headers;
    while (*position < request->count) {
        lh_slice line = request->lines[(*position)++];
        size_t colon = lh_slice_find(line, ':');
        if (colon < line.len && lh_slice_is_equal_nocase(lh_slice_cut(line, 0, colon), name)) {
            *out_value = lh_slice_cut(line, colon + 1, line.len);
            return true;
        }
    }
    return false;
}

/* One for the process: the target is called again and again. */
static struct lh_mac_key *open_key(void)
{
    static struct lh_crypto *crypto;
    static struct lh_mac_key *key;
    if (key == NULL) {
        FUZZ_CHECK(lh_is_ok(lh_crypto_new(&crypto)));
        FUZZ_CHECK(lh_is_ok(lh_mac_key_import(crypto, LH_SLICE_LITERAL("fuzz"), &key)));
    }
    return key;
}

static void check_raw(const struct lh_raw_http_signature *raw)
{
    FUZZ_CHECK(raw->component_count <= LH_HTTP_SIGNATURE_COMPONENTS_MAX);
    FUZZ_CHECK(raw->len <= sizeof(raw->bytes) && raw->label.len > 0);
    for (size_t i = 0; i < raw->component_count; i++) {
        FUZZ_CHECK(lh_http_signature_covers(raw, raw->components[i]));
        for (size_t j = 0; j < i; j++) {
            FUZZ_CHECK(!lh_slice_is_equal(raw->components[i], raw->components[j]));
        }
    }
}

static void check_base(const struct lh_signed_request *request,
                       const struct lh_raw_http_signature *raw)
{
    struct lh_buf base = lh_buf_bounded(LH_HTTP_SIGNATURE_BASE_MAX_BYTES);
    if (lh_is_ok(lh_http_signature_base(request, raw, &base))) {
        size_t lines = 0;
        for (size_t i = 0; i < base.len; i++) {
            FUZZ_CHECK(base.ptr[i] < 0x7f && base.ptr[i] != '\r');
            lines += base.ptr[i] == '\n';
        }
        FUZZ_CHECK(lines == raw->component_count);
    }
    lh_buf_fini(&base);
}

static void check_verify(const struct lh_signed_request *request, struct lh_raw_http_signature *raw)
{
    const struct lh_http_signature_rules rules = {.life_max_s = 300, .skew_s = 30};
    const struct lh_http_signature_key key = {.algorithm = LH_HTTP_HMAC_SHA256, .mac = open_key()};
    struct lh_buf base = lh_buf_bounded(LH_HTTP_SIGNATURE_BASE_MAX_BYTES);
    struct lh_http_signature_check check = {request, &rules, &key, NOW_MS, &base};
    struct lh_verified_http_signature verified;
    lh_status status = lh_http_signature_verify(&check, raw, &verified);
    FUZZ_CHECK(!lh_is_ok(status));
    if (status.code == LH_BAD_SIGNATURE) {
        struct lh_digest mac;
        FUZZ_CHECK(lh_is_ok(lh_mac(key.mac, lh_buf_view(&base), &mac)));
        memcpy(raw->bytes, mac.bytes, sizeof(mac.bytes));
        raw->len = sizeof(mac.bytes);
        status = lh_http_signature_verify(&check, raw, &verified);
        FUZZ_CHECK(lh_is_ok(status) || status.code == LH_MALFORMED || status.code == LH_DUPLICATE ||
                   status.code == LH_TOO_LARGE); /* Content-Digest is read last */
        FUZZ_CHECK(!lh_is_ok(status) || !request->has_body || verified.has_digest);
    }
    lh_buf_fini(&base);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice rest = lh_slice_of(bytes, len);
    struct request lines = {.count = 0};
    struct lh_signed_request request = {.method = LH_SLICE_LITERAL("POST"),
                                        .scheme = LH_SLICE_LITERAL("https"),
                                        .authority = LH_SLICE_LITERAL("Acme.example:443"),
                                        .next_value = next_value,
                                        .headers = &lines};
    request.target = take_line(&rest);
    request.has_body = lh_slice_is_equal(take_line(&rest), LH_SLICE_LITERAL("+"));
    while (rest.len > 0 && lines.count < LINES_MAX) {
        lines.lines[lines.count++] = take_line(&rest);
    }
    struct lh_raw_http_signature raw;
    if (lh_is_ok(lh_http_signature_read(&request, LH_SLICE_EMPTY, &raw))) {
        check_raw(&raw);
        check_base(&request, &raw);
        check_verify(&request, &raw);
    }
    if (lh_is_ok(lh_http_signature_read(&request, LH_SLICE_LITERAL("sig"), &raw))) {
        check_raw(&raw);
    }
    return 0;
}
