/*
 * Host names, read once and strictly. What is refused here can never be a tenant: an accepted
 * oddity would be read differently by the server, the upstream or a certificate check.
 */
#include "codec/hostname.h"

#include "base/banned.h"

#define PORT_MAX   65535U
#define IPV4_PARTS 4U

/* Takes ":port" off the end. A port is written without leading zeros and is not 0. */
static lh_status take_port(lh_slice *name)
{
    size_t colon = lh_slice_find(*name, ':');
    if (colon == name->len) {
        return lh_ok();
    }
    uint64_t port;
    lh_status status =
        lh_slice_parse_u64(lh_slice_cut(*name, colon + 1, name->len), PORT_MAX, &port);
    LH_ENSURE(lh_is_ok(status) && port > 0, LH_MALFORMED);
    *name = lh_slice_cut(*name, 0, colon);
    return lh_ok();
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* RFC 1123 §2.1 on RFC 952: letters, digits and inner hyphens. */
static bool is_label(lh_slice label)
{
    if (label.len == 0 || label.len > LH_LABEL_MAX_BYTES || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (!is_letter(label.ptr[i]) && !is_digit(label.ptr[i]) && label.ptr[i] != '-') {
            return false;
        }
    }
    return true;
}

/* Cuts the first label and its dot off the front. */
static lh_slice take_label(lh_slice *rest)
{
    size_t dot = lh_slice_find(*rest, '.');
    lh_slice label = lh_slice_cut(*rest, 0, dot);
    *rest = lh_slice_cut(*rest, dot + 1, rest->len);
    return label;
}

/* Whether something would read this last label as a number, and so the whole name as an address:
   digits, or 0x and hexadecimal digits (inet_aton, and the URL standard's host parser). */
static bool is_numeric(lh_slice label)
{
    bool is_hexadecimal = label.len >= 2 && label.ptr[0] == '0' && (label.ptr[1] | 0x20) == 'x';
    for (size_t i = is_hexadecimal ? 2 : 0; i < label.len; i++) {
        uint8_t lower = label.ptr[i] | 0x20;
        if (!is_digit(label.ptr[i]) && !(is_hexadecimal && lower >= 'a' && lower <= 'f')) {
            return false;
        }
    }
    return true;
}

/* Four decimal numbers below 256: an address in its one usual form. */
static bool is_ipv4(lh_slice name)
{
    size_t parts = 0;
    for (lh_slice rest = name; rest.len > 0; parts++) {
        uint64_t part;
        if (!lh_is_ok(lh_slice_parse_u64(take_label(&rest), UINT8_MAX, &part))) {
            return false;
        }
    }
    return parts == IPV4_PARTS && name.ptr[name.len - 1] != '.';
}

static lh_status check_labels(lh_slice name)
{
    lh_slice label = LH_SLICE_EMPTY;
    for (lh_slice rest = name; rest.len > 0;) {
        label = take_label(&rest);
        LH_ENSURE(is_label(label), LH_MALFORMED);
    }
    /* An empty last label leaves no rest behind, so the loop has not seen it. */
    LH_ENSURE(name.ptr[name.len - 1] != '.', LH_MALFORMED);
    LH_ENSURE(!is_numeric(label), is_ipv4(name) ? LH_ABSENT : LH_MALFORMED);
    return lh_ok();
}

static void copy_lower(lh_slice name, struct lh_hostname *out_name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.ptr[i];
        bool is_upper = byte >= 'A' && byte <= 'Z';
        out_name->text[i] = (char)(is_upper ? byte + ('a' - 'A') : byte);
    }
    out_name->len = (uint8_t)name.len;
}

lh_status lh_hostname_parse(lh_slice raw, struct lh_hostname *out_name)
{
    lh_slice name = raw;
    LH_TRY(take_port(&name));
    if (name.len > 0 && name.ptr[name.len - 1] == '.') {
        name.len--;
    }
    LH_ENSURE(name.len > 0, LH_MALFORMED);
    LH_ENSURE(name.len <= LH_HOSTNAME_MAX_BYTES, LH_TOO_LARGE);
    LH_TRY(check_labels(name));
    copy_lower(name, out_name);
    return lh_ok();
}

lh_status lh_hostname_label_below(const struct lh_hostname *name, lh_slice base,
                                  lh_slice *out_label)
{
    lh_slice view = lh_hostname_view(name);
    LH_ENSURE(base.len > 0 && view.len > base.len + 1, LH_ABSENT);
    size_t label_len = view.len - base.len - 1;
    LH_ENSURE(view.ptr[label_len] == '.' &&
                  lh_slice_is_equal(lh_slice_cut(view, label_len + 1, base.len), base),
              LH_ABSENT);
    lh_slice label = lh_slice_cut(view, 0, label_len);
    LH_ENSURE(lh_slice_find(label, '.') == label.len, LH_MALFORMED);
    *out_label = label;
    return lh_ok();
}
