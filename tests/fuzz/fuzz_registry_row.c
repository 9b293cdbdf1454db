/*
 * Rows of the registry. An input is one byte that says which row, then the row. What is accepted
 * and written again reads as the same; what is not fails with a status and touches nothing behind
 * its end.
 */
#include "fuzz.h"

#include "registry/issuer_codec.h"
#include "registry/row_codec.h"
#include "registry/signature_codec.h"
#include "registry/tenant_codec.h"

static void check_refusal(lh_status status)
{
    FUZZ_CHECK(status.code == LH_MALFORMED || status.code == LH_FUTURE_FORMAT ||
               status.code == LH_TOO_LARGE);
}

/* Fixed rows have one spelling each. */
#define CHECK_FIXED(row, type, read, write)                                                        \
    do {                                                                                           \
        struct type parsed;                                                                        \
        LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;                              \
        lh_status status = read(row, &parsed);                                                     \
        if (!lh_is_ok(status)) {                                                                   \
            check_refusal(status);                                                                 \
        } else {                                                                                   \
            FUZZ_CHECK(lh_is_ok(write(&parsed, &written)));                                        \
            FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&written), row));                             \
        }                                                                                          \
    } while (0)

/* Rows of version 1 have no rate: written again they are longer, and say that there is none. */
static void check_tier_again(lh_slice row, lh_slice again)
{
    static const uint8_t no_rate[8] = {0};
    if (row.ptr[0] == 1) {
        FUZZ_CHECK(again.len == row.len + sizeof(no_rate));
        FUZZ_CHECK(
            lh_slice_is_equal(lh_slice_cut(again, row.len, sizeof(no_rate)), LH_SLICE_OF(no_rate)));
        again = lh_slice_cut(again, 1, row.len - 1);
        row = lh_slice_cut(row, 1, row.len - 1);
    }
    FUZZ_CHECK(lh_slice_is_equal(again, row));
}

static void check_tier(lh_slice row)
{
    struct lh_tier tier;
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    lh_status status = lh_tier_row_read(LH_SLICE_LITERAL("free"), row, &tier);
    if (!lh_is_ok(status)) {
        check_refusal(status);
        return;
    }
    FUZZ_CHECK(lh_is_ok(lh_tier_check(&tier)));
    FUZZ_CHECK(lh_is_ok(lh_tier_row_write(&tier, &written)));
    check_tier_again(row, lh_buf_view(&written));
}

static void check_signing_key(lh_slice row)
{
    struct lh_wrapped_signing_key key = {.id = 1};
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    lh_status status = lh_signing_row_read(row, &key);
    if (!lh_is_ok(status)) {
        check_refusal(status);
        return;
    }
    FUZZ_CHECK(lh_is_ok(lh_signing_row_write(&key, &written)));
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&written), row));
}

static void check_issuer(lh_slice row)
{
    struct lh_arena arena = lh_arena_bounded((size_t)1024 * 1024);
    struct lh_issuer issuer;
    struct lh_issuer_binding binding;
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    lh_status status =
        lh_issuer_row_read(LH_SLICE_LITERAL("https://idp.example"), row, &arena, &issuer);
    if (!lh_is_ok(status)) {
        check_refusal(status);
    } else {
        FUZZ_CHECK(lh_is_ok(lh_issuer_check(&issuer)));
        FUZZ_CHECK(lh_is_ok(lh_issuer_row_write(&issuer, &written)));
        FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&written), row));
        FUZZ_CHECK(lh_is_ok(lh_issuer_row_read_binding(row, &binding)));
        FUZZ_CHECK(lh_slice_is_equal(binding.issuer.bind_value, issuer.bind_value));
    }
    lh_arena_fini(&arena);
}

static void check_signature_key(lh_slice row)
{
    struct lh_arena arena = lh_arena_bounded((size_t)1024 * 1024);
    struct lh_signature_key key;
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    lh_status status = lh_signature_row_read(LH_SLICE_LITERAL("key"), row, &arena, &key);
    if (!lh_is_ok(status)) {
        check_refusal(status);
    } else {
        FUZZ_CHECK(lh_signature_key_is_sane(&key));
        FUZZ_CHECK(lh_is_ok(lh_signature_row_write(&key, &written)));
        FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&written), row));
    }
    lh_arena_fini(&arena);
}

static void check_end_key(lh_slice raw)
{
    struct lh_end_key end;
    uint8_t written[LH_END_KEY_BYTES];
    if (lh_is_ok(lh_end_key_read(raw, &end))) {
        lh_end_key_write(&end, written);
        FUZZ_CHECK(lh_slice_is_equal(LH_SLICE_OF(written), raw));
    }
}

/* JSON has many spellings, so the second writing is compared with the first. */
static void check_tenant(lh_slice row)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *again = NULL;
    LH_CLEANUP(lh_buf_fini) struct lh_buf first = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf second = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_is_ok(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &tenant)));
    FUZZ_CHECK(lh_is_ok(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &again)));
    lh_status status = lh_tenant_row_read(row, tenant);
    if (!lh_is_ok(status)) {
        check_refusal(status);
        return;
    }
    status = lh_tenant_row_write(tenant, &first);
    if (!lh_is_ok(status)) {
        FUZZ_CHECK(status.code == LH_TOO_LARGE); /* escapes may make it longer than it was */
        return;
    }
    FUZZ_CHECK(lh_is_ok(lh_tenant_row_read(lh_buf_view(&first), again)));
    FUZZ_CHECK(lh_is_ok(lh_tenant_row_write(again, &second)));
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&first), lh_buf_view(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    lh_slice row = lh_slice_of(bytes + 1, len - 1);
    switch (bytes[0]) {
    case 'n':
        CHECK_FIXED(row, lh_name_row, lh_name_row_read, lh_name_row_write);
        break;
    case 'd':
        CHECK_FIXED(row, lh_wrapped_dek, lh_dek_row_read, lh_dek_row_write);
        break;
    case 'r':
        CHECK_FIXED(row, lh_revocation_row, lh_revocation_row_read, lh_revocation_row_write);
        break;
    case 'u':
        CHECK_FIXED(row, lh_user_epoch_row, lh_user_epoch_row_read, lh_user_epoch_row_write);
        break;
    case 't':
        check_tier(row);
        break;
    case 'e':
        check_end_key(row);
        break;
    case 'i':
        check_issuer(row);
        break;
    case 's':
        check_signing_key(row);
        break;
    case 'k':
        check_signature_key(row);
        break;
    default:
        check_tenant(row);
    }
    return 0;
}
