/*
 * Taking a compact JWS apart. Runs before anything is known of the sender, for every token that no
 * cache remembers.
 */
#include "token/jws.h"

#include "codec/base64url.h"
#include "codec/json_table.h"

#include "base/banned.h"

/* The three parts as sent. */
struct parts {
    lh_slice header;
    lh_slice payload;
    lh_slice signature;
};

/* Exactly two dots, none of the parts empty; a third dot is found where the signature begins. */
static lh_status split(lh_slice text, struct parts *out_parts)
{
    size_t first = lh_slice_find(text, '.');
    lh_slice rest = lh_slice_cut(text, first + 1, text.len);
    size_t second = lh_slice_find(rest, '.');
    struct parts parts = {
        .header = lh_slice_cut(text, 0, first),
        .payload = lh_slice_cut(rest, 0, second),
        .signature = lh_slice_cut(rest, second + 1, rest.len),
    };
    LH_ENSURE(parts.header.len > 0 && parts.payload.len > 0 && parts.signature.len > 0,
              LH_MALFORMED);
    LH_ENSURE(lh_slice_find(parts.signature, '.') == parts.signature.len, LH_MALFORMED);
    *out_parts = parts;
    return lh_ok();
}

/* --- The header ------------------------------------------------------------------------------- */

#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const lh_slice refused_members[] = {NAME("b64"), NAME("crit"), NAME("cty"),
                                           NAME("enc"), NAME("jku"),  NAME("jwk"),
                                           NAME("x5c"), NAME("x5u"),  NAME("zip")};

static lh_status refuse_members(const struct lh_json_table *header)
{
    for (size_t i = 0; i < sizeof(refused_members) / sizeof(refused_members[0]); i++) {
        LH_ENSURE(lh_json_table_find(header, refused_members[i]) == NULL, LH_MALFORMED);
    }
    return lh_ok();
}

/* A name that may be missing: 1 to LH_JWS_NAME_MAX_BYTES bytes, or empty for none. */
static lh_status read_name(const struct lh_json_table *header, lh_slice name, lh_slice *out_text)
{
    lh_status status = lh_json_table_string(header, name, out_text);
    if (status.code == LH_ABSENT) {
        *out_text = LH_SLICE_EMPTY;
        return lh_ok();
    }
    LH_TRY(status);
    LH_ENSURE(out_text->len > 0 && out_text->len <= LH_JWS_NAME_MAX_BYTES, LH_MALFORMED);
    return lh_ok();
}

static lh_status read_header(uint8_t *text, size_t len, struct lh_raw_jws *jws)
{
    struct lh_json_table header;
    lh_slice algorithm;
    LH_TRY(lh_json_table_read(&header, text, len));
    LH_TRY(refuse_members(&header));
    LH_ENSURE(lh_is_ok(lh_json_table_string(&header, LH_SLICE_LITERAL("alg"), &algorithm)),
              LH_MALFORMED);
    LH_TRY(lh_algorithm_parse(algorithm, &jws->algorithm));
    LH_TRY(read_name(&header, LH_SLICE_LITERAL("kid"), &jws->kid));
    return read_name(&header, LH_SLICE_LITERAL("typ"), &jws->typ);
}

/* --- The whole -------------------------------------------------------------------------------- */

/* Decodes a part to the front of *room, which moves on. Three bytes never need less than four. */
static lh_status decode(lh_slice part, size_t max_bytes, uint8_t **room, size_t *out_len)
{
    LH_TRY(lh_base64url_decode(part, *room, max_bytes, out_len));
    *room += *out_len;
    return lh_ok();
}

lh_status lh_jws_read(lh_slice text, uint8_t *room, struct lh_raw_jws *out_jws)
{
    LH_ENSURE(text.len <= LH_JWS_MAX_BYTES, LH_TOO_LARGE);
    struct parts parts;
    LH_TRY(split(text, &parts));
    struct lh_raw_jws jws = {.signing_input =
                                 lh_slice_cut(text, 0, parts.header.len + 1 + parts.payload.len)};
    uint8_t *header = room;
    size_t header_len;
    LH_TRY(decode(parts.header, LH_JWS_HEADER_MAX_BYTES, &room, &header_len));
    LH_TRY(read_header(header, header_len, &jws));
    jws.payload = room;
    LH_TRY(decode(parts.payload, LH_JWS_MAX_BYTES, &room, &jws.payload_len));
    const uint8_t *signature = room;
    size_t signature_len;
    LH_TRY(decode(parts.signature, LH_SIGNATURE_MAX_BYTES, &room, &signature_len));
    jws.signature = lh_slice_of(signature, signature_len);
    *out_jws = jws;
    return lh_ok();
}
