/*
 * What time it is for sessions. All processes of a machine judge by CLOCK_BOOTTIME plus one
 * offset that the first process after a boot writes to run/clock: setting the wall clock logs
 * nobody out and lets nothing expired pass.
 */
#ifndef LH_HOST_CLOCK_H
#define LH_HOST_CLOCK_H

#include <leasehold/host.h>

#include "base/status.h"

struct lh_clock {
    const struct lh_host *host; /* borrowed */
    int64_t offset_ms;          /* session time = boot clock + offset */
};

/* The kernel's name of this boot, as text without line end. */
#define LH_BOOT_ID_BYTES 36U

/* Reads the kernel's name of this boot; no NUL. Errors: CLOCK_DOWN. */
LH_MUST_USE lh_status lh_boot_id_read(char out_id[LH_BOOT_ID_BYTES]);

/*
 * Opens the machine's clock: reads run/clock, or writes it if it is missing or of another boot.
 * host      borrowed for the clock's life; its boot_ms and wall_ms are used if set.
 * run_path  the home's run directory.
 * Errors: CLOCK_DOWN (unreadable, unwritable or nonsense).
 */
LH_MUST_USE lh_status lh_clock_open(const struct lh_host *host, const char *run_path,
                                    struct lh_clock *out_clock);

/* Milliseconds since 1970 by which sessions are judged. */
uint64_t lh_clock_now_ms(const struct lh_clock *clock);

/* Milliseconds of CLOCK_BOOTTIME, for deadlines. */
uint64_t lh_clock_boot_ms(const struct lh_clock *clock);

/* Session time of a given boot time. */
static inline uint64_t lh_clock_at(const struct lh_clock *clock, uint64_t boot_ms)
{
    return (uint64_t)((int64_t)boot_ms + clock->offset_ms);
}

/*
 * How far the wall clock has moved away from session time, in ms (positive: wall is ahead).
 */
int64_t lh_clock_step_ms(const struct lh_clock *clock);

#endif
