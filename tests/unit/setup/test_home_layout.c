/*
 * Why a home cannot be used, in one line.
 */
#include "support/test.h"

#include "setup/home_layout.h"
#include "support/made_home.h"

#include <sys/stat.h>
#include <unistd.h>

static char why[512];

static void refuses(const struct lh_home_layout *layout, enum lh_code code, const char *what)
{
    assert_status(lh_home_layout_check(layout, (unsigned)geteuid(), why, sizeof(why)), code);
    if (strstr(why, what) == NULL) {
        fail_msg("got \"%s\", expected something with \"%s\"", why, what);
    }
    assert_null(strchr(why, '\n'));
}

static int set_up(void **state)
{
    struct made_home *made = calloc(1, sizeof(*made));
    made_home_init(made);
    *state = made;
    return 0;
}

static int tear_down(void **state)
{
    made_home_fini(*state);
    free(*state);
    return 0;
}

static struct lh_home_layout layout_of(const struct made_home *made)
{
    struct lh_home_layout layout;
    assert_ok(lh_home_layout_init(made->path, &layout));
    return layout;
}

static void test_home_layout_init__spells_paths_without_the_last_slash(void **state)
{
    (void)state;
    struct lh_home_layout layout;
    assert_ok(lh_home_layout_init("/srv/home//", &layout));
    assert_string_equal(layout.home, "/srv/home");
    assert_string_equal(layout.jwks, "/srv/home/public/jwks.json");
    assert_status(lh_home_layout_init("", &layout), LH_INVALID);
    char longest[LH_HOME_PATH_MAX_BYTES + 2];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_status(lh_home_layout_init(longest, &layout), LH_TOO_LARGE);
}

static void test_home_layout_check__a_made_home_is_fine(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    assert_ok(lh_home_layout_check(&layout, (unsigned)geteuid(), why, sizeof(why)));
}

static void test_home_layout_check__a_missing_home_names_init(void **state)
{
    (void)state;
    struct lh_home_layout layout;
    assert_ok(lh_home_layout_init("/nonexistent/home", &layout));
    refuses(&layout, LH_UNREADABLE, "there is no home at /nonexistent/home");
}

static void test_home_layout_check__another_users_home_names_both(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    assert_status(lh_home_layout_check(&layout, (unsigned)geteuid() + 1, why, sizeof(why)),
                  LH_UNSAFE_FILE);
    assert_non_null(strstr(why, "belongs to user"));
}

static void test_home_layout_check__a_home_open_to_others_is_unsafe(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    assert_int_equal(chmod(layout.home, 0750), 0);
    refuses(&layout, LH_UNSAFE_FILE, "chmod 700");
    assert_int_equal(chmod(layout.home, 0701), 0);
    refuses(&layout, LH_UNSAFE_FILE, "chmod 700");
}

static void test_home_layout_check__an_unfinished_home_is_named(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    FILE *file = fopen(layout.unfinished, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    refuses(&layout, LH_UNREADABLE, "unfinished home");
}

static void test_home_layout_check__a_directory_that_is_no_home_is_named(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    assert_int_equal(unlink(layout.settings), 0);
    refuses(&layout, LH_UNREADABLE, "not a home");
}

static void test_home_layout_check__a_missing_part_is_damage(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    assert_int_equal(unlink(layout.jwks), 0);
    assert_int_equal(rmdir(layout.public), 0);
    refuses(&layout, LH_UNREADABLE, "public is missing");
}

static void test_home_layout_check__a_link_in_place_of_a_directory_is_unsafe(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    assert_int_equal(unlink(layout.jwks), 0);
    assert_int_equal(rmdir(layout.public), 0);
    assert_int_equal(symlink("/etc", layout.public), 0);
    refuses(&layout, LH_UNSAFE_FILE, "public must be a directory");
}

static void test_home_layout_check__a_keyring_open_to_others_is_unsafe(void **state)
{
    struct lh_home_layout layout = layout_of(*state);
    assert_int_equal(chmod(layout.keyring, 0755), 0);
    refuses(&layout, LH_UNSAFE_FILE, "keyring must be a directory");
}

static void test_home_find_closed__names_the_directory_that_is_closed(void **state)
{
    const struct made_home *made = *state;
    char directory[SCRATCH_PATH_BYTES];
    assert_false(lh_home_find_closed(made->path, directory, sizeof(directory)));
    if (geteuid() == 0) {
        skip(); /* root enters everywhere */
    }
    assert_int_equal(chmod(made->dir.path, 0600), 0);
    bool is_closed = lh_home_find_closed(made->path, directory, sizeof(directory));
    assert_int_equal(chmod(made->dir.path, 0700), 0);
    assert_true(is_closed);
    assert_string_equal(directory, made->dir.path);
}

static void test_home_check__says_the_same_without_opening(void **state)
{
    const struct made_home *made = *state;
    char error[LH_HOME_ERROR_BYTES];
    assert_ok(lh_home_check(made->path, error));
    assert_status(lh_home_check("/nonexistent/home", error), LH_UNREADABLE);
    assert_non_null(strstr(error, "there is no home"));
    assert_status(lh_home_check("", error), LH_INVALID);
}

#define WITH_HOME(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_home_layout_init__spells_paths_without_the_last_slash),
        cmocka_unit_test(test_home_layout_check__a_missing_home_names_init),
        WITH_HOME(test_home_layout_check__a_made_home_is_fine),
        WITH_HOME(test_home_layout_check__another_users_home_names_both),
        WITH_HOME(test_home_layout_check__a_home_open_to_others_is_unsafe),
        WITH_HOME(test_home_layout_check__an_unfinished_home_is_named),
        WITH_HOME(test_home_layout_check__a_directory_that_is_no_home_is_named),
        WITH_HOME(test_home_layout_check__a_missing_part_is_damage),
        WITH_HOME(test_home_layout_check__a_link_in_place_of_a_directory_is_unsafe),
        WITH_HOME(test_home_layout_check__a_keyring_open_to_others_is_unsafe),
        WITH_HOME(test_home_find_closed__names_the_directory_that_is_closed),
        WITH_HOME(test_home_check__says_the_same_without_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
