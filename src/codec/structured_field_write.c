/*
 * The canonical form of what was read (RFC 8941 §4.1): one space between items, none elsewhere,
 * numbers without needless digits, "true" unwritten. Strings, tokens and byte sequences have only
 * one spelling that is read at all.
 */
#include "codec/structured_field.h"

#include "base/banned.h"

static lh_status write_between(const char *before, lh_slice text, const char *after,
                               struct lh_buf *out)
{
    LH_TRY(lh_buf_add_text(out, before));
    LH_TRY(lh_buf_add(out, text));
    return lh_buf_add_text(out, after);
}

/* RFC 8941 §4.1.5: no zeros in front of the whole part or behind the fraction but one each. */
static lh_status write_decimal(const struct lh_sf_value *value, struct lh_buf *out)
{
    lh_slice text = value->text;
    size_t point = lh_slice_find(text, '.');
    lh_slice fraction = lh_slice_cut(text, point + 1, text.len);
    while (fraction.len > 1 && fraction.ptr[fraction.len - 1] == '0') {
        fraction.len--;
    }
    /* The whole part of "-0.5" is 0: its sign is in the text alone. */
    bool is_zero = value->integer == 0 && lh_slice_is_equal(fraction, LH_SLICE_LITERAL("0"));
    bool is_negative = text.len > 0 && text.ptr[0] == '-' && !is_zero;
    int64_t whole = value->integer < 0 ? -value->integer : value->integer;
    LH_TRY(lh_buf_add_format(out, "%s%lld.", is_negative ? "-" : "", (long long)whole));
    return lh_buf_add(out, fraction);
}

static lh_status write_value(const struct lh_sf_value *value, struct lh_buf *out)
{
    switch (value->type) {
    case LH_SF_INTEGER:
        return lh_buf_add_format(out, "%lld", (long long)value->integer);
    case LH_SF_DECIMAL:
        return write_decimal(value, out);
    case LH_SF_STRING:
        return write_between("\"", value->text, "\"", out);
    case LH_SF_BYTES:
        return write_between(":", value->text, ":", out);
    case LH_SF_BOOLEAN:
        return write_between("?", value->text, "", out);
    case LH_SF_TOKEN:
        break;
    }
    return lh_buf_add(out, value->text);
}

static bool is_true(const struct lh_sf_value *value)
{
    return value->type == LH_SF_BOOLEAN && lh_slice_is_equal(value->text, LH_SLICE_LITERAL("1"));
}

static lh_status write_parameters(lh_slice parameters, struct lh_buf *out)
{
    struct lh_sf_parameter parameter;
    while (lh_sf_parameter_next(&parameters, &parameter)) {
        LH_TRY(write_between(";", parameter.key, "", out));
        if (!is_true(&parameter.value)) {
            LH_TRY(lh_buf_add_u8(out, '='));
            LH_TRY(write_value(&parameter.value, out));
        }
    }
    return lh_ok();
}

static lh_status write_list(lh_slice list, struct lh_buf *out)
{
    struct lh_sf_item item;
    const char *separator = "";
    LH_TRY(lh_buf_add_u8(out, '('));
    while (lh_sf_list_next(&list, &item)) {
        LH_TRY(lh_buf_add_text(out, separator));
        LH_TRY(write_value(&item.value, out));
        LH_TRY(write_parameters(item.parameters, out));
        separator = " ";
    }
    return lh_buf_add_u8(out, ')');
}

lh_status lh_sf_item_write(const struct lh_sf_item *item, struct lh_buf *out)
{
    if (item->is_list) {
        LH_TRY(write_list(item->list, out));
    } else {
        LH_TRY(write_value(&item->value, out));
    }
    return write_parameters(item->parameters, out);
}
