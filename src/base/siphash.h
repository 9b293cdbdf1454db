/*
 * SipHash-2-4, 64-bit (Aumasson, Bernstein 2012): keyed hashing of bytes that an attacker may
 * choose, for tables and buckets. Not a MAC of ours.
 */
#ifndef LH_BASE_SIPHASH_H
#define LH_BASE_SIPHASH_H

#include "base/slice.h"

#define LH_SIPHASH_KEY_BYTES 16U

struct lh_siphash_key {
    uint8_t bytes[LH_SIPHASH_KEY_BYTES];
};

/* The hash of message under key. */
uint64_t lh_siphash(const struct lh_siphash_key *key, lh_slice message);

#endif
