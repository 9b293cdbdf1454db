/*
 * Gives OpenSSL an arena that never reuses what is freed, so that a key that was freed without
 * being wiped is still found.
 */
#ifndef LH_TESTS_SUPPORT_SSL_ARENA_H
#define LH_TESTS_SUPPORT_SSL_ARENA_H

#include "base/secret.h"

/* From now on; call it first of all, before OpenSSL has taken any memory. */
void ssl_arena_use(void);

/*
 * Whether the key lies anywhere in OpenSSL's memory, in either order of bytes, as a whole or word
 * by word: the state of a hash that has made it is eight words.
 */
bool ssl_arena_has(const struct lh_key *key);

/* The nth allocation of OpenSSL from now (1 = the next) fails, once. 0: none fails. */
void ssl_arena_fail_at(size_t nth);
/* Allocations since then. */
size_t ssl_arena_count(void);

#endif
