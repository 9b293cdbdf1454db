/*
 * Lines to the host's log: formatted once, bounded, control characters escaped.
 */
#ifndef LH_HOST_LOG_H
#define LH_HOST_LOG_H

#include <leasehold/host.h>

/* Longest line before escaping; the rest is cut, for a log line is no format. */
#define LH_LOG_LINE_BYTES 1024U

/*
 * Formats and logs one line. Bytes outside printable ASCII become \xNN, so that no client can end
 * a line. Values that a client chose and that must be told apart are escaped by the caller.
 * host  its log is called; format: printf rules; arguments are never secrets.
 */
void lh_log(const struct lh_host *host, enum lh_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
