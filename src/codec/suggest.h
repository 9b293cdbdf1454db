/*
 * "Did you mean …?": the known word nearest to a mistyped one.
 */
#ifndef LH_CODEC_SUGGEST_H
#define LH_CODEC_SUGGEST_H

#include "base/slice.h"

/* Longer words are not compared: nobody mistypes them by two letters. */
#define LH_SUGGEST_WORD_MAX_BYTES 64U

/*
 * How many single edits (insert, drop, replace, swap of neighbours) lie between two words, or
 * limit + 1 if more than limit.
 */
unsigned lh_suggest_distance(lh_slice a, lh_slice b, unsigned limit);

/*
 * The best of words for a mistyped one: at most two edits away, and less than half of its length.
 * returns  its index, or count if none is near.
 */
size_t lh_suggest(lh_slice mistyped, const lh_slice *words, size_t count);

#endif
