/*
 * The only maker of tenant ids: the public name of a tenant, and the immutable uid that keys,
 * AAD and records use.
 */
#ifndef LH_TENANT_TENANT_ID_H
#define LH_TENANT_TENANT_ID_H

#include "base/slice.h"

#define LH_TENANT_ID_MIN_BYTES 4U
#define LH_TENANT_ID_MAX_BYTES 36U
#define LH_TENANT_UID_BYTES    16U

/* A name that has passed the grammar ^[a-z0-9-]{4,36}$, lower case. */
struct lh_tenant_id {
    uint8_t len;
    char text[LH_TENANT_ID_MAX_BYTES];
};

/* Never reused, never changed; random. */
struct lh_tenant_uid {
    uint8_t bytes[LH_TENANT_UID_BYTES];
};

/* 32 hex digits. */
#define LH_TENANT_UID_TEXT_BYTES (2U * LH_TENANT_UID_BYTES)

static inline lh_slice lh_tenant_id_view(const struct lh_tenant_id *id)
{
    return lh_slice_of(id->text, id->len);
}

static inline lh_slice lh_tenant_uid_view(const struct lh_tenant_uid *uid)
{
    return lh_slice_of(uid->bytes, sizeof(uid->bytes));
}

/*
 * Reads a tenant id that a request claims; ASCII letters are lower-cased once, here and nowhere
 * else. No decoding, no trimming.
 * Errors: MALFORMED (also for a wrong length).
 */
LH_MUST_USE lh_status lh_tenant_id_parse(lh_slice raw, struct lh_tenant_id *out_id);

/*
 * Reads an id for a tenant to be made: the grammar, and no leading or trailing "-", not
 * beginning "xn--", not of the form of a uid (where either may stand, one tenant's name would be
 * another's uid), none of the reserved words (default, admin, system, ...).
 * Errors: MALFORMED, RESERVED.
 */
LH_MUST_USE lh_status lh_tenant_id_parse_new(lh_slice raw, struct lh_tenant_id *out_id);

/* Why that name is reserved, one phrase of static storage; NULL if it is not. */
const char *lh_tenant_id_reserved_reason(const struct lh_tenant_id *id);

/* Whether two names are the same. */
bool lh_tenant_id_is_equal(const struct lh_tenant_id *a, const struct lh_tenant_id *b);
/* Whether two uids are the same. */
bool lh_tenant_uid_is_equal(const struct lh_tenant_uid *a, const struct lh_tenant_uid *b);

/* Writes LH_TENANT_UID_TEXT_BYTES lower-case hex digits, no NUL. */
void lh_tenant_uid_write(const struct lh_tenant_uid *uid, char *out_text);
/* Reads the same form. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_tenant_uid_parse(lh_slice text, struct lh_tenant_uid *out_uid);

#endif
