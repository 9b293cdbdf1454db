/*
 * One log line: formatted into a fixed buffer, made printable, handed to the host.
 */
#include "host/log.h"

#include "base/slice.h"

#include <stdarg.h>

#include "base/banned.h"

/* Writes one byte as it may stand in a log. Returns the number of characters. */
static size_t escape_byte(char *out, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    if (byte >= 0x20 && byte < 0x7f) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex[byte >> 4];
    out[3] = hex[byte & 15];
    return 4;
}

void lh_log(const struct lh_host *host, enum lh_log_level level, const char *format, ...)
{
    char raw[LH_LOG_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    if (len < 0) {
        return;
    }
    size_t raw_len = (size_t)len < sizeof(raw) ? (size_t)len : sizeof(raw) - 1;
    char line[LH_LOG_LINE_BYTES * 4];
    size_t at = 0;
    for (size_t i = 0; i < raw_len; i++) {
        at += escape_byte(line + at, (uint8_t)raw[i]);
    }
    host->log(host->self, level, lh_slice_of(line, at));
}
