/*
 * The vocabulary that every part of Leasehold shares: how a call answers and how bytes are
 * lent. Included by the library, by every host adapter and by the programs; needs nothing but
 * the C standard library.
 */
#ifndef LEASEHOLD_TYPES_H
#define LEASEHOLD_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A result that may not be ignored. Every function that can fail carries it. */
#define LH_MUST_USE __attribute__((warn_unused_result))

/* The only symbols that a shared library or module exports. */
#define LH_PUBLIC __attribute__((visibility("default")))

/*
 * What a status means for the one who decides. Decisions look at the class, logs print the name.
 */
enum lh_class {
    LH_CLASS_OK,          /* done */
    LH_CLASS_PENDING,     /* not finished; the op will be completed on the loop */
    LH_CLASS_DENY,        /* the answer is no: absent, expired, revoked, malformed, not allowed */
    LH_CLASS_TAMPERED,    /* stored or presented bytes are not what we wrote: deny, and an alarm */
    LH_CLASS_UNAVAILABLE, /* unknown: store, key, clock or registry cannot answer now */
    LH_CLASS_RESOURCE,    /* memory, space or a bounded queue is exhausted */
    LH_CLASS_MISUSE       /* the caller or the operator asked for something that cannot be */
};

/*
 * Every status there is: name, class, text. The text is for people; tests and logs use the name.
 */
#define LH_STATUS_TABLE(X)                                                                         \
    X(OK, OK, "done")                                                                              \
    X(PENDING, PENDING, "not finished yet")                                                        \
    X(ABSENT, DENY, "not found")                                                                   \
    X(EXISTS, DENY, "exists already")                                                              \
    X(CONFLICT, DENY, "changed by someone else meanwhile")                                         \
    X(EXPIRED, DENY, "expired")                                                                    \
    X(EARLY, DENY, "not valid yet")                                                                \
    X(REVOKED, DENY, "revoked")                                                                    \
    X(DISABLED, DENY, "disabled")                                                                  \
    X(MALFORMED, DENY, "malformed")                                                                \
    X(TOO_LARGE, DENY, "too large")                                                                \
    X(DUPLICATE, DENY, "given more than once")                                                     \
    X(MISMATCH, DENY, "sources disagree")                                                          \
    X(BAD_MAC, DENY, "message authentication code does not hold")                                  \
    X(BAD_SECRET, DENY, "session secret does not match")                                           \
    X(BAD_SIGNATURE, DENY, "signature does not hold")                                              \
    X(REPLAYED, DENY, "used before")                                                               \
    X(WRONG_TENANT, DENY, "belongs to another tenant")                                             \
    X(FORBIDDEN, DENY, "not allowed")                                                              \
    X(LIMITED, DENY, "over a limit")                                                               \
    X(RESERVED, DENY, "name is reserved")                                                          \
    X(TAMPERED, TAMPERED, "stored bytes are not authentic")                                        \
    X(FOREIGN, TAMPERED, "record of another tenant or session in this place")                      \
    X(QUARANTINED, TAMPERED, "record is set aside")                                                \
    X(STORE_DOWN, UNAVAILABLE, "store unavailable")                                                \
    X(KEY_DOWN, UNAVAILABLE, "key unavailable")                                                    \
    X(REGISTRY_DOWN, UNAVAILABLE, "registry unavailable")                                          \
    X(COUNTERS_DOWN, UNAVAILABLE, "change counters unavailable")                                   \
    X(NONCES_DOWN, UNAVAILABLE, "whether it was used before cannot be told")                       \
    X(CLOCK_DOWN, UNAVAILABLE, "clock unavailable")                                                \
    X(UNREADABLE, UNAVAILABLE, "file cannot be read or written")                                   \
    X(TIMEOUT, UNAVAILABLE, "deadline passed")                                                     \
    X(FUTURE_FORMAT, UNAVAILABLE, "written by a newer version")                                    \
    X(NO_MEMORY, RESOURCE, "out of memory")                                                        \
    X(NO_SPACE, RESOURCE, "out of space")                                                          \
    X(QUEUE_FULL, RESOURCE, "queue is full")                                                       \
    X(INVALID, MISUSE, "invalid argument")                                                         \
    X(UNSAFE_FILE, MISUSE, "owner, mode or type of a file is unsafe")                              \
    X(CRYPTO, MISUSE, "cryptographic library failed")

enum lh_code {
#define LH_STATUS_ENUM(name, class, text) LH_##name,
    LH_STATUS_TABLE(LH_STATUS_ENUM)
#undef LH_STATUS_ENUM
        LH_STATUS_COUNT
};

/*
 * The answer of everything that can fail. A struct and not the bare enum, so that the compiler
 * refuses to mix it with int, bool or a count.
 */
typedef struct lh_status {
    enum lh_code code;
} lh_status;

/* Makes a status: lh_status_of(LH_EXPIRED). */
static inline lh_status lh_status_of(enum lh_code code)
{
    return (lh_status){code};
}

/* Whether a call did what it was asked to. */
static inline bool lh_is_ok(lh_status status)
{
    return status.code == LH_OK;
}

/*
 * The class of a status.
 * status  any status; a code outside the table is LH_CLASS_MISUSE.
 */
LH_PUBLIC enum lh_class lh_status_class(lh_status status);

/*
 * The stable name of a status ("BAD_MAC"); static storage, never NULL.
 */
LH_PUBLIC const char *lh_status_name(lh_status status);

/*
 * One phrase for people; static storage, never NULL.
 */
LH_PUBLIC const char *lh_status_text(lh_status status);

/*
 * Bytes lent by somebody else, valid as long as the lender says. NUL never means the end.
 * The empty slice is {NULL, 0} or any pointer with len 0.
 */
typedef struct lh_slice {
    const uint8_t *ptr;
    size_t len; /* bytes */
} lh_slice;

#ifdef __cplusplus
}
#endif

#endif
