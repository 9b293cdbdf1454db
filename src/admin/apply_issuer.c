/*
 * A tenant's issuers: what is, what is wanted, and the difference. They are taken away with the
 * names that tenants give up and written when all else is, so that one may change its tenant.
 */
#include "admin/apply.h"

#include "base/banned.h"

/* "2 keys", or nothing. */
static lh_slice describe(const struct lh_issuer *issuer, char *text, size_t size)
{
    if (issuer == NULL) {
        return LH_SLICE_EMPTY;
    }
    (void)snprintf(text, size, "%zu key%s%s", issuer->key_count, issuer->key_count == 1 ? "" : "s",
                   issuer->is_shared ? ", shared" : "");
    return lh_slice_from_text(text);
}

static lh_status note(struct lh_apply *apply, struct lh_policy_tenant *wanted,
                      const struct lh_issuer *before, const struct lh_issuer *after)
{
    char texts[2][48];
    LH_CLEANUP(lh_buf_fini) struct lh_buf field = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add_text(&field, "issuer "));
    LH_TRY(lh_buf_add(&field, after != NULL ? after->iss : before->iss));
    const struct lh_apply_difference difference = {
        .verb = before == NULL  ? "add"
                : after == NULL ? "drop"
                                : "change",
        .kind = "tenant",
        .object = lh_tenant_id_view(&wanted->id),
        .field = lh_buf_view(&field),
        .before = describe(before, texts[0], sizeof(texts[0])),
        .after = describe(after, texts[1], sizeof(texts[1])),
    };
    wanted->are_issuers_changed = true;
    return lh_apply_note(apply, &difference);
}

/* --- Comparing -------------------------------------------------------------------------------- */

static bool has_same_keys(const struct lh_issuer *a, const struct lh_issuer *b)
{
    bool is_same = a->key_count == b->key_count;
    for (size_t i = 0; is_same && i < a->key_count; i++) {
        is_same = lh_slice_is_equal(a->keys[i].kid, b->keys[i].kid) &&
                  a->keys[i].algorithm == b->keys[i].algorithm &&
                  a->keys[i].until_ms == b->keys[i].until_ms &&
                  lh_slice_is_equal(a->keys[i].material, b->keys[i].material);
    }
    return is_same;
}

static bool has_same_audiences(const struct lh_issuer *a, const struct lh_issuer *b)
{
    bool is_same = a->audience_count == b->audience_count;
    for (size_t i = 0; is_same && i < a->audience_count; i++) {
        is_same = lh_slice_is_equal(a->audiences[i], b->audiences[i]);
    }
    return is_same;
}

static bool is_same(const struct lh_issuer *a, const struct lh_issuer *b)
{
    return a->is_shared == b->is_shared && a->skew_s == b->skew_s &&
           lh_slice_is_equal(a->bind_claim, b->bind_claim) &&
           lh_slice_is_equal(a->bind_value, b->bind_value) && lh_slice_is_equal(a->typ, b->typ) &&
           has_same_audiences(a, b) && has_same_keys(a, b);
}

static const struct lh_issuer *find_wanted(const struct lh_policy_tenant *wanted, lh_slice iss)
{
    for (size_t i = 0; i < wanted->issuer_count; i++) {
        if (lh_slice_is_equal(wanted->issuers[i].issuer.iss, iss)) {
            return &wanted->issuers[i].issuer;
        }
    }
    return NULL;
}

/* tenant: NULL if it is new. */
static lh_status tell(struct lh_apply *apply, struct lh_policy_tenant *wanted,
                      const struct lh_tenant *tenant)
{
    wanted->are_issuers_told = true;
    for (size_t i = 0; tenant != NULL && i < tenant->issuer_count; i++) {
        const struct lh_issuer *before = &tenant->issuers[i];
        const struct lh_issuer *after = find_wanted(wanted, before->iss);
        if (!before->is_own && (after == NULL || !is_same(before, after))) {
            LH_TRY(note(apply, wanted, before, after));
        }
    }
    for (size_t i = 0; i < wanted->issuer_count; i++) {
        const struct lh_issuer *after = &wanted->issuers[i].issuer;
        if (tenant == NULL || lh_tenant_find_issuer(tenant, after->iss) == NULL) {
            LH_TRY(note(apply, wanted, NULL, after));
        }
    }
    return lh_ok();
}

/* --- Writing ---------------------------------------------------------------------------------- */

lh_status lh_apply_issuer_drops(struct lh_apply *apply, struct lh_policy_tenant *wanted,
                                const struct lh_tenant *tenant)
{
    struct lh_issuer_conflict none;
    if (!wanted->has_issuers) {
        return lh_ok();
    }
    LH_TRY(tell(apply, wanted, tenant));
    if (!wanted->are_issuers_changed) {
        return lh_ok();
    }
    return lh_admin_check(apply->admin,
                          lh_registry_put_issuers(apply->txn, &tenant->uid, NULL, 0, &none),
                          "release the tenant's issuers");
}

static lh_status explain(struct lh_apply *apply, const struct lh_issuer *issuer, lh_status status,
                         const struct lh_issuer_conflict *conflict)
{
    struct lh_admin *admin = apply->admin;
    if (status.code == LH_RESERVED) {
        return lh_admin_fail(admin, LH_RESERVED,
                             "an issuer of this form is a tenant's own; it has one by itself");
    }
    if (status.code != LH_CONFLICT) {
        return lh_admin_check(admin, status, "write the tenant's issuers");
    }
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *other = NULL;
    LH_TRY(lh_admin_check(admin, lh_registry_get_tenant(apply->txn, &conflict->other, &other),
                          "read the tenant"));
    return lh_admin_fail(admin, LH_FORBIDDEN,
                         "issuer \"%.*s\" is tenant \"%.*s\"'s too, and a token could mean both: "
                         "say shared in both, and tell them apart by one claim or by audiences",
                         (int)(issuer->iss.len > 128 ? 128 : issuer->iss.len),
                         (const char *)issuer->iss.ptr,
                         LH_SLICE_ARG(lh_tenant_id_view(&other->id)));
}

static lh_status put(struct lh_apply *apply, struct lh_policy_tenant *wanted)
{
    struct lh_tenant_uid uid;
    struct lh_issuer issuers[LH_ISSUERS_MAX];
    struct lh_issuer_conflict conflict = {.index = 0};
    for (size_t i = 0; i < wanted->issuer_count; i++) {
        issuers[i] = wanted->issuers[i].issuer;
    }
    LH_TRY(lh_admin_check(apply->admin, lh_registry_find_uid(apply->txn, &wanted->id, &uid),
                          "find the tenant"));
    lh_status status =
        lh_registry_put_issuers(apply->txn, &uid, issuers, wanted->issuer_count, &conflict);
    if (lh_is_ok(status)) {
        return status;
    }
    const struct lh_policy_issuer *blamed = &wanted->issuers[conflict.index];
    return lh_apply_check(apply, &blamed->place,
                          explain(apply, &blamed->issuer, status, &conflict));
}

lh_status lh_apply_issuers(struct lh_apply *apply, struct lh_policy_tenant *wanted)
{
    if (!wanted->has_issuers) {
        return lh_ok();
    }
    if (!wanted->are_issuers_told) {
        LH_TRY(tell(apply, wanted, NULL));
    }
    return wanted->are_issuers_changed && wanted->issuer_count > 0 ? put(apply, wanted) : lh_ok();
}
