/*
 * Sessions in this process' memory: for tests, and for homes that may forget. One sorted array
 * under one mutex: a look-up is a binary search, an insert moves pointers, a sweep walks all. Made
 * for some ten thousand sessions. Also the smallest whole driver: begin here to write another.
 */
#include "store/drivers/drivers.h"

#include "base/bug.h"
#include "store/drivers/memory_quota.h"

#include <pthread.h>

#include "base/banned.h"

#define MEMORY_MAGIC           0x4d656d6fU

#define DEFAULT_CAPACITY_BYTES ((uint64_t)256 * 1024 * 1024)
#define DEFAULT_RESERVE_BYTES  ((uint64_t)1024 * 1024)

#define FIRST_PLACES           ((size_t)64)

struct memory {
    uint32_t magic;
    pthread_mutex_t mutex;           /* over all that follows; nobody is called with it held */
    struct lh_memory_place **places; /* owned, sorted by key */
    size_t count;
    size_t cap;
    uint64_t used_bytes;
    uint64_t capacity_bytes; /* constant */
    uint64_t reserve_bytes;  /* constant */
};

static struct memory *lock(void *self)
{
    struct memory *memory = self;
    LH_MAGIC_CHECK(memory, MEMORY_MAGIC);
    LH_BUG_IF(pthread_mutex_lock(&memory->mutex) != 0);
    return memory;
}

static void unlock(struct memory **memory)
{
    LH_BUG_IF(pthread_mutex_unlock(&(*memory)->mutex) != 0);
}

/* --- Places ---------------------------------------------------------------------------------- */

static void free_place(struct lh_memory_place *place)
{
    if (place != NULL) {
        lh_buf_fini(&place->record);
        free(place);
    }
}

static void fini_place(struct lh_memory_place **place)
{
    free_place(*place);
}

static uint64_t cost_of(const struct lh_store_row *row)
{
    return sizeof(struct lh_memory_place) + sizeof(struct lh_memory_place *) + row->record.len;
}

/* A copy of a row for a place. Errors: NO_MEMORY. */
static lh_status new_place(const struct lh_session_key *key, const struct lh_store_row *row,
                           struct lh_memory_place **out_place)
{
    LH_CLEANUP(fini_place) struct lh_memory_place *place = calloc(1, sizeof(*place));
    LH_ENSURE(place != NULL, LH_NO_MEMORY);
    LH_TRY(lh_buf_add(&place->record, row->record));
    place->key = *key;
    place->row = *row;
    place->row.record = lh_buf_view(&place->record);
    *out_place = place;
    place = NULL;
    return lh_ok();
}

/* The index of the first place that is not before key. */
static size_t find_index(const struct memory *memory, const struct lh_session_key *key)
{
    size_t low = 0;
    size_t high = memory->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lh_session_key_compare(&memory->places[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct lh_memory_place *find_place(const struct memory *memory,
                                          const struct lh_session_key *key)
{
    size_t at = find_index(memory, key);
    bool is_there = at < memory->count && lh_session_key_is_equal(&memory->places[at]->key, key);
    return is_there ? memory->places[at] : NULL;
}

/* What lies there, as a view for judging. */
static struct lh_store_row present_row(const struct memory *memory,
                                       const struct lh_session_key *key)
{
    const struct lh_memory_place *place = find_place(memory, key);
    return place == NULL ? (struct lh_store_row){.kind = LH_PLACE_EMPTY} : place->row;
}

static lh_status make_room(struct memory *memory)
{
    if (memory->count < memory->cap) {
        return lh_ok();
    }
    size_t cap = memory->cap == 0 ? FIRST_PLACES : memory->cap * 2;
    struct lh_memory_place **places =
        realloc(memory->places, cap * sizeof(struct lh_memory_place *));
    LH_ENSURE(places != NULL, LH_NO_MEMORY);
    memory->places = places;
    memory->cap = cap;
    return lh_ok();
}

static void insert_at(struct memory *memory, size_t at, struct lh_memory_place *place)
{
    memmove(&memory->places[at + 1], &memory->places[at],
            (memory->count - at) * sizeof(struct lh_memory_place *));
    memory->places[at] = place;
    memory->count++;
}

/*
 * Puts a row, instead of what lies there.
 * keep_bytes  must stay free. Errors: NO_SPACE, NO_MEMORY: nothing has changed then.
 */
static lh_status put_row(struct memory *memory, const struct lh_session_key *key,
                         const struct lh_store_row *row, uint64_t keep_bytes)
{
    size_t at = find_index(memory, key);
    bool replaces = at < memory->count && lh_session_key_is_equal(&memory->places[at]->key, key);
    uint64_t freed = replaces ? cost_of(&memory->places[at]->row) : 0;
    uint64_t used = memory->used_bytes - freed + cost_of(row);
    LH_ENSURE(used <= memory->capacity_bytes && keep_bytes <= memory->capacity_bytes - used,
              LH_NO_SPACE);
    LH_TRY(make_room(memory));
    struct lh_memory_place *place;
    LH_TRY(new_place(key, row, &place));
    if (replaces) {
        free_place(memory->places[at]);
        memory->places[at] = place;
    } else {
        insert_at(memory, at, place);
    }
    memory->used_bytes = used;
    return lh_ok();
}

/* --- Operations ------------------------------------------------------------------------------ */

static lh_status memory_load(void *self, struct lh_op *op, const struct lh_session_key *key,
                             struct lh_buf *scratch, struct lh_store_row *out_row)
{
    (void)op;
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    struct lh_store_row row = present_row(memory, key);
    lh_buf_clear(scratch);
    LH_TRY(lh_buf_add(scratch, row.record));
    *out_row = row;
    out_row->record = lh_buf_view(scratch);
    return lh_ok();
}

/* --- Making room ------------------------------------------------------------------------------ */

/* A tombstone in place of a record: takes less room, so it cannot fail. */
static void bury(struct memory *memory, struct lh_memory_place *place)
{
    struct lh_store_row tombstone;
    (void)lh_place_revoke(&place->row, 0, &tombstone);
    memory->used_bytes -= place->row.record.len;
    lh_buf_fini(&place->record);
    place->row = tombstone;
}

/* Who goes next; NULL: there is room. Errors: LIMITED. */
static lh_status choose(const struct memory *memory, const struct lh_store_creation *creation,
                        struct lh_memory_place **out_place)
{
    struct lh_session_key first = {.uid = creation->key->uid, .bucket = creation->key->bucket};
    size_t at = find_index(memory, &first);
    return lh_memory_choose(memory->places + at, memory->count - at, creation, out_place);
}

/* The new one lies there already, and nobody is refused any more. */
static lh_status thin_out(struct memory *memory, const struct lh_store_creation *creation,
                          struct lh_store_evicted *evicted)
{
    for (size_t ended = 0; ended < LH_STORE_EVICTIONS_MAX; ended++) {
        struct lh_memory_place *place;
        LH_TRY(choose(memory, creation, &place));
        if (place == NULL) {
            return lh_ok();
        }
        if (!lh_place_is_over(&place->row, creation->row->last_touch_ms)) {
            evicted->keys[evicted->count++] = place->key;
        }
        bury(memory, place);
    }
    return lh_ok();
}

static lh_status judge_replaced(const struct memory *memory,
                                const struct lh_store_creation *creation)
{
    if (creation->replaces == NULL) {
        return lh_ok();
    }
    struct lh_store_row present = present_row(memory, creation->replaces);
    return lh_place_judge_swap(&present, creation->replaces_generation);
}

static lh_status judge_creation(const struct memory *memory,
                                const struct lh_store_creation *creation)
{
    struct lh_store_row present = present_row(memory, creation->key);
    LH_TRY(lh_place_judge_create(&present));
    LH_TRY(judge_replaced(memory, creation));
    struct lh_memory_place *ignored;
    return creation->quota != NULL ? choose(memory, creation, &ignored) : lh_ok();
}

static lh_status memory_create(void *self, struct lh_op *op,
                               const struct lh_store_creation *creation,
                               struct lh_store_evicted *out_evicted)
{
    (void)op;
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    out_evicted->count = 0;
    LH_TRY(judge_creation(memory, creation));
    LH_TRY(put_row(memory, creation->key, creation->row, memory->reserve_bytes));
    if (creation->replaces != NULL) {
        bury(memory, find_place(memory, creation->replaces));
    }
    return creation->quota != NULL ? thin_out(memory, creation, out_evicted) : lh_ok();
}

static lh_status memory_swap(void *self, struct lh_op *op, const struct lh_session_key *key,
                             uint64_t expected_generation, const struct lh_store_row *row)
{
    (void)op;
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    struct lh_store_row present = present_row(memory, key);
    LH_TRY(lh_place_judge_swap(&present, expected_generation));
    struct lh_store_row next = lh_place_follow(&present, row);
    return put_row(memory, key, &next, memory->reserve_bytes);
}

static lh_status revoke_locked(struct memory *memory, const struct lh_session_key *key,
                               uint64_t absolute_end_ms)
{
    struct lh_store_row present = present_row(memory, key);
    struct lh_store_row tombstone;
    if (!lh_place_revoke(&present, absolute_end_ms, &tombstone)) {
        return lh_ok();
    }
    return put_row(memory, key, &tombstone, 0);
}

static lh_status memory_revoke(void *self, struct lh_op *op, const struct lh_session_key *key,
                               uint64_t absolute_end_ms)
{
    (void)op;
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    return revoke_locked(memory, key, absolute_end_ms);
}

static lh_status memory_expire(void *self, struct lh_op *op, const struct lh_session_key *key,
                               uint64_t now_ms)
{
    (void)op;
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    struct lh_store_row present = present_row(memory, key);
    if (present.kind != LH_PLACE_RECORD || !lh_place_is_over(&present, now_ms)) {
        return lh_ok();
    }
    return revoke_locked(memory, key, present.absolute_end_ms);
}

static lh_status memory_quarantine(void *self, struct lh_op *op, const struct lh_session_key *key)
{
    (void)op;
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    struct lh_memory_place *place = find_place(memory, key);
    if (place != NULL && place->row.kind == LH_PLACE_RECORD) {
        place->row.is_quarantined = true;
    }
    return lh_ok();
}

static lh_status memory_end_grace(void *self, struct lh_op *op, const struct lh_session_key *key,
                                  uint64_t generation)
{
    (void)op;
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    struct lh_memory_place *place = find_place(memory, key);
    if (place != NULL && lh_place_takes_grace_end(&place->row, generation)) {
        place->row.is_grace_over = true;
    }
    return lh_ok();
}

static lh_status memory_touch(void *self, const struct lh_store_touch *touches, size_t count)
{
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    for (size_t i = 0; i < count; i++) {
        struct lh_memory_place *place = find_place(memory, &touches[i].key);
        if (place != NULL && lh_place_takes_touch(&place->row, touches[i].touch_ms)) {
            place->row.last_touch_ms = touches[i].touch_ms;
        }
    }
    return lh_ok();
}

/* --- Listing --------------------------------------------------------------------------------- */

static bool is_in_bucket(const struct lh_memory_place *place, const struct lh_tenant_uid *uid,
                         uint32_t bucket)
{
    return lh_tenant_uid_is_equal(&place->key.uid, uid) && place->key.bucket == bucket;
}

static bool is_listed(const struct lh_memory_place *place, const struct lh_user_tag *user_tag)
{
    if (place->row.kind != LH_PLACE_RECORD) {
        return false;
    }
    return user_tag == NULL ||
           (place->row.has_user && lh_slice_is_equal(LH_SLICE_OF(place->row.user_tag.bytes),
                                                     LH_SLICE_OF(user_tag->bytes)));
}

/*
 * The next place of the page, copied so that the caller may be called without the lock.
 * out_place  NULL at the end of the bucket.
 */
static lh_status copy_next(void *self, const struct lh_tenant_uid *uid, uint32_t bucket,
                           const struct lh_user_tag *user_tag, const struct lh_store_page *page,
                           struct lh_memory_place **out_place)
{
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    struct lh_session_key first = {.uid = *uid, .bucket = bucket};
    size_t at = find_index(memory, page->is_first ? &first : &page->after);
    if (!page->is_first && at < memory->count &&
        lh_session_key_is_equal(&memory->places[at]->key, &page->after)) {
        at++;
    }
    *out_place = NULL;
    while (at < memory->count && is_in_bucket(memory->places[at], uid, bucket)) {
        if (is_listed(memory->places[at], user_tag)) {
            return new_place(&memory->places[at]->key, &memory->places[at]->row, out_place);
        }
        at++;
    }
    return lh_ok();
}

static lh_status memory_list(void *self, const struct lh_tenant_uid *uid, uint32_t bucket,
                             const struct lh_user_tag *user_tag, struct lh_store_page *page,
                             bool (*each)(void *context, const struct lh_session_key *key,
                                          const struct lh_store_row *row),
                             void *context)
{
    for (;;) {
        LH_CLEANUP(fini_place) struct lh_memory_place *place = NULL;
        LH_TRY(copy_next(self, uid, bucket, user_tag, page, &place));
        if (place == NULL) {
            page->is_last = true;
            return lh_ok();
        }
        page->is_first = false;
        page->after = place->key;
        if (!each(context, &place->key, &place->row)) {
            return lh_ok();
        }
    }
}

/* --- Upkeep ---------------------------------------------------------------------------------- */

static lh_status memory_sweep(void *self, uint64_t now_ms, size_t max_rows, size_t *out_handled)
{
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    size_t kept = 0;
    size_t removed = 0;
    for (size_t at = 0; at < memory->count; at++) {
        struct lh_memory_place *place = memory->places[at];
        if (removed < max_rows && lh_place_is_over(&place->row, now_ms)) {
            memory->used_bytes -= cost_of(&place->row);
            free_place(place);
            removed++;
        } else {
            memory->places[kept++] = place;
        }
    }
    memory->count = kept;
    *out_handled = removed;
    return lh_ok();
}

static lh_status memory_count(void *self, struct lh_store_counts *out_counts)
{
    LH_CLEANUP(unlock) struct memory *memory = lock(self);
    struct lh_store_counts counts = {.used_bytes = memory->used_bytes,
                                     .capacity_bytes = memory->capacity_bytes};
    for (size_t at = 0; at < memory->count; at++) {
        if (memory->places[at]->row.kind == LH_PLACE_RECORD) {
            counts.records++;
        } else {
            counts.tombstones++;
        }
    }
    *out_counts = counts;
    return lh_ok();
}

static void memory_close(void *self)
{
    struct memory *memory = self;
    LH_MAGIC_CHECK(memory, MEMORY_MAGIC);
    for (size_t at = 0; at < memory->count; at++) {
        free_place(memory->places[at]);
    }
    free(memory->places);
    LH_BUG_IF(pthread_mutex_destroy(&memory->mutex) != 0);
    memory->magic = 0;
    free(memory);
}

static const struct lh_store_driver lh_store_memory = {
    .name = "memory",
    .traits = LH_STORE_SCANS | LH_STORE_SWAPS,
    .load = memory_load,
    .create = memory_create,
    .swap = memory_swap,
    .revoke = memory_revoke,
    .expire = memory_expire,
    .quarantine = memory_quarantine,
    .end_grace = memory_end_grace,
    .touch = memory_touch,
    .list = memory_list,
    .sweep = memory_sweep,
    .count = memory_count,
    .close = memory_close,
};

lh_status lh_store_open_memory(const struct lh_store_options *options,
                               const struct lh_store_driver **out_driver, void **out_self)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    LH_ENSURE(memory != NULL, LH_NO_MEMORY);
    LH_BUG_IF(pthread_mutex_init(&memory->mutex, NULL) != 0);
    memory->magic = MEMORY_MAGIC;
    memory->capacity_bytes = options->map_bytes == 0 ? DEFAULT_CAPACITY_BYTES : options->map_bytes;
    memory->reserve_bytes =
        options->reserve_bytes == 0 ? DEFAULT_RESERVE_BYTES : options->reserve_bytes;
    *out_driver = &lh_store_memory;
    *out_self = memory;
    return lh_ok();
}
