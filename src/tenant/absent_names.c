/*
 * The ring of absent names. The directory asks it before it asks the registry; an entry that
 * outlived its counter or its second is overwritten where it lies.
 */
#include "tenant/absent_names.h"

#include "base/banned.h"

lh_status lh_absent_names_init(struct lh_absent_names *names, const struct lh_siphash_key *hash_key)
{
    struct lh_absent_name *entries = calloc(LH_ABSENT_NAMES_MAX, sizeof(*entries));
    LH_ENSURE(entries != NULL, LH_NO_MEMORY);
    *names = (struct lh_absent_names){.entries = entries};
    lh_map_init(&names->by_name, LH_ABSENT_NAMES_MAX, hash_key);
    return lh_ok();
}

void lh_absent_names_fini(struct lh_absent_names *names)
{
    lh_map_fini(&names->by_name);
    free(names->entries);
    *names = (struct lh_absent_names){0};
}

bool lh_absent_names_has(const struct lh_absent_names *names, lh_slice name, uint64_t counter,
                         uint64_t now_ms, uint64_t max_age_ms)
{
    const struct lh_absent_name *entry = lh_map_find(&names->by_name, name);
    return entry != NULL && entry->counter == counter && now_ms >= entry->noted_ms &&
           now_ms - entry->noted_ms < max_age_ms;
}

static lh_slice view_entry(const struct lh_absent_name *entry)
{
    return lh_slice_of(entry->text, entry->len);
}

/* Takes the next entry of the ring for a name. */
static lh_status place_name(struct lh_absent_names *names, lh_slice name,
                            struct lh_absent_name **out_entry)
{
    struct lh_absent_name *entry = &names->entries[names->next];
    if (entry->len > 0) {
        (void)lh_map_remove(&names->by_name, view_entry(entry));
    }
    memcpy(entry->text, name.ptr, name.len);
    entry->len = (uint8_t)name.len;
    lh_status status = lh_map_put(&names->by_name, view_entry(entry), entry);
    if (!lh_is_ok(status)) {
        entry->len = 0;
        return status;
    }
    names->next = (names->next + 1) % LH_ABSENT_NAMES_MAX;
    *out_entry = entry;
    return lh_ok();
}

lh_status lh_absent_names_note(struct lh_absent_names *names, lh_slice name, uint64_t counter,
                               uint64_t now_ms)
{
    if (name.len == 0 || name.len > LH_ABSENT_NAME_MAX_BYTES) {
        return lh_ok();
    }
    struct lh_absent_name *entry = lh_map_find(&names->by_name, name);
    if (entry == NULL) {
        LH_TRY(place_name(names, name, &entry));
    }
    entry->counter = counter;
    entry->noted_ms = now_ms;
    return lh_ok();
}
