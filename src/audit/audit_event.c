/*
 * Audit events as log lines, until the audit log takes them.
 */
#include "audit/audit_event.h"

#include "base/bug.h"
#include "host/log.h"

#include "base/banned.h"

struct event_row {
    const char *name;
    enum lh_audit_class class;
};

static const struct event_row event_rows[LH_AUDIT_EVENT_COUNT] = {
#define EVENT_ROW(event_name, event_class)                                                         \
    [LH_AUDIT_##event_name] = {#event_name, LH_AUDIT_##event_class},
    LH_AUDIT_EVENTS(EVENT_ROW)
#undef EVENT_ROW
};

const char *lh_audit_event_name(enum lh_audit_event event)
{
    LH_BUG_IF((unsigned)event >= (unsigned)LH_AUDIT_EVENT_COUNT);
    return event_rows[event].name;
}

enum lh_audit_class lh_audit_event_class(enum lh_audit_event event)
{
    LH_BUG_IF((unsigned)event >= (unsigned)LH_AUDIT_EVENT_COUNT);
    return event_rows[event].class;
}

struct line {
    char text[LH_LOG_LINE_BYTES];
    size_t len; /* always < sizeof(text) */
};

static void put_byte(struct line *line, char byte)
{
    if (line->len + 1 < sizeof(line->text)) {
        line->text[line->len++] = byte;
    }
}

static void put_text(struct line *line, const char *text)
{
    for (; *text != '\0'; text++) {
        put_byte(line, *text);
    }
}

static bool is_plain(uint8_t byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '=' && byte != '"' && byte != '\'' && byte != '\\';
}

static void put_value(struct line *line, lh_slice value)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < value.len; i++) {
        if (is_plain(value.ptr[i])) {
            put_byte(line, (char)value.ptr[i]);
        } else {
            put_text(line, "\\x");
            put_byte(line, hex[value.ptr[i] >> 4]);
            put_byte(line, hex[value.ptr[i] & 15]);
        }
    }
}

void lh_audit_write(const struct lh_host *host, enum lh_audit_event event,
                    const struct lh_audit_field *fields, size_t count)
{
    struct line line = {.len = 0};
    put_text(&line, "leasehold: audit ");
    put_text(&line, lh_audit_event_name(event));
    for (size_t i = 0; i < count; i++) {
        put_byte(&line, ' ');
        put_text(&line, fields[i].key);
        put_byte(&line, '=');
        put_value(&line, fields[i].value);
    }
    line.text[line.len] = '\0';
    lh_log(host, LH_LOG_ERROR, "%s", line.text);
}
