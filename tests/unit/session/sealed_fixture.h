/*
 * Sealed cookies of two tenants, and what a thief of the cell's secret could make of them.
 */
#ifndef LH_TESTS_SEALED_FIXTURE_H
#define LH_TESTS_SEALED_FIXTURE_H

#include "session_fixture.h"

#include "session/sealed_cookie.h"

#define KEY_ID     3
#define TEXT_BYTES 4200

struct cookies {
    struct fixture *fixture; /* acme and globex */
    struct lh_cell *cell;
    uint8_t room[TEXT_BYTES];
    struct lh_buf plain;
    struct lh_principal principal; /* as opened last */
};

/* For cmocka; *state is a struct cookies. */
int sealed_set_up(void **state);
/* For cmocka. */
int sealed_tear_down(void **state);

#define WITH_CELL(test) cmocka_unit_test_setup_teardown(test, sealed_set_up, sealed_tear_down)

/* Alice without a state. */
struct lh_session_spec spec_of_bob(void);
lh_status create(struct cookies *cookies, const struct lh_tenant *tenant,
                 const struct lh_session_spec *spec, struct lh_buf *text,
                 struct lh_session_header *header);
/* Appends her cookie at a tenant. */
void create_one(struct cookies *cookies, const struct lh_tenant *tenant, struct lh_buf *text);
/* Parses and verifies. */
lh_status verify(struct cookies *cookies, const struct lh_tenant *tenant, lh_slice text,
                 struct lh_sealed_cookie *cookie);
/* Opens a verified one. */
lh_status open_cookie(struct cookies *cookies, const struct lh_tenant *tenant,
                      const struct lh_sealed_cookie *cookie);
/* All three. The first failure is the answer. */
lh_status accept_cookie(struct cookies *cookies, const struct lh_tenant *tenant, lh_slice text);
/* The bytes of a value. */
void decode(lh_slice text, struct lh_buf *bytes);
/* The value of bytes under a MAC that is right for a tenant, as somebody who stole the cell's
   secret would make it. */
void forge(struct cookies *cookies, const struct lh_tenant *tenant, lh_slice authentic,
           struct lh_buf *text);

#endif
