/*
 * Our own mistakes end the process, and say where.
 */
#include "base/bug.h"

#include "support/child.h"
#include "support/test.h"

#include <sys/wait.h>
#include <unistd.h>

#define TEST_MAGIC 0x54455354U

struct thing {
    uint32_t magic;
};

static void hold(void *context)
{
    LH_BUG_IF(*(int *)context == 1);
}

static void check_magic(void *context)
{
    struct thing *thing = context;
    LH_MAGIC_CHECK(thing, TEST_MAGIC);
}

static void test_bug__aborts_only_when_the_condition_holds(void **state)
{
    (void)state;
    int mistake = 1;
    int right = 0;
    assert_aborts(hold, &mistake);
    assert_int_equal(child_run(hold, &right), 0);
}

static void test_bug__a_foreign_object_does_not_pass_the_magic(void **state)
{
    (void)state;
    struct thing right = {TEST_MAGIC};
    struct thing freed = {0};
    assert_int_equal(child_run(check_magic, &right), 0);
    assert_aborts(check_magic, &freed);
    assert_aborts(check_magic, NULL);
}

static void say_where(void *context)
{
    int *pipe_ends = context;
    (void)dup2(pipe_ends[1], STDERR_FILENO);
    lh_bug("left > right", "base/here.c", 42);
}

static void test_bug__says_what_and_where(void **state)
{
    (void)state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    assert_aborts(say_where, pipe_ends);
    (void)close(pipe_ends[1]);
    char said[256] = {0};
    assert_true(read(pipe_ends[0], said, sizeof(said) - 1) > 0);
    (void)close(pipe_ends[0]);
    assert_string_equal(said, "leasehold: bug: \"left > right\" at base/here.c:42\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bug__aborts_only_when_the_condition_holds),
        cmocka_unit_test(test_bug__a_foreign_object_does_not_pass_the_magic),
        cmocka_unit_test(test_bug__says_what_and_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
