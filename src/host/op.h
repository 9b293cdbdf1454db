/*
 * One operation that may finish later. The caller owns the op and passes it to a function that
 * may answer PENDING; the answering side completes it exactly once, on the loop, never from
 * inside the function that started it. The owner's wake then enters the same step again, which
 * calls the same function with the same op: a completed op makes it return the result.
 */
#ifndef LH_HOST_OP_H
#define LH_HOST_OP_H

#include "base/status.h"

enum lh_op_state { LH_OP_IDLE, LH_OP_WAITING, LH_OP_COMPLETED };

struct lh_op {
    enum lh_op_state state;
    lh_status result;                 /* valid when completed */
    uint64_t deadline_ms;             /* boot clock; after it the owner gives up (TIMEOUT) */
    void (*wake)(struct lh_op *op);   /* owner's; NULL for owners that never wait */
    void (*detach)(struct lh_op *op); /* holder's: forget this op; set while waiting */
    void *holder;                     /* holder's own */
    struct lh_op *next;               /* holder's list of waiters */
};

/*
 * Makes an idle op.
 * deadline_ms  boot clock; wake: may be NULL.
 */
static inline struct lh_op lh_op_idle(uint64_t deadline_ms, void (*wake)(struct lh_op *op))
{
    return (struct lh_op){.state = LH_OP_IDLE, .deadline_ms = deadline_ms, .wake = wake};
}

/*
 * The holder takes the op as a waiter and answers PENDING.
 * detach  called when the owner cancels; must forget op and call nothing back.
 */
void lh_op_wait(struct lh_op *op, void (*detach)(struct lh_op *op), void *holder);

/* The holder's one completion; wakes the owner. On the loop only. */
void lh_op_complete(struct lh_op *op, lh_status result);

/* The owner gives up. Idempotent, allowed in every state; a late answer is dropped. */
void lh_op_cancel(struct lh_op *op);

#endif
