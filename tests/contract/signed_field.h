/*
 * Twenty tenants with a service for each kind of key, each with a signed request that was not sent
 * yet, and a gate that judges them.
 */
#ifndef LH_TESTS_CONTRACT_SIGNED_FIELD_H
#define LH_TESTS_CONTRACT_SIGNED_FIELD_H

#include "long/asked_gate.h"
#include "support/test.h"
#include "unit/admin/acts.h"

#include "setup/home.h"

#include <openssl/evp.h>

#define TENANTS    20U
#define KINDS      2U /* of keys: a secret, and a public key whose id all tenants share */
#define SERVICES   (TENANTS * KINDS)
#define TEXT_BYTES 640U

/* What a request consists of; any of it may come from another. */
enum part { TENANT, KEY_ID, NONCE, COMPONENTS, TIMES, DIGEST, SIGNATURE, PARTS };

struct signed_request {
    char parts[PARTS][128]; /* SIGNATURE: base64 */
};

struct service {
    char tenant[16];
    char key_id[64];
    uint8_t secret[LH_SIGNATURE_SECRET_MIN_BYTES];
    EVP_PKEY *partner;          /* NULL: the secret signs */
    struct signed_request good; /* used once, at the end */
};

struct scene {
    struct made_home made;
    struct fake_host fake;
    struct asked_gate asked;
    void *nonces;
    struct service services[SERVICES];
    unsigned long refused[LH_REASON_COUNT];
};

/* The request's texts as they go out. */
enum text { METHOD, AUTHORITY, TARGET, TENANT_HEADER, DIGEST_HEADER, INPUT, SIGNED, TEXTS };

struct texts {
    char of[TEXTS][TEXT_BYTES];
};

/* For cmocka; *state is a struct scene. */
int signed_set_up(void **state);
/* For cmocka. */
int signed_tear_down(void **state);
/* Opens the gate with an empty table of nonces, and makes a good request of each service. */
void open_gate(struct scene *scene);

/* Writes a part of a request. */
#define WRITE(request, part, ...)                                                                  \
    (void)snprintf((request)->parts[part], sizeof((request)->parts[part]), __VA_ARGS__)

/* Puts bytes into the request as its signature. */
void write_signature(lh_slice bytes, struct signed_request *request);
/* Signs what the request says, whosever it is. */
void sign(const struct scene *scene, const struct service *service, struct signed_request *request);

/* A request as it goes out. */
struct texts texts_of(const struct signed_request *request);
/* Sends one. */
enum lh_reason ask_texts(struct scene *scene, struct texts *texts);

/* Fails the test where an answer tells that a signature held. what: for the message. */
void assert_refusal(struct scene *scene, enum lh_reason reason, const char *tenant,
                    const char *what);
/* Sends a request that must be refused. */
void assert_refused(struct scene *scene, const struct signed_request *request, const char *what);
/* Each passes with its good request, and no second time; each has another one then. */
void assert_each_passes_once(struct scene *scene);
/* Sends a request. */
enum lh_reason ask(struct scene *scene, const struct signed_request *request);

#endif
