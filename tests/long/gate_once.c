/*
 * Asks the real gate of a home, as a worker opens it, about sessions: reads lines "tenant cookie"
 * from standard input, answers each with a line "status reason". Exit 3: the home cannot be opened.
 */
#include "asked_gate.h"

#include "base/slice.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024U

static void print_line(void *self, enum lh_log_level level, lh_slice line)
{
    (void)self;
    if (level <= LH_LOG_WARN) {
        (void)fprintf(stderr, "%.*s\n", LH_SLICE_ARG(line));
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    static const struct lh_host log = {.log = print_line};
    struct asked_gate asked = {.home = NULL};
    char why[LH_HOME_ERROR_BYTES];
    if (!lh_is_ok(asked_gate_open(&asked, argv[1], &log, why))) {
        (void)fprintf(stderr, "%s\n", why);
        return 3;
    }
    char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *space = strchr(line, ' ');
        if (space == NULL) {
            return 2;
        }
        *space = '\0';
        enum lh_reason reason = asked_gate_ask(&asked, line, space + 1);
        unsigned status = lh_reason_http_status(reason);
        (void)printf("%u %s\n", status == 0 ? 200 : status, lh_reason_name(reason));
    }
    asked_gate_close(&asked);
    return 0;
}
