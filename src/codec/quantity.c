/*
 * Numbers with a suffix, by table.
 */
#include "codec/quantity.h"

#include "base/banned.h"

/* A suffix of a number and what it multiplies by. */
struct suffix {
    const char *text;
    uint64_t factor;
};

#define KIB       1024ULL
#define MIB       (KIB * 1024ULL)
#define GIB       (MIB * 1024ULL)
#define TIB       (GIB * 1024ULL)
#define SECOND_MS 1000ULL
#define MINUTE_MS (60ULL * SECOND_MS)
#define HOUR_MS   (60ULL * MINUTE_MS)

/* Largest first: the writer takes the first that divides. */
static const struct suffix size_suffixes[] = {
    {"t", TIB}, {"g", GIB}, {"m", MIB}, {"k", KIB}, {"", 1}};
static const struct suffix time_suffixes[] = {
    {"d", 24 * HOUR_MS}, {"h", HOUR_MS}, {"m", MINUTE_MS}, {"s", SECOND_MS}, {"ms", 1}};
static const struct suffix count_suffixes[] = {{"", 1}};

static const struct suffix *suffixes_of(enum lh_quantity_kind kind, size_t *out_count)
{
    switch (kind) {
    case LH_QUANTITY_SIZE:
        *out_count = sizeof(size_suffixes) / sizeof(size_suffixes[0]);
        return size_suffixes;
    case LH_QUANTITY_TIME:
        *out_count = sizeof(time_suffixes) / sizeof(time_suffixes[0]);
        return time_suffixes;
    case LH_QUANTITY_COUNT:
    default:
        *out_count = 1;
        return count_suffixes;
    }
}

lh_status lh_quantity_parse(enum lh_quantity_kind kind, lh_slice text, uint64_t *out_value)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    uint64_t number;
    LH_TRY(lh_slice_parse_u64(lh_slice_cut(text, 0, digits), UINT64_MAX, &number));
    lh_slice suffix = lh_slice_cut(text, digits, text.len);
    size_t count;
    const struct suffix *suffixes = suffixes_of(kind, &count);
    for (size_t i = 0; i < count; i++) {
        if (lh_slice_is_equal(suffix, lh_slice_from_text(suffixes[i].text))) {
            LH_ENSURE(number <= UINT64_MAX / suffixes[i].factor, LH_TOO_LARGE);
            *out_value = number * suffixes[i].factor;
            return lh_ok();
        }
    }
    return lh_status_of(LH_MALFORMED);
}

lh_status lh_quantity_write(enum lh_quantity_kind kind, uint64_t value, struct lh_buf *out)
{
    size_t count;
    const struct suffix *suffixes = suffixes_of(kind, &count);
    size_t at = 0;
    while (at + 1 < count && (value == 0 || value % suffixes[at].factor != 0)) {
        at++;
    }
    return lh_buf_add_format(out, "%llu%s", (unsigned long long)(value / suffixes[at].factor),
                             suffixes[at].text);
}
