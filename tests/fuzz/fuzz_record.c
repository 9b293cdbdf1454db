/*
 * Records as a store hands them out: a header that is read writes back to the same bytes, parts
 * lie inside the record, nothing opens that was not sealed, and a principal that is read is made
 * of tokens and writes back to the same bytes.
 */
#include "fuzz.h"

#include "keys/envelope.h"
#include "session/session.h"

static bool is_inside(lh_slice part, lh_slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* One for the process: the target is called again and again. */
static struct lh_crypto *open_crypto(void)
{
    static struct lh_crypto *crypto;
    if (crypto == NULL) {
        FUZZ_CHECK(lh_is_ok(lh_crypto_new(&crypto)));
    }
    return crypto;
}

static void check_envelope(lh_slice header, lh_slice body)
{
    struct lh_envelope envelope;
    if (!lh_is_ok(lh_envelope_parse(body, &envelope))) {
        return;
    }
    FUZZ_CHECK(is_inside(envelope.commitment, body));
    FUZZ_CHECK(is_inside(envelope.sealed_principal, body));
    FUZZ_CHECK(is_inside(envelope.sealed_state, body));
    /* With the right commitment only the seal is in the way. */
    struct lh_datakey key = {.dek_id = 1};
    memcpy(key.record.commitment, envelope.commitment.ptr, sizeof(key.record.commitment));
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_envelope_open_principal(open_crypto(), &key, header, &envelope, &plain).code ==
               LH_TAMPERED);
    lh_status status = lh_envelope_open_state(open_crypto(), &key, header, &envelope, &plain);
    FUZZ_CHECK(status.code == (envelope.sealed_state.len > 0 ? LH_TAMPERED : LH_ABSENT));
    FUZZ_CHECK(plain.len == 0);
}

static void check_record(lh_slice record)
{
    struct lh_session_header header;
    lh_slice fixed;
    lh_slice body;
    lh_status status = lh_session_header_read(record, &header, &fixed, &body);
    FUZZ_CHECK(status.code == LH_OK || status.code == LH_TAMPERED ||
               status.code == LH_FUTURE_FORMAT);
    if (!lh_is_ok(status)) {
        return;
    }
    FUZZ_CHECK(fixed.len + body.len == record.len && is_inside(body, record));
    LH_CLEANUP(lh_buf_fini) struct lh_buf again = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_is_ok(lh_session_header_write(&header, &again)));
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&again), fixed));
    check_envelope(fixed, body);
}

static void check_list(const struct lh_text_list *list, lh_slice plain)
{
    FUZZ_CHECK(list->count <= LH_PRINCIPAL_LIST_MAX);
    for (size_t i = 0; i < list->count; i++) {
        FUZZ_CHECK(is_inside(list->items[i], plain));
        FUZZ_CHECK(lh_principal_is_token(list->items[i]));
    }
}

static void check_principal(lh_slice plain)
{
    struct lh_principal principal;
    if (!lh_is_ok(lh_principal_read(plain, &principal))) {
        return;
    }
    FUZZ_CHECK(is_inside(principal.subject, plain));
    check_list(&principal.roles, plain);
    check_list(&principal.scopes, plain);
    check_list(&principal.groups, plain);
    LH_CLEANUP(lh_buf_fini) struct lh_buf again = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_is_ok(lh_principal_write(&principal, &again)));
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&again), plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice input = lh_slice_of(bytes, len);
    check_record(input);
    check_principal(input);
    check_envelope(LH_SLICE_LITERAL("header"), input);
    return 0;
}
