/*
 * What the readers of policies share: where they are, and how they complain.
 */
#ifndef LH_ADMIN_POLICY_READ_H
#define LH_ADMIN_POLICY_READ_H

#include "admin/policy.h"

struct lh_policy_reader {
    struct lh_admin *admin;
    struct lh_policy *policy;
    lh_slice document;
    const struct lh_admin_apply_options *options;
    size_t mistakes;
};

/* One key of a map, and who reads its value into an object. */
struct lh_policy_key {
    const char *name;
    lh_status (*read)(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                      void *object);
};

/* Tells a mistake at a place of the present document. */
void lh_policy_complain(struct lh_policy_reader *reader, struct lh_yaml_mark at, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));

/*
 * Reads a map by a table of keys: unknown ones are mistakes, with the nearest known one.
 * Mistakes are told and do not fail. Errors: NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_policy_read_map(struct lh_policy_reader *reader,
                                         const struct lh_yaml_node *map,
                                         const struct lh_policy_key *keys, size_t count,
                                         void *object);

/* Whether a node is a map; complains if not. what: "a tenant". */
bool lh_policy_is_map(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                      const char *what);
/* Whether a node is a list; complains if not. */
bool lh_policy_is_list(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                       const char *what);
/* Whether a node is a text that is not empty; complains if not. */
bool lh_policy_is_text(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                       const char *what);

/*
 * Appends one element of a list as the registry spells it; nothing, if it complained.
 * Errors: NO_MEMORY, TOO_LARGE.
 */
typedef lh_status (*lh_policy_element_fn)(struct lh_policy_reader *reader,
                                          const struct lh_yaml_node *node, struct lh_buf *out_text);

/*
 * Reads a list of texts, of which none may be there twice.
 * what       an element, as "an alias".
 * out_texts  in the policy's arena. Errors: NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_policy_read_list(struct lh_policy_reader *reader,
                                          const struct lh_yaml_node *node, const char *what,
                                          lh_policy_element_fn read_element,
                                          struct lh_admin_texts *out_texts);
/* Elements of such lists. Errors: NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_policy_read_role(struct lh_policy_reader *reader,
                                          const struct lh_yaml_node *node, struct lh_buf *out_text);
/* Likewise. */
LH_MUST_USE lh_status lh_policy_read_scope(struct lh_policy_reader *reader,
                                           const struct lh_yaml_node *node,
                                           struct lh_buf *out_text);

/* Reads the map under "tiers". Errors: NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_policy_read_tiers(struct lh_policy_reader *reader,
                                           const struct lh_yaml_node *node, void *policy);
/* Reads the map under "tenants". Errors: NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_policy_read_tenants(struct lh_policy_reader *reader,
                                             const struct lh_yaml_node *node, void *policy);

/* Reads the map under "issuers" of a tenant. Errors: NO_MEMORY, TOO_LARGE, CRYPTO. */
LH_MUST_USE lh_status lh_policy_read_issuers(struct lh_policy_reader *reader,
                                             const struct lh_yaml_node *node, void *tenant);

/* Reads the map under "signature_keys" of a tenant. Errors: NO_MEMORY, TOO_LARGE, CRYPTO. */
LH_MUST_USE lh_status lh_policy_read_signature_keys(struct lh_policy_reader *reader,
                                                    const struct lh_yaml_node *node, void *tenant);

/*
 * Imports the key of a request's signature from its node: a JWK as a map, or as a text.
 * Mistakes are told; then out_key is left alone. Errors: NO_MEMORY, TOO_LARGE, CRYPTO.
 */
LH_MUST_USE lh_status lh_policy_import_jwk(struct lh_policy_reader *reader,
                                           const struct lh_yaml_node *node,
                                           struct lh_verify_key *out_key);

/*
 * Imports the keys of an issuer from its node: a JWK set as a map, as a text, or in a file.
 * Mistakes are told. Errors: NO_MEMORY, TOO_LARGE, CRYPTO.
 */
LH_MUST_USE lh_status lh_policy_import_jwks(struct lh_policy_reader *reader,
                                            struct lh_policy_issuer *issuer);

/*
 * Appends the path of a file that a document names.
 * document  the document's own path. Errors: TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_policy_write_path(lh_slice document, lh_slice name, struct lh_buf *out);

#endif
