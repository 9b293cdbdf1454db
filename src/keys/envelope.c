/*
 * The sealed body of a record.
 */
#include "keys/envelope.h"

#include "base/banned.h"

#define PURPOSE_PRINCIPAL ((uint8_t)'P')
#define PURPOSE_STATE     ((uint8_t)'S')
/* Longer than any fixed header: the AAD is put together on the stack. */
#define HEADER_MAX_BYTES ((size_t)512)

/* One purpose byte ‖ fixed header. */
struct aad {
    size_t len;
    uint8_t bytes[1 + HEADER_MAX_BYTES];
};

/* Errors: TOO_LARGE. */
static lh_status make_aad(uint8_t purpose, lh_slice header, struct aad *out_aad)
{
    LH_ENSURE(header.len > 0 && header.len <= HEADER_MAX_BYTES, LH_TOO_LARGE);
    out_aad->bytes[0] = purpose;
    memcpy(out_aad->bytes + 1, header.ptr, header.len);
    out_aad->len = 1 + header.len;
    return lh_ok();
}

/* Appends length ‖ sealed part; a part that is absent has length 0. */
static lh_status seal_part(struct lh_crypto *crypto, const struct lh_datakey *key, uint8_t purpose,
                           lh_slice header, lh_slice plain, struct lh_buf *out)
{
    struct aad aad;
    LH_TRY(make_aad(purpose, header, &aad));
    LH_ENSURE(plain.len <= UINT32_MAX - LH_AEAD_OVERHEAD_BYTES, LH_TOO_LARGE);
    LH_TRY(lh_buf_add_u32(out, (uint32_t)(plain.len + LH_AEAD_OVERHEAD_BYTES)));
    return lh_aead_seal(crypto, &key->record.key, lh_slice_of(aad.bytes, aad.len), plain, out);
}

lh_status lh_envelope_seal(struct lh_crypto *crypto, const struct lh_datakey *key, lh_slice header,
                           lh_slice principal, lh_slice state, struct lh_buf *out_body)
{
    LH_ENSURE(principal.len <= LH_PRINCIPAL_MAX_BYTES, LH_TOO_LARGE);
    LH_TRY(lh_buf_add(out_body, LH_SLICE_OF(key->record.commitment)));
    LH_TRY(seal_part(crypto, key, PURPOSE_PRINCIPAL, header, principal, out_body));
    if (state.len == 0) {
        return lh_buf_add_u32(out_body, 0);
    }
    return seal_part(crypto, key, PURPOSE_STATE, header, state, out_body);
}

static lh_status read_part(struct lh_cursor *cursor, lh_slice *out_sealed)
{
    uint32_t len;
    LH_TRY(lh_cursor_u32(cursor, &len));
    return lh_cursor_view(cursor, len, out_sealed);
}

static lh_status split_body(lh_slice body, struct lh_envelope *out_envelope)
{
    struct lh_cursor cursor = lh_cursor_over(body);
    struct lh_envelope envelope;
    LH_TRY(lh_cursor_view(&cursor, LH_AEAD_COMMITMENT_BYTES, &envelope.commitment));
    LH_TRY(read_part(&cursor, &envelope.sealed_principal));
    LH_TRY(read_part(&cursor, &envelope.sealed_state));
    LH_TRY(lh_cursor_finish(&cursor));
    size_t principal_len = envelope.sealed_principal.len;
    size_t state_len = envelope.sealed_state.len;
    LH_ENSURE(principal_len >= LH_AEAD_OVERHEAD_BYTES &&
                  principal_len <= LH_AEAD_OVERHEAD_BYTES + LH_PRINCIPAL_MAX_BYTES,
              LH_MALFORMED);
    LH_ENSURE(state_len == 0 || state_len > LH_AEAD_OVERHEAD_BYTES, LH_MALFORMED);
    *out_envelope = envelope;
    return lh_ok();
}

lh_status lh_envelope_parse(lh_slice body, struct lh_envelope *out_envelope)
{
    LH_ENSURE(lh_is_ok(split_body(body, out_envelope)), LH_TAMPERED);
    return lh_ok();
}

static lh_status open_part(struct lh_crypto *crypto, const struct lh_datakey *key, uint8_t purpose,
                           lh_slice header, lh_slice commitment, lh_slice sealed,
                           struct lh_buf *out_plain)
{
    LH_ENSURE(lh_secret_slice_is_equal(commitment, LH_SLICE_OF(key->record.commitment)),
              LH_TAMPERED);
    struct aad aad;
    LH_TRY(make_aad(purpose, header, &aad));
    LH_ENSURE(sealed.len >= LH_AEAD_OVERHEAD_BYTES, LH_TAMPERED);
    size_t plain_len = sealed.len - LH_AEAD_OVERHEAD_BYTES;
    /* One byte more, so that there is always a place to write to. */
    LH_TRY(lh_buf_reserve(out_plain, plain_len + 1));
    LH_TRY(lh_aead_open(crypto, &key->record.key, lh_slice_of(aad.bytes, aad.len), sealed,
                        out_plain->ptr + out_plain->len));
    out_plain->len += plain_len;
    return lh_ok();
}

lh_status lh_envelope_open_principal(struct lh_crypto *crypto, const struct lh_datakey *key,
                                     lh_slice header, const struct lh_envelope *envelope,
                                     struct lh_buf *out_plain)
{
    return open_part(crypto, key, PURPOSE_PRINCIPAL, header, envelope->commitment,
                     envelope->sealed_principal, out_plain);
}

lh_status lh_envelope_open_state(struct lh_crypto *crypto, const struct lh_datakey *key,
                                 lh_slice header, const struct lh_envelope *envelope,
                                 struct lh_buf *out_plain)
{
    LH_ENSURE(envelope->sealed_state.len > 0, LH_ABSENT);
    return open_part(crypto, key, PURPOSE_STATE, header, envelope->commitment,
                     envelope->sealed_state, out_plain);
}
