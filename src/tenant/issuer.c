/*
 * Look-ups in a tenant's issuers.
 */
#include "tenant/issuer.h"

#include "tenant/directory.h"

#include "base/banned.h"

const struct lh_issuer *lh_tenant_find_issuer(const struct lh_tenant *tenant, lh_slice iss)
{
    for (size_t i = 0; i < tenant->issuer_count; i++) {
        if (lh_slice_is_equal(tenant->issuers[i].iss, iss)) {
            return &tenant->issuers[i];
        }
    }
    return NULL;
}

static bool is_over(const struct lh_verify_key *key, uint64_t now_ms)
{
    return key->until_ms != 0 && now_ms >= key->until_ms;
}

static const struct lh_verify_key *find_only_key(const struct lh_issuer *issuer, uint64_t now_ms)
{
    const struct lh_verify_key *only = NULL;
    for (size_t i = 0; i < issuer->key_count; i++) {
        if (is_over(&issuer->keys[i], now_ms)) {
            continue;
        }
        if (only != NULL) {
            return NULL;
        }
        only = &issuer->keys[i];
    }
    return only;
}

const struct lh_verify_key *lh_issuer_find_key(const struct lh_issuer *issuer, lh_slice kid,
                                               uint64_t now_ms)
{
    if (kid.len == 0) {
        return find_only_key(issuer, now_ms);
    }
    for (size_t i = 0; i < issuer->key_count; i++) {
        if (lh_slice_is_equal(issuer->keys[i].kid, kid)) {
            return is_over(&issuer->keys[i], now_ms) ? NULL : &issuer->keys[i];
        }
    }
    return NULL;
}

bool lh_tenant_is_named_by(const struct lh_tenant *tenant, lh_slice claim)
{
    struct lh_tenant_uid uid;
    if (lh_is_ok(lh_tenant_uid_parse(claim, &uid))) {
        return lh_tenant_uid_is_equal(&uid, &tenant->uid);
    }
    return lh_tenant_has_name(tenant, claim);
}
