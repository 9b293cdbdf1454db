/*
 * Bodies of signed requests: hashed as they arrive, and judged before anything of them goes on. A
 * decision that has passed becomes a refusal where the body is another than the one that was
 * signed.
 */
#include "gate/call.h"

#include "base/bug.h"

#include "base/banned.h"

#define BODY_MAGIC 0x67626479U

struct lh_gate_body {
    uint32_t magic;
    struct lh_gate *gate;
    const struct lh_gate_policy *policy;
    const struct lh_request *request;
    struct lh_decision *decision;
    struct lh_body_digest digest;
    lh_status status; /* what failed first */
};

lh_status lh_gate_body_begin(struct lh_gate *gate, const struct lh_gate_policy *policy,
                             const struct lh_request *request, struct lh_decision *decision,
                             struct lh_gate_body **out_body)
{
    LH_BUG_IF(gate == NULL || decision->signed_body == NULL);
    struct lh_gate_body *body = calloc(1, sizeof(*body));
    LH_ENSURE(body != NULL, LH_NO_MEMORY);
    *body = (struct lh_gate_body){.magic = BODY_MAGIC,
                                  .gate = gate,
                                  .policy = policy,
                                  .request = request,
                                  .decision = decision,
                                  .digest = LH_BODY_DIGEST_EMPTY,
                                  .status = lh_ok()};
    lh_status status =
        lh_body_digest_begin(gate->parts.crypto, decision->signed_body, &body->digest);
    if (!lh_is_ok(status)) {
        lh_gate_body_free(body);
        return status;
    }
    *out_body = body;
    return lh_ok();
}

void lh_gate_body_add(struct lh_gate_body *body, lh_slice piece)
{
    LH_MAGIC_CHECK(body, BODY_MAGIC);
    if (lh_is_ok(body->status)) {
        body->status = lh_body_digest_update(&body->digest, piece);
    }
}

static void refuse(struct lh_gate_body *body, enum lh_reason reason)
{
    struct lh_gate *gate = body->gate;
    const struct lh_refusal refusal = {.reason = reason,
                                       .step = "signed_body",
                                       .tenant = body->decision->tenant,
                                       .request_id = body->request->request_id};
    lh_refusal_log_write(&gate->log, gate->parts.host, &refusal,
                         lh_clock_now_ms(gate->parts.clock));
    lh_decision_refuse(body->decision, reason);
    lh_decision_challenge(body->decision, body->policy->credentials);
}

void lh_gate_body_end(struct lh_gate_body *body)
{
    LH_MAGIC_CHECK(body, BODY_MAGIC);
    lh_status status = body->status;
    if (lh_is_ok(status)) {
        status = lh_body_digest_finish(&body->digest);
    }
    if (!lh_is_ok(status)) {
        refuse(body, status.code == LH_MISMATCH ? LH_REASON_SIGNATURE_BODY : LH_REASON_INTERNAL);
    }
}

void lh_gate_body_free(struct lh_gate_body *body)
{
    if (body == NULL) {
        return;
    }
    LH_MAGIC_CHECK(body, BODY_MAGIC);
    lh_body_digest_fini(&body->digest);
    body->magic = 0;
    free(body);
}
