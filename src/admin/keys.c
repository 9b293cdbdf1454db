/*
 * Listing and rotating keys. What is shown of a key is its number and its life, never its bytes.
 */
#include "admin/signature_keys.h"
#include "admin/signing.h"

#include "keys/keys.h"
#include "keys/node_key.h"

#include "base/banned.h"

/* Data keys of one tenant at most: a rotation a week for the longest life a session may have. */
#define DEKS_MAX  64U
#define JWKS_MODE 0600U

/* --- List ------------------------------------------------------------------------------------- */

struct key_listing {
    struct lh_admin *admin;
    lh_admin_key_fn each;
    void *context;
};

static lh_slice dek_state_name(enum lh_dek_state state)
{
    switch (state) {
    case LH_DEK_PENDING:
        return LH_SLICE_LITERAL("pending");
    case LH_DEK_ACTIVE:
        return LH_SLICE_LITERAL("active");
    case LH_DEK_DECRYPT_ONLY:
        return LH_SLICE_LITERAL("decrypt-only");
    case LH_DEK_DESTROYED:
    default:
        return LH_SLICE_LITERAL("destroyed");
    }
}

static void describe_dek(const struct lh_tenant *tenant, const struct lh_wrapped_dek *dek,
                         lh_admin_key_fn each, void *context)
{
    char id[16];
    (void)snprintf(id, sizeof(id), "%u", dek->id);
    const struct lh_admin_key view = {
        .kind = LH_SLICE_LITERAL("tenant"),
        .tenant = lh_tenant_id_view(&tenant->id),
        .id = lh_slice_from_text(id),
        .state = dek_state_name(dek->state),
        .created_ms = dek->created_ms,
        .until_ms = dek->retire_ms,
    };
    each(context, &view);
}

static bool list_tenant_keys(void *context, const struct lh_tenant *tenant)
{
    const struct key_listing *listing = context;
    for (size_t i = 0; i < tenant->dek_count; i++) {
        describe_dek(tenant, &tenant->deks[i], listing->each, listing->context);
    }
    for (size_t i = 0; i < tenant->signing_key_count; i++) {
        lh_admin_describe_signing_key(tenant, i, lh_admin_now_ms(listing->admin), listing->each,
                                      listing->context);
    }
    for (size_t i = 0; i < tenant->signature_key_count; i++) {
        lh_admin_describe_signature_key(tenant, i, lh_admin_now_ms(listing->admin), listing->each,
                                        listing->context);
    }
    return true;
}

static void describe_node_key(const struct lh_node_key *key, uint64_t now_ms, lh_admin_key_fn each,
                              void *context)
{
    lh_slice state = LH_SLICE_LITERAL("active");
    if (key->use_from_ms > now_ms) {
        state = LH_SLICE_LITERAL("pending");
    } else if (key->last_use_ms != 0 && key->last_use_ms <= now_ms) {
        state = LH_SLICE_LITERAL("verify-only");
    }
    const struct lh_admin_key view = {
        .kind = LH_SLICE_LITERAL("node"),
        .id = lh_node_kid_view(&key->kid),
        .state = state,
        .created_ms = key->created_ms,
        .from_ms = key->use_from_ms,
        .until_ms = key->last_use_ms == 0 ? 0 : key->last_use_ms + LH_NODE_KEY_LINGER_MS,
    };
    each(context, &view);
}

static lh_status list_node_keys(const struct key_listing *listing)
{
    struct lh_admin *admin = listing->admin;
    struct lh_node_keys *keys = NULL;
    LH_TRY(lh_admin_check(admin,
                          lh_node_keys_open(admin->parts.crypto, admin->parts.node_path, &keys),
                          "read the node's keys"));
    uint64_t now_ms = lh_admin_now_ms(admin);
    for (size_t i = 0; i < lh_node_keys_count(keys); i++) {
        describe_node_key(lh_node_keys_at(keys, i), now_ms, listing->each, listing->context);
    }
    lh_node_keys_close(keys);
    return lh_ok();
}

static void list_cell(const struct key_listing *listing)
{
    char id[8];
    (void)snprintf(id, sizeof(id), "%u", (unsigned)lh_cell_key_id(listing->admin->parts.cell));
    const struct lh_admin_key view = {.kind = LH_SLICE_LITERAL("cell"),
                                      .id = lh_slice_from_text(id),
                                      .state = LH_SLICE_LITERAL("active")};
    listing->each(listing->context, &view);
}

lh_status lh_admin_key_list(struct lh_admin *admin, lh_slice tenant_id, lh_admin_key_fn each,
                            void *context)
{
    lh_admin_enter(admin);
    struct key_listing listing = {admin, each, context};
    if (tenant_id.len > 0) {
        LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
        LH_TRY(lh_admin_find(admin, tenant_id, &tenant));
        (void)list_tenant_keys(&listing, tenant);
        return lh_ok();
    }
    list_cell(&listing);
    LH_TRY(list_node_keys(&listing));
    return lh_admin_check(
        admin, lh_registry_each_tenant(admin->parts.registry, list_tenant_keys, &listing),
        "read the tenants");
}

/* --- Rotate a tenant's key -------------------------------------------------------------------- */

/* What becomes of an existing key when a new one is made. returns: whether it changed. */
static bool step_down(struct lh_wrapped_dek *dek, uint64_t now_ms)
{
    if (dek->state == LH_DEK_ACTIVE || dek->state == LH_DEK_PENDING) {
        dek->state = LH_DEK_DECRYPT_ONLY;
        dek->retire_ms = now_ms + LH_ADMIN_LONGEST_LIFE_MS;
        return true;
    }
    if (dek->state == LH_DEK_DECRYPT_ONLY && dek->retire_ms <= now_ms) {
        dek->state = LH_DEK_DESTROYED;
        dek->blob = LH_SLICE_EMPTY;
        return true;
    }
    return false;
}

static lh_status step_all_down(struct lh_registry_txn *txn, struct lh_tenant *tenant,
                               uint64_t now_ms, uint32_t *out_next_id)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < tenant->dek_count; i++) {
        struct lh_wrapped_dek *dek = &tenant->deks[i];
        highest = dek->id > highest ? dek->id : highest;
        if (step_down(dek, now_ms)) {
            LH_TRY(lh_registry_put_dek(txn, &tenant->uid, dek));
        }
    }
    *out_next_id = highest + 1;
    return lh_ok();
}

/*
 * The new key is active in the very transaction that adds it, and is not pending first. Pending
 * is for machines that learn late: a record sealed under a key that a worker does not know yet
 * would be unknown there. On one machine a worker can be late only between the commit and the
 * second raise of the tenant's counter; the gate therefore asks the registry once more before it
 * calls a record altered whose key it does not know.
 */
static lh_status add_active(struct lh_admin *admin, struct lh_registry_txn *txn,
                            struct lh_tenant *tenant, uint32_t id, struct lh_wrapped_dek *out_dek)
{
    const struct lh_wrap_scope scope = {.purpose = LH_WRAP_DEK, .uid = tenant->uid, .key_id = id};
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = lh_buf_bounded(LH_WRAPPED_MAX_BYTES);
    LH_TRY(lh_keys_generate(admin->parts.keys, admin->parts.crypto, &scope, &blob));
    struct lh_wrapped_dek dek = {.id = id,
                                 .state = LH_DEK_ACTIVE,
                                 .created_ms = lh_admin_now_ms(admin),
                                 .blob = lh_buf_view(&blob)};
    LH_TRY(lh_registry_put_dek(txn, &tenant->uid, &dek));
    LH_TRY(lh_admin_reseal_secrets(admin, txn, tenant, &dek));
    tenant->active_dek = id;
    LH_TRY(lh_registry_put_tenant(txn, tenant));
    dek.blob = LH_SLICE_EMPTY;
    *out_dek = dek;
    return lh_ok();
}

static size_t count_usable(const struct lh_tenant *tenant)
{
    size_t usable = 0;
    for (size_t i = 0; i < tenant->dek_count; i++) {
        usable += tenant->deks[i].state != LH_DEK_DESTROYED ? 1U : 0U;
    }
    return usable;
}

static lh_status write_rotation(struct lh_admin *admin, struct lh_registry_txn *txn,
                                struct lh_tenant *tenant, struct lh_wrapped_dek *out_dek)
{
    uint32_t id = 0;
    LH_TRY(lh_admin_check(admin, step_all_down(txn, tenant, lh_admin_now_ms(admin), &id),
                          "write the tenant's keys"));
    if (count_usable(tenant) >= DEKS_MAX) {
        return lh_admin_fail(admin, LH_LIMITED,
                             "tenant \"%.*s\" has %u keys that sessions may still need; rotate "
                             "again when the oldest is over",
                             LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)), DEKS_MAX);
    }
    LH_TRY(lh_admin_check(admin, add_active(admin, txn, tenant, id, out_dek),
                          "make the tenant's new key"));
    return lh_admin_commit(admin, txn);
}

static void audit_rotated(struct lh_admin *admin, const struct lh_tenant *tenant, uint32_t id)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", id);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"key", lh_slice_from_text(text)}};
    lh_admin_audit(admin, LH_AUDIT_key_rotated, fields, 2);
}

lh_status lh_admin_key_rotate(struct lh_admin *admin, lh_slice tenant_id, lh_admin_key_fn each,
                              void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take_living(admin, txn, tenant_id, &tenant));
    struct lh_wrapped_dek dek;
    LH_TRY(write_rotation(admin, txn, tenant, &dek));
    lh_registry_end(&txn);
    audit_rotated(admin, tenant, dek.id);
    describe_dek(tenant, &dek, each, context);
    return lh_ok();
}

/* --- Rotate all ------------------------------------------------------------------------------- */

typedef lh_status (*rotate_fn)(struct lh_admin *admin, lh_slice tenant_id, lh_admin_key_fn each,
                               void *context);

struct id_list {
    struct lh_buf ids; /* struct lh_tenant_id, one after the other */
    lh_status status;
    bool is_of_signers; /* only who has a signing key */
    rotate_fn rotate;
};

static bool add_id(void *context, const struct lh_tenant *tenant)
{
    struct id_list *list = context;
    if (tenant->state == LH_TENANT_REMOVED ||
        (list->is_of_signers && tenant->signing_key_count == 0)) {
        return true;
    }
    list->status = lh_buf_add(&list->ids, LH_SLICE_OF(tenant->id));
    return lh_is_ok(list->status);
}

static lh_status rotate_listed(struct lh_admin *admin, const struct id_list *list,
                               lh_admin_key_fn each, void *context)
{
    struct lh_cursor cursor = lh_cursor_over(lh_buf_view(&list->ids));
    while (cursor.rest.len > 0) {
        struct lh_tenant_id id;
        LH_TRY(lh_cursor_copy(&cursor, &id, sizeof(id)));
        lh_status status = list->rotate(admin, lh_tenant_id_view(&id), each, context);
        /* Removed or renamed since the list was made: not ours to rotate any more. */
        bool is_gone = status.code == LH_ABSENT || status.code == LH_FORBIDDEN;
        bool is_waiting = status.code == LH_LIMITED && list->is_of_signers;
        if (!is_gone && !is_waiting) {
            LH_TRY(status);
        }
    }
    return lh_ok();
}

static lh_status rotate_all(struct lh_admin *admin, struct id_list *list, lh_admin_key_fn each,
                            void *context)
{
    lh_admin_enter(admin);
    lh_status status = lh_registry_each_tenant(admin->parts.registry, add_id, list);
    if (lh_is_ok(status)) {
        status = list->status;
    }
    status = lh_admin_check(admin, status, "read the tenants");
    if (lh_is_ok(status)) {
        status = rotate_listed(admin, list, each, context);
    }
    lh_buf_fini(&list->ids);
    return status;
}

lh_status lh_admin_key_rotate_all(struct lh_admin *admin, lh_admin_key_fn each, void *context)
{
    struct id_list list = {.ids = LH_BUF_EMPTY, .rotate = lh_admin_key_rotate};
    return rotate_all(admin, &list, each, context);
}

lh_status lh_admin_key_rotate_signing_all(struct lh_admin *admin, lh_admin_key_fn each,
                                          void *context)
{
    struct id_list list = {
        .ids = LH_BUF_EMPTY, .is_of_signers = true, .rotate = lh_admin_key_rotate_signing};
    return rotate_all(admin, &list, each, context);
}

/* --- Rotate the node's key -------------------------------------------------------------------- */

/* Tells of a key that was just made. Errors: as lh_node_keys_open. */
static lh_status show_node_key(struct lh_admin *admin, const struct lh_node_kid *kid,
                               uint64_t now_ms, const struct key_listing *listing)
{
    struct lh_node_keys *keys = NULL;
    LH_TRY(lh_node_keys_open(admin->parts.crypto, admin->parts.node_path, &keys));
    for (size_t i = 0; i < lh_node_keys_count(keys); i++) {
        const struct lh_node_key *key = lh_node_keys_at(keys, i);
        if (lh_slice_is_equal(lh_node_kid_view(&key->kid), lh_node_kid_view(kid))) {
            describe_node_key(key, now_ms, listing->each, listing->context);
        }
    }
    lh_node_keys_close(keys);
    return lh_ok();
}

lh_status lh_admin_key_rotate_node(struct lh_admin *admin, lh_admin_key_fn each, void *context)
{
    lh_admin_enter(admin);
    char name[LH_NODE_NAME_MAX_BYTES + 1];
    lh_node_name_of_host(name);
    uint64_t now_ms = lh_admin_now_ms(admin);
    const struct lh_node_key_place place = {
        .dir = admin->parts.node_path, .jwks = admin->parts.jwks_path, .jwks_mode = JWKS_MODE};
    struct lh_node_kid kid;
    lh_status status =
        lh_node_key_create(admin->parts.crypto, &place, lh_slice_from_text(name), now_ms, &kid);
    if (status.code == LH_LIMITED) {
        return lh_admin_fail(admin, LH_LIMITED,
                             "too many keys of this node wait or are still verified; each takes 10 "
                             "minutes");
    }
    LH_TRY(lh_admin_check(admin, status, "make the node's key"));
    const struct lh_audit_field field = {"kid", lh_node_kid_view(&kid)};
    lh_admin_audit(admin, LH_AUDIT_node_key_rotated, &field, 1);
    const struct key_listing listing = {admin, each, context};
    return lh_admin_check(admin, show_node_key(admin, &kid, now_ms, &listing),
                          "read the node's keys");
}
