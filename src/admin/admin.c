/*
 * The handle of operator acts, and the steps that most of them share.
 */
#include "admin/admin.h"

#include "base/bug.h"
#include "keys/node_key.h"

#include <stdarg.h>

#include "base/banned.h"

#define ADMIN_MAGIC        0x4c484144U /* "LHAD" */
#define AUDIT_FIELDS_MAX   6U
#define UNAVAILABLE_ADVICE "nothing was changed; check the disk and the home's files"

lh_status lh_admin_new(const struct lh_admin_parts *parts, struct lh_admin **out_admin)
{
    struct lh_admin *admin = calloc(1, sizeof(*admin));
    LH_ENSURE(admin != NULL, LH_NO_MEMORY);
    admin->magic = ADMIN_MAGIC;
    admin->parts = *parts;
    *out_admin = admin;
    return lh_ok();
}

void lh_admin_free(struct lh_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    LH_MAGIC_CHECK(admin, ADMIN_MAGIC);
    admin->magic = 0;
    free(admin);
}

const char *lh_admin_why(const struct lh_admin *admin)
{
    return admin->why;
}

void lh_admin_enter(struct lh_admin *admin)
{
    LH_MAGIC_CHECK(admin, ADMIN_MAGIC);
    admin->why[0] = '\0';
    admin->is_rehearsal = false;
}

lh_status lh_admin_fail(struct lh_admin *admin, enum lh_code code, const char *format, ...)
{
    LH_BUG_IF(code == LH_OK);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(admin->why, sizeof(admin->why), format, arguments);
    va_end(arguments);
    return lh_status_of(code);
}

lh_status lh_admin_check(struct lh_admin *admin, lh_status status, const char *what)
{
    if (lh_is_ok(status) || admin->why[0] != '\0') {
        return status;
    }
    enum lh_class class = lh_status_class(status);
    bool is_outage = class == LH_CLASS_UNAVAILABLE || class == LH_CLASS_RESOURCE;
    const char *fault = admin->parts.key_fault;
    bool is_of_keys = fault != NULL && fault[0] != '\0' &&
                      (status.code == LH_KEY_DOWN || status.code == LH_UNSAFE_FILE);
    return lh_admin_fail(admin, status.code, "cannot %s: %s%s%s%s%s", what, lh_status_text(status),
                         is_of_keys ? ": " : "", is_of_keys ? fault : "", is_outage ? "; " : "",
                         is_outage ? UNAVAILABLE_ADVICE : "");
}

uint64_t lh_admin_now_ms(const struct lh_admin *admin)
{
    return lh_clock_now_ms(admin->parts.clock);
}

void lh_admin_audit(struct lh_admin *admin, enum lh_audit_event event,
                    const struct lh_audit_field *fields, size_t count)
{
    LH_BUG_IF(count > AUDIT_FIELDS_MAX);
    if (admin->is_rehearsal) {
        return;
    }
    struct lh_audit_field all[AUDIT_FIELDS_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        all[i] = fields[i];
    }
    all[count] = (struct lh_audit_field){"actor", lh_slice_from_text(admin->parts.actor)};
    lh_audit_write(admin->parts.host, event, all, count + 1);
}

/* --- Finding a tenant ------------------------------------------------------------------------- */

static lh_status fail_absent(struct lh_admin *admin, const struct lh_tenant_id *id)
{
    return lh_admin_fail(admin, LH_ABSENT,
                         "there is no tenant \"%.*s\"; \"leasehold tenant list\" shows all",
                         LH_SLICE_ARG(lh_tenant_id_view(id)));
}

static lh_status parse_known_id(struct lh_admin *admin, lh_slice text, struct lh_tenant_id *out_id)
{
    if (!lh_is_ok(lh_tenant_id_parse(text, out_id))) {
        return lh_admin_fail(admin, LH_MALFORMED,
                             "that is no tenant id: 4 to 36 characters of a-z, 0-9 and \"-\"");
    }
    return lh_ok();
}

lh_status lh_admin_find(struct lh_admin *admin, lh_slice id, struct lh_tenant **out_tenant)
{
    struct lh_tenant_id name;
    LH_TRY(parse_known_id(admin, id, &name));
    const struct lh_directory_source *source = lh_registry_source(admin->parts.registry);
    lh_status status = source->load_by_name(source->self, lh_tenant_id_view(&name), out_tenant);
    if (status.code == LH_ABSENT) {
        return fail_absent(admin, &name);
    }
    return lh_admin_check(admin, status, "read the tenant");
}

/* Rows that are over, removed in passing by whoever writes: some more than one act adds. */
#define SWEPT_PER_ACT 64U

/*
 * A transaction of its own, for a sweep that finds no room must not take the act with it: only a
 * failure to begin is the act's too.
 */
static lh_status sweep_registry(struct lh_admin *admin)
{
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    size_t removed = 0;
    LH_TRY(lh_registry_begin(admin->parts.registry, &txn));
    lh_status status = lh_registry_sweep(txn, lh_admin_now_ms(admin), SWEPT_PER_ACT, &removed);
    if (lh_is_ok(status) && removed > 0) {
        (void)lh_registry_commit(txn).code; /* what stays is swept by a later act */
    }
    return lh_ok();
}

/* Private halves that sign no more and verify nothing: the sooner gone the better, but no act fails
 * for one. */
static void retire_node_keys(struct lh_admin *admin)
{
    size_t removed;
    (void)lh_node_key_retire(admin->parts.crypto, admin->parts.node_path, lh_admin_now_ms(admin),
                             &removed)
        .code;
}

lh_status lh_admin_begin(struct lh_admin *admin, struct lh_registry_txn **out_txn)
{
    static const char what[] = "begin a change of the registry";
    struct lh_registry *registry = admin->parts.registry;
    if (admin->is_rehearsal) {
        return lh_admin_check(admin, lh_registry_rehearse(registry, out_txn), what);
    }
    LH_TRY(lh_admin_check(admin, sweep_registry(admin), what));
    retire_node_keys(admin);
    return lh_admin_check(admin, lh_registry_begin(registry, out_txn), what);
}

lh_status lh_admin_take(struct lh_admin *admin, struct lh_registry_txn *txn, lh_slice id,
                        struct lh_tenant **out_tenant)
{
    struct lh_tenant_id name;
    LH_TRY(parse_known_id(admin, id, &name));
    struct lh_tenant_uid uid;
    lh_status status = lh_registry_find_uid(txn, &name, &uid);
    if (status.code == LH_ABSENT) {
        return fail_absent(admin, &name);
    }
    LH_TRY(lh_admin_check(admin, status, "find the tenant"));
    return lh_admin_check(admin, lh_registry_get_tenant(txn, &uid, out_tenant), "read the tenant");
}

lh_status lh_admin_take_living(struct lh_admin *admin, struct lh_registry_txn *txn, lh_slice id,
                               struct lh_tenant **out_tenant)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_take(admin, txn, id, &tenant));
    if (tenant->state == LH_TENANT_REMOVED) {
        return lh_admin_fail(admin, LH_FORBIDDEN, "tenant \"%.*s\" is removed, and stays so",
                             LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)));
    }
    *out_tenant = tenant;
    tenant = NULL;
    return lh_ok();
}

lh_status lh_admin_commit(struct lh_admin *admin, struct lh_registry_txn *txn)
{
    return lh_admin_check(admin, lh_registry_commit(txn), "write the registry");
}

/* --- Describing a tenant ---------------------------------------------------------------------- */

static lh_slice state_name(enum lh_tenant_state state)
{
    switch (state) {
    case LH_TENANT_ACTIVE:
        return LH_SLICE_LITERAL("active");
    case LH_TENANT_DISABLED:
        return LH_SLICE_LITERAL("disabled");
    case LH_TENANT_REMOVED:
    default:
        return LH_SLICE_LITERAL("removed");
    }
}

static void free_roles(struct lh_admin_role **roles)
{
    free(*roles);
}

static lh_status describe_roles(const struct lh_tenant *tenant, struct lh_admin_role **out_roles)
{
    struct lh_admin_role *roles = calloc(tenant->role_count + 1, sizeof(*roles));
    LH_ENSURE(roles != NULL, LH_NO_MEMORY);
    for (size_t i = 0; i < tenant->role_count; i++) {
        const struct lh_role *role = &tenant->roles[i];
        roles[i] = (struct lh_admin_role){role->name, {role->scopes, role->scope_count}};
    }
    *out_roles = roles;
    return lh_ok();
}

lh_status lh_admin_describe_tenant(const struct lh_tenant *tenant, lh_admin_tenant_fn each,
                                   void *context)
{
    char uid[LH_TENANT_UID_TEXT_BYTES];
    char cookie[LH_COOKIE_SUFFIXED_NAME_BYTES];
    lh_tenant_uid_write(&tenant->uid, uid);
    lh_cookie_suffixed_name(&tenant->uid, cookie);
    LH_CLEANUP(free_roles) struct lh_admin_role *roles = NULL;
    LH_TRY(describe_roles(tenant, &roles));
    lh_slice issuers[LH_ISSUERS_MAX];
    for (size_t i = 0; i < tenant->issuer_count; i++) {
        issuers[i] = tenant->issuers[i].iss;
    }
    lh_slice signature_keys[LH_SIGNATURE_KEYS_MAX];
    for (size_t i = 0; i < tenant->signature_key_count; i++) {
        signature_keys[i] = tenant->signature_keys[i].key_id;
    }
    const struct lh_admin_tenant view = {
        .id = lh_tenant_id_view(&tenant->id),
        .uid = LH_SLICE_OF(uid),
        .state = state_name(tenant->state),
        .tier = lh_tier_name(&tenant->tier),
        .cookie = LH_SLICE_OF(cookie),
        .aliases = {tenant->aliases, tenant->alias_count},
        .domains = {tenant->domains, tenant->domain_count},
        .roles = roles,
        .role_count = tenant->role_count,
        .issuers = {issuers, tenant->issuer_count},
        .signature_keys = {signature_keys, tenant->signature_key_count},
        .idle_s = tenant->tier.idle_s,
        .absolute_s = tenant->tier.absolute_s,
        .requests_per_s = tenant->tier.requests_per_s,
        .requests_burst = tenant->tier.requests_per_s != 0 ? tenant->tier.requests_burst : 0,
        .buckets = tenant->bucket_counts[0],
        .slot = tenant->slot,
        .epoch = tenant->epoch,
        .created_ms = tenant->created_ms,
        .active_key = tenant->active_dek,
        .key_count = tenant->dek_count,
    };
    each(context, &view);
    return lh_ok();
}
