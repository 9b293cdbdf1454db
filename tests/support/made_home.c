/*
 * Making and opening homes.
 */
#include "support/made_home.h"

#include "support/test.h"

void made_home_path(const struct made_home *made, const char *name,
                    char out_path[SCRATCH_PATH_BYTES])
{
    int len = snprintf(out_path, SCRATCH_PATH_BYTES, "%s/%s", made->path, name);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
}

void made_home_set(const struct made_home *made, const char *line)
{
    char path[SCRATCH_PATH_BYTES];
    made_home_path(made, "leasehold.conf", path);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", line) > 0);
    assert_int_equal(fclose(file), 0);
}

static void open_home(struct made_home *made)
{
    char why[LH_HOME_ERROR_BYTES];
    lh_status status =
        lh_home_open_operator(made->path, &made->fake.host, "cli:test", true, &made->home, why);
    if (!lh_is_ok(status)) {
        fail_msg("cannot open the home: %s", why);
    }
    assert_ok(lh_admin_new(lh_home_admin_parts(made->home), &made->admin));
}

void made_home_init(struct made_home *made)
{
    *made = (struct made_home){.home = NULL};
    scratch_dir_init(&made->dir);
    scratch_dir_path(&made->dir, "home", made->path);
    fake_host_init(&made->fake);
    const struct lh_home_plan plan = {.path = made->path, .host = &made->fake.host};
    char why[LH_HOME_ERROR_BYTES];
    lh_status status = lh_home_create(&plan, why);
    if (!lh_is_ok(status)) {
        fail_msg("cannot make the home: %s", why);
    }
    open_home(made);
}

void made_home_close(struct made_home *made)
{
    lh_admin_free(made->admin);
    lh_home_close(made->home);
    made->admin = NULL;
    made->home = NULL;
}

void made_home_reopen(struct made_home *made)
{
    made_home_close(made);
    open_home(made);
}

void made_home_fini(struct made_home *made)
{
    made_home_close(made);
    scratch_dir_fini(&made->dir);
}

size_t made_home_logged(const struct made_home *made, const char *text)
{
    size_t count = 0;
    for (const char *at = strstr(made->fake.log, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    return count;
}
