/*
 * run/changes: who must forget what. A file of fixed size, mapped by every process: a header and
 * one 64-bit counter per tenant slot; slot 0 is the platform's (names, tiers, platform epoch).
 * Only init creates it, nobody replaces it; the registry holds its random id.
 */
#ifndef LH_REGISTRY_CHANGE_COUNTER_H
#define LH_REGISTRY_CHANGE_COUNTER_H

#include "base/slice.h"

/* Fixed for the life of a home: 2^18 tenants ever made. 2 MiB, allocated in full. */
#define LH_COUNTER_SLOTS         262144U
#define LH_COUNTER_ID_BYTES      16U
#define LH_COUNTER_PLATFORM_SLOT 0U

struct lh_counters;

/*
 * Makes the file with all counters at 0. It appears whole or not at all, and all its blocks are
 * there: a raise on a full disk would otherwise kill the process that makes it.
 * path  must not exist; id: random; mode: of the new file, whatever the umask.
 * Errors: EXISTS, UNREADABLE, NO_SPACE, TOO_LARGE (the path), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_counters_create(const char *path, const uint8_t id[LH_COUNTER_ID_BYTES],
                                         unsigned mode);
/*
 * Maps the file.
 * expected_id  the registry's; may_write: map it writable.
 * Errors: COUNTERS_DOWN (missing, other id, other size or format), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_counters_open(const char *path,
                                       const uint8_t expected_id[LH_COUNTER_ID_BYTES],
                                       bool may_write, struct lh_counters **out_counters);
/* Which file is mapped: numbers by which two processes of one machine tell. */
void lh_counters_identify(const struct lh_counters *counters, uint64_t *out_device,
                          uint64_t *out_inode);
/* Unmaps; NULL is accepted. */
void lh_counters_close(struct lh_counters *counters);

/*
 * Present value (acquire). Never blocks.
 * Errors: COUNTERS_DOWN (slot out of range, or the last check of the file failed).
 */
LH_MUST_USE lh_status lh_counters_read(const struct lh_counters *counters, uint32_t slot,
                                       uint64_t *out_value);
/*
 * Raises a counter (atomic add). Errors: COUNTERS_DOWN (out of range, mapped read-only). Goes on
 * while the file is missed, so that an act which has begun reaches those who still map it.
 */
LH_MUST_USE lh_status lh_counters_raise(struct lh_counters *counters, uint32_t slot);
/*
 * Whether the file at the path is still the mapped one and has its id; called now and then (it
 * is a system call). After a failure nothing can be read until a check succeeds: who maps a file
 * that others do not find would never hear of their changes. Errors: COUNTERS_DOWN.
 */
LH_MUST_USE lh_status lh_counters_check_file(struct lh_counters *counters);

#endif
