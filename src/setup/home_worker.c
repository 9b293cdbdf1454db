/*
 * A home as a data-plane worker uses it: registry read-only, writes through the host's lane, and
 * the gate on top.
 */
#include "setup/home.h"

#include "gate/limits.h"
#include "host/log.h"
#include "keys/node_key.h"
#include "token/nonce_table.h"

#include <stdint.h>
#include <sys/stat.h>

#include "base/banned.h"

static lh_status open_directory(struct lh_home *home)
{
    struct lh_siphash_key hash_key;
    LH_TRY(lh_home_make_hash_key(home, &hash_key));
    return lh_directory_new(lh_registry_source(home->registry),
                            (size_t)home->settings.tenant_entries, &hash_key, &home->directory);
}

static lh_status open_session_cache(struct lh_home *home)
{
    struct lh_session_cache_options options = {.entries_max =
                                                   (size_t)home->settings.session_cache_entries};
    LH_TRY(lh_home_make_hash_key(home, &options.hash_key));
    return lh_session_cache_new(&options, &home->session_cache);
}

static lh_status open_context_cache(struct lh_home *home)
{
    struct lh_context_cache_options options = {.entries_max =
                                                   (size_t)home->settings.context_cache_entries};
    LH_TRY(lh_home_make_hash_key(home, &options.hash_key));
    return lh_context_cache_new(&options, &home->context_cache);
}

static lh_status open_key_cache(struct lh_home *home)
{
    struct lh_key_cache_options options = {.crypto = home->crypto,
                                           .keys_max = (size_t)home->settings.token_key_entries};
    LH_TRY(lh_home_make_hash_key(home, &options.hash_key));
    return lh_key_cache_new(&options, &home->key_cache);
}

static lh_status open_secret_cache(struct lh_home *home)
{
    struct lh_secret_cache_options options = {
        .crypto = home->crypto, .secrets_max = (size_t)home->settings.signature_secret_entries};
    LH_TRY(lh_home_make_hash_key(home, &options.hash_key));
    return lh_secret_cache_new(&options, &home->secret_cache);
}

static lh_status open_verified_cache(struct lh_home *home)
{
    const size_t entries = (size_t)home->settings.token_cache_entries;
    struct lh_verified_cache_options options = {.tokens_max = entries, .refusals_max = entries};
    LH_TRY(lh_home_make_hash_key(home, &options.hash_key));
    return lh_verified_cache_new(&options, &home->verified_cache);
}

static lh_status open_jobs(struct lh_home *home)
{
    const uint64_t intervals[LH_JOB_COUNT] = {
        [LH_JOB_SYNC] = home->settings.sync_interval_ms,
        [LH_JOB_SWEEP] = home->settings.sweep_interval_ms,
        [LH_JOB_MAINTAIN] = home->settings.maintenance_interval_ms,
    };
    return lh_jobs_open(&home->jobs, home->store, home->host, &home->clock, home->layout.run,
                        intervals);
}

#define US_PER_S_PER_CENT 10000U

/* At one tenant half of what a client may: so that one tenant's part is never all of it. */
static struct lh_rate half_of(struct lh_rate rate)
{
    return (struct lh_rate){.per_s = (rate.per_s + 1) / 2, .burst = rate.burst / 2};
}

static lh_status open_limits(struct lh_home *home)
{
    if (home->host->shared == NULL) {
        return lh_ok();
    }
    struct lh_limits_rates rates = LH_LIMITS_STANDARD_RATES;
    rates.unproved.per_s = (uint32_t)home->settings.unproved_rate;
    rates.unproved.burst = (uint32_t)home->settings.unproved_burst;
    rates.unproved_at_tenant = half_of(rates.unproved);
    rates.signatures.per_s = (uint32_t)home->settings.signature_share * US_PER_S_PER_CENT;
    rates.signatures_proved.per_s =
        (uint32_t)home->settings.signature_share_proved * US_PER_S_PER_CENT;
    return lh_limits_new(home->host->shared, home->host->shared_len, &rates, &home->limits);
}

static lh_status open_nonces(struct lh_home *home)
{
    struct lh_siphash_key fresh_key;
    if (home->host->nonces == NULL) {
        return lh_ok();
    }
    LH_TRY(lh_home_make_hash_key(home, &fresh_key));
    return lh_nonce_table_open(home->host->nonces, home->host->nonces_len,
                               lh_clock_now_ms(&home->clock), &fresh_key, &home->nonces);
}

static lh_status open_gate(struct lh_home *home)
{
    const struct lh_gate_parts parts = {
        .registry = home->registry,
        .directory = home->directory,
        .vault = home->vault,
        .session_cache = home->session_cache,
        .context_cache = home->context_cache,
        .key_cache = home->key_cache,
        .verified_cache = home->verified_cache,
        .token_max_bytes = (size_t)home->settings.token_max_bytes,
        .cell = home->cell,
        .node_keys = home->node_keys,
        .datakeys = home->datakeys,
        .secret_cache = home->secret_cache,
        .nonces = home->nonces,
        .limits = home->limits,
        .crypto = home->crypto,
        .clock = &home->clock,
        .host = home->host,
    };
    return lh_gate_new(&parts, &home->gate);
}

/* What only workers have; each row is built by one function. */
static lh_status open_worker_parts(struct lh_home *home, char *out_error)
{
    static const struct {
        const char *what;
        lh_status (*open)(struct lh_home *home);
    } rows[] = {
        {"the tenant directory", open_directory},
        {"the session cache", open_session_cache},
        {"the context cache", open_context_cache},
        {"the cache of token keys", open_key_cache},
        {"the cache of signature secrets", open_secret_cache},
        {"the token cache", open_verified_cache},
        {"the periodic jobs", open_jobs},
        {"the limits", open_limits},
        {"the table of nonces", open_nonces},
        {"the gate", open_gate},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lh_status status = rows[i].open(home);
        if (!lh_is_ok(status)) {
            return lh_home_explain(home, status, rows[i].what, out_error);
        }
    }
    return lh_ok();
}

/* A store never shrinks: who lowers the limit below what is there shall know what that does. */
static void check_limit(const struct lh_home *home)
{
    char path[LH_HOME_FILE_BYTES];
    struct stat file;
    int len = snprintf(path, sizeof(path), "%s/data.mdb", home->layout.sessions);
    if (len > 0 && (size_t)len < sizeof(path) && stat(path, &file) == 0 &&
        (uint64_t)file.st_size > home->settings.sessions_map_bytes) {
        lh_log(
            home->host, LH_LOG_WARN,
            "leasehold: the session store is larger (%jd bytes) than sessions_map_size allows: it"
            " grows no further, and no session can be made until enough have ended",
            (intmax_t)file.st_size);
    }
}

static lh_status open_worker(struct lh_home *home, const char *path, char *out_error)
{
    const struct lh_home_options options = {.path = path, .is_read_only = true};
    LH_TRY(lh_home_open_base(home, &options, out_error));
    LH_TRY(lh_home_open_sessions(home, true, out_error));
    lh_status status = lh_node_keys_open(home->crypto, home->layout.node, &home->node_keys);
    if (!lh_is_ok(status)) {
        return lh_home_explain(home, status, "the node's keys", out_error);
    }
    LH_TRY(open_worker_parts(home, out_error));
    check_limit(home);
    if (lh_home_is_recovering(home)) {
        lh_log(home->host, LH_LOG_WARN,
               "leasehold: sessions of before an unclean boot are not back yet: one that is not"
               " found is \"unknown\" (503) until \"leasehold --home %s recover\" has run",
               home->layout.home);
    }
    return lh_ok();
}

lh_status lh_home_open_worker(const char *path, const struct lh_host *host,
                              struct lh_home **out_home, char out_error[LH_HOME_ERROR_BYTES])
{
    out_error[0] = '\0';
    struct lh_home *home = NULL;
    lh_status status = lh_home_new(&home);
    if (lh_is_ok(status)) {
        home->host = host;
        status = open_worker(home, path, out_error);
    }
    if (!lh_is_ok(status)) {
        return lh_home_give_up(home, status, path, out_error);
    }
    *out_home = home;
    return lh_ok();
}

struct lh_gate *lh_home_gate(struct lh_home *home)
{
    return home->gate;
}

/* A worker that maps a file which others no longer find would not hear of their changes. */
static void check_counters(struct lh_home *home)
{
    lh_status status = lh_counters_check_file(lh_registry_counters(home->registry));
    bool has_failed = !lh_is_ok(status);
    if (has_failed && !home->has_counters_failed) {
        lh_log(home->host, LH_LOG_ERROR,
               "leasehold: run/changes is missing or not the file that was opened: every decision"
               " is \"unknown\" until it is back in its place");
    }
    home->has_counters_failed = has_failed;
}

/* An import is another process's; its end is the last that happens to that file in this boot. */
static void check_recovery(struct lh_home *home)
{
    if (lh_home_is_recovering(home) && lh_boot_is_recovered(&home->layout)) {
        lh_store_set_partial(home->store, false);
        lh_log(home->host, LH_LOG_NOTICE,
               "leasehold: the sessions of before the unclean boot have been dealt with");
    }
}

static void check_writes(struct lh_home *home)
{
    struct lh_write_queue_counts counts;
    lh_write_queue_read_counts(home->queue, &counts);
    lh_write_watch_look(&home->write_watch, &counts, lh_clock_boot_ms(&home->clock), home->host);
}

void lh_home_tick(struct lh_home *home)
{
    check_counters(home);
    check_recovery(home);
    check_writes(home);
    bool has_changed = false;
    lh_status status = lh_node_keys_refresh(home->node_keys, &has_changed);
    bool has_failed = !lh_is_ok(status);
    if (has_failed && !home->has_node_keys_failed) {
        lh_log(home->host, LH_LOG_ERROR,
               "leasehold: the node's keys cannot be read again: %s; the old ones go on",
               lh_status_text(status));
    }
    home->has_node_keys_failed = has_failed;
    /* Keys that nobody asks for any more reach their age here, not at their next use. */
    lh_datakey_cache_expire(home->datakeys);
    lh_secret_cache_expire(home->secret_cache, lh_clock_now_ms(&home->clock));
    lh_jobs_tick(&home->jobs);
}
