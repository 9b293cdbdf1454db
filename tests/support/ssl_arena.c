/*
 * OpenSSL's memory as one piece that only grows.
 */
#include "support/ssl_arena.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

static _Alignas(16) uint8_t arena[ARENA_BYTES];
static size_t arena_used;
static size_t failing;
static size_t count;

/* Each block is preceded by its length, which realloc needs. */
static void *arena_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    size_t needed = 16 + (len + 15) / 16 * 16;
    if (++count == failing || len == 0 || needed > ARENA_BYTES - arena_used) {
        return NULL;
    }
    uint8_t *block = arena + arena_used;
    arena_used += needed;
    memcpy(block, &len, sizeof(len));
    return block + 16;
}

static void arena_free(void *ptr, const char *file, int line)
{
    (void)ptr;
    (void)file;
    (void)line;
}

static void *arena_realloc(void *ptr, size_t len, const char *file, int line)
{
    void *fresh = arena_malloc(len, file, line);
    if (ptr != NULL && fresh != NULL) {
        size_t old_len;
        memcpy(&old_len, (uint8_t *)ptr - 16, sizeof(old_len));
        memcpy(fresh, ptr, old_len < len ? old_len : len);
    }
    return fresh;
}

void ssl_arena_use(void)
{
    if (CRYPTO_set_mem_functions(arena_malloc, arena_realloc, arena_free) != 1) {
        (void)fputs("OpenSSL has memory of its own already\n", stderr);
        exit(1);
    }
}

bool ssl_arena_has(const struct lh_key *key)
{
    uint8_t reversed[LH_KEY_BYTES];
    uint8_t words[LH_KEY_BYTES];
    for (size_t i = 0; i < LH_KEY_BYTES; i++) {
        reversed[i] = key->bytes[LH_KEY_BYTES - 1 - i];
        words[i] = key->bytes[(i & ~(size_t)3) + 3 - (i & 3)];
    }
    return memmem(arena, arena_used, key->bytes, LH_KEY_BYTES) != NULL ||
           memmem(arena, arena_used, reversed, LH_KEY_BYTES) != NULL ||
           memmem(arena, arena_used, words, LH_KEY_BYTES) != NULL;
}

void ssl_arena_fail_at(size_t nth)
{
    failing = nth;
    count = 0;
}

size_t ssl_arena_count(void)
{
    return count;
}
