/*
 * A session: a lease held by one tenant, for a term, under that tenant's key. The fixed header is
 * readable without a key and authenticated as AAD; the principal is sealed.
 */
#ifndef LH_SESSION_SESSION_H
#define LH_SESSION_SESSION_H

#include "base/text_list.h"
#include "crypto/crypto.h"
#include "keys/envelope.h"
#include "session/session_handle.h"
#include "store/store.h"

/* What is written; format 1, which has no tag of a token, is read. */
#define LH_RECORD_FORMAT 2U
/* Bytes of the fixed header as it lies, and as it lay in format 1. */
#define LH_SESSION_HEADER_BYTES          196U
#define LH_SESSION_HEADER_BYTES_FORMAT_1 180U

/* The access token that belongs to a session: what SHA-256 of its jti begins with. Zero: none. */
struct lh_token_tag {
    uint8_t bytes[16];
};

/* The fixed header of a record: everything that decides, and nothing personal. */
struct lh_session_header {
    uint8_t format;
    bool has_user;  /* false: anonymous */
    bool has_state; /* whether there is a sealed state: it cannot be taken off unseen */
    struct lh_tenant_uid uid;
    uint16_t bucket;
    struct lh_lease_id lease;
    uint64_t generation;
    uint32_t dek_id;
    uint64_t created_ms;
    uint64_t absolute_end_ms;
    uint32_t idle_s;
    uint64_t platform_epoch; /* at creation; an older one than the registry's ends the session */
    uint64_t tenant_epoch;
    uint64_t user_epoch;
    struct lh_user_tag user_tag;    /* zero when anonymous */
    struct lh_digest secret_hash;   /* SHA-256 of the present secret */
    struct lh_digest previous_hash; /* of the one before; valid until grace_end_ms */
    uint64_t grace_end_ms;          /* 0 = no grace */
    struct lh_token_tag token_tag;
};

/* Most roles, scopes or groups of one principal. */
#define LH_PRINCIPAL_LIST_MAX LH_TEXT_LIST_MAX

/* Who the session is for. Views into the opened principal. */
struct lh_principal {
    lh_slice subject;
    struct lh_text_list roles;
    struct lh_text_list scopes; /* granted directly, beside what roles give */
    struct lh_text_list groups;
};

/* Whether the fields can be those of any session, in a record or a cookie. */
bool lh_session_header_is_sane(const struct lh_session_header *header);
/*
 * Appends the fixed header in the format that it names.
 * Errors: INVALID (fields that cannot be), NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_session_header_write(const struct lh_session_header *header,
                                              struct lh_buf *out);
/*
 * Reads the fixed header off a record.
 * out_header_bytes  the header as it lies (the AAD); out_body: the sealed rest; views into record.
 * Errors: TAMPERED, FUTURE_FORMAT (a newer version wrote it: unknown, never deleted).
 */
LH_MUST_USE lh_status lh_session_header_read(lh_slice record, struct lh_session_header *out_header,
                                             lh_slice *out_header_bytes, lh_slice *out_body);
/*
 * Appends a principal's plain form: subject, roles, scopes, groups; a text is one length byte and
 * its bytes, a list one count byte and its texts.
 * Errors: MALFORMED (a text that is no token), TOO_LARGE (LH_PRINCIPAL_MAX_BYTES), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_principal_write(const struct lh_principal *principal, struct lh_buf *out);
/* Reads it as views; empty on failure. Errors: TAMPERED (also for a text that is no token). */
LH_MUST_USE lh_status lh_principal_read(lh_slice plain, struct lh_principal *out_principal);
/*
 * The same principal over a copy of its plain form.
 * principal  as read from from.
 * from, to   the plain form, and the copy that the result's views point into; equally long.
 * out_principal  only what is listed is written: what lies behind a list's count stays as it is.
 */
void lh_principal_move(const struct lh_principal *principal, const uint8_t *from, const uint8_t *to,
                       struct lh_principal *out_principal);
/* Writes a plain form of at most max_bytes. Errors: as lh_principal_write. */
LH_MUST_USE lh_status lh_principal_write_within(const struct lh_principal *principal,
                                                size_t max_bytes, struct lh_buf *out);
/* Reads a plain form of at most max_bytes. Errors: as lh_principal_read. */
LH_MUST_USE lh_status lh_principal_read_within(lh_slice plain, size_t max_bytes,
                                               struct lh_principal *out_principal);
/* Whether text may be a subject, role, scope or group. */
static inline bool lh_principal_is_token(lh_slice text)
{
    return lh_text_is_token(text);
}

/* The tag of a token: of its jti. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_token_tag_of(struct lh_crypto *crypto, lh_slice jti,
                                      struct lh_token_tag *out_tag);
/* Whether that token belongs to the session; in constant time. None belongs to one without. */
bool lh_session_has_token(const struct lh_session_header *header, const struct lh_token_tag *tag);

/*
 * The tag of a user: HMAC(index key of the tenant, subject), cut to 16 bytes.
 * Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_user_tag_of(struct lh_crypto *crypto, const struct lh_tenant *tenant,
                                     lh_slice subject, struct lh_user_tag *out_tag);

#endif
