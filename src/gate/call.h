/*
 * What the files of this room share: the gate, one request on its way through the steps, and the
 * few things that more than one step does with it.
 */
#ifndef LH_GATE_CALL_H
#define LH_GATE_CALL_H

#include "gate/gate.h"
#include "gate/refusal_log.h"
#include "registry/registry.h"
#include "session/sealed_cookie.h"
#include "session/session_cache.h"
#include "token/http_signature.h"
#include "token/token.h"

struct lh_gate {
    uint32_t magic;
    struct lh_gate_parts parts;
    /*
     * Stands for tenants that there are not, so that they cost what others cost: a random uid, no
     * issuers, counters that stand. Nobody takes a reference to it.
     */
    struct lh_tenant nobody;
    struct lh_siphash_key hash_key; /* of context keys; random */
    struct lh_refusal_log log;
    struct lh_buf signature_base; /* of the signature that is being verified; kept for the next */
    struct lh_refusal_log limited_log; /* of 429: their floods leave the lines of others alone */
    struct lh_gate_call *idle; /* owned: calls that are over, with their buffers, for the next */
    size_t idle_count;
};

/* What a step says to the one who runs the table. */
enum lh_step_flow {
    LH_STEP_NEXT,    /* go on with the next step */
    LH_STEP_WAIT,    /* the call's op will be completed; then this step again */
    LH_STEP_RESTART, /* what was read is out of date: find the tenant again */
    LH_STEP_END      /* the decision is made */
};

/* The Cookie headers as the gate reads them. */
struct lh_call_cookies {
    lh_slice plain;       /* value of "__Host-lh"; valid with plain_count */
    lh_slice suffixed;    /* value of "__Host-lh-<uid>"; valid with suffixed_count */
    unsigned plain_count; /* how often it came */
    unsigned suffixed_count;
    lh_slice rest; /* all cookies but ours */
};

/* The bearer token of a request. */
struct lh_call_bearer {
    bool is_there;                         /* Authorization has the scheme Bearer */
    struct lh_token_text text;             /* as sent; valid without a fault */
    enum lh_reason fault;                  /* OK, or why it proves nothing whoever signed it */
    const struct lh_raw_token *raw;        /* in request memory; NULL: not read yet */
    const struct lh_verified_token *token; /* NULL until verified; request memory, or a cache's */
    bool is_kept;                          /* token lies in request memory */
    struct lh_token_tag tag;               /* that its session has; valid with has_tag */
    bool has_tag;
};

/* The request signature of a request. */
struct lh_call_signature {
    bool is_there;                      /* a header of one is */
    enum lh_reason fault;               /* OK, or why it proves nothing whoever signed it */
    struct lh_raw_http_signature *raw;  /* in request memory; valid without a fault */
    const struct lh_signature_key *key; /* of the tenant; NULL until it holds and is claimed */
};

/* Ends every cache key: no subject and no reference has it in it. */
#define LH_CACHE_KEY_END     ','
#define LH_TRACEPARENT_BYTES 55U
#define LH_REQUEST_ID_BYTES  32U

/* Texts of fixed size that the decision points to: in request memory, as long-lived as it. */
struct lh_call_texts {
    struct lh_tenant_id tenant_id;
    char uid[LH_TENANT_UID_TEXT_BYTES];
    struct lh_session_ref ref;
    char traceparent[LH_TRACEPARENT_BYTES];
    char request_id[LH_REQUEST_ID_BYTES]; /* begins with NUL until it is made */
};

/*
 * One request until it is decided. The same few are used again and again: their memory is warm,
 * and so is that of their buffers. Nothing of a request is left in one that is idle.
 */
struct lh_gate_call {
    uint32_t magic;
    struct lh_gate_call *next_idle;
    struct lh_gate *gate; /* NULL: the home cannot be used */
    const struct lh_gate_policy *policy;
    const struct lh_request *request;
    struct lh_decision *decision;
    struct lh_call_texts *texts;
    void (*wake)(void *context);
    void *wake_context;

    size_t step;     /* index in the table */
    struct lh_op op; /* of the step that waits */
    bool has_waited; /* time has passed since the first step */
    unsigned restarts;
    bool has_asked_again; /* the registry, for a key that the snapshot did not have */
    uint64_t began_boot_ms;
    uint64_t now_ms;   /* session time of the request */
    uint64_t time_us;  /* spent so far, without waiting */
    uint64_t retry_ns; /* how long until a rate has room again; with RATE_... */

    /* find_tenant */
    struct lh_tenant *tenant;    /* one reference; NULL while unknown */
    enum lh_reason tenant_fault; /* OK, or why a credential will not help */
    bool is_host_named;          /* host or subdomain names the tenant */
    bool is_unnamed;             /* nothing does, and a token could */
    uint32_t budget_slot;        /* whose budget of requests without proof; 0: no tenant's */

    /* read_credential, verify_credential */
    struct lh_call_cookies cookies;
    struct lh_call_bearer bearer;
    struct lh_call_signature signature;
    bool is_sessionless; /* a token or signature speaks for itself: no session is looked for */
    lh_slice credential; /* the cookie's value */
    bool has_credential; /* a cookie is there */
    struct lh_raw_handle raw;
    struct lh_handle handle;
    bool has_lease; /* raw is set; for logs */
    bool is_sealed; /* the cookie holds its session: sealed is set, and no store is asked */

    /* load_session, open_session: either cached or the rest */
    struct lh_cached_session *cached;
    struct lh_loaded_session loaded;
    struct lh_buf plain;       /* the opened principal */
    struct lh_buf state;       /* the opened state */
    bool is_opened;            /* plain is */
    uint64_t cold_deadline_ms; /* boot clock; until then a key is waited for; 0 = not yet */
    const struct lh_session_header *header;
    const struct lh_principal *principal;

    /* check_policy, inject_context */
    lh_slice scope; /* granted scopes, in request memory */

    /* Last, and not made zero for each call: large, and written before it is read. */
    struct lh_principal opened; /* views into plain; valid with is_opened */
    /* The header is the call's; views into request memory. Valid with is_sealed. */
    struct lh_sealed_cookie sealed;
};

/* Memory as long-lived as the request. Errors: NO_MEMORY. */
LH_MUST_USE lh_status lh_call_alloc(const struct lh_gate_call *call, size_t len, void **out_memory);

/* The request's tenant, or the one that stands for a tenant that is not. */
const struct lh_tenant *lh_call_tenant(const struct lh_gate_call *call);
/* Its uid. */
const struct lh_tenant_uid *lh_call_uid(const struct lh_gate_call *call);

/* The name of the step that runs. */
const char *lh_call_step_name(const struct lh_gate_call *call);

/* Makes the call's op ready for one wait that ends at deadline_ms (boot clock). */
void lh_call_arm(struct lh_gate_call *call, uint64_t deadline_ms);

/*
 * Charges the client for a request that is refused without proof.
 * returns  the reason to refuse it with: reason, or RATE_CLIENT.
 */
enum lh_reason lh_call_charge_refusal(struct lh_gate_call *call, enum lh_reason reason);

/*
 * Whether a signature may be computed for the call's client at its tenant. Errors: LIMITED.
 */
LH_MUST_USE lh_status lh_call_may_verify(struct lh_gate_call *call);
/* Charges one that was computed. spent_ns: by lh_call_worked_ns; has_held: whether it was good. */
void lh_call_charge_verify(struct lh_gate_call *call, uint64_t spent_ns, bool has_held);
/* How long this thread has worked so far, in nanoseconds. */
uint64_t lh_call_worked_ns(void);

/*
 * Whose budget of requests without proof a tenant has that there is not: one by his name, so that
 * limits do not tell which tenants there are.
 */
uint32_t lh_call_slot_of_nobody(const struct lh_gate_call *call, lh_slice name);

/*
 * Ends the call with a refusal; where the location lets invalid cookies pass as anonymous, with
 * that instead.
 */
enum lh_step_flow lh_call_refuse(struct lh_gate_call *call, enum lh_reason reason);

/* Ends the call with a pass that has nothing but cookies, request id and trace in it. */
enum lh_step_flow lh_call_pass(struct lh_gate_call *call, enum lh_reason reason);

/* Whether the location lets those pass who prove nothing: optional, and nothing required. */
bool lh_call_may_be_anonymous(const struct lh_gate_call *call);

/* Ends the call with a pass as anonymous. reason: ANONYMOUS or ANONYMOUS_STALE. */
enum lh_step_flow lh_call_pass_anonymous(struct lh_gate_call *call, enum lh_reason reason);

/* What a 401 of a place that takes these credentials asks for. credentials: bits of a policy. */
void lh_decision_challenge(struct lh_decision *decision, unsigned credentials);

/* The time until here counts against the budget; waiting for a key has one of its own. returns:
   false when the budget is used up. */
bool lh_call_begin_opening(struct lh_gate_call *call);

/* Adds a header to the request upstream. name: of static storage. */
void lh_call_inject(struct lh_gate_call *call, lh_slice name, lh_slice value);
/* Adds a header to the answer. name: of static storage. */
void lh_call_answer(struct lh_gate_call *call, lh_slice name, lh_slice value);

/* The one header of that kind. Errors: ABSENT, DUPLICATE. */
LH_MUST_USE lh_status lh_call_header(const struct lh_gate_call *call, enum lh_header_kind kind,
                                     lh_slice *out_value);

/*
 * Reads the Cookie headers once: notes the cookie of the resolved tenant and keeps all that is
 * not ours for the upstream. Where cookies are no credential they are left alone.
 * suffixed_name  the tenant's own name of the cookie; empty: none is looked for.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_call_read_cookies(struct lh_gate_call *call, lh_slice suffixed_name);

/*
 * The request's id: the server's own, or one of ours, made when it is asked for the first time.
 * out_id  lives as long as the call; empty without a gate. Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_call_choose_request_id(struct lh_gate_call *call, lh_slice *out_id);

/* Adds X-Request-ID, traceparent and tracestate to the request upstream. Errors: CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_call_inject_trace(struct lh_gate_call *call);

/* Whether the request is a CORS preflight of a listed origin; if so, makes the answer. */
bool lh_call_answer_preflight(struct lh_gate_call *call);

/* Whether a cookie may speak for this request: safe, or from an origin that may. */
bool lh_call_is_origin_allowed(const struct lh_gate_call *call);

/* Whether an origin is in a list. */
bool lh_origin_is_listed(const struct lh_gate_list *list, lh_slice origin);

/* Turns a 401 of a browser navigation into a redirect to sign-in, if the location has one. */
void lh_call_redirect_to_signin(struct lh_gate_call *call);

/*
 * Computes call->scope: the scopes granted directly, and those that the tenant gives to the
 * session's roles. Errors: TOO_LARGE (more than fit a header), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_call_grant_scopes(struct lh_gate_call *call);
/*
 * Says in the decision whose session it is, for variables and logs, also when it is refused for
 * what it may not do. Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_call_name_session(struct lh_gate_call *call);
/*
 * Reads a cookie that holds its session, and checks its MAC: the header becomes the call's.
 * Errors: MALFORMED, TOO_LARGE, BAD_MAC, TAMPERED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_call_verify_sealed(struct lh_gate_call *call);
/* When the call's session ends at the latest, as far as is known now. */
uint64_t lh_call_session_end_ms(const struct lh_gate_call *call);
/*
 * Reads the bearer token, once. Nothing of it is verified.
 * Errors: MALFORMED, TOO_LARGE (also noted as the token's fault), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_call_read_raw_token(struct lh_gate_call *call);
/*
 * Verifies the bearer token under the issuers of the tenant that was found, and no other's; on OK
 * call->bearer.token is set. returns: OK, or why it proves nothing.
 */
enum lh_reason lh_call_verify_token(struct lh_gate_call *call);
/* Why a token that was verified or judged with this outcome proves nothing. */
enum lh_reason lh_call_reason_of_token(lh_status status);
/* Makes the principal of a verified token the call's. */
void lh_call_adopt_token(struct lh_gate_call *call);
/* lh_call_name_session for a token that speaks for itself. Errors: NO_MEMORY. */
LH_MUST_USE lh_status lh_call_name_token(struct lh_gate_call *call);
/* Makes the principal of the signature's key the call's. */
void lh_call_adopt_key(struct lh_gate_call *call);
/* lh_call_name_session for the key of a signature. Errors: NO_MEMORY. */
LH_MUST_USE lh_status lh_call_name_key(struct lh_gate_call *call);
/* Whether scope is among the space-separated scopes. */
bool lh_scope_has(lh_slice scopes, lh_slice scope);

/*
 * The signed X-Tenant-Context of the call's session, one of before if it still says the same.
 * out_text  in request memory. Errors: KEY_DOWN, CRYPTO, NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_call_context(struct lh_gate_call *call, lh_slice *out_text);

/*
 * What the registry holds against a session; asks it only for what the tenant's snapshot says
 * there is. Errors: REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_gate_read_facts(struct lh_gate *gate, const struct lh_tenant *tenant,
                                         const struct lh_session_header *header,
                                         struct lh_session_facts *out_facts);

/*
 * The present epochs that count for a token of this subject. His tag costs a MAC, so it is made
 * only where the tenant's snapshot says that users have epochs. Errors: REGISTRY_DOWN, CRYPTO.
 */
LH_MUST_USE lh_status lh_gate_read_token_epochs(struct lh_gate *gate,
                                                const struct lh_tenant *tenant, lh_slice subject,
                                                struct lh_token_epochs *out_epochs);

/* --- The steps, in the order of the table ----------------------------------------------------- */

/* Locations that are off, headers that are too many, preflights, a home that is down. */
enum lh_step_flow lh_step_admit(struct lh_gate_call *call);
/* Whether a bearer token is there, and its form; nothing is verified. */
enum lh_step_flow lh_step_read_bearer(struct lh_gate_call *call);
/* Whether a request signature is there, and what it says; nothing is verified. */
enum lh_step_flow lh_step_read_signature(struct lh_gate_call *call);
/* Which tenant host, X-Tenant-ID and token name; all that are present must agree. */
enum lh_step_flow lh_step_find_tenant(struct lh_gate_call *call);
/* The tenant's cookie, or none; a token; or nothing at all. */
enum lh_step_flow lh_step_read_credential(struct lh_gate_call *call);
/* Whether the signature is of a key of the tenant's, and used for the first time. */
enum lh_step_flow lh_step_verify_signature(struct lh_gate_call *call);
/* Whether the token is the tenant's, for this place, and not ended by a logout. */
enum lh_step_flow lh_step_verify_bearer(struct lh_gate_call *call);
/* Whether the cookie is the tenant's: from the session cache, or by its MAC. */
enum lh_step_flow lh_step_verify_credential(struct lh_gate_call *call);
/* The record, from its store. */
enum lh_step_flow lh_step_load_session(struct lh_gate_call *call);
/* What the registry holds against it. */
enum lh_step_flow lh_step_consult_registry(struct lh_gate_call *call);
/* The principal, under the tenant's key; and the state where it is asked for. */
enum lh_step_flow lh_step_open_session(struct lh_gate_call *call);
/* Whether a token and the session that was opened belong together. */
enum lh_step_flow lh_step_match_token(struct lh_gate_call *call);
/* The tenant's rate: the request has proved to be his. */
enum lh_step_flow lh_step_charge_tenant(struct lh_gate_call *call);
/* Origin, roles, scopes. */
enum lh_step_flow lh_step_check_policy(struct lh_gate_call *call);
/* What the upstream is told; the only step that lets a session pass. */
enum lh_step_flow lh_step_inject_context(struct lh_gate_call *call);

#endif
