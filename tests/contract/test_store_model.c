/*
 * The contract of a session store as a model: some hundred thousand random operations, each made
 * on the store and on a plain array that follows the contract's words, and compared.
 */
#include "contract/store_fixture.h"

#define PLACES  40U
#define STEPS   20000U
#define USERS   3U
#define END_MAX ((uint64_t)40 * 60 * 1000)

/* What the contract says lies in a place. */
struct model_place {
    enum lh_place_kind kind;
    bool is_quarantined;
    uint64_t generation;
    uint64_t absolute_end_ms;
    uint64_t last_touch_ms;
    uint32_t idle_s;
    unsigned user; /* USERS: none */
    unsigned content;
};

struct model {
    struct lh_store *store;
    uint64_t random;
    uint64_t now_ms;
    struct model_place places[PLACES];
};

static uint64_t draw(struct model *model, uint64_t below)
{
    model->random = model->random * 6364136223846793005U + 1442695040888963407U;
    return (model->random >> 33) % below;
}

static struct lh_session_key place_key(unsigned n)
{
    return key_of(1 + n % 2, n % 4 / 2, n / 4);
}

static uint64_t model_end(const struct model_place *place)
{
    if (place->kind == LH_PLACE_TOMBSTONE) {
        return place->absolute_end_ms + LH_TOMBSTONE_MARGIN_MS;
    }
    uint64_t idle_end = place->last_touch_ms + (uint64_t)place->idle_s * 1000;
    return place->idle_s > 0 && idle_end < place->absolute_end_ms ? idle_end
                                                                  : place->absolute_end_ms;
}

static void bury(struct model_place *place, uint64_t end_ms)
{
    bool has_later_end = place->kind != LH_PLACE_EMPTY && place->absolute_end_ms > end_ms;
    *place =
        (struct model_place){.kind = LH_PLACE_TOMBSTONE,
                             .absolute_end_ms = has_later_end ? place->absolute_end_ms : end_ms};
}

static struct model_place draw_place(struct model *model, uint64_t generation)
{
    static const uint32_t idles[] = {0, 60, 300, 1800};
    return (struct model_place){.kind = LH_PLACE_RECORD,
                                .generation = generation,
                                .absolute_end_ms = model->now_ms + 1 + draw(model, END_MAX),
                                .last_touch_ms = model->now_ms - draw(model, 1000),
                                .idle_s = idles[draw(model, 4)],
                                .user = (unsigned)draw(model, USERS + 1),
                                .content = (unsigned)draw(model, 1000)};
}

static lh_slice content_of(unsigned content)
{
    return long_record(content % 50 == 0 ? 6000 : 1 + content % 300, content);
}

static struct lh_store_row row_from(const struct model_place *place)
{
    return (struct lh_store_row){.kind = place->kind,
                                 .generation = place->generation,
                                 .absolute_end_ms = place->absolute_end_ms,
                                 .last_touch_ms = place->last_touch_ms,
                                 .idle_s = place->idle_s,
                                 .has_user = place->user < USERS,
                                 .user_tag = tag_of(place->user),
                                 .record = content_of(place->content)};
}

/* --- One step each --------------------------------------------------------------------------- */

static void step_create(struct model *model, unsigned n)
{
    struct model_place *place = &model->places[n];
    struct model_place next = draw_place(model, 1 + draw(model, 5));
    struct lh_store_row row = row_from(&next);
    struct lh_session_key key = place_key(n);
    lh_status status = lh_store_create(model->store, NULL, &key, &row);
    if (place->kind == LH_PLACE_EMPTY) {
        assert_status(status, LH_OK);
        *place = next;
    } else {
        assert_status(status, place->kind == LH_PLACE_RECORD ? LH_EXISTS : LH_REVOKED);
    }
}

static enum lh_code swap_answer(const struct model_place *place, uint64_t expected)
{
    if (place->kind != LH_PLACE_RECORD) {
        return place->kind == LH_PLACE_EMPTY ? LH_ABSENT : LH_REVOKED;
    }
    if (place->is_quarantined) {
        return LH_QUARANTINED;
    }
    return place->generation == expected ? LH_OK : LH_CONFLICT;
}

static void step_swap(struct model *model, unsigned n)
{
    struct model_place *place = &model->places[n];
    uint64_t expected = draw(model, 5) == 0 ? draw(model, 9) : place->generation;
    struct model_place next = draw_place(model, expected + 1);
    struct lh_session_key key = place_key(n);
    struct lh_store_row row = row_from(&next);
    enum lh_code answer = swap_answer(place, expected);
    assert_status(lh_store_swap(model->store, NULL, &key, expected, &row), answer);
    if (answer == LH_OK) {
        if (place->last_touch_ms > next.last_touch_ms) {
            next.last_touch_ms = place->last_touch_ms;
        }
        *place = next;
    }
}

static void step_revoke(struct model *model, unsigned n)
{
    struct lh_session_key key = place_key(n);
    uint64_t end_ms = model->now_ms + draw(model, END_MAX);
    assert_ok(lh_store_revoke(model->store, NULL, &key, end_ms));
    bury(&model->places[n], end_ms);
}

static void step_expire(struct model *model, unsigned n)
{
    struct model_place *place = &model->places[n];
    struct lh_session_key key = place_key(n);
    assert_ok(lh_store_expire(model->store, NULL, &key, model->now_ms));
    if (place->kind == LH_PLACE_RECORD && model_end(place) <= model->now_ms) {
        bury(place, 0);
    }
}

static void step_quarantine(struct model *model, unsigned n)
{
    struct lh_session_key key = place_key(n);
    assert_ok(lh_store_quarantine(model->store, NULL, &key));
    model->places[n].is_quarantined = model->places[n].kind == LH_PLACE_RECORD;
}

/* A batch, in which the same place may come twice. */
static void step_touch(struct model *model)
{
    struct lh_store_touch touches[8];
    size_t count = 1 + draw(model, 8);
    for (size_t i = 0; i < count; i++) {
        unsigned n = (unsigned)draw(model, PLACES);
        uint64_t touch_ms = model->now_ms + 500 - draw(model, 2000);
        struct model_place *place = &model->places[n];
        touches[i] = (struct lh_store_touch){place_key(n), touch_ms};
        if (place->kind == LH_PLACE_RECORD && !place->is_quarantined &&
            place->last_touch_ms < touch_ms && touch_ms < model_end(place)) {
            place->last_touch_ms = touch_ms;
        }
    }
    assert_ok(lh_store_touch(model->store, touches, count));
}

static void step_sweep(struct model *model)
{
    (void)sweep_all(model->store, model->now_ms);
    for (unsigned n = 0; n < PLACES; n++) {
        struct model_place *place = &model->places[n];
        if (place->kind != LH_PLACE_EMPTY && model_end(place) <= model->now_ms) {
            *place = (struct model_place){.kind = LH_PLACE_EMPTY};
        }
    }
}

static void step(struct model *model)
{
    static void (*const steps[])(struct model * model, unsigned n) = {
        step_create, step_create, step_create, step_swap,
        step_swap,   step_revoke, step_expire, step_quarantine};
    model->now_ms += draw(model, 20000);
    uint64_t choice = draw(model, 24);
    if (choice == 0) {
        step_sweep(model);
    } else if (choice < 10) {
        step_touch(model);
    } else {
        steps[draw(model, 8)](model, (unsigned)draw(model, PLACES));
    }
}

/* --- Comparing ------------------------------------------------------------------------------- */

static void compare_place(struct model *model, unsigned n)
{
    const struct model_place *place = &model->places[n];
    struct lh_session_key key = place_key(n);
    struct lh_store_row row = load_row(model->store, &key);
    assert_int_equal(row.kind, place->kind);
    if (place->kind != LH_PLACE_EMPTY) {
        assert_int_equal(row.absolute_end_ms, place->absolute_end_ms);
    }
    if (place->kind != LH_PLACE_RECORD) {
        return;
    }
    assert_int_equal(row.is_quarantined, place->is_quarantined);
    assert_int_equal(row.generation, place->generation);
    assert_int_equal(row.last_touch_ms, place->last_touch_ms);
    assert_int_equal(row.idle_s, place->idle_s);
    assert_int_equal(row.has_user, place->user < USERS);
    assert_true(lh_slice_is_equal(row.record, content_of(place->content)));
}

static bool count_listed(void *context, const struct lh_session_key *key,
                         const struct lh_store_row *row)
{
    (void)key;
    (void)row;
    (*(size_t *)context)++;
    return true;
}

/* user: USERS for all. */
static void compare_listing(struct model *model, unsigned tenant, uint32_t bucket, unsigned user)
{
    struct lh_session_key first = key_of(tenant, bucket, 0);
    struct lh_user_tag tag = tag_of(user);
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    size_t listed = 0;
    while (!page.is_last) {
        assert_ok(lh_store_list(model->store, &first.uid, bucket, user < USERS ? &tag : NULL, &page,
                                count_listed, &listed));
        assert_int_equal(page.misplaced, 0);
    }
    size_t expected = 0;
    for (unsigned n = 0; n < PLACES; n++) {
        struct lh_session_key key = place_key(n);
        bool is_there = model->places[n].kind == LH_PLACE_RECORD && key.bucket == bucket &&
                        lh_tenant_uid_is_equal(&key.uid, &first.uid);
        expected += is_there && (user == USERS || model->places[n].user == user) ? 1 : 0;
    }
    assert_int_equal(listed, expected);
}

static void compare(struct model *model)
{
    size_t kinds[3] = {0, 0, 0};
    for (unsigned n = 0; n < PLACES; n++) {
        compare_place(model, n);
        kinds[model->places[n].kind]++;
    }
    struct lh_store_counts counts = count_rows(model->store);
    assert_int_equal(counts.records, kinds[LH_PLACE_RECORD]);
    assert_int_equal(counts.tombstones, kinds[LH_PLACE_TOMBSTONE]);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned user = 0; user <= USERS; user++) {
            compare_listing(model, 1 + i % 2, i / 2, user);
        }
    }
}

static void test_store_model__does_what_the_contract_says(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct model model = {.store = store_of(state), .random = seed, .now_ms = NOW_MS};
        for (unsigned i = 0; i < STEPS; i++) {
            step(&model);
            compare_place(&model, (unsigned)draw(&model, PLACES));
            if (i % 50 == 0) {
                compare(&model);
            }
        }
        model.now_ms += 2 * END_MAX;
        step_sweep(&model);
        compare(&model);
        assert_int_equal(count_rows(model.store).records + count_rows(model.store).tombstones, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_CASE(test_store_model__does_what_the_contract_says),
    };
    return contract_run(tests, sizeof(tests) / sizeof(tests[0]));
}
