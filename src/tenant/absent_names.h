/*
 * Names that are known not to exist: a small ring in which the oldest entry makes room, so that a
 * stream of invented names neither reaches the registry twice a second nor grows anything.
 */
#ifndef LH_TENANT_ABSENT_NAMES_H
#define LH_TENANT_ABSENT_NAMES_H

#include "base/map.h"

/* Entries kept; some 130 KiB with keys of the longest host name. */
#define LH_ABSENT_NAMES_MAX 512U
/* Longest name remembered: a host name. */
#define LH_ABSENT_NAME_MAX_BYTES 253U

struct lh_absent_name {
    uint64_t counter;  /* the platform's, noted before the look-up */
    uint64_t noted_ms; /* session time of the look-up */
    uint8_t len;       /* 0 = free */
    char text[LH_ABSENT_NAME_MAX_BYTES];
};

struct lh_absent_names {
    struct lh_map by_name;          /* name -> entry */
    struct lh_absent_name *entries; /* owned; LH_ABSENT_NAMES_MAX of them */
    size_t next;                    /* the entry that makes room next */
};

/*
 * Makes an empty ring.
 * hash_key  random bytes of this process.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_absent_names_init(struct lh_absent_names *names,
                                           const struct lh_siphash_key *hash_key);
/* Frees; accepts a zeroed object. */
void lh_absent_names_fini(struct lh_absent_names *names);

/*
 * Whether the name was absent under this counter value and less than max_age_ms ago.
 * now_ms  session time.
 */
bool lh_absent_names_has(const struct lh_absent_names *names, lh_slice name, uint64_t counter,
                         uint64_t now_ms, uint64_t max_age_ms);

/*
 * Remembers an absent name; too long a one is silently not remembered.
 * counter  noted before the look-up; now_ms: session time.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_absent_names_note(struct lh_absent_names *names, lh_slice name,
                                           uint64_t counter, uint64_t now_ms);

#endif
