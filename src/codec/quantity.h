/*
 * Sizes, times and counts as people write them in configuration: "64m", "30min" is not one of
 * them, "30m" is. One grammar for settings and policies.
 */
#ifndef LH_CODEC_QUANTITY_H
#define LH_CODEC_QUANTITY_H

#include "base/buf.h"

/*
 * SIZE: bytes, with k, m, g or t for powers of 1024. TIME: milliseconds, always with its unit: ms,
 * s, m, h or d. COUNT: digits alone.
 */
enum lh_quantity_kind { LH_QUANTITY_SIZE, LH_QUANTITY_TIME, LH_QUANTITY_COUNT };

/* Reads a quantity. Errors: MALFORMED, TOO_LARGE. */
LH_MUST_USE lh_status lh_quantity_parse(enum lh_quantity_kind kind, lh_slice text,
                                        uint64_t *out_value);
/* Appends it in the largest unit that divides it. Errors: NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_quantity_write(enum lh_quantity_kind kind, uint64_t value,
                                        struct lh_buf *out);

#endif
