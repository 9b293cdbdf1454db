/*
 * The fixture of the sealed cookies' tests.
 */
#include "sealed_fixture.h"

int sealed_set_up(void **state)
{
    struct cookies *cookies = calloc(1, sizeof(*cookies));
    void *fixture;
    assert_int_equal(fixture_set_up(&fixture), 0);
    cookies->fixture = fixture;
    struct lh_key secret = {{9}};
    assert_ok(lh_cell_new(cookies->fixture->crypto, KEY_ID, &secret, LH_LOCK_BEST_EFFORT, 8,
                          &cookies->cell));
    *state = cookies;
    return 0;
}

int sealed_tear_down(void **state)
{
    struct cookies *cookies = *state;
    lh_buf_fini(&cookies->plain);
    lh_cell_free(cookies->cell);
    void *fixture = cookies->fixture;
    (void)fixture_tear_down(&fixture);
    free(cookies);
    return 0;
}

struct lh_session_spec spec_of_bob(void)
{
    struct lh_session_spec spec = spec_of_alice();
    spec.state = LH_SLICE_EMPTY;
    return spec;
}

lh_status create(struct cookies *cookies, const struct lh_tenant *tenant,
                 const struct lh_session_spec *spec, struct lh_buf *text,
                 struct lh_session_header *header)
{
    struct lh_op op = lh_op_idle(0, NULL);
    return lh_vault_create_sealed(cookies->fixture->vault, &op, cookies->cell, tenant, spec, text,
                                  header);
}

void create_one(struct cookies *cookies, const struct lh_tenant *tenant, struct lh_buf *text)
{
    struct lh_session_spec spec = spec_of_bob();
    struct lh_session_header header;
    assert_ok(create(cookies, tenant, &spec, text, &header));
}

lh_status verify(struct cookies *cookies, const struct lh_tenant *tenant, lh_slice text,
                 struct lh_sealed_cookie *cookie)
{
    struct lh_raw_sealed_cookie raw;
    LH_TRY(lh_sealed_cookie_parse(text, cookies->room, &raw));
    return lh_sealed_cookie_verify(cookies->cell, &tenant->uid, &raw, cookie);
}

lh_status open_cookie(struct cookies *cookies, const struct lh_tenant *tenant,
                      const struct lh_sealed_cookie *cookie)
{
    struct lh_op op = lh_op_idle(0, NULL);
    return lh_vault_open_sealed(cookies->fixture->vault, &op, tenant, cookie, &cookies->plain,
                                &cookies->principal);
}

lh_status accept_cookie(struct cookies *cookies, const struct lh_tenant *tenant, lh_slice text)
{
    struct lh_sealed_cookie cookie;
    LH_TRY(verify(cookies, tenant, text, &cookie));
    return open_cookie(cookies, tenant, &cookie);
}

void decode(lh_slice text, struct lh_buf *bytes)
{
    uint8_t *room;
    size_t len;
    lh_buf_clear(bytes);
    assert_ok(lh_buf_add_room(bytes, lh_sealed_cookie_room_bytes(text.len), &room));
    assert_ok(lh_base64url_decode(text, room, bytes->len, &len));
    bytes->len = len;
}

void forge(struct cookies *cookies, const struct lh_tenant *tenant, lh_slice authentic,
           struct lh_buf *text)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    struct lh_digest mac;
    assert_ok(lh_cell_mac(cookies->cell, &tenant->uid, KEY_ID, authentic, &mac));
    assert_ok(lh_buf_add(&bytes, authentic));
    assert_ok(lh_buf_add(&bytes, lh_slice_of(mac.bytes, LH_SEALED_COOKIE_MAC_BYTES)));
    lh_buf_clear(text);
    assert_ok(lh_base64url_add(text, lh_buf_view(&bytes)));
}
