/*
 * Compact JWS: what is taken apart puts together again to the same text, so that no token has a
 * twin; its header is what jansson reads of it, and asks for nothing that we would have to obey. A
 * payload is read as jansson reads it, too.
 */
#include "fuzz.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "token/token.h"

static void add_part(struct lh_buf *out, lh_slice bytes)
{
    FUZZ_CHECK(lh_is_ok(lh_base64url_add(out, bytes)));
}

/* A text member of the header as jansson has it; empty if there is none. */
static lh_slice header_text(const json_t *header, const char *name)
{
    lh_slice text;
    lh_status status = lh_json_get_string(header, name, &text);
    FUZZ_CHECK(lh_is_ok(status) || status.code == LH_ABSENT);
    return lh_is_ok(status) ? text : LH_SLICE_EMPTY;
}

static void check_header(const json_t *header, const struct lh_raw_jws *jws)
{
    static const char *const refused[] = {"crit", "b64", "jku", "x5u", "jwk",
                                          "x5c",  "zip", "enc", "cty"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        FUZZ_CHECK(json_object_get(header, refused[i]) == NULL);
    }
    const char *algorithm = lh_algorithm_name(jws->algorithm);
    FUZZ_CHECK(algorithm != NULL);
    FUZZ_CHECK(lh_slice_is_equal(header_text(header, "alg"), lh_slice_from_text(algorithm)));
    FUZZ_CHECK(lh_slice_is_equal(header_text(header, "kid"), jws->kid));
    FUZZ_CHECK(lh_slice_is_equal(header_text(header, "typ"), jws->typ));
    FUZZ_CHECK(jws->kid.len <= LH_JWS_NAME_MAX_BYTES && jws->typ.len <= LH_JWS_NAME_MAX_BYTES);
}

static json_t *decode_json(lh_slice text)
{
    uint8_t *room = fuzz_room(text.len);
    size_t len;
    json_t *value = NULL;
    FUZZ_CHECK(lh_is_ok(lh_base64url_decode(text, room, text.len, &len)));
    (void)lh_is_ok(lh_json_parse(lh_slice_of(room, len), LH_JWS_MAX_BYTES, &value));
    free(room);
    return value;
}

static void check_jws(lh_slice text)
{
    uint8_t *room = fuzz_room(lh_jws_room_bytes(text.len));
    struct lh_raw_jws jws;
    if (lh_is_ok(lh_jws_read(text, room, &jws))) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf again = LH_BUF_EMPTY;
        lh_slice header = lh_slice_cut(text, 0, lh_slice_find(text, '.'));
        LH_CLEANUP(lh_json_fini) json_t *value = decode_json(header);
        if (value != NULL) { /* numbers beyond jansson's types are texts to us */
            check_header(value, &jws);
        }
        FUZZ_CHECK(lh_is_ok(lh_buf_add(&again, header)));
        FUZZ_CHECK(lh_is_ok(lh_buf_add_u8(&again, '.')));
        add_part(&again, lh_slice_of(jws.payload, jws.payload_len));
        FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&again), jws.signing_input));
        FUZZ_CHECK(lh_is_ok(lh_buf_add_u8(&again, '.')));
        add_part(&again, jws.signature);
        FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&again), text));
        FUZZ_CHECK(jws.signature.len > 0 && jws.signature.len <= LH_SIGNATURE_MAX_BYTES);
    }
    free(room);
}

static void check_text(const json_t *claims, const char *name, lh_status status, lh_slice text)
{
    const json_t *member = json_object_get(claims, name);
    FUZZ_CHECK((member == NULL) == (status.code == LH_ABSENT));
    if (lh_is_ok(status)) {
        FUZZ_CHECK(json_is_string(member) &&
                   lh_slice_is_equal(
                       text, lh_slice_of(json_string_value(member), json_string_length(member))));
        FUZZ_CHECK(text.len > 0 && text.len <= LH_TEXT_MAX_BYTES &&
                   lh_slice_find(text, '\n') == text.len);
    }
}

static void check_raw_token(lh_slice text)
{
    void *room = fuzz_room(lh_raw_token_room_bytes(text.len));
    const struct lh_raw_token *token;
    struct lh_token_text sent = {.bytes = text};
    if (lh_is_ok(lh_raw_token_read(&sent, room, &token))) {
        lh_slice behind = lh_slice_cut(text, lh_slice_find(text, '.') + 1, text.len);
        LH_CLEANUP(lh_json_fini)
        json_t *claims = decode_json(lh_slice_cut(behind, 0, lh_slice_find(behind, '.')));
        lh_slice said = LH_SLICE_EMPTY;
        if (claims != NULL) {
            check_text(claims, "iss", lh_raw_token_iss(token, &said), said);
            lh_status status = lh_raw_token_tenant(token, LH_SLICE_LITERAL("tenant_id"), &said);
            check_text(claims, "tenant_id", status, said);
        }
    }
    free(room);
}

/* The input as header and payload, so that a mutation need not speak base64. */
static void check_pair(lh_slice input)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    size_t header_len = lh_slice_find(input, '\n');
    add_part(&text, lh_slice_cut(input, 0, header_len));
    FUZZ_CHECK(lh_is_ok(lh_buf_add_u8(&text, '.')));
    add_part(&text, lh_slice_cut(input, header_len + 1, input.len));
    FUZZ_CHECK(lh_is_ok(lh_buf_add_text(&text, ".c2ln")));
    check_jws(lh_buf_view(&text));
    check_raw_token(lh_buf_view(&text));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    check_jws(lh_slice_of(bytes, len));
    check_raw_token(lh_slice_of(bytes, len));
    check_pair(lh_slice_of(bytes, len));
    return 0;
}
