/*
 * Calls into other rooms, failing when a test says so.
 */
#include "failing_calls.h"

#include "gate/limits.h"
#include "registry/registry.h"
#include "session/session_vault.h"
#include "support/fake_host.h"
#include "keys/node_key.h"

struct failing_calls failing_calls;

void failing_calls_reset(void)
{
    failing_calls = (struct failing_calls){.store_load = LH_OK};
}

/* --wrap=f: calls of f come to __wrap_f, and __real_f is f. */
lh_status __real_lh_store_load(struct lh_store *store, struct lh_op *op,
                               const struct lh_session_key *key, struct lh_buf *scratch,
                               struct lh_store_row *out_row);
lh_status __wrap_lh_store_load(struct lh_store *store, struct lh_op *op,
                               const struct lh_session_key *key, struct lh_buf *scratch,
                               struct lh_store_row *out_row);
lh_status __real_lh_es256_sign(struct lh_signing_key *key, lh_slice message,
                               uint8_t out_signature[LH_ES256_SIGNATURE_BYTES]);
lh_status __wrap_lh_es256_sign(struct lh_signing_key *key, lh_slice message,
                               uint8_t out_signature[LH_ES256_SIGNATURE_BYTES]);
lh_status __real_lh_counters_read(const struct lh_counters *counters, uint32_t slot,
                                  uint64_t *out_value);
lh_status __wrap_lh_counters_read(const struct lh_counters *counters, uint32_t slot,
                                  uint64_t *out_value);
lh_status __real_lh_registry_read_revocation(struct lh_registry *registry,
                                             const struct lh_tenant_uid *uid,
                                             const struct lh_lease_id *lease,
                                             struct lh_revocation *out_revocation);
lh_status __wrap_lh_registry_read_revocation(struct lh_registry *registry,
                                             const struct lh_tenant_uid *uid,
                                             const struct lh_lease_id *lease,
                                             struct lh_revocation *out_revocation);
lh_status __real_lh_registry_read_user_epoch(struct lh_registry *registry,
                                             const struct lh_tenant_uid *uid,
                                             const struct lh_user_tag *tag, uint64_t *out_epoch);
lh_status __wrap_lh_registry_read_user_epoch(struct lh_registry *registry,
                                             const struct lh_tenant_uid *uid,
                                             const struct lh_user_tag *tag, uint64_t *out_epoch);
lh_status __real_lh_vault_open(struct lh_vault *vault, struct lh_op *op,
                               const struct lh_tenant *tenant,
                               const struct lh_loaded_session *loaded, struct lh_buf *plain,
                               struct lh_principal *out_principal);
lh_status __wrap_lh_vault_open(struct lh_vault *vault, struct lh_op *op,
                               const struct lh_tenant *tenant,
                               const struct lh_loaded_session *loaded, struct lh_buf *plain,
                               struct lh_principal *out_principal);
lh_status __real_lh_node_keys_signer(const struct lh_node_keys *keys, uint64_t now_ms,
                                     const struct lh_node_key **out_key);
lh_status __wrap_lh_node_keys_signer(const struct lh_node_keys *keys, uint64_t now_ms,
                                     const struct lh_node_key **out_key);
lh_status __real_lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len);
lh_status __wrap_lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len);
lh_status __real_lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                             lh_slice message, struct lh_digest *out_mac);
lh_status __wrap_lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                             lh_slice message, struct lh_digest *out_mac);

void __real_lh_limits_charge_verify(struct lh_limits *limits, uint32_t slot,
                                    const struct lh_client *client, uint64_t now_ns,
                                    uint64_t spent_ns, bool has_held);
void __wrap_lh_limits_charge_verify(struct lh_limits *limits, uint32_t slot,
                                    const struct lh_client *client, uint64_t now_ns,
                                    uint64_t spent_ns, bool has_held);

void __wrap_lh_limits_charge_verify(struct lh_limits *limits, uint32_t slot,
                                    const struct lh_client *client, uint64_t now_ns,
                                    uint64_t spent_ns, bool has_held)
{
    failing_calls.signatures++;
    failing_calls.bad_signatures += has_held ? 0 : 1;
    if (failing_calls.signature_ns != 0) {
        spent_ns = failing_calls.signature_ns;
    }
    __real_lh_limits_charge_verify(limits, slot, client, now_ns, spent_ns, has_held);
}

lh_status __wrap_lh_store_load(struct lh_store *store, struct lh_op *op,
                               const struct lh_session_key *key, struct lh_buf *scratch,
                               struct lh_store_row *out_row)
{
    failing_calls.store_loads++;
    if (failing_calls.slow_host != NULL) {
        fake_host_advance(failing_calls.slow_host, failing_calls.store_load_ms);
    }
    LH_ENSURE(failing_calls.store_load == LH_OK, failing_calls.store_load);
    lh_status status = __real_lh_store_load(store, op, key, scratch, out_row);
    void (*after)(void *context) = failing_calls.after_load;
    failing_calls.after_load = NULL;
    if (after != NULL) {
        after(failing_calls.after_load_context);
    }
    return status;
}

lh_status __wrap_lh_counters_read(const struct lh_counters *counters, uint32_t slot,
                                  uint64_t *out_value)
{
    LH_ENSURE(failing_calls.read_counter == LH_OK, failing_calls.read_counter);
    return __real_lh_counters_read(counters, slot, out_value);
}

lh_status __wrap_lh_registry_read_revocation(struct lh_registry *registry,
                                             const struct lh_tenant_uid *uid,
                                             const struct lh_lease_id *lease,
                                             struct lh_revocation *out_revocation)
{
    failing_calls.revocations_read++;
    LH_ENSURE(failing_calls.read_revocation == LH_OK, failing_calls.read_revocation);
    return __real_lh_registry_read_revocation(registry, uid, lease, out_revocation);
}

lh_status __wrap_lh_registry_read_user_epoch(struct lh_registry *registry,
                                             const struct lh_tenant_uid *uid,
                                             const struct lh_user_tag *tag, uint64_t *out_epoch)
{
    LH_ENSURE(failing_calls.read_user_epoch == LH_OK, failing_calls.read_user_epoch);
    return __real_lh_registry_read_user_epoch(registry, uid, tag, out_epoch);
}

lh_status __wrap_lh_vault_open(struct lh_vault *vault, struct lh_op *op,
                               const struct lh_tenant *tenant,
                               const struct lh_loaded_session *loaded, struct lh_buf *plain,
                               struct lh_principal *out_principal)
{
    LH_ENSURE(failing_calls.vault_open == LH_OK, failing_calls.vault_open);
    return __real_lh_vault_open(vault, op, tenant, loaded, plain, out_principal);
}

lh_status __wrap_lh_node_keys_signer(const struct lh_node_keys *keys, uint64_t now_ms,
                                     const struct lh_node_key **out_key)
{
    LH_ENSURE(failing_calls.node_signer == LH_OK, failing_calls.node_signer);
    return __real_lh_node_keys_signer(keys, now_ms, out_key);
}

lh_status __wrap_lh_es256_sign(struct lh_signing_key *key, lh_slice message,
                               uint8_t out_signature[LH_ES256_SIGNATURE_BYTES])
{
    failing_calls.contexts_signed++;
    return __real_lh_es256_sign(key, message, out_signature);
}

lh_status __wrap_lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len)
{
    LH_ENSURE(failing_calls.randomness == LH_OK, failing_calls.randomness);
    return __real_lh_random(crypto, out_bytes, len);
}

lh_status __wrap_lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                             lh_slice message, struct lh_digest *out_mac)
{
    failing_calls.cell_macs++;
    return __real_lh_cell_mac(cell, uid, key_id, message, out_mac);
}
