/*
 * The Cookie header: pairs are parts of the input and hold no separator; a filtered header holds
 * none of ours, all of the others, unchanged and in order; and it makes no difference whether the
 * cookies came in one line or in two.
 */
#include "fuzz.h"

#include "codec/cookie.h"

#define OURS LH_SLICE_LITERAL("__Host-lh")

static bool is_ours(lh_slice name, void *context)
{
    (void)context;
    return lh_slice_has_prefix(name, OURS);
}

static bool is_inside(lh_slice part, lh_slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_pair(const struct lh_cookie_pair *pair, lh_slice header)
{
    FUZZ_CHECK(pair->whole.len > 0 && is_inside(pair->whole, header));
    FUZZ_CHECK(lh_slice_find(pair->whole, ';') == pair->whole.len);
    FUZZ_CHECK(lh_slice_trim(pair->whole).len == pair->whole.len);
    FUZZ_CHECK(is_inside(pair->name, pair->whole) && is_inside(pair->value, pair->whole));
    FUZZ_CHECK(lh_slice_find(pair->name, '=') == pair->name.len);
    FUZZ_CHECK(lh_slice_trim(pair->name).len == pair->name.len);
}

/* The filtered header must be the pairs of the original that are not ours. */
static void check_same_pairs(lh_slice header, lh_slice filtered)
{
    struct lh_cookie_walk before = lh_cookie_walk_over(header);
    struct lh_cookie_walk after = lh_cookie_walk_over(filtered);
    struct lh_cookie_pair original;
    struct lh_cookie_pair kept;
    while (lh_cookie_next(&before, &original)) {
        check_pair(&original, header);
        if (is_ours(original.name, NULL)) {
            continue;
        }
        FUZZ_CHECK(lh_cookie_next(&after, &kept));
        FUZZ_CHECK(lh_slice_is_equal(kept.whole, original.whole));
        FUZZ_CHECK(!is_ours(kept.name, NULL));
    }
    FUZZ_CHECK(!lh_cookie_next(&after, &kept));
}

static void filter(lh_slice header, struct lh_buf *out)
{
    FUZZ_CHECK(lh_is_ok(lh_cookie_filter(header, is_ours, NULL, out)));
}

static void check_two_lines(lh_slice header, lh_slice filtered)
{
    size_t middle =
        header.len / 2 + lh_slice_find(lh_slice_cut(header, header.len / 2, header.len), ';');
    if (middle >= header.len) {
        return;
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf joined = LH_BUF_EMPTY;
    filter(lh_slice_cut(header, 0, middle), &joined);
    filter(lh_slice_cut(header, middle + 1, header.len), &joined);
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&joined), filtered));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice header = lh_slice_of(bytes, len);
    LH_CLEANUP(lh_buf_fini) struct lh_buf filtered = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf again = LH_BUF_EMPTY;
    filter(header, &filtered);
    check_same_pairs(header, lh_buf_view(&filtered));
    filter(lh_buf_view(&filtered), &again);
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&again), lh_buf_view(&filtered)));
    check_two_lines(header, lh_buf_view(&filtered));
    return 0;
}
