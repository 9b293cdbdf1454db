/*
 * Host names: what is accepted is lower-case LDH and reads back as itself, in every case and with
 * a port or a dot behind it; and a label is found below a base domain exactly at label boundaries.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "codec/hostname.h"

static void check_characters(lh_slice name)
{
    size_t label_len = 0;
    FUZZ_CHECK(name.len > 0 && name.len <= LH_HOSTNAME_MAX_BYTES);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.ptr[i];
        FUZZ_CHECK((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
                   byte == '.');
        FUZZ_CHECK(byte != '.' || label_len > 0);
        label_len = byte == '.' ? 0 : label_len + 1;
        FUZZ_CHECK(label_len <= LH_LABEL_MAX_BYTES);
    }
    FUZZ_CHECK(label_len > 0);
}

static void check_reads_as(lh_slice raw, lh_slice expected)
{
    struct lh_hostname name;
    FUZZ_CHECK(lh_is_ok(lh_hostname_parse(raw, &name)));
    FUZZ_CHECK(lh_slice_is_equal(lh_hostname_view(&name), expected));
}

static void check_spellings(lh_slice name)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf raw = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_is_ok(lh_buf_add(&raw, name)));
    check_reads_as(lh_buf_view(&raw), name);
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] >= 'a' && raw.ptr[i] <= 'z') {
            raw.ptr[i] = (uint8_t)(raw.ptr[i] - ('a' - 'A'));
        }
    }
    check_reads_as(lh_buf_view(&raw), name);
    FUZZ_CHECK(lh_is_ok(lh_buf_add_text(&raw, ".:65535")));
    check_reads_as(lh_buf_view(&raw), name);
}

/* Tries every part of the name as a base domain. */
static void check_bases(const struct lh_hostname *name)
{
    lh_slice view = lh_hostname_view(name);
    size_t first_dot = lh_slice_find(view, '.');
    for (size_t at = 0; at < view.len; at++) {
        lh_slice label = LH_SLICE_EMPTY;
        bool is_boundary = at > 0 && view.ptr[at - 1] == '.';
        enum lh_code expected = !is_boundary          ? LH_ABSENT
                                : at - 1 == first_dot ? LH_OK
                                                      : LH_MALFORMED;
        lh_slice base = lh_slice_cut(view, at, view.len);
        FUZZ_CHECK(lh_hostname_label_below(name, base, &label).code == expected);
        FUZZ_CHECK(lh_slice_is_equal(label, expected == LH_OK ? lh_slice_cut(view, 0, first_dot)
                                                              : LH_SLICE_EMPTY));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct lh_hostname name;
    lh_status status = lh_hostname_parse(lh_slice_of(bytes, len), &name);
    if (!lh_is_ok(status)) {
        FUZZ_CHECK(status.code == LH_MALFORMED || status.code == LH_TOO_LARGE ||
                   status.code == LH_ABSENT);
        return 0;
    }
    check_characters(lh_hostname_view(&name));
    check_spellings(lh_hostname_view(&name));
    check_bases(&name);
    return 0;
}
