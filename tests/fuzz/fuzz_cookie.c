/*
 * The Cookie header: pairs are parts of the input and hold no separator; a filtered header holds
 * none of ours, all of the others, unchanged and in order; and it makes no difference whether the
 * cookies came in one header or in two.
 */
#include "fuzz.h"

#include "codec/cookie.h"

#define OURS LH_SLICE_LITERAL("__Host-lh")

static bool is_ours(lh_slice name)
{
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
        if (is_ours(original.name)) {
            continue;
        }
        FUZZ_CHECK(lh_cookie_next(&after, &kept));
        FUZZ_CHECK(lh_slice_is_equal(kept.whole, original.whole));
        FUZZ_CHECK(!is_ours(kept.name));
    }
    FUZZ_CHECK(!lh_cookie_next(&after, &kept));
}

static void keep_others(lh_slice header, struct lh_cookie_line *line)
{
    struct lh_cookie_walk walk = lh_cookie_walk_over(header);
    struct lh_cookie_pair pair;
    while (lh_cookie_next(&walk, &pair)) {
        if (!is_ours(pair.name)) {
            lh_cookie_line_add(line, pair.whole);
        }
    }
}

static lh_slice line_view(const struct lh_cookie_line *line)
{
    return lh_slice_of(line->text, line->len);
}

/* What is left of it is left of it again. */
static void check_filtered(lh_slice filtered)
{
    struct lh_cookie_line again = {.text = fuzz_room(lh_cookie_line_room(filtered))};
    keep_others(filtered, &again);
    FUZZ_CHECK(lh_slice_is_equal(line_view(&again), filtered));
    free(again.text);
}

static void check_two_headers(lh_slice header, lh_slice filtered)
{
    size_t half = header.len / 2;
    size_t middle = half + lh_slice_find(lh_slice_cut(header, half, header.len), ';');
    lh_slice first = lh_slice_cut(header, 0, middle);
    lh_slice second = lh_slice_cut(header, middle + 1, header.len);
    size_t room = lh_cookie_line_room(first) + lh_cookie_line_room(second);
    struct lh_cookie_line joined = {.text = fuzz_room(room)};
    keep_others(first, &joined);
    keep_others(second, &joined);
    FUZZ_CHECK(lh_slice_is_equal(line_view(&joined), filtered));
    free(joined.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice header = lh_slice_of(bytes, len);
    struct lh_cookie_line filtered = {.text = fuzz_room(lh_cookie_line_room(header))};
    keep_others(header, &filtered);
    check_same_pairs(header, line_view(&filtered));
    check_filtered(line_view(&filtered));
    check_two_headers(header, line_view(&filtered));
    free(filtered.text);
    return 0;
}
