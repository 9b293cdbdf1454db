/*
 * The part of the object graph that every opener needs, built in one order and torn down in the
 * other; and the line that says what failed.
 */
#include "setup/home.h"

#include "base/bug.h"
#include "crypto/crypto.h"
#include "gate/limits.h"
#include "token/nonce_table.h"
#include "keys/keys.h"
#include "keys/node_key.h"
#include "setup/home_file.h"

#include <unistd.h>

#include "base/banned.h"

#define HOME_MAGIC        0x4c484f4dU /* "LHOM" */
#define KEY_DRIVER_NAME   "keyring_file"
#define STORE_DRIVER_NAME "lmdb"

lh_status lh_home_new(struct lh_home **out_home)
{
    struct lh_home *home = calloc(1, sizeof(*home));
    LH_ENSURE(home != NULL, LH_NO_MEMORY);
    home->magic = HOME_MAGIC;
    *out_home = home;
    return lh_ok();
}

/* --- What is wrong ---------------------------------------------------------------------------- */

static const char *advice_for(lh_status status)
{
    switch (status.code) {
    case LH_UNSAFE_FILE:
        return "its files must belong to this user and be closed to others (0600, 0700)";
    case LH_COUNTERS_DOWN:
        return "run/changes is missing, of another home, or not the file that running workers "
               "have; put that one back, or stop nginx";
    case LH_FUTURE_FORMAT:
        return "the home was written by a newer version of this program";
    case LH_NO_MEMORY:
        return "if memory may not be locked, raise RLIMIT_MEMLOCK or set locked_memory = "
               "best_effort";
    case LH_CLOCK_DOWN:
        return "the run directory must be writable and the system's clock set";
    case LH_NO_SPACE:
        return "free some space on its disk";
    case LH_TAMPERED:
        return "a file was changed by somebody else; restore it from a backup";
    default:
        return "check its files, their owner and the disk";
    }
}

lh_status lh_home_explain(const struct lh_home *home, lh_status status, const char *what,
                          char out_error[LH_HOME_ERROR_BYTES])
{
    if (home->key_fault[0] != '\0') { /* names the file, with its path, and what it has */
        (void)snprintf(out_error, LH_HOME_ERROR_BYTES, "cannot open %s of the home: %.300s; %s",
                       what, home->key_fault, advice_for(status));
        return status;
    }
    (void)snprintf(out_error, LH_HOME_ERROR_BYTES, "cannot open %s of the home %.300s: %s; %s",
                   what, home->layout.home, lh_status_text(status), advice_for(status));
    return status;
}

/* Passes OK, explains the rest. */
static lh_status explain(const struct lh_home *home, lh_status status, const char *what,
                         char *out_error)
{
    return lh_is_ok(status) ? status : lh_home_explain(home, status, what, out_error);
}

/* --- Base ------------------------------------------------------------------------------------- */

static lh_status read_settings(struct lh_home *home, char *out_error)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(LH_SETTINGS_MAX_BYTES + 1);
    lh_status status = lh_home_file_read(home->layout.settings, &text);
    if (status.code == LH_ABSENT) { /* a home without it is no home, not the answer "no" */
        status = lh_status_of(LH_UNREADABLE);
    }
    LH_TRY(explain(home, status, "leasehold.conf", out_error));
    struct lh_settings_mistake mistake;
    status = lh_settings_parse(lh_buf_view(&text), &home->settings, &mistake);
    if (!lh_is_ok(status)) {
        (void)snprintf(out_error, LH_HOME_ERROR_BYTES, "%.300s:%zu: %s", home->layout.settings,
                       mistake.line, mistake.text);
        return lh_status_of(LH_INVALID);
    }
    return lh_ok();
}

static enum lh_lock_policy lock_policy_of(const struct lh_home *home)
{
    /* An operator's command lives for a moment, and must work where little may be locked. */
    bool is_required = home->settings.locked_memory == 0 && !home->is_operator;
    return is_required ? LH_LOCK_REQUIRED : LH_LOCK_BEST_EFFORT;
}

static lh_status open_registry(struct lh_home *home, bool is_read_only)
{
    const struct lh_registry_options options = {
        .path = home->layout.registry,
        .counters_path = home->layout.changes,
        .map_bytes = home->settings.registry_map_bytes,
        .is_read_only = is_read_only,
        .host = home->host,
    };
    return lh_registry_open(&options, &home->registry);
}

static lh_status take_seat(struct lh_home *home)
{
    return lh_seat_take(&home->layout, lh_registry_counters(home->registry), &home->seat);
}

static lh_status open_keys(struct lh_home *home)
{
    /* An operator is told in the line that says what could not be done; a worker's log has it. */
    const struct lh_key_options options = {.path = home->layout.keyring,
                                           .host = home->is_operator ? NULL : home->host,
                                           .fault = home->is_operator ? home->key_fault : NULL};
    return lh_keys_open(KEY_DRIVER_NAME, &options, home->crypto, &home->keys);
}

static lh_status open_cell(struct lh_home *home)
{
    uint8_t key_id;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = lh_buf_bounded(LH_WRAPPED_MAX_BYTES);
    LH_TRY(lh_registry_read_cell(home->registry, &key_id, &blob));
    const struct lh_wrap_scope scope = {.purpose = LH_WRAP_CELL, .key_id = key_id};
    LH_CLEANUP(lh_key_fini) struct lh_key secret;
    LH_TRY(lh_keys_unwrap(home->keys, home->crypto, &scope, lh_buf_view(&blob), &secret));
    return lh_cell_new(home->crypto, key_id, &secret, lock_policy_of(home),
                       (size_t)home->settings.cookie_key_entries, &home->cell);
}

lh_status lh_home_open_base(struct lh_home *home, const struct lh_home_options *options,
                            char out_error[LH_HOME_ERROR_BYTES])
{
    lh_status status = lh_home_layout_init(options->path, &home->layout);
    if (!lh_is_ok(status)) {
        (void)snprintf(out_error, LH_HOME_ERROR_BYTES, "the path of the home is empty or too long");
        return status;
    }
    LH_TRY(
        lh_home_layout_check(&home->layout, (unsigned)geteuid(), out_error, LH_HOME_ERROR_BYTES));
    LH_TRY(read_settings(home, out_error));
    LH_TRY(explain(home, lh_clock_open(home->host, home->layout.run, &home->clock), "the clock",
                   out_error));
    LH_TRY(explain(home, lh_crypto_new(&home->crypto), "the cryptography", out_error));
    LH_TRY(explain(home, open_registry(home, options->is_read_only), "the registry", out_error));
    LH_TRY(explain(home, take_seat(home), "the change counters", out_error));
    LH_TRY(explain(home, open_keys(home), "the keyring", out_error));
    return explain(home, open_cell(home), "the cell secret", out_error);
}

/* --- Sessions --------------------------------------------------------------------------------- */

struct lh_store_options lh_home_store_options(const struct lh_home *home)
{
    return (struct lh_store_options){
        .path = home->layout.sessions,
        .map_bytes = home->settings.sessions_map_bytes,
        .reserve_bytes = home->settings.sessions_reserve_bytes,
        .host = home->host,
    };
}

static lh_status open_store(struct lh_home *home)
{
    const struct lh_store_options options = lh_home_store_options(home);
    LH_TRY(lh_boot_enter(&home->layout, &options, &home->boot));
    LH_TRY(lh_store_open(STORE_DRIVER_NAME, &options, &home->store));
    lh_store_set_partial(home->store, !lh_boot_is_recovered(&home->layout));
    return lh_ok();
}

bool lh_home_is_recovering(const struct lh_home *home)
{
    return home->store != NULL && lh_store_is_partial(home->store);
}

lh_status lh_home_make_hash_key(struct lh_home *home, struct lh_siphash_key *out_key)
{
    return lh_random(home->crypto, out_key->bytes, sizeof(out_key->bytes));
}

static lh_status open_datakeys(struct lh_home *home)
{
    struct lh_datakey_options options = {
        .entries_max = (size_t)home->settings.datakey_entries,
        .max_age_ms = home->settings.datakey_max_age_ms,
        .refresh_after_ms = home->settings.datakey_refresh_ms,
        .lock_policy = lock_policy_of(home),
    };
    LH_TRY(lh_home_make_hash_key(home, &options.hash_key));
    return lh_datakey_cache_new(home->keys, home->crypto, &home->clock, home->host, &options,
                                &home->datakeys);
}

static lh_status open_vault(struct lh_home *home)
{
    const struct lh_vault_parts parts = {
        .store = home->store,
        .queue = home->queue,
        .crypto = home->crypto,
        .datakeys = home->datakeys,
        .clock = &home->clock,
    };
    return lh_vault_new(&parts, &home->vault);
}

lh_status lh_home_open_sessions(struct lh_home *home, bool with_queue,
                                char out_error[LH_HOME_ERROR_BYTES])
{
    LH_TRY(explain(home, open_store(home), "the session store", out_error));
    LH_TRY(explain(home, open_datakeys(home), "the data-key cache", out_error));
    if (with_queue) {
        LH_TRY(explain(home,
                       lh_write_queue_new(home->store, home->host,
                                          (size_t)home->settings.touch_queue_entries, &home->queue),
                       "the write queue", out_error));
    }
    return explain(home, open_vault(home), "the session vault", out_error);
}

/* --- Closing ---------------------------------------------------------------------------------- */

void lh_home_close(struct lh_home *home)
{
    if (home == NULL) {
        return;
    }
    LH_MAGIC_CHECK(home, HOME_MAGIC);
    lh_gate_free(home->gate);
    lh_limits_free(home->limits);
    lh_nonce_table_close(home->nonces);
    lh_session_cache_free(home->session_cache);
    lh_context_cache_free(home->context_cache);
    lh_verified_cache_free(home->verified_cache);
    lh_key_cache_free(home->key_cache);
    lh_secret_cache_free(home->secret_cache);
    lh_node_keys_close(home->node_keys);
    lh_directory_free(home->directory);
    lh_vault_free(home->vault);
    if (lh_jobs_is_busy(&home->jobs)) {
        /* The lane's thread is inside the store: what it uses is left to the end of the process. */
        return;
    }
    lh_jobs_close(&home->jobs);
    lh_write_queue_free(home->queue);
    lh_datakey_cache_free(home->datakeys);
    lh_boot_leave(&home->boot, &home->layout, home->store);
    lh_store_close(home->store);
    lh_cell_free(home->cell);
    lh_keys_close(home->keys);
    lh_registry_close(home->registry);
    lh_seat_leave(&home->seat);
    lh_crypto_free(home->crypto);
    home->magic = 0;
    free(home);
}

lh_status lh_home_give_up(struct lh_home *home, lh_status status, const char *path,
                          char out_error[LH_HOME_ERROR_BYTES])
{
    lh_home_close(home);
    if (out_error[0] == '\0') {
        (void)snprintf(out_error, LH_HOME_ERROR_BYTES, "home \"%s\" cannot be opened: %s", path,
                       lh_status_text(status));
    }
    return status;
}
