/*
 * The signature base (RFC 9421 §2.5): one line per covered component, then the parameters. Each
 * value is checked to be one line of printable ASCII, so that no value can pass for two components
 * (§7.5.6 there).
 */
#include "token/request_lines.h"

#include "base/banned.h"

lh_status lh_request_lines_gather(const struct lh_signed_request *request, lh_slice name,
                                  struct lh_request_lines *out_lines)
{
    size_t position = 0;
    lh_slice value;
    out_lines->count = 0;
    while (request->next_value(request->headers, name, &position, &value)) {
        LH_ENSURE(out_lines->count < LH_HTTP_SIGNATURE_LINES_MAX, LH_TOO_LARGE);
        out_lines->lines[out_lines->count++] = value;
    }
    LH_ENSURE(out_lines->count > 0, LH_ABSENT);
    return lh_ok();
}

/* --- Values ----------------------------------------------------------------------------------- */

/* Errors: MALFORMED (a byte that is in no value), TOO_LARGE, NO_MEMORY. */
static lh_status add_value(struct lh_buf *out, lh_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        bool is_printable = value.ptr[i] >= ' ' && value.ptr[i] < 0x7f;
        LH_ENSURE(is_printable || value.ptr[i] == '\t', LH_MALFORMED);
    }
    return lh_buf_add(out, value);
}

/* What stands in a target or an authority has no space in it. */
static lh_status add_word(struct lh_buf *out, lh_slice word)
{
    LH_ENSURE(lh_slice_find(word, ' ') == word.len && lh_slice_find(word, '\t') == word.len,
              LH_MALFORMED);
    return add_value(out, word);
}

static void make_lower(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool is_upper = bytes[i] >= 'A' && bytes[i] <= 'Z';
        bytes[i] = (uint8_t)(is_upper ? bytes[i] + ('a' - 'A') : bytes[i]);
    }
}

static lh_status add_lower_word(struct lh_buf *out, lh_slice word)
{
    size_t before = out->len;
    LH_TRY(add_word(out, word));
    make_lower(out->ptr + before, out->len - before);
    return lh_ok();
}

/* --- Derived components (RFC 9421 §2.2) ------------------------------------------------------- */

static lh_status add_method(const struct lh_signed_request *request, struct lh_buf *out)
{
    LH_ENSURE(request->method.len > 0, LH_MALFORMED);
    return add_word(out, request->method);
}

static lh_status add_scheme(const struct lh_signed_request *request, struct lh_buf *out)
{
    LH_ENSURE(request->scheme.len > 0, LH_MALFORMED);
    return add_lower_word(out, request->scheme);
}

/* Without a port that the scheme implies, or an empty one (RFC 9110 §4.2.3). */
static lh_slice without_default_port(const struct lh_signed_request *request)
{
    bool is_https = lh_slice_is_equal_nocase(request->scheme, LH_SLICE_LITERAL("https"));
    lh_slice port = is_https ? LH_SLICE_LITERAL(":443") : LH_SLICE_LITERAL(":80");
    lh_slice empty = LH_SLICE_LITERAL(":");
    lh_slice authority = request->authority;
    if (lh_slice_has_suffix_nocase(authority, port)) {
        authority.len -= port.len;
    } else if (lh_slice_has_suffix_nocase(authority, empty)) {
        authority.len -= empty.len;
    }
    return authority;
}

static lh_status add_authority(const struct lh_signed_request *request, struct lh_buf *out)
{
    lh_slice authority = without_default_port(request);
    bool has_userinfo = lh_slice_find(authority, '@') < authority.len;
    LH_ENSURE(authority.len > 0 && !has_userinfo, LH_MALFORMED);
    return add_lower_word(out, authority);
}

/* A path and perhaps a query: no absolute form, no "*", no fragment that one side ignores. */
static bool is_origin_form(lh_slice target)
{
    return target.len > 0 && target.ptr[0] == '/' && lh_slice_find(target, '#') == target.len;
}

static lh_status add_path(const struct lh_signed_request *request, struct lh_buf *out)
{
    LH_ENSURE(is_origin_form(request->target), LH_MALFORMED);
    return add_word(out, lh_slice_cut(request->target, 0, lh_slice_find(request->target, '?')));
}

/* RFC 9421 §2.2.7: with its "?", which stands alone where there is no query. */
static lh_status add_query(const struct lh_signed_request *request, struct lh_buf *out)
{
    LH_ENSURE(is_origin_form(request->target), LH_MALFORMED);
    size_t mark = lh_slice_find(request->target, '?');
    return mark < request->target.len
               ? add_word(out, lh_slice_cut(request->target, mark, request->target.len))
               : lh_buf_add_u8(out, '?');
}

static lh_status add_target_uri(const struct lh_signed_request *request, struct lh_buf *out)
{
    LH_ENSURE(is_origin_form(request->target), LH_MALFORMED);
    LH_TRY(add_scheme(request, out));
    LH_TRY(lh_buf_add_text(out, "://"));
    LH_TRY(add_authority(request, out));
    return add_word(out, request->target);
}

typedef lh_status (*add_component_fn)(const struct lh_signed_request *request, struct lh_buf *out);

static const struct {
    lh_slice name;
    add_component_fn add;
} derived[] = {
    {{(const uint8_t *)"@method", 7}, add_method},
    {{(const uint8_t *)"@scheme", 7}, add_scheme},
    {{(const uint8_t *)"@authority", 10}, add_authority},
    {{(const uint8_t *)"@path", 5}, add_path},
    {{(const uint8_t *)"@query", 6}, add_query},
    {{(const uint8_t *)"@target-uri", 11}, add_target_uri},
};

static lh_status add_derived(const struct lh_signed_request *request, lh_slice name,
                             struct lh_buf *out)
{
    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
        if (lh_slice_is_equal(derived[i].name, name)) {
            return derived[i].add(request, out);
        }
    }
    return lh_status_of(LH_MALFORMED);
}

/* --- Header fields (RFC 9421 §2.1) ------------------------------------------------------------ */

static lh_status add_field(const struct lh_signed_request *request, lh_slice name,
                           struct lh_buf *out)
{
    struct lh_request_lines values;
    lh_status status = lh_request_lines_gather(request, name, &values);
    LH_ENSURE(status.code != LH_ABSENT, LH_MALFORMED);
    LH_TRY(status);
    for (size_t i = 0; i < values.count; i++) {
        LH_TRY(lh_buf_add_text(out, i > 0 ? ", " : ""));
        LH_TRY(add_value(out, lh_slice_trim(values.lines[i])));
    }
    return lh_ok();
}

/* --- The base --------------------------------------------------------------------------------- */

static lh_status add_component(const struct lh_signed_request *request, lh_slice name,
                               struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, '"'));
    LH_TRY(lh_buf_add(out, name));
    LH_TRY(lh_buf_add_text(out, "\": "));
    bool is_derived = name.len > 0 && name.ptr[0] == '@';
    LH_TRY(is_derived ? add_derived(request, name, out) : add_field(request, name, out));
    return lh_buf_add_u8(out, '\n');
}

lh_status lh_http_signature_base(const struct lh_signed_request *request,
                                 const struct lh_raw_http_signature *raw, struct lh_buf *out_base)
{
    for (size_t i = 0; i < raw->component_count; i++) {
        LH_TRY(add_component(request, raw->components[i], out_base));
    }
    LH_TRY(lh_buf_add_text(out_base, "\"@signature-params\": "));
    return lh_sf_item_write(&raw->input, out_base);
}
