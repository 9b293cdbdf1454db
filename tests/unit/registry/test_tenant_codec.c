/*
 * A tenant's row: what survives, and what is refused.
 */
#include "support/test.h"

#include "registry/tenant_codec.h"

/* version, slot, id "acme", the two keys: where the JSON begins. */
#define JSON_AT (1U + 4U + 1U + 4U + LH_SIPHASH_KEY_BYTES + LH_KEY_BYTES)

static struct lh_tenant *make_tenant(void)
{
    struct lh_tenant *tenant;
    assert_ok(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &tenant));
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &tenant->id));
    tenant->slot = 7;
    tenant->state = LH_TENANT_DISABLED;
    tenant->epoch = INT64_MAX;
    tenant->created_ms = 1;
    tenant->tier = (struct lh_tier){.name_len = 4, .name = "free"};
    tenant->bucket_counts[0] = LH_BUCKET_COUNT_MAX;
    tenant->bucket_counts_len = 1;
    memset(&tenant->bucket_key, 0x11, sizeof(tenant->bucket_key));
    memset(&tenant->index_key, 0x22, sizeof(tenant->index_key));
    return tenant;
}

/* The head of an ordinary row with that JSON behind it. */
static lh_status read_json(const char *json)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *back = NULL;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_tenant_row_write(tenant, &row));
    row.len = JSON_AT;
    assert_ok(lh_buf_add_text(&row, json));
    assert_ok(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &back));
    return lh_tenant_row_read(lh_buf_view(&row), back);
}

static void test_tenant_row__survives_odd_texts(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *back = NULL;
    lh_slice scopes[] = {LH_SLICE_LITERAL("a\"b\\c"), LH_SLICE_LITERAL("\x01\x1f\x7f")};
    struct lh_role roles[] = {{LH_SLICE_LITERAL("r\xc3\xb4le"), scopes, 2},
                              {LH_SLICE_LITERAL(""), NULL, 0}};
    tenant->roles = roles;
    tenant->role_count = 2;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_tenant_row_write(tenant, &row));
    assert_ok(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &back));
    assert_ok(lh_tenant_row_read(lh_buf_view(&row), back));
    assert_int_equal(back->slot, 7);
    assert_int_equal(back->state, LH_TENANT_DISABLED);
    assert_true(back->epoch == INT64_MAX);
    assert_int_equal(back->bucket_counts[0], LH_BUCKET_COUNT_MAX);
    assert_memory_equal(&back->bucket_key, &tenant->bucket_key, sizeof(back->bucket_key));
    assert_memory_equal(&back->index_key, &tenant->index_key, sizeof(back->index_key));
    assert_int_equal(back->role_count, 2);
    assert_slice_text(back->roles[0].name, "r\xc3\xb4le");
    assert_slice_text(back->roles[0].scopes[0], "a\"b\\c");
    assert_slice_text(back->roles[0].scopes[1], "\x01\x1f\x7f");
    assert_int_equal(back->roles[1].scope_count, 0);
}

static void test_tenant_row__keeps_its_keys_out_of_the_json(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_tenant_row_write(tenant, &row));
    assert_int_equal(row.ptr[JSON_AT], '{');
    assert_int_equal(row.ptr[JSON_AT - 1], 0x22);
    assert_int_equal(row.ptr[JSON_AT - LH_KEY_BYTES - 1], 0x11);
}

static void test_tenant_row_read__refuses_every_cut(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_tenant_row_write(tenant, &row));
    for (size_t len = 0; len < row.len; len++) {
        LH_CLEANUP(lh_tenant_fini) struct lh_tenant *back = NULL;
        assert_ok(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &back));
        assert_status(lh_tenant_row_read(lh_slice_of(row.ptr, len), back), LH_MALFORMED);
    }
}

static void test_tenant_row_read_head__judges_version_slot_and_id(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    struct lh_tenant_row_head head;
    assert_ok(lh_tenant_row_write(tenant, &row));
    assert_ok(lh_tenant_row_read_head(lh_buf_view(&row), &head));
    assert_int_equal(head.slot, 7);
    assert_slice_text(lh_tenant_id_view(&head.id), "acme");
    row.ptr[6] = '_';
    assert_status(lh_tenant_row_read_head(lh_buf_view(&row), &head), LH_MALFORMED);
    row.ptr[6] = 'a';
    row.ptr[4] = 0; /* slot 0 is the platform's */
    assert_status(lh_tenant_row_read_head(lh_buf_view(&row), &head), LH_MALFORMED);
    row.ptr[2] = 4; /* slot 2^18 */
    assert_status(lh_tenant_row_read_head(lh_buf_view(&row), &head), LH_MALFORMED);
    row.ptr[0] = 0;
    assert_status(lh_tenant_row_read_head(lh_buf_view(&row), &head), LH_MALFORMED);
    row.ptr[0] = 2;
    assert_status(lh_tenant_row_read_head(lh_buf_view(&row), &head), LH_FUTURE_FORMAT);
}

#define HEAD_MEMBERS   "\"state\":\"active\",\"epoch\":1,\"created_ms\":2,\"tier\":\"free\""
#define LIST_MEMBERS   "\"roles\":[],\"aliases\":[],\"domains\":[]"
#define BUCKET_MEMBERS "\"buckets\":[1]"

static void test_tenant_row_read__refuses_what_no_writer_writes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS "}",
        "{" HEAD_MEMBERS "," LIST_MEMBERS "}",
        "{" LIST_MEMBERS "," BUCKET_MEMBERS "}",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS "," LIST_MEMBERS "}x",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS "," LIST_MEMBERS ",\"state\":\"active\"}",
        "{" HEAD_MEMBERS ",\"buckets\":[]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":[3]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":[0]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":[-1]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":[4096]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":[4294967297]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":[\"1\"]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":[1,1,1,1,1,1,1,1,1,1,1,1,1]," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS ",\"buckets\":1," LIST_MEMBERS "}",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS ",\"roles\":[],\"aliases\":[1],\"domains\":[]}",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS ",\"roles\":[],\"aliases\":{},\"domains\":[]}",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS ",\"roles\":[1],\"aliases\":[],\"domains\":[]}",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS
        ",\"roles\":[{\"scopes\":[]}],\"aliases\":[],\"domains\":[]}",
        "{" HEAD_MEMBERS "," BUCKET_MEMBERS
        ",\"roles\":[{\"name\":\"x\"}],\"aliases\":[],\"domains\":[]}",
        "{\"state\":\"gone\",\"epoch\":1,\"created_ms\":2,\"tier\":\"free\"," BUCKET_MEMBERS
        "," LIST_MEMBERS "}",
        "{\"state\":\"active\",\"epoch\":-1,\"created_ms\":2,\"tier\":\"free\"," BUCKET_MEMBERS
        "," LIST_MEMBERS "}",
        "{\"state\":\"active\",\"epoch\":1,\"created_ms\":2.5,\"tier\":\"free\"," BUCKET_MEMBERS
        "," LIST_MEMBERS "}",
        "{\"state\":\"active\",\"epoch\":1,\"created_ms\":2,\"tier\":\"\"," BUCKET_MEMBERS
        "," LIST_MEMBERS "}",
        "{\"state\":\"active\",\"epoch\":1,\"created_ms\":2,"
        "\"tier\":\"a-name-of-three-and-thirty-letters\"," BUCKET_MEMBERS "," LIST_MEMBERS "}",
    };
    assert_ok(read_json("{" HEAD_MEMBERS "," BUCKET_MEMBERS "," LIST_MEMBERS "}"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        lh_status status = read_json(bad[i]);
        if (status.code != LH_MALFORMED) {
            fail_msg("%s: got %s", bad[i], lh_status_name(status));
        }
    }
}

static void test_tenant_row_write__refuses_fields_out_of_range(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    tenant->epoch = (uint64_t)INT64_MAX + 1;
    assert_status(lh_tenant_row_write(tenant, &row), LH_INVALID);
    tenant->epoch = 1;
    tenant->slot = 0;
    assert_status(lh_tenant_row_write(tenant, &row), LH_INVALID);
    tenant->slot = 1;
    tenant->bucket_counts_len = LH_BUCKET_COUNTS_MAX + 1;
    assert_status(lh_tenant_row_write(tenant, &row), LH_INVALID);
    tenant->bucket_counts_len = 1;
    tenant->state = (enum lh_tenant_state)(LH_TENANT_REMOVED + 1);
    assert_status(lh_tenant_row_write(tenant, &row), LH_INVALID);
    assert_int_equal(row.len, 0);
}

static void test_tenant_row__is_bounded_and_the_longest_can_be_read(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *back = NULL;
    size_t most = LH_TENANT_ROW_MAX_BYTES / 3; /* of "", each */
    void *memory;
    assert_ok(lh_arena_take(&tenant->arena, most * sizeof(lh_slice), &memory));
    tenant->aliases = memory;
    tenant->alias_count = most;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_status(lh_tenant_row_write(tenant, &row), LH_TOO_LARGE);
    lh_buf_clear(&row);
    tenant->alias_count = most - 100;
    assert_ok(lh_tenant_row_write(tenant, &row));
    assert_ok(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &back));
    assert_ok(lh_tenant_row_read(lh_buf_view(&row), back));
    assert_int_equal(back->alias_count, most - 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tenant_row__survives_odd_texts),
        cmocka_unit_test(test_tenant_row__keeps_its_keys_out_of_the_json),
        cmocka_unit_test(test_tenant_row_read__refuses_every_cut),
        cmocka_unit_test(test_tenant_row_read_head__judges_version_slot_and_id),
        cmocka_unit_test(test_tenant_row_read__refuses_what_no_writer_writes),
        cmocka_unit_test(test_tenant_row_write__refuses_fields_out_of_range),
        cmocka_unit_test(test_tenant_row__is_bounded_and_the_longest_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
