/*
 * The life of an operation that may finish later.
 */
#include "host/op.h"

#include "base/bug.h"

#include "base/banned.h"

void lh_op_wait(struct lh_op *op, void (*detach)(struct lh_op *op), void *holder)
{
    LH_BUG_IF(op->state == LH_OP_WAITING);
    op->state = LH_OP_WAITING;
    op->detach = detach;
    op->holder = holder;
}

void lh_op_complete(struct lh_op *op, lh_status result)
{
    LH_BUG_IF(op->state != LH_OP_WAITING);
    op->state = LH_OP_COMPLETED;
    op->result = result;
    op->detach = NULL;
    op->holder = NULL;
    if (op->wake != NULL) {
        op->wake(op);
    }
}

void lh_op_cancel(struct lh_op *op)
{
    if (op->state == LH_OP_WAITING && op->detach != NULL) {
        op->detach(op);
    }
    op->state = LH_OP_IDLE;
    op->detach = NULL;
    op->holder = NULL;
}
