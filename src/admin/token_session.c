/*
 * A session and its token: the session must be the subject's, and has one token at a time.
 */
#include "admin/token_session.h"

#include "admin/session_change.h"

#include "base/banned.h"

#define MS_PER_S UINT64_C(1000)

/* --- May it have one -------------------------------------------------------------------------- */

struct seen_session {
    lh_slice subject; /* that it must have */
    bool is_seen;
    bool is_live;
    bool is_his;
    uint64_t absolute_end_ms;
};

static void see_session(void *context, const struct lh_admin_session *session)
{
    struct seen_session *seen = context;
    seen->is_seen = true;
    seen->is_live = session->is_open;
    seen->is_his = session->has_user && lh_slice_is_equal(session->subject, seen->subject);
    seen->absolute_end_ms = session->absolute_end_ms;
}

lh_status lh_admin_check_token_session(struct lh_admin *admin,
                                       const struct lh_admin_token_spec *spec, uint32_t *out_most_s)
{
    struct seen_session seen = {.subject = spec->subject};
    LH_TRY(lh_admin_session_show(admin, spec->tenant, spec->ref, see_session, &seen));
    if (!seen.is_seen || !seen.is_live) {
        return lh_admin_fail(admin, LH_KEY_DOWN, "the session cannot be opened now");
    }
    if (!seen.is_his) {
        return lh_admin_fail(admin, LH_MISMATCH, "the session is not that subject's");
    }
    uint64_t now_ms = lh_admin_now_ms(admin);
    uint64_t left_s =
        seen.absolute_end_ms > now_ms ? (seen.absolute_end_ms - now_ms) / MS_PER_S : 0;
    if (left_s == 0) {
        return lh_admin_fail(admin, LH_EXPIRED, "the session ends within a second");
    }
    *out_most_s = left_s < *out_most_s ? (uint32_t)left_s : *out_most_s;
    return lh_ok();
}

/* --- It has it -------------------------------------------------------------------------------- */

static lh_status set_waiting(struct lh_admin_session_change *change, const struct lh_token_tag *tag,
                             struct lh_session_header *out_header)
{
    struct lh_admin *admin = change->admin;
    struct lh_op op = lh_admin_op(admin);
    for (;;) {
        lh_status status = lh_vault_set_token(admin->parts.vault, &op, change->tenant,
                                              &change->loaded, tag, out_header);
        if (status.code != LH_PENDING) {
            return status;
        }
        LH_TRY(lh_admin_wait(admin, &op));
    }
}

lh_status lh_admin_give_token(struct lh_admin *admin, const struct lh_admin_token_spec *spec,
                              lh_slice jti)
{
    LH_CLEANUP(lh_admin_change_fini)
    struct lh_admin_session_change change = {.admin = admin,
                                             .tenant_id = spec->tenant,
                                             .ref = spec->ref,
                                             .what = "give the session its token"};
    struct lh_token_tag tag;
    struct lh_session_header header;
    LH_TRY(lh_admin_check(admin, lh_token_tag_of(admin->parts.crypto, jti, &tag), "tag the token"));
    LH_TRY(lh_admin_change_begin(&change));
    LH_TRY(lh_admin_explain(admin, set_waiting(&change, &tag, &header), change.what));
    const struct lh_revocation demand = {.least_generation = header.generation};
    lh_status written = lh_admin_change_commit(&change, &demand);
    if (!lh_is_ok(written)) {
        return lh_admin_fail(admin, written.code,
                             "the session has a token that nobody was given, for the registry or "
                             "the disk failed (%s); the one before is refused",
                             lh_status_text(written));
    }
    return lh_ok();
}
