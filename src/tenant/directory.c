/*
 * The cache of snapshots. A tenant is known once, by its uid; names point at it and were confirmed
 * by one of its snapshots. A look-up that hits is one hash and two counter reads.
 *
 * What is stale is always asked again by the very key that the caller gave, never by the uid that
 * the key used to mean: a name may have moved to another tenant meanwhile.
 */
#include "tenant/directory.h"

#include "base/bug.h"
#include "tenant/absent_names.h"

#include "base/banned.h"

#define DIRECTORY_MAGIC 0x64697265U

/* Room in the name tables per tenant: id, a few aliases, a few domains. */
#define NAMES_PER_TENANT 8U

struct known_name;

struct known_tenant {
    struct lh_tenant_uid uid;
    struct lh_tenant *tenant; /* one reference of ours */
    uint64_t loaded_ms;       /* session time at which the load began */
    uint64_t serial;          /* +1 per snapshot */
    struct known_name *names; /* owned */
    struct known_tenant *newer, *older;
};

struct known_name {
    struct known_tenant *owner;
    struct known_name *next; /* of the same owner */
    struct lh_map *table;    /* where it is put */
    uint64_t serial;         /* of the owner's snapshot that confirmed it */
    size_t len;
    uint8_t text[];
};

/* Names of one kind, and how the source and a snapshot are asked about them. */
struct name_table {
    struct lh_map known; /* text -> known_name */
    struct lh_absent_names absent;
    lh_status (*load)(void *self, lh_slice name, struct lh_tenant **out_tenant);
    bool (*is_of_tenant)(const struct lh_tenant *tenant, lh_slice name);
};

struct lh_directory {
    uint32_t magic;
    struct lh_directory_source source;
    struct lh_map by_uid; /* uid -> known_tenant */
    struct name_table ids;
    struct name_table domains;
    struct known_tenant *newest, *oldest; /* by use */
};

static lh_status init_table(struct name_table *table, size_t names_max,
                            const struct lh_siphash_key *hash_key)
{
    lh_map_init(&table->known, names_max, hash_key);
    return lh_absent_names_init(&table->absent, hash_key);
}

lh_status lh_directory_new(const struct lh_directory_source *source, size_t tenants_max,
                           const struct lh_siphash_key *hash_key,
                           struct lh_directory **out_directory)
{
    LH_BUG_IF(tenants_max == 0 || tenants_max > SIZE_MAX / NAMES_PER_TENANT);
    struct lh_directory *directory = calloc(1, sizeof(*directory));
    LH_ENSURE(directory != NULL, LH_NO_MEMORY);
    directory->magic = DIRECTORY_MAGIC;
    directory->source = *source;
    directory->ids.load = source->load_by_name;
    directory->ids.is_of_tenant = lh_tenant_has_name;
    directory->domains.load = source->load_by_domain;
    directory->domains.is_of_tenant = lh_tenant_has_domain;
    lh_map_init(&directory->by_uid, tenants_max, hash_key);
    lh_status status = init_table(&directory->ids, tenants_max * NAMES_PER_TENANT, hash_key);
    if (lh_is_ok(status)) {
        status = init_table(&directory->domains, tenants_max * NAMES_PER_TENANT, hash_key);
    }
    if (!lh_is_ok(status)) {
        lh_directory_free(directory);
        return status;
    }
    *out_directory = directory;
    return lh_ok();
}

/* --- The list by use -------------------------------------------------------------------------- */

static void unlink_tenant(struct lh_directory *directory, struct known_tenant *known)
{
    *(known->newer != NULL ? &known->newer->older : &directory->newest) = known->older;
    *(known->older != NULL ? &known->older->newer : &directory->oldest) = known->newer;
    known->newer = NULL;
    known->older = NULL;
}

static void link_newest(struct lh_directory *directory, struct known_tenant *known)
{
    known->older = directory->newest;
    *(directory->newest != NULL ? &directory->newest->newer : &directory->oldest) = known;
    directory->newest = known;
}

static void mark_used(struct lh_directory *directory, struct known_tenant *known)
{
    if (directory->newest != known) {
        unlink_tenant(directory, known);
        link_newest(directory, known);
    }
}

/* --- Forgetting ------------------------------------------------------------------------------- */

static void forget_names(struct known_tenant *known)
{
    while (known->names != NULL) {
        struct known_name *name = known->names;
        known->names = name->next;
        (void)lh_map_remove(name->table, lh_slice_of(name->text, name->len));
        free(name);
    }
}

static void forget_name(struct known_name *name)
{
    struct known_name **at = &name->owner->names;
    while (*at != name) {
        at = &(*at)->next;
    }
    *at = name->next;
    (void)lh_map_remove(name->table, lh_slice_of(name->text, name->len));
    free(name);
}

static void forget_tenant(struct lh_directory *directory, struct known_tenant *known)
{
    forget_names(known);
    unlink_tenant(directory, known);
    (void)lh_map_remove(&directory->by_uid, lh_tenant_uid_view(&known->uid));
    lh_tenant_unref(known->tenant);
    free(known);
}

static void fini_table(struct name_table *table)
{
    lh_map_fini(&table->known);
    lh_absent_names_fini(&table->absent);
}

void lh_directory_free(struct lh_directory *directory)
{
    if (directory == NULL) {
        return;
    }
    LH_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    while (directory->oldest != NULL) {
        forget_tenant(directory, directory->oldest);
    }
    lh_map_fini(&directory->by_uid);
    fini_table(&directory->ids);
    fini_table(&directory->domains);
    directory->magic = 0;
    free(directory);
}

/* --- Freshness -------------------------------------------------------------------------------- */

lh_status lh_directory_check_fresh(struct lh_directory *directory, const struct lh_tenant *tenant)
{
    uint64_t counter, platform_counter;
    void *self = directory->source.self;
    LH_TRY(directory->source.read_counter(self, tenant->slot, &counter));
    LH_TRY(directory->source.read_counter(self, 0, &platform_counter));
    LH_ENSURE(counter == tenant->counter && platform_counter == tenant->platform_counter,
              LH_CONFLICT);
    return lh_ok();
}

/* Errors: CONFLICT (must be loaded again), COUNTERS_DOWN. */
static lh_status check_known(struct lh_directory *directory, const struct known_tenant *known,
                             uint64_t now_ms)
{
    LH_ENSURE(known != NULL, LH_CONFLICT);
    /* A clock that went backwards proves nothing about age. */
    LH_ENSURE(now_ms >= known->loaded_ms && now_ms - known->loaded_ms < LH_DIRECTORY_AGE_MAX_MS,
              LH_CONFLICT);
    return lh_directory_check_fresh(directory, known->tenant);
}

/* Whether the owner's present snapshot still confirms the name. */
static bool is_confirmed(const struct name_table *table, struct known_name *name)
{
    if (name->serial != name->owner->serial &&
        table->is_of_tenant(name->owner->tenant, lh_slice_of(name->text, name->len))) {
        name->serial = name->owner->serial;
    }
    return name->serial == name->owner->serial;
}

/* --- Filling ---------------------------------------------------------------------------------- */

static lh_status add_tenant(struct lh_directory *directory, const struct lh_tenant_uid *uid,
                            struct known_tenant **out_known)
{
    if (directory->by_uid.count == directory->by_uid.max) {
        forget_tenant(directory, directory->oldest);
    }
    struct known_tenant *known = calloc(1, sizeof(*known));
    LH_ENSURE(known != NULL, LH_NO_MEMORY);
    known->uid = *uid;
    lh_status status = lh_map_put(&directory->by_uid, lh_tenant_uid_view(&known->uid), known);
    if (!lh_is_ok(status)) {
        free(known);
        return status;
    }
    link_newest(directory, known);
    *out_known = known;
    return lh_ok();
}

/* Keeps a snapshot: one more reference. */
static lh_status keep_snapshot(struct lh_directory *directory, struct lh_tenant *tenant,
                               uint64_t now_ms, struct known_tenant **out_known)
{
    struct known_tenant *known = lh_map_find(&directory->by_uid, lh_tenant_uid_view(&tenant->uid));
    if (known == NULL) {
        LH_TRY(add_tenant(directory, &tenant->uid, &known));
    } else {
        mark_used(directory, known);
        lh_tenant_unref(known->tenant);
    }
    known->tenant = lh_tenant_ref(tenant);
    known->loaded_ms = now_ms;
    known->serial++;
    *out_known = known;
    return lh_ok();
}

/* Makes room in a full name table at the expense of whoever was not used for longest. */
static void make_name_room(struct lh_directory *directory, const struct name_table *table,
                           struct known_tenant *keep)
{
    while (table->known.count == table->known.max && directory->oldest != keep) {
        forget_tenant(directory, directory->oldest);
    }
    if (table->known.count == table->known.max) {
        forget_names(keep);
    }
}

static lh_status add_name(struct lh_directory *directory, struct name_table *table, lh_slice text,
                          struct known_tenant *owner)
{
    make_name_room(directory, table, owner);
    struct known_name *name = calloc(1, sizeof(*name) + text.len);
    LH_ENSURE(name != NULL, LH_NO_MEMORY);
    *name = (struct known_name){.owner = owner,
                                .next = owner->names,
                                .table = &table->known,
                                .serial = owner->serial,
                                .len = text.len};
    memcpy(name->text, text.ptr, text.len);
    lh_status status = lh_map_put(&table->known, lh_slice_of(name->text, name->len), name);
    if (!lh_is_ok(status)) {
        free(name);
        return status;
    }
    owner->names = name;
    return lh_ok();
}

/* Lets the name point at the tenant that the source named. */
static lh_status bind_name(struct lh_directory *directory, struct name_table *table, lh_slice text,
                           struct known_tenant *owner)
{
    struct known_name *name = lh_map_find(&table->known, text);
    if (name != NULL && name->owner == owner) {
        name->serial = owner->serial;
        return lh_ok();
    }
    if (name != NULL) {
        forget_name(name);
    }
    return add_name(directory, table, text, owner);
}

/* Asks the source, unless it said a moment ago that there is no such name. */
static lh_status load_name(struct lh_directory *directory, struct name_table *table, lh_slice text,
                           uint64_t now_ms, struct lh_tenant **out_tenant)
{
    uint64_t counter; /* noted before the read, or a name made meanwhile would stay absent */
    LH_TRY(directory->source.read_counter(directory->source.self, 0, &counter));
    LH_ENSURE(!lh_absent_names_has(&table->absent, text, counter, now_ms, LH_DIRECTORY_AGE_MAX_MS),
              LH_ABSENT);
    lh_status status = table->load(directory->source.self, text, out_tenant);
    if (status.code == LH_ABSENT) {
        LH_TRY(lh_absent_names_note(&table->absent, text, counter, now_ms));
    }
    return status;
}

static lh_status fill_name(struct lh_directory *directory, struct name_table *table, lh_slice text,
                           uint64_t now_ms, struct lh_tenant **out_tenant)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(load_name(directory, table, text, now_ms, &tenant));
    struct known_tenant *known;
    LH_TRY(keep_snapshot(directory, tenant, now_ms, &known));
    LH_TRY(bind_name(directory, table, text, known));
    *out_tenant = lh_tenant_ref(tenant);
    return lh_ok();
}

/* --- Finding ---------------------------------------------------------------------------------- */

static lh_status find_name(struct lh_directory *directory, struct name_table *table, lh_slice text,
                           uint64_t now_ms, struct lh_tenant **out_tenant)
{
    LH_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    struct known_name *name = lh_map_find(&table->known, text);
    lh_status fresh = check_known(directory, name == NULL ? NULL : name->owner, now_ms);
    if (lh_is_ok(fresh) && is_confirmed(table, name)) {
        mark_used(directory, name->owner);
        *out_tenant = lh_tenant_ref(name->owner->tenant);
        return lh_ok();
    }
    LH_ENSURE(lh_is_ok(fresh) || fresh.code == LH_CONFLICT, fresh.code);
    return fill_name(directory, table, text, now_ms, out_tenant);
}

lh_status lh_directory_find_name(struct lh_directory *directory, const struct lh_tenant_id *name,
                                 uint64_t now_ms, struct lh_tenant **out_tenant)
{
    return find_name(directory, &directory->ids, lh_tenant_id_view(name), now_ms, out_tenant);
}

lh_status lh_directory_find_domain(struct lh_directory *directory, lh_slice domain, uint64_t now_ms,
                                   struct lh_tenant **out_tenant)
{
    return find_name(directory, &directory->domains, domain, now_ms, out_tenant);
}

lh_status lh_directory_find_uid(struct lh_directory *directory, const struct lh_tenant_uid *uid,
                                uint64_t now_ms, struct lh_tenant **out_tenant)
{
    LH_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    struct known_tenant *known = lh_map_find(&directory->by_uid, lh_tenant_uid_view(uid));
    lh_status fresh = check_known(directory, known, now_ms);
    if (lh_is_ok(fresh)) {
        mark_used(directory, known);
        *out_tenant = lh_tenant_ref(known->tenant);
        return lh_ok();
    }
    LH_ENSURE(fresh.code == LH_CONFLICT, fresh.code);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(directory->source.load_by_uid(directory->source.self, uid, &tenant));
    LH_TRY(keep_snapshot(directory, tenant, now_ms, &known));
    *out_tenant = lh_tenant_ref(tenant);
    return lh_ok();
}

void lh_directory_forget(struct lh_directory *directory, const struct lh_tenant_uid *uid)
{
    LH_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    struct known_tenant *known = lh_map_find(&directory->by_uid, lh_tenant_uid_view(uid));
    if (known != NULL) {
        forget_tenant(directory, known);
    }
}
