/*
 * The gate: one request in, one decision out. Host-neutral: an adapter translates its server's
 * request into lh_request, asks, and does what the decision says. Nothing of the decision lives
 * in an adapter.
 *
 * One gate per process (worker), made after fork, used from one thread.
 */
#ifndef LEASEHOLD_GATE_H
#define LEASEHOLD_GATE_H

#include <leasehold/host.h>
#include <leasehold/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lh_gate;

/* --- What a location wants -------------------------------------------------------------------- */

enum lh_gate_mode { LH_GATE_OFF, LH_GATE_ON, LH_GATE_OPTIONAL };

/* Where the tenant may come from, as bits. */
#define LH_GATE_TENANT_SUBDOMAIN 1U
#define LH_GATE_TENANT_HOST      2U
#define LH_GATE_TENANT_HEADER    4U
#define LH_GATE_TENANT_CLAIM     8U /* "tenant_id" of a bearer token */

/* What is accepted as a credential, as bits. What is not is neither read nor removed. */
#define LH_GATE_CREDENTIAL_COOKIE    1U
#define LH_GATE_CREDENTIAL_BEARER    2U
#define LH_GATE_CREDENTIAL_SIGNATURE 4U /* RFC 9421, under a key of the tenant's */

/* What a cookie is: a handle to a session in the store, or a session that it holds whole. */
enum lh_gate_cookie { LH_GATE_COOKIE_HANDLE, LH_GATE_COOKIE_SEALED };

/* What a bearer token proves: that its session lives, or only what it says itself. */
enum lh_gate_token_mode { LH_GATE_TOKEN_STATEFUL, LH_GATE_TOKEN_STATELESS };

enum lh_gate_state { LH_GATE_STATE_NONE, LH_GATE_STATE_CLAIMS, LH_GATE_STATE_FULL };

enum lh_gate_origin { LH_GATE_ORIGIN_SAME, LH_GATE_ORIGIN_LIST, LH_GATE_ORIGIN_OFF };

/* A list of texts owned by the configuration. */
struct lh_gate_list {
    const lh_slice *items;
    size_t count;
};

/*
 * One location's policy. Immutable once built; lives as long as the configuration that owns it.
 */
struct lh_gate_policy {
    enum lh_gate_mode mode;
    unsigned tenant_from;               /* LH_GATE_TENANT_... bits */
    struct lh_gate_list base_domains;   /* for SUBDOMAIN: lower case, no trailing dot */
    enum lh_gate_state state;           /* how much is fetched and injected */
    struct lh_gate_list require_roles;  /* any one of them, if there are some */
    struct lh_gate_list require_scopes; /* each of them */
    struct lh_gate_list audiences;      /* of contexts and tokens; empty: "leasehold" */
    enum lh_gate_origin origin;
    struct lh_gate_list origins;   /* for LIST: "scheme://host[:port]", beside the own one */
    struct lh_gate_list preflight; /* origins whose CORS preflight is answered here */
    bool is_stale_passed;          /* optional mode: an invalid cookie passes as anonymous */
    unsigned credentials;          /* LH_GATE_CREDENTIAL_... bits */
    enum lh_gate_cookie cookie;    /* the kind that is accepted; the other one is malformed */
    enum lh_gate_token_mode token_mode;
    bool passes_authorization; /* an accepted token or signature goes on to the upstream */
    lh_slice signin;           /* where browser navigations without session go; may be empty */
    uint32_t budget_ms;        /* deadline of the whole decision */
    uint32_t cold_budget_ms;   /* how long a key that is not warm may be waited for */
};

/* --- The request ------------------------------------------------------------------------------ */

/* What a header is to the gate. */
enum lh_header_kind {
    LH_HEADER_PLAIN,       /* none of our business */
    LH_HEADER_MANAGED,     /* ours to write: remove whatever the client sent */
    LH_HEADER_TENANT,      /* X-Tenant-ID: kept aside for extraction, and removed */
    LH_HEADER_TENANT_LIKE, /* another spelling of it (X_Tenant_ID): removed, and names nobody */
    LH_HEADER_COOKIE,      /* kept aside; replaced by the decision's cookie */
    LH_HEADER_AUTHORIZATION,
    LH_HEADER_SIGNATURE, /* Signature and Signature-Input (RFC 9421) */
    LH_HEADER_ORIGIN,
    LH_HEADER_FETCH_SITE, /* Sec-Fetch-Site */
    LH_HEADER_FETCH_MODE, /* Sec-Fetch-Mode */
    LH_HEADER_FETCH_DEST, /* Sec-Fetch-Dest */
    LH_HEADER_ACCEPT,
    LH_HEADER_CORS_METHOD,  /* Access-Control-Request-Method */
    LH_HEADER_CORS_HEADERS, /* Access-Control-Request-Headers */
    LH_HEADER_REQUEST_ID,   /* X-Request-ID: managed */
    LH_HEADER_TRACEPARENT,  /* managed: continued or begun */
    LH_HEADER_TRACESTATE    /* managed: goes on only with a traceparent that is continued */
};

/*
 * What a header name means, in every spelling an upstream might fold: case, and for "-" any byte
 * that is neither letter nor digit. Cheap; called once per header of every request.
 * name  as sent.
 */
LH_PUBLIC enum lh_header_kind lh_gate_header_kind(lh_slice name);

/*
 * Whether a header of that kind never reaches an upstream as the client sent it. Cookie is not
 * among them: lh_decision.has_cookie and .cookie say what remains of it.
 */
LH_PUBLIC bool lh_gate_is_managed(enum lh_header_kind kind);

struct lh_request_header {
    enum lh_header_kind kind; /* never PLAIN */
    lh_slice value;           /* raw, as sent */
};

/* Most headers that concern the gate; more make the request malformed. */
#define LH_REQUEST_HEADERS_MAX 64U

/*
 * What decisions about one request of a client share, for it may be decided in several locations:
 * its nonce is claimed once. Zero at first; the host's, and written by the gate.
 */
struct lh_claimed_nonce {
    bool is_set;
    uint8_t uid[16]; /* of the tenant for whom it is claimed */
};

struct lh_request {
    lh_slice method;
    lh_slice host;      /* the host that the server routed by; a port is checked and ignored */
    lh_slice authority; /* host[:port] as the client named it, for the origin rule */
    lh_slice path;      /* normalised path, for sign-in redirects and logs */
    lh_slice target;    /* raw path and query, for the sign-in redirect's return_to */
    bool is_tls;
    bool is_upgrade;           /* asks for another protocol (WebSocket) */
    bool has_too_many_headers; /* more than LH_REQUEST_HEADERS_MAX concerned the gate */
    const struct lh_request_header *headers; /* all that are not PLAIN, in order */
    size_t header_count;
    lh_slice request_id; /* the server's own id of the request; may be empty */
    /* Address of who asks, as far as the server believes it: 4 or 16 bytes as on the wire. Others
     * (a unix socket: empty) count as one client. */
    lh_slice client;
    bool is_charged; /* an earlier decision about this client's request was charged to a rate */
    bool has_body;   /* also where nobody knows its length yet */
    /*
     * Where signatures are taken: the next value of a header as the client sent it, in order.
     * name      lower case, to be compared without case and in no other spelling.
     * position  0 at first; the host's.
     * returns   false if there is none any more.
     */
    bool (*next_value)(void *sent_headers, lh_slice name, size_t *position, lh_slice *out_value);
    void *sent_headers;
    struct lh_claimed_nonce *claimed; /* where signatures are taken; as long-lived as the request */

    /* Memory that lives as long as the request. Returns NULL when there is none. */
    void *(*alloc)(void *memory, size_t len);
    void *memory;
};

/* --- The decision ----------------------------------------------------------------------------- */

/*
 * Why: name (twice: as the enum and as variables and logs say it), HTTP status of a refusal, text
 * for operators. Reasons to pass have status 0.
 * The first row is what a decision is before its first step.
 */
#define LH_REASON_TABLE(X)                                                                         \
    X(UNDECIDED, undecided, 503, "no step has decided")                                            \
    X(OK, ok, 0, "session is live")                                                                \
    X(ANONYMOUS, anonymous, 0, "no credential, location is optional")                              \
    X(ANONYMOUS_STALE, anonymous_stale, 0, "invalid cookie, passed as anonymous")                  \
    X(OFF, off, 0, "location is off")                                                              \
    X(PREFLIGHT, preflight, 204, "CORS preflight answered")                                        \
    X(TENANT_MISSING, tenant_missing, 400, "no source names a tenant")                             \
    X(TENANT_MALFORMED, tenant_malformed, 400, "tenant or host is malformed")                      \
    X(TENANT_DUPLICATE, tenant_duplicate, 400, "X-Tenant-ID is given more than once")              \
    X(TENANT_CONFLICT, tenant_conflict, 400, "sources of the tenant disagree")                     \
    X(HEADERS_MALFORMED, headers_malformed, 400, "too many headers for the gate")                  \
    X(COOKIE_DUPLICATE, cookie_duplicate, 400, "session cookie is given more than once")           \
    X(AUTHORIZATION_DUPLICATE, authorization_duplicate, 400,                                       \
      "Authorization is given more than once")                                                     \
    X(TENANT_UNKNOWN, tenant_unknown, 401, "no such tenant")                                       \
    X(TENANT_DISABLED, tenant_disabled, 401, "tenant is disabled or removed")                      \
    X(NO_CREDENTIAL, no_credential, 401, "no credential")                                          \
    X(COOKIE_MALFORMED, cookie_malformed, 401, "session cookie is malformed")                      \
    X(COOKIE_CONFLICT, cookie_conflict, 401, "two session cookies disagree")                       \
    X(BAD_MAC, bad_mac, 401, "cookie is not ours or of another tenant")                            \
    X(BAD_SECRET, bad_secret, 401, "session secret does not match")                                \
    X(SESSION_ABSENT, session_absent, 401, "no such session")                                      \
    X(SESSION_REVOKED, session_revoked, 401, "session is revoked")                                 \
    X(SESSION_EXPIRED, session_expired, 401, "session has expired")                                \
    X(INTEGRITY, integrity, 401, "session record is not authentic")                                \
    X(KEY_DESTROYED, key_destroyed, 401, "the key of the session is destroyed")                    \
    X(TOKEN_MALFORMED, token_malformed, 401, "token is malformed or lacks a claim")                \
    X(TOKEN_TOO_LARGE, token_too_large, 401, "token is too large")                                 \
    X(TOKEN_ISSUER, token_issuer, 401, "token is of no issuer and key of the tenant")              \
    X(TOKEN_ALGORITHM, token_algorithm, 401, "token names another algorithm than its key has")     \
    X(TOKEN_SIGNATURE, token_signature, 401, "signature of the token does not hold")               \
    X(TOKEN_TYPE, token_type, 401, "token is no access token")                                     \
    X(TOKEN_EXPIRED, token_expired, 401, "token has expired")                                      \
    X(TOKEN_EARLY, token_early, 401, "token is not valid yet")                                     \
    X(TOKEN_TENANT, token_tenant, 401, "token names no tenant, or another")                        \
    X(TOKEN_AUDIENCE, token_audience, 401, "token is for another audience")                        \
    X(TOKEN_REVOKED, token_revoked, 401, "a logout ended the token")                               \
    X(TOKEN_SESSION, token_session, 401, "token belongs to no session, or to another user's")      \
    X(TOKEN_REPLACED, token_replaced, 401, "token is not the one of its session, or no more")      \
    X(CREDENTIAL_CONFLICT, credential_conflict, 401, "two credentials are not of one session")     \
    X(SIGNATURE_MALFORMED, signature_malformed, 401,                                               \
      "signature is malformed, or of a form that is refused")                                      \
    X(SIGNATURE_KEY, signature_key, 401, "signature is of no key of the tenant")                   \
    X(SIGNATURE_COVERAGE, signature_coverage, 401, "signature does not cover or say what it must") \
    X(SIGNATURE_ALGORITHM, signature_algorithm, 401,                                               \
      "signature names another algorithm than its key has")                                        \
    X(SIGNATURE_EXPIRED, signature_expired, 401, "signature has expired")                          \
    X(SIGNATURE_EARLY, signature_early, 401, "signature is not valid yet")                         \
    X(SIGNATURE_INVALID, signature_invalid, 401, "signature does not hold")                        \
    X(SIGNATURE_TENANT, signature_tenant, 401, "signed X-Tenant-ID is another tenant's")           \
    X(SIGNATURE_REPLAYED, signature_replayed, 401, "signature was used before")                    \
    X(SIGNATURE_BODY, signature_body, 401, "body is not the one that was signed")                  \
    X(TOKEN_SERVICE, token_service, 403, "token is for the session API")                           \
    X(ROLE, role, 403, "role is missing")                                                          \
    X(SCOPE, scope, 403, "scope is missing")                                                       \
    X(ORIGIN, origin, 403, "request comes from another origin")                                    \
    X(RATE_TENANT, rate_tenant, 429, "tenant has used up its rate of requests")                    \
    X(RATE_SIGNATURE, rate_signature, 429, "no time is left for signatures of this client")        \
    X(RATE_CLIENT, rate_client, 429, "client has used up its rate of requests without proof")      \
    X(NONCES_LIMITED, nonces_limited, 429, "tenant holds its share of the nonces")                 \
    X(SCOPES_TOO_LARGE, scopes_too_large, 403, "scopes do not fit a header")                       \
    X(STATE_TOO_LARGE, state_too_large, 403, "state does not fit a header")                        \
    X(LEAK, leak, 503, "record of another tenant in this place")                                   \
    X(QUARANTINED, quarantined, 503, "record is set aside")                                        \
    X(STORE_DOWN, store_down, 503, "session store unavailable")                                    \
    X(KEY_DOWN, key_down, 503, "key unavailable")                                                  \
    X(REGISTRY_DOWN, registry_down, 503, "registry or change counters unavailable")                \
    X(NONCES_FULL, nonces_full, 503, "no room for another nonce")                                  \
    X(NONCES_DOWN, nonces_down, 503, "whether the nonce was used before cannot be told")           \
    X(RECORD_FUTURE, record_future, 503, "record of a newer version")                              \
    X(BUDGET, budget, 503, "decision took too long")                                               \
    X(HOME_DOWN, home_down, 503, "home cannot be used")                                            \
    X(INTERNAL, internal, 503, "internal error")

enum lh_reason {
#define LH_REASON_ENUM(name, lower, status, text) LH_REASON_##name,
    LH_REASON_TABLE(LH_REASON_ENUM)
#undef LH_REASON_ENUM
        LH_REASON_COUNT
};

/* The reason's name in lower case ("bad_mac"), for $leasehold_reason; static storage. */
LH_PUBLIC const char *lh_reason_name(enum lh_reason reason);
/* The reason's text for operators; static storage. */
LH_PUBLIC const char *lh_reason_text(enum lh_reason reason);
/* The HTTP status of a refusal, or 0 if the request passes. */
LH_PUBLIC unsigned lh_reason_http_status(enum lh_reason reason);

struct lh_header {
    lh_slice name; /* of static storage */
    lh_slice value;
};

/* Most headers that a decision adds to a request, and to an answer. */
#define LH_DECISION_INJECT_MAX 12U
#define LH_DECISION_ANSWER_MAX 8U

/*
 * What a long-lived request (upgraded, streaming) must remember to be checked again.
 */
struct lh_gate_watch {
    uint8_t uid[16];
    bool has_session; /* lease and bucket are its; else a token alone has passed */
    uint8_t lease[16];
    uint16_t bucket;
    uint32_t slot;    /* of the tenant's change counter */
    uint64_t counter; /* the sum of that counter and the platform's: both only grow */
    uint64_t end_ms;  /* session time at which it ends whatever happens */
    bool is_set;
    bool has_token;    /* the rest is its */
    bool has_key;      /* of a signature: known by its id and generation */
    bool is_own_token; /* of the tenant's own issuer */
    bool has_tag;      /* the session must have the token: this is its tag */
    uint8_t token_tag[16];
    lh_slice subject;   /* of the token; in the request's memory */
    uint64_t epochs[3]; /* of the token: platform, tenant, user */
    uint64_t issued_ms;
    uint64_t skew_ms;
    uint64_t generation; /* of the tenant's issuers, or of the key */
    lh_slice key_id;     /* lives as long as the request's memory */
    bool is_sealed;      /* the session lies in no store: the rest is what its cookie says */
    bool has_user;
    uint8_t session_user_tag[16];
    uint64_t session_epochs[3]; /* platform, tenant, user */
    uint64_t session_generation;
};

/* What a body must hash to. */
struct lh_content_digest;

/*
 * What to do with the request. All slices live as long as the request's memory. Starts as a
 * refusal (lh_decision_init) and becomes a pass only at the last step.
 */
struct lh_decision {
    enum lh_reason reason;
    unsigned http_status; /* 0: pass on; else answer with this */
    bool is_redirect;     /* 302 to location instead of the 401 */
    lh_slice location;
    lh_slice body;          /* of the answer, problem+json; same for every 401 */
    uint32_t retry_after_s; /* 0: no Retry-After */
    bool is_charged;        /* to a rate, of the tenant or the client */

    size_t inject_count;
    size_t answer_count;
    bool is_private; /* the answer gets Cache-Control: private, no-store */

    bool has_cookie;           /* a Cookie header remains */
    lh_slice cookie;           /* the client's cookies without ours */
    bool is_authorization_cut; /* Authorization is not for the upstream */
    bool is_signature_cut;     /* nor are Signature and Signature-Input */
    /*
     * Not NULL: the body is signed. Whoever passes the request on first reads it to its end and
     * holds it against this (lh_gate_body_begin).
     */
    const struct lh_content_digest *signed_body;

    /* For variables and logs; empty when not known. Tenant and uid only once proved or resolved. */
    lh_slice tenant;
    lh_slice uid;
    lh_slice subject;
    lh_slice session_ref;
    lh_slice scope;
    lh_slice mode;      /* normal, service, anonymous */
    lh_slice cache_key; /* uid and subject, for response caches */
    uint64_t time_us;   /* spent deciding, without waiting */

    struct lh_gate_watch watch; /* for long-lived requests; set when a session passed */

    /* Filled up to their counts; what lies behind is not even zero. */
    struct lh_header inject[LH_DECISION_INJECT_MAX]; /* into the request upstream */
    struct lh_header answer[LH_DECISION_ANSWER_MAX]; /* into the answer, pass or refusal */
};

/* One request on its way through the steps; the gate's, and gone when the decision is made. */
struct lh_gate_call;

/* A decision that refuses (UNDECIDED). */
LH_PUBLIC void lh_decision_init(struct lh_decision *decision);

/*
 * Makes a decision of a reason alone: status, body and Retry-After of a refusal, and nothing to
 * inject. For adapters whose request cannot even be asked about.
 * reason  one with an HTTP status.
 */
LH_PUBLIC void lh_decision_refuse(struct lh_decision *decision, enum lh_reason reason);

/*
 * Starts the decision.
 * gate     NULL means that the home cannot be used: refuses with HOME_DOWN what would need it.
 * policy   the location's; borrowed until the request ends.
 * request  borrowed until the request ends.
 * wake     called on the loop when a PENDING call can go on; then call lh_gate_continue.
 * out_call set when PENDING; end it with lh_gate_cancel if the request dies first.
 * returns  OK: *decision holds the verdict (whatever it is). PENDING: wait for wake.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_gate_decide(struct lh_gate *gate,
                                               const struct lh_gate_policy *policy,
                                               const struct lh_request *request,
                                               void (*wake)(void *context), void *context,
                                               struct lh_decision *decision,
                                               struct lh_gate_call **out_call);
/*
 * Goes on: after wake, or when lh_gate_wait_ms is over (then the call gives up waiting).
 * returns  as lh_gate_decide.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_gate_continue(struct lh_gate_call *call);
/*
 * How many milliseconds from now a pending call waits at most. The library has no timers: the
 * host sets one, and calls lh_gate_continue when it fires.
 */
LH_PUBLIC uint64_t lh_gate_wait_ms(const struct lh_gate_call *call);
/* Forgets a pending call; wake will not be called. NULL is accepted. */
LH_PUBLIC void lh_gate_cancel(struct lh_gate_call *call);

/* --- Signed bodies ---------------------------------------------------------------------------- */

/* A body that is hashed as it arrives. */
struct lh_gate_body;

/*
 * Begins to hash the body of a request that passes with signed_body.
 * gate, policy, request, decision  of the decision; borrowed until lh_gate_body_free.
 * Errors: NO_MEMORY, CRYPTO.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_gate_body_begin(struct lh_gate *gate,
                                                   const struct lh_gate_policy *policy,
                                                   const struct lh_request *request,
                                                   struct lh_decision *decision,
                                                   struct lh_gate_body **out_body);
/* Goes on with the next piece, as the client sent it. What fails here fails at the end. */
LH_PUBLIC void lh_gate_body_add(struct lh_gate_body *body, lh_slice piece);
/*
 * Judges, once, when all of the body was added: the decision becomes a refusal unless it is the
 * body that was signed.
 */
LH_PUBLIC void lh_gate_body_end(struct lh_gate_body *body);
/* Frees, at whatever point; NULL is accepted. */
LH_PUBLIC void lh_gate_body_free(struct lh_gate_body *body);

/*
 * Whether the watched session still lives; one memory read while nothing changed.
 * Errors: DENY or TAMPERED class: close the connection. UNAVAILABLE class: ask again later.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_gate_watch_check(struct lh_gate *gate,
                                                    struct lh_gate_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
