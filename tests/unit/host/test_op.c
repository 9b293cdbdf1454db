/*
 * The life of an operation that may finish later.
 */
#include "host/op.h"

#include "support/child.h"
#include "support/test.h"

struct owner {
    struct lh_op op; /* first: wake gets the owner from it */
    int wakes;
    int detaches;
};

static void wake_owner(struct lh_op *op)
{
    ((struct owner *)op)->wakes++;
}

static void detach_owner(struct lh_op *op)
{
    assert_string_equal(op->holder, "holder");
    ((struct owner *)op)->detaches++;
}

static struct owner waiting_owner(void)
{
    struct owner owner = {.op = lh_op_idle(5000, wake_owner)};
    lh_op_wait(&owner.op, detach_owner, (void *)(uintptr_t) "holder");
    return owner;
}

static void test_op__starts_idle_with_its_deadline(void **state)
{
    (void)state;
    struct lh_op op = lh_op_idle(5000, NULL);
    assert_int_equal(op.state, LH_OP_IDLE);
    assert_int_equal(op.deadline_ms, 5000);
}

static void test_op__completion_wakes_the_owner_once_with_the_result(void **state)
{
    (void)state;
    struct owner owner = waiting_owner();
    assert_int_equal(owner.op.state, LH_OP_WAITING);
    lh_op_complete(&owner.op, lh_status_of(LH_TIMEOUT));
    assert_int_equal(owner.op.state, LH_OP_COMPLETED);
    assert_status(owner.op.result, LH_TIMEOUT);
    assert_int_equal(owner.wakes, 1);
    assert_int_equal(owner.detaches, 0);
    assert_null(owner.op.holder);
}

static void test_op__an_owner_without_wake_only_sees_the_state(void **state)
{
    (void)state;
    struct lh_op op = lh_op_idle(0, NULL);
    lh_op_wait(&op, NULL, NULL);
    lh_op_complete(&op, lh_ok());
    assert_int_equal(op.state, LH_OP_COMPLETED);
}

static void test_op__cancel_detaches_once_and_never_wakes(void **state)
{
    (void)state;
    struct owner owner = waiting_owner();
    lh_op_cancel(&owner.op);
    lh_op_cancel(&owner.op);
    assert_int_equal(owner.op.state, LH_OP_IDLE);
    assert_int_equal(owner.detaches, 1);
    assert_int_equal(owner.wakes, 0);
}

static void test_op__cancel_is_allowed_in_every_state(void **state)
{
    (void)state;
    struct lh_op idle = lh_op_idle(0, NULL);
    lh_op_cancel(&idle);
    assert_int_equal(idle.state, LH_OP_IDLE);
    struct owner owner = waiting_owner();
    lh_op_complete(&owner.op, lh_ok());
    lh_op_cancel(&owner.op);
    assert_int_equal(owner.op.state, LH_OP_IDLE);
    assert_int_equal(owner.detaches, 0);
}

static void test_op__may_be_used_again_after_completion(void **state)
{
    (void)state;
    struct owner owner = waiting_owner();
    lh_op_complete(&owner.op, lh_ok());
    lh_op_wait(&owner.op, detach_owner, (void *)(uintptr_t) "holder");
    lh_op_complete(&owner.op, lh_status_of(LH_KEY_DOWN));
    assert_int_equal(owner.wakes, 2);
    assert_status(owner.op.result, LH_KEY_DOWN);
}

static void complete_twice(void *context)
{
    struct owner owner = waiting_owner();
    (void)context;
    lh_op_complete(&owner.op, lh_ok());
    lh_op_complete(&owner.op, lh_ok());
}

static void complete_after_cancel(void *context)
{
    struct owner owner = waiting_owner();
    (void)context;
    lh_op_cancel(&owner.op);
    lh_op_complete(&owner.op, lh_ok());
}

static void wait_twice(void *context)
{
    struct owner owner = waiting_owner();
    (void)context;
    lh_op_wait(&owner.op, detach_owner, NULL);
}

static void test_op__a_second_completion_or_wait_is_a_bug(void **state)
{
    (void)state;
    assert_aborts(complete_twice, NULL);
    assert_aborts(complete_after_cancel, NULL);
    assert_aborts(wait_twice, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_op__starts_idle_with_its_deadline),
        cmocka_unit_test(test_op__completion_wakes_the_owner_once_with_the_result),
        cmocka_unit_test(test_op__an_owner_without_wake_only_sees_the_state),
        cmocka_unit_test(test_op__cancel_detaches_once_and_never_wakes),
        cmocka_unit_test(test_op__cancel_is_allowed_in_every_state),
        cmocka_unit_test(test_op__may_be_used_again_after_completion),
        cmocka_unit_test(test_op__a_second_completion_or_wait_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
