/*
 * Numbers in keys and rows: big-endian, so that keys sort as their numbers do. Written straight
 * to where they lie; reading goes through the cursor.
 */
#ifndef LH_STORE_WIRE_H
#define LH_STORE_WIRE_H

#include <stdint.h>

/* Writes 4 bytes; returns where the next field goes. */
static inline uint8_t *lh_wire_put_u32(uint8_t *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    }
    return out + 4;
}

/* Writes 8 bytes; returns where the next field goes. */
static inline uint8_t *lh_wire_put_u64(uint8_t *out, uint64_t value)
{
    return lh_wire_put_u32(lh_wire_put_u32(out, (uint32_t)(value >> 32)), (uint32_t)value);
}

#endif
