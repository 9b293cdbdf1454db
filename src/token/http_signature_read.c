/*
 * Reading Signature-Input and Signature into one raw signature. What it leaves out is the point:
 * no component with parameters, no parameter that we do not know, nothing twice.
 */
#include "token/request_lines.h"

#include "base/banned.h"

static lh_status read_field(const struct lh_signed_request *request, lh_slice name,
                            struct lh_sf_dictionary *out_field)
{
    struct lh_request_lines lines;
    LH_TRY(lh_request_lines_gather(request, name, &lines));
    return lh_sf_dictionary_read(lines.lines, lines.count, out_field);
}

/* --- Components ------------------------------------------------------------------------------- */

/* RFC 9110 §5.6.2 in lower case, as RFC 9421 §2.1 asks for. */
static bool is_field_name(lh_slice name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.ptr[i];
        bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
        if (!is_word && (byte == '\0' || strchr(others, byte) == NULL)) {
            return false;
        }
    }
    return name.len > 0;
}

/* Derived ones are known by the base. A signature that covers signatures needs parameters. */
static bool is_component(lh_slice name)
{
    bool is_derived = name.len > 1 && name.ptr[0] == '@';
    return is_derived ||
           (is_field_name(name) && !lh_slice_is_equal(name, LH_SLICE_LITERAL("signature")) &&
            !lh_slice_is_equal(name, LH_SLICE_LITERAL("signature-input")));
}

bool lh_http_signature_covers(const struct lh_raw_http_signature *raw, lh_slice name)
{
    for (size_t i = 0; i < raw->component_count; i++) {
        if (lh_slice_is_equal(raw->components[i], name)) {
            return true;
        }
    }
    return false;
}

static lh_status read_components(struct lh_raw_http_signature *raw)
{
    lh_slice rest = raw->input.list;
    struct lh_sf_item item;
    while (lh_sf_list_next(&rest, &item)) {
        LH_ENSURE(item.value.type == LH_SF_STRING && item.parameters.len == 0, LH_MALFORMED);
        LH_ENSURE(is_component(item.value.text), LH_MALFORMED);
        LH_ENSURE(!lh_http_signature_covers(raw, item.value.text), LH_DUPLICATE);
        LH_ENSURE(raw->component_count < LH_HTTP_SIGNATURE_COMPONENTS_MAX, LH_TOO_LARGE);
        raw->components[raw->component_count++] = item.value.text;
    }
    return lh_ok();
}

/* --- Parameters (RFC 9421 §2.3) --------------------------------------------------------------- */

static lh_status read_time(const struct lh_sf_value *value, bool *out_has, uint64_t *out_time_s)
{
    LH_ENSURE(value->type == LH_SF_INTEGER && value->integer >= 0, LH_MALFORMED);
    *out_has = true;
    *out_time_s = (uint64_t)value->integer;
    return lh_ok();
}

static lh_status read_text(const struct lh_sf_value *value, lh_slice *out_text)
{
    LH_ENSURE(value->type == LH_SF_STRING && value->text.len > 0, LH_MALFORMED);
    LH_ENSURE(value->text.len <= LH_HTTP_SIGNATURE_NAME_MAX_BYTES, LH_TOO_LARGE);
    *out_text = value->text;
    return lh_ok();
}

static lh_status read_parameter(const struct lh_sf_parameter *parameter,
                                struct lh_raw_http_signature *raw)
{
    if (lh_slice_is_equal(parameter->key, LH_SLICE_LITERAL("created"))) {
        return read_time(&parameter->value, &raw->has_created, &raw->created_s);
    }
    if (lh_slice_is_equal(parameter->key, LH_SLICE_LITERAL("expires"))) {
        return read_time(&parameter->value, &raw->has_expires, &raw->expires_s);
    }
    const struct {
        lh_slice key;
        lh_slice *text;
    } texts[] = {
        {LH_SLICE_LITERAL("nonce"), &raw->nonce},
        {LH_SLICE_LITERAL("keyid"), &raw->key_id},
        {LH_SLICE_LITERAL("alg"), &raw->algorithm},
        {LH_SLICE_LITERAL("tag"), &raw->tag},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (lh_slice_is_equal(parameter->key, texts[i].key)) {
            return read_text(&parameter->value, texts[i].text);
        }
    }
    return lh_status_of(LH_MALFORMED);
}

static lh_status read_parameters(struct lh_raw_http_signature *raw)
{
    lh_slice rest = raw->input.parameters;
    struct lh_sf_parameter parameter;
    while (lh_sf_parameter_next(&rest, &parameter)) {
        LH_TRY(read_parameter(&parameter, raw));
    }
    return lh_ok();
}

/* --- One signature ---------------------------------------------------------------------------- */

/* The label's member, or the only one. Errors: ABSENT, DUPLICATE. */
static lh_status choose_member(const struct lh_sf_dictionary *input, lh_slice label,
                               const struct lh_sf_member **out_member)
{
    if (label.len > 0) {
        *out_member = lh_sf_dictionary_find(input, label);
        LH_ENSURE(*out_member != NULL, LH_ABSENT);
        return lh_ok();
    }
    LH_ENSURE(input->count == 1, LH_DUPLICATE);
    *out_member = &input->members[0];
    return lh_ok();
}

static lh_status read_input(const struct lh_sf_member *member, struct lh_raw_http_signature *raw)
{
    LH_ENSURE(member->item.is_list, LH_MALFORMED);
    raw->label = member->key;
    raw->input = member->item;
    LH_TRY(read_components(raw));
    return read_parameters(raw);
}

/* The bytes under the same label; where nobody names a label there is no other one either. */
static lh_status read_bytes(const struct lh_sf_dictionary *signatures, bool is_only_one,
                            struct lh_raw_http_signature *raw)
{
    LH_ENSURE(!is_only_one || signatures->count == 1, LH_DUPLICATE);
    const struct lh_sf_member *member = lh_sf_dictionary_find(signatures, raw->label);
    LH_ENSURE(member != NULL && !member->item.is_list && member->item.parameters.len == 0,
              LH_MALFORMED);
    return lh_sf_bytes_decode(&member->item.value, raw->bytes, sizeof(raw->bytes), &raw->len);
}

lh_status lh_http_signature_read(const struct lh_signed_request *request, lh_slice label,
                                 struct lh_raw_http_signature *out_raw)
{
    struct lh_sf_dictionary input;
    struct lh_sf_dictionary signatures;
    lh_status has_input = read_field(request, LH_SLICE_LITERAL("signature-input"), &input);
    lh_status has_signature = read_field(request, LH_SLICE_LITERAL("signature"), &signatures);
    /* One of the two alone is no signature, but somebody meant one. */
    LH_ENSURE(has_input.code != LH_ABSENT || has_signature.code == LH_ABSENT, LH_MALFORMED);
    LH_TRY(has_input);
    LH_ENSURE(has_signature.code != LH_ABSENT, LH_MALFORMED);
    LH_TRY(has_signature);

    const struct lh_sf_member *member;
    LH_TRY(choose_member(&input, label, &member));
    struct lh_raw_http_signature raw = {.component_count = 0};
    LH_TRY(read_input(member, &raw));
    LH_TRY(read_bytes(&signatures, label.len == 0, &raw));
    *out_raw = raw;
    return lh_ok();
}
