/*
 * SipHash-2-4 as in the paper: 8-byte little-endian words, the length in the last one.
 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

#include "base/banned.h"

#define WORD_BYTES 8U

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t word, unsigned bits)
{
    return (word << bits) | (word >> (64U - bits));
}

/* Whole words are read at once where the machine's order is the algorithm's. */
static uint64_t load_whole(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return le64toh(word);
}

static uint64_t load_word(const uint8_t *bytes, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)bytes[i] << (8U * i);
    }
    return word;
}

static void mix(struct sip_state *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 = rotate_left(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 = rotate_left(s->v2, 32);
    }
}

static void absorb(struct sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s, 2);
    s->v0 ^= word;
}

uint64_t lh_siphash(const struct lh_siphash_key *key, lh_slice message)
{
    uint64_t k0 = load_whole(key->bytes);
    uint64_t k1 = load_whole(key->bytes + WORD_BYTES);
    struct sip_state s = {k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU,
                          k0 ^ 0x6c7967656e657261U, k1 ^ 0x7465646279746573U};
    size_t whole = message.len / WORD_BYTES * WORD_BYTES;
    for (size_t at = 0; at < whole; at += WORD_BYTES) {
        absorb(&s, load_whole(message.ptr + at));
    }
    uint64_t tail = whole == message.len ? 0 : load_word(message.ptr + whole, message.len - whole);
    absorb(&s, tail | (uint64_t)message.len << 56);
    s.v2 ^= 0xff;
    mix(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
