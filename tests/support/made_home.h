/*
 * A home of one test, really made and opened for operator acts over a fake host, and the acts.
 */
#ifndef LH_TESTS_SUPPORT_MADE_HOME_H
#define LH_TESTS_SUPPORT_MADE_HOME_H

#include <leasehold/admin.h>
#include <leasehold/setup.h>

#include "support/fake_host.h"
#include "support/scratch_dir.h"

struct made_home {
    struct scratch_dir dir;
    char path[SCRATCH_PATH_BYTES];
    struct fake_host fake;
    struct lh_home *home;
    struct lh_admin *admin;
};

/* Makes a home and opens it, with its session store. */
void made_home_init(struct made_home *made);
/* Closes and opens it again, as another process would find it. */
void made_home_reopen(struct made_home *made);
/* Closes it; the directory stays. */
void made_home_close(struct made_home *made);
/* Closes and removes it. */
void made_home_fini(struct made_home *made);
/* Writes the path of something in it. */
void made_home_path(const struct made_home *made, const char *name,
                    char out_path[SCRATCH_PATH_BYTES]);
/* Adds a line to its leasehold.conf. */
void made_home_set(const struct made_home *made, const char *line);
/* How many times a text stands in the log. */
size_t made_home_logged(const struct made_home *made, const char *text);

#endif
