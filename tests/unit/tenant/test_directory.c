/*
 * The cache of snapshots over a scripted source: when it may answer from memory and when not.
 */
#include "support/test.h"

#include "tenant/directory.h"

#define TENANTS       40U
#define SLOTS         (TENANTS + 1)
#define CACHE_TENANTS 4U
#define NOW_MS        1000000U

/* Tenant i is called "tenant-<i>", has slot i + 1 and one domain. */
struct scripted_source {
    uint64_t counters[SLOTS];
    bool counters_are_down;
    bool is_down;
    unsigned loads;
    /* Where "moving" leads: an index, or TENANTS for nowhere. */
    unsigned moving_owner;
    unsigned extra_aliases; /* of tenant 0 */
    struct lh_directory *directory;
};

static lh_status read_counter(void *self, uint32_t slot, uint64_t *out_value)
{
    struct scripted_source *source = self;
    LH_ENSURE(!source->counters_are_down && slot < SLOTS, LH_COUNTERS_DOWN);
    *out_value = source->counters[slot];
    return lh_ok();
}

static struct lh_tenant_uid uid_of(unsigned index)
{
    struct lh_tenant_uid uid = {{0}};
    uid.bytes[0] = (uint8_t)(index + 1);
    return uid;
}

static void add_slice(struct lh_tenant *tenant, lh_slice **list, size_t *count, size_t room,
                      const char *text)
{
    if (*list == NULL) {
        void *memory;
        assert_ok(lh_arena_take(&tenant->arena, room * sizeof(lh_slice), &memory));
        *list = memory;
    }
    assert_ok(lh_arena_dup(&tenant->arena, lh_slice_from_text(text), &(*list)[(*count)++]));
}

static void fill_names(const struct scripted_source *source, unsigned index,
                       struct lh_tenant *tenant)
{
    char text[40];
    size_t room = source->extra_aliases + 1;
    (void)snprintf(text, sizeof(text), "tenant-%u", index);
    assert_ok(lh_tenant_id_parse(lh_slice_from_text(text), &tenant->id));
    (void)snprintf(text, sizeof(text), "tenant-%u.example", index);
    add_slice(tenant, &tenant->domains, &tenant->domain_count, 1, text);
    if (source->moving_owner == index) {
        add_slice(tenant, &tenant->aliases, &tenant->alias_count, room, "moving");
    }
    for (unsigned i = 0; index == 0 && i < source->extra_aliases; i++) {
        (void)snprintf(text, sizeof(text), "alias-%u", i);
        add_slice(tenant, &tenant->aliases, &tenant->alias_count, room, text);
    }
}

static lh_status load(struct scripted_source *source, unsigned index, struct lh_tenant **out_tenant)
{
    source->loads++;
    LH_ENSURE(!source->is_down, LH_REGISTRY_DOWN);
    LH_ENSURE(index < TENANTS, LH_ABSENT);
    struct lh_tenant *tenant;
    LH_TRY(lh_tenant_new(64U * 1024U, &tenant));
    tenant->uid = uid_of(index);
    tenant->slot = index + 1;
    tenant->counter = source->counters[index + 1];
    tenant->platform_counter = source->counters[0];
    fill_names(source, index, tenant);
    *out_tenant = tenant;
    return lh_ok();
}

static unsigned index_after(lh_slice text, const char *prefix, const char *suffix)
{
    uint64_t number;
    size_t prefix_len = strlen(prefix), suffix_len = strlen(suffix);
    if (text.len < prefix_len + suffix_len ||
        !lh_slice_has_prefix(text, lh_slice_from_text(prefix)) ||
        !lh_slice_has_suffix_nocase(text, lh_slice_from_text(suffix)) ||
        !lh_is_ok(
            lh_slice_parse_u64(lh_slice_cut(text, prefix_len, text.len - prefix_len - suffix_len),
                               TENANTS, &number))) {
        return TENANTS;
    }
    return (unsigned)number;
}

static lh_status load_by_name(void *self, lh_slice name, struct lh_tenant **out_tenant)
{
    struct scripted_source *source = self;
    if (lh_slice_is_equal(name, LH_SLICE_LITERAL("moving"))) {
        return load(source, source->moving_owner, out_tenant);
    }
    if (index_after(name, "alias-", "") < source->extra_aliases) {
        return load(source, 0, out_tenant);
    }
    return load(source, index_after(name, "tenant-", ""), out_tenant);
}

static lh_status load_by_domain(void *self, lh_slice domain, struct lh_tenant **out_tenant)
{
    return load(self, index_after(domain, "tenant-", ".example"), out_tenant);
}

static lh_status load_by_uid(void *self, const struct lh_tenant_uid *uid,
                             struct lh_tenant **out_tenant)
{
    return load(self, uid->bytes[0] == 0 ? TENANTS : uid->bytes[0] - 1U, out_tenant);
}

static int set_up(void **state)
{
    static const struct lh_siphash_key hash_key = {{9, 9, 9}};
    struct scripted_source *source = test_calloc(1, sizeof(*source));
    source->moving_owner = TENANTS;
    const struct lh_directory_source driver = {source, read_counter, load_by_name, load_by_domain,
                                               load_by_uid};
    assert_ok(lh_directory_new(&driver, CACHE_TENANTS, &hash_key, &source->directory));
    *state = source;
    return 0;
}

static int tear_down(void **state)
{
    struct scripted_source *source = *state;
    lh_directory_free(source->directory);
    test_free(source);
    return 0;
}

static lh_status find(struct scripted_source *source, const char *text, uint64_t now_ms,
                      struct lh_tenant **out_tenant)
{
    struct lh_tenant_id id;
    assert_ok(lh_tenant_id_parse(lh_slice_from_text(text), &id));
    return lh_directory_find_name(source->directory, &id, now_ms, out_tenant);
}

/* Finds and lets go; answers the slot. */
static uint32_t slot_of(struct scripted_source *source, const char *text, uint64_t now_ms)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    assert_ok(find(source, text, now_ms, &tenant));
    return tenant->slot;
}

static void assert_absent(struct scripted_source *source, const char *text, uint64_t now_ms)
{
    struct lh_tenant *tenant = NULL;
    assert_status(find(source, text, now_ms, &tenant), LH_ABSENT);
    assert_null(tenant);
}

static void test_directory_find__answers_from_memory(void **state)
{
    struct scripted_source *source = *state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(slot_of(source, "tenant-3", NOW_MS), 4);
    }
    assert_int_equal(source->loads, 1);
}

static void test_directory_find__never_answers_for_another_tenant(void **state)
{
    struct scripted_source *source = *state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < TENANTS; i++) {
            char text[20];
            (void)snprintf(text, sizeof(text), "tenant-%u", i);
            assert_int_equal(slot_of(source, text, NOW_MS), i + 1);
        }
    }
}

static void test_directory_find__one_snapshot_serves_name_domain_and_uid(void **state)
{
    struct scripted_source *source = *state;
    struct lh_tenant_uid uid = uid_of(2);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_uid = NULL;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_name = NULL;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_domain = NULL;
    assert_ok(find(source, "tenant-2", NOW_MS, &by_name));
    assert_ok(lh_directory_find_uid(source->directory, &uid, NOW_MS, &by_uid));
    assert_ptr_equal(by_uid, by_name);
    assert_int_equal(source->loads, 1);
    assert_ok(lh_directory_find_domain(source->directory, LH_SLICE_LITERAL("tenant-2.example"),
                                       NOW_MS, &by_domain));
    assert_int_equal(by_domain->slot, 3);
    assert_int_equal(slot_of(source, "tenant-2", NOW_MS), 3);
    assert_int_equal(source->loads, 2);
}

static void test_directory_find__a_tenants_counter_ends_its_snapshot_alone(void **state)
{
    struct scripted_source *source = *state;
    (void)slot_of(source, "tenant-1", NOW_MS);
    (void)slot_of(source, "tenant-2", NOW_MS);
    source->counters[2]++; /* tenant-1 */
    (void)slot_of(source, "tenant-2", NOW_MS);
    assert_int_equal(source->loads, 2);
    (void)slot_of(source, "tenant-1", NOW_MS);
    assert_int_equal(source->loads, 3);
    (void)slot_of(source, "tenant-1", NOW_MS);
    assert_int_equal(source->loads, 3);
}

static void test_directory_find__the_platforms_counter_ends_all(void **state)
{
    struct scripted_source *source = *state;
    (void)slot_of(source, "tenant-1", NOW_MS);
    (void)slot_of(source, "tenant-2", NOW_MS);
    source->counters[0]++;
    (void)slot_of(source, "tenant-1", NOW_MS);
    (void)slot_of(source, "tenant-2", NOW_MS);
    assert_int_equal(source->loads, 4);
}

static void test_directory_find__an_entry_ends_after_a_second(void **state)
{
    struct scripted_source *source = *state;
    (void)slot_of(source, "tenant-1", NOW_MS);
    (void)slot_of(source, "tenant-1", NOW_MS + 999);
    assert_int_equal(source->loads, 1);
    (void)slot_of(source, "tenant-1", NOW_MS + 1000);
    assert_int_equal(source->loads, 2);
}

static void test_directory_find__hits_do_not_prolong_an_entry(void **state)
{
    struct scripted_source *source = *state;
    for (uint64_t at = 0; at <= 1000; at += 100) {
        (void)slot_of(source, "tenant-1", NOW_MS + at);
    }
    assert_int_equal(source->loads, 2);
}

static void test_directory_find__a_clock_that_went_back_proves_nothing(void **state)
{
    struct scripted_source *source = *state;
    (void)slot_of(source, "tenant-1", NOW_MS);
    (void)slot_of(source, "tenant-1", NOW_MS - 1);
    assert_int_equal(source->loads, 2);
}

static void test_directory_find__a_raise_during_the_load_ends_the_snapshot(void **state)
{
    struct scripted_source *source = *state;
    (void)slot_of(source, "tenant-1", NOW_MS);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    assert_ok(find(source, "tenant-1", NOW_MS, &tenant));
    tenant->counter--; /* as if the raise had come between the note and the read */
    assert_status(lh_directory_check_fresh(source->directory, tenant), LH_CONFLICT);
    (void)slot_of(source, "tenant-1", NOW_MS);
    assert_int_equal(source->loads, 2);
}

static void test_directory_find__absent_names_cost_one_look_up_a_second(void **state)
{
    struct scripted_source *source = *state;
    for (unsigned i = 0; i < 10; i++) {
        assert_absent(source, "nobody", NOW_MS + i);
    }
    assert_int_equal(source->loads, 1);
    assert_absent(source, "nobody", NOW_MS + 1000);
    assert_int_equal(source->loads, 2);
}

static void test_directory_find__an_absent_name_is_found_once_it_is_made(void **state)
{
    struct scripted_source *source = *state;
    assert_absent(source, "moving", NOW_MS);
    source->moving_owner = 5;
    source->counters[0]++;
    assert_int_equal(slot_of(source, "moving", NOW_MS), 6);
    assert_int_equal(slot_of(source, "moving", NOW_MS), 6);
}

static void test_directory_find__junk_names_push_nobody_out(void **state)
{
    struct scripted_source *source = *state;
    (void)slot_of(source, "tenant-1", NOW_MS);
    for (unsigned i = 0; i < 5000; i++) {
        char text[20];
        (void)snprintf(text, sizeof(text), "junk-%u", i);
        assert_absent(source, text, NOW_MS);
    }
    unsigned loads = source->loads;
    (void)slot_of(source, "tenant-1", NOW_MS);
    assert_int_equal(source->loads, loads);
}

static void test_directory_find__a_name_that_moved_leads_to_its_new_tenant(void **state)
{
    struct scripted_source *source = *state;
    source->moving_owner = 1;
    assert_int_equal(slot_of(source, "moving", NOW_MS), 2);
    (void)slot_of(source, "tenant-2", NOW_MS);
    source->moving_owner = 2;
    source->counters[0]++;
    /* Both tenants are fresh again before anybody asks for the name. */
    (void)slot_of(source, "tenant-1", NOW_MS);
    (void)slot_of(source, "tenant-2", NOW_MS);
    assert_int_equal(slot_of(source, "moving", NOW_MS), 3);
    source->moving_owner = TENANTS;
    source->counters[0]++;
    (void)slot_of(source, "tenant-2", NOW_MS);
    assert_absent(source, "moving", NOW_MS);
}

static void test_directory_find__a_down_source_is_never_covered_by_an_old_answer(void **state)
{
    struct scripted_source *source = *state;
    (void)slot_of(source, "tenant-1", NOW_MS);
    source->is_down = true;
    (void)slot_of(source, "tenant-1", NOW_MS); /* still fresh */
    struct lh_tenant *tenant = NULL;
    assert_status(find(source, "tenant-1", NOW_MS + 1000, &tenant), LH_REGISTRY_DOWN);
    source->counters[2]++;
    assert_status(find(source, "tenant-1", NOW_MS, &tenant), LH_REGISTRY_DOWN);
    assert_status(find(source, "nobody", NOW_MS, &tenant), LH_REGISTRY_DOWN);
    source->is_down = false;
    assert_absent(source, "nobody", NOW_MS); /* a failure is not remembered as absence */
    assert_int_equal(slot_of(source, "tenant-1", NOW_MS), 2);
}

static void test_directory_find__without_counters_nothing_is_known(void **state)
{
    struct scripted_source *source = *state;
    struct lh_tenant_uid uid = uid_of(1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *held = NULL;
    assert_ok(find(source, "tenant-1", NOW_MS, &held));
    source->counters_are_down = true;
    struct lh_tenant *tenant = NULL;
    assert_status(find(source, "tenant-1", NOW_MS, &tenant), LH_COUNTERS_DOWN);
    assert_status(find(source, "tenant-7", NOW_MS, &tenant), LH_COUNTERS_DOWN);
    assert_status(lh_directory_find_uid(source->directory, &uid, NOW_MS, &tenant),
                  LH_COUNTERS_DOWN);
    assert_status(lh_directory_check_fresh(source->directory, held), LH_COUNTERS_DOWN);
}

static void test_directory_find__the_least_recently_used_tenant_goes(void **state)
{
    struct scripted_source *source = *state;
    static const char *const names[] = {"tenant-0", "tenant-1", "tenant-2", "tenant-3"};
    for (size_t i = 0; i < CACHE_TENANTS; i++) {
        (void)slot_of(source, names[i], NOW_MS);
    }
    (void)slot_of(source, "tenant-0", NOW_MS); /* now tenant-1 is the oldest */
    (void)slot_of(source, "tenant-4", NOW_MS);
    assert_int_equal(source->loads, 5);
    (void)slot_of(source, "tenant-0", NOW_MS);
    (void)slot_of(source, "tenant-3", NOW_MS);
    assert_int_equal(source->loads, 5);
    (void)slot_of(source, "tenant-1", NOW_MS);
    assert_int_equal(source->loads, 6);
}

static void test_directory_find__a_reference_outlives_eviction_and_the_directory(void **state)
{
    struct scripted_source *source = *state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *held = NULL;
    assert_ok(find(source, "tenant-9", NOW_MS, &held));
    for (unsigned i = 0; i < TENANTS; i++) {
        struct lh_tenant_uid uid = uid_of(i);
        LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
        assert_ok(lh_directory_find_uid(source->directory, &uid, NOW_MS, &tenant));
        assert_int_equal(tenant->slot, i + 1);
    }
    lh_directory_free(source->directory);
    source->directory = NULL;
    assert_int_equal(held->references, 1);
    assert_slice_text(lh_tenant_id_view(&held->id), "tenant-9");
}

static void test_directory_find__more_names_than_room_stay_right(void **state)
{
    struct scripted_source *source = *state;
    source->extra_aliases = 39;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < source->extra_aliases; i++) {
            char text[20];
            (void)snprintf(text, sizeof(text), "alias-%u", i);
            assert_int_equal(slot_of(source, text, NOW_MS), 1);
        }
        assert_int_equal(slot_of(source, "tenant-7", NOW_MS), 8);
    }
}

static void test_directory_find_uid__unknown_uids_are_absent(void **state)
{
    struct scripted_source *source = *state;
    struct lh_tenant_uid uid = {{0}};
    struct lh_tenant *tenant = NULL;
    assert_status(lh_directory_find_uid(source->directory, &uid, NOW_MS, &tenant), LH_ABSENT);
    assert_null(tenant);
}

#define WITH_SOURCE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SOURCE(test_directory_find__answers_from_memory),
        WITH_SOURCE(test_directory_find__never_answers_for_another_tenant),
        WITH_SOURCE(test_directory_find__one_snapshot_serves_name_domain_and_uid),
        WITH_SOURCE(test_directory_find__a_tenants_counter_ends_its_snapshot_alone),
        WITH_SOURCE(test_directory_find__the_platforms_counter_ends_all),
        WITH_SOURCE(test_directory_find__an_entry_ends_after_a_second),
        WITH_SOURCE(test_directory_find__hits_do_not_prolong_an_entry),
        WITH_SOURCE(test_directory_find__a_clock_that_went_back_proves_nothing),
        WITH_SOURCE(test_directory_find__a_raise_during_the_load_ends_the_snapshot),
        WITH_SOURCE(test_directory_find__absent_names_cost_one_look_up_a_second),
        WITH_SOURCE(test_directory_find__an_absent_name_is_found_once_it_is_made),
        WITH_SOURCE(test_directory_find__junk_names_push_nobody_out),
        WITH_SOURCE(test_directory_find__a_name_that_moved_leads_to_its_new_tenant),
        WITH_SOURCE(test_directory_find__a_down_source_is_never_covered_by_an_old_answer),
        WITH_SOURCE(test_directory_find__without_counters_nothing_is_known),
        WITH_SOURCE(test_directory_find__the_least_recently_used_tenant_goes),
        WITH_SOURCE(test_directory_find__a_reference_outlives_eviction_and_the_directory),
        WITH_SOURCE(test_directory_find__more_names_than_room_stay_right),
        WITH_SOURCE(test_directory_find_uid__unknown_uids_are_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
