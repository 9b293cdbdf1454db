/*
 * Which tenant the request speaks of: host, subdomain, X-Tenant-ID and the claim of a token,
 * resolved and held against each other. The claim only gives a name to look for: whether the token
 * is that tenant's is proved later, under its issuers. One that is unknown or disabled does not
 * end the request here: it goes on like any other until its credential is judged, so that the
 * answer and its time say nothing.
 */
#include "gate/call.h"

#include "tenant/extract.h"

#include "base/banned.h"

_Static_assert(LH_GATE_TENANT_SUBDOMAIN == LH_TENANT_FROM_SUBDOMAIN &&
                   LH_GATE_TENANT_HOST == LH_TENANT_FROM_HOST &&
                   LH_GATE_TENANT_HEADER == LH_TENANT_FROM_HEADER &&
                   LH_GATE_TENANT_CLAIM == LH_TENANT_FROM_CLAIM,
               "sources have the same bits in the public header and in the tenant room");

/* What one source says: nothing, a tenant, or a name that nobody has. */
struct claim {
    bool is_made;
    struct lh_tenant *tenant; /* owned; NULL for a name that nobody has */
};

static void claim_fini(struct claim *claim)
{
    lh_tenant_unref(claim->tenant);
    claim->tenant = NULL;
}

/* An upstream could fold "X_Tenant_ID" into X-Tenant-ID: beside it, it is one more; alone, none. */
static lh_status extract(const struct lh_gate_call *call, struct lh_tenant_hint *out_hint)
{
    const struct lh_gate_policy *policy = call->policy;
    struct lh_tenant_sources sources = {policy->tenant_from, policy->base_domains.items,
                                        policy->base_domains.count};
    lh_slice values[LH_REQUEST_HEADERS_MAX];
    size_t count = 0;
    size_t like_count = 0;
    for (size_t i = 0; i < call->request->header_count && count < LH_REQUEST_HEADERS_MAX; i++) {
        enum lh_header_kind kind = call->request->headers[i].kind;
        if (kind == LH_HEADER_TENANT || kind == LH_HEADER_TENANT_LIKE) {
            values[count++] = call->request->headers[i].value;
            like_count += kind == LH_HEADER_TENANT_LIKE;
        }
    }
    LH_ENSURE(like_count == 0 || count > 1 || (policy->tenant_from & LH_GATE_TENANT_HEADER) == 0,
              LH_MALFORMED);
    return lh_tenant_extract(&sources, call->request->host, values, count, out_hint);
}

static enum lh_reason reason_of_extract(lh_status status)
{
    switch (status.code) {
    case LH_ABSENT:
        return LH_REASON_TENANT_MISSING;
    case LH_DUPLICATE:
        return LH_REASON_TENANT_DUPLICATE;
    case LH_MALFORMED:
    case LH_TOO_LARGE:
        return LH_REASON_TENANT_MALFORMED;
    default:
        return LH_REASON_INTERNAL;
    }
}

static enum lh_reason reason_of_registry(lh_status status)
{
    return lh_status_class(status) == LH_CLASS_UNAVAILABLE ? LH_REASON_REGISTRY_DOWN
                                                           : LH_REASON_INTERNAL;
}

static lh_status claim_name(const struct lh_gate_call *call, const struct lh_tenant_id *name,
                            struct claim *out_claim)
{
    lh_status status =
        lh_directory_find_name(call->gate->parts.directory, name, call->now_ms, &out_claim->tenant);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    out_claim->is_made = true;
    return lh_ok();
}

/* A uid, or a name. */
static lh_status find_by_claim(const struct lh_gate_call *call, lh_slice claim,
                               struct lh_tenant **out_tenant)
{
    struct lh_directory *directory = call->gate->parts.directory;
    struct lh_tenant_uid uid;
    struct lh_tenant_id id;
    if (lh_is_ok(lh_tenant_uid_parse(claim, &uid))) {
        return lh_directory_find_uid(directory, &uid, call->now_ms, out_tenant);
    }
    LH_ENSURE(lh_is_ok(lh_tenant_id_parse(claim, &id)), LH_ABSENT);
    return lh_directory_find_name(directory, &id, call->now_ms, out_tenant);
}

/*
 * A token that cannot be read, or has no such claim, names nobody.
 * out_name  what it says, whether somebody has that name or not.
 */
static lh_status claim_token(struct lh_gate_call *call, struct claim *out_claim, lh_slice *out_name)
{
    struct lh_call_bearer *bearer = &call->bearer;
    if ((call->policy->tenant_from & LH_GATE_TENANT_CLAIM) == 0 || !bearer->is_there ||
        bearer->fault != LH_REASON_OK) {
        return lh_ok();
    }
    lh_status status = lh_call_read_raw_token(call);
    LH_ENSURE(status.code != LH_NO_MEMORY, LH_NO_MEMORY);
    lh_slice claim;
    if (!lh_is_ok(status) ||
        !lh_is_ok(lh_raw_token_tenant(bearer->raw, LH_SLICE_LITERAL(LH_CLAIM_TENANT), &claim))) {
        return lh_ok();
    }
    status = find_by_claim(call, claim, &out_claim->tenant);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    out_claim->is_made = true;
    *out_name = claim;
    return lh_ok();
}

/* A host that no tenant has registered says nothing if another source does. */
static lh_status claim_domain(const struct lh_gate_call *call, const struct lh_tenant_hint *hint,
                              bool has_token_claim, struct claim *out_claim)
{
    lh_status status =
        lh_directory_find_domain(call->gate->parts.directory, lh_hostname_view(&hint->host),
                                 call->now_ms, &out_claim->tenant);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    out_claim->is_made =
        lh_is_ok(status) || (!hint->has_subdomain && !hint->has_header && !has_token_claim);
    return lh_ok();
}

/*
 * Whether two sources speak of the same tenant. Two names that nobody has agree only if they are
 * one name, which names_differ tells.
 */
static bool is_agreed(const struct claim *a, const struct claim *b, bool names_differ)
{
    if (!a->is_made || !b->is_made) {
        return true;
    }
    if (a->tenant == NULL || b->tenant == NULL) {
        return a->tenant == b->tenant && !names_differ;
    }
    return lh_tenant_uid_is_equal(&a->tenant->uid, &b->tenant->uid);
}

/* The claims of one request. */
struct claims {
    struct claim subdomain;
    struct claim host;
    struct claim header;
    struct claim token;
    lh_slice token_name; /* valid with a claim of the token */
};

static void claims_fini(struct claims *claims)
{
    claim_fini(&claims->subdomain);
    claim_fini(&claims->host);
    claim_fini(&claims->header);
    claim_fini(&claims->token);
}

static lh_status resolve(struct lh_gate_call *call, const struct lh_tenant_hint *hint,
                         struct claims *claims)
{
    LH_TRY(claim_token(call, &claims->token, &claims->token_name));
    if (hint->has_subdomain) {
        LH_TRY(claim_name(call, &hint->from_subdomain, &claims->subdomain));
    }
    if (hint->has_host) {
        LH_TRY(claim_domain(call, hint, claims->token.is_made, &claims->host));
    }
    if (hint->has_header) {
        LH_TRY(claim_name(call, &hint->from_header, &claims->header));
    }
    return lh_ok();
}

static bool are_all_agreed(const struct lh_tenant_hint *hint, const struct claims *claims)
{
    return is_agreed(&claims->subdomain, &claims->host, true) &&
           is_agreed(&claims->host, &claims->header, true) &&
           is_agreed(&claims->subdomain, &claims->header,
                     !lh_tenant_id_is_equal(&hint->from_subdomain, &hint->from_header));
}

/* The tenant of whichever source names one; the others agree. */
static struct lh_tenant *pick(const struct claims *claims)
{
    if (claims->subdomain.tenant != NULL) {
        return claims->subdomain.tenant;
    }
    return claims->host.tenant != NULL ? claims->host.tenant : claims->header.tenant;
}

/*
 * What the token adds: the tenant, if nobody else names one; else it must mean the same. That it
 * does not is answered when it is verified: it is a credential that is not good here.
 */
static struct lh_tenant *hear_token(struct lh_gate_call *call, const struct claims *claims)
{
    bool is_named = claims->subdomain.is_made || claims->host.is_made || claims->header.is_made;
    struct lh_tenant *tenant = pick(claims);
    call->is_unnamed = !is_named && !claims->token.is_made;
    if (!is_named) {
        return claims->token.tenant;
    }
    if (claims->token.is_made && claims->token.tenant != tenant &&
        (tenant == NULL || claims->token.tenant == NULL ||
         !lh_tenant_uid_is_equal(&tenant->uid, &claims->token.tenant->uid))) {
        call->bearer.fault = LH_REASON_TOKEN_TENANT;
    }
    return tenant;
}

/* The name that the request goes by where no tenant has it. */
static lh_slice name_of(const struct lh_tenant_hint *hint, const struct claims *claims)
{
    if (claims->subdomain.is_made) {
        return lh_tenant_id_view(&hint->from_subdomain);
    }
    if (claims->host.is_made) {
        return lh_hostname_view(&hint->host);
    }
    return claims->header.is_made ? lh_tenant_id_view(&hint->from_header) : claims->token_name;
}

static void adopt(struct lh_gate_call *call, const struct lh_tenant_hint *hint,
                  const struct claims *claims)
{
    struct lh_tenant *tenant = hear_token(call, claims);
    call->is_host_named = claims->subdomain.is_made || claims->host.is_made;
    call->tenant_fault = call->is_unnamed ? LH_REASON_TOKEN_TENANT : LH_REASON_TENANT_UNKNOWN;
    if (tenant == NULL) {
        call->budget_slot = lh_call_slot_of_nobody(call, name_of(hint, claims));
        return;
    }
    call->tenant = lh_tenant_ref(tenant);
    call->budget_slot = tenant->slot;
    call->tenant_fault =
        tenant->state == LH_TENANT_ACTIVE ? LH_REASON_OK : LH_REASON_TENANT_DISABLED;
    call->texts->tenant_id = tenant->id;
    lh_tenant_uid_write(&tenant->uid, call->texts->uid);
    call->decision->tenant = lh_tenant_id_view(&call->texts->tenant_id);
    call->decision->uid = lh_slice_of(call->texts->uid, sizeof(call->texts->uid));
}

enum lh_step_flow lh_step_find_tenant(struct lh_gate_call *call)
{
    struct lh_tenant_hint hint;
    lh_status status = extract(call, &hint);
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, reason_of_extract(status));
    }
    LH_CLEANUP(claims_fini) struct claims claims = {.token_name = LH_SLICE_EMPTY};
    status = resolve(call, &hint, &claims);
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, reason_of_registry(status));
    }
    if (!are_all_agreed(&hint, &claims)) {
        return lh_call_refuse(call, LH_REASON_TENANT_CONFLICT);
    }
    adopt(call, &hint, &claims);
    return LH_STEP_NEXT;
}
