/*
 * For tests: makes many sessions of one tenant as the command line makes one, each of a user of its
 * own or all of one. make_sessions HOME TENANT COUNT SECONDS [SUBJECT]; SECONDS 0: as long as the
 * tier lets them live.
 * Prints a line "reference cookie end" for each; end in ms of session time.
 */
#include "base/slice.h"

#include <leasehold/admin.h>
#include <leasehold/setup.h>

#include <stdio.h>
#include <stdlib.h>

#define SUBJECT_BYTES 32

static void say_nothing(void *self, enum lh_log_level level, lh_slice line)
{
    (void)self;
    (void)level;
    (void)line;
}

static void print_made(void *context, const struct lh_admin_credential *made)
{
    (void)context;
    (void)printf("%.*s %.*s=%.*s %llu\n", LH_SLICE_ARG(made->ref), LH_SLICE_ARG(made->cookie_name),
                 LH_SLICE_ARG(made->cookie_value), (unsigned long long)made->absolute_end_ms);
}

/* argv: as main's. */
static lh_status make_one(struct lh_admin *admin, int argc, char **argv, unsigned long number)
{
    char subject[SUBJECT_BYTES];
    (void)snprintf(subject, sizeof(subject), "user%lu", number);
    const struct lh_admin_session_spec spec = {.tenant = lh_slice_from_text(argv[2]),
                                               .subject =
                                                   lh_slice_from_text(argc > 5 ? argv[5] : subject),
                                               .ttl_s = (uint32_t)strtoul(argv[4], NULL, 10)};
    return lh_admin_session_create(admin, &spec, print_made, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        return 2;
    }
    static const struct lh_host log = {.log = say_nothing};
    struct lh_home *home = NULL;
    char why[LH_HOME_ERROR_BYTES];
    if (!lh_is_ok(lh_home_open_operator(argv[1], &log, "test", true, &home, why))) {
        (void)fprintf(stderr, "%s\n", why);
        return 3;
    }
    struct lh_admin *admin = NULL;
    lh_status status = lh_admin_new(lh_home_admin_parts(home), &admin);
    unsigned long count = strtoul(argv[3], NULL, 10);
    for (unsigned long i = 0; lh_is_ok(status) && i < count; i++) {
        status = make_one(admin, argc, argv, i);
    }
    if (!lh_is_ok(status)) {
        (void)fprintf(stderr, "%s: %s\n", lh_status_name(status), lh_admin_why(admin));
    }
    lh_admin_free(admin);
    lh_home_close(home);
    return lh_is_ok(status) ? 0 : 1;
}
