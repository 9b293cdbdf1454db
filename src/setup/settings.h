/*
 * The settings of a home: one table row each, which is name, type, default, limits and manual in
 * one. Everything that reads, checks, writes or documents settings walks this table. A setting
 * is here only if something really does what it says.
 */
#ifndef LH_SETUP_SETTINGS_H
#define LH_SETUP_SETTINGS_H

#include "base/buf.h"

/*
 * What a value looks like: SIZE "64m" (k, m, g, t are powers of 1024), TIME "500ms" (a unit is
 * required: ms, s, m, h, d), COUNT "4096", CHOICE one of the words in the row's unit column.
 */
enum lh_setting_kind { LH_SETTING_SIZE, LH_SETTING_TIME, LH_SETTING_COUNT, LH_SETTING_CHOICE };

#define LH_KIB       1024ULL
#define LH_MIB       (LH_KIB * 1024ULL)
#define LH_GIB       (LH_MIB * 1024ULL)
#define LH_SECOND_MS 1000ULL
#define LH_MINUTE_MS (60ULL * LH_SECOND_MS)
#define LH_HOUR_MS   (60ULL * LH_MINUTE_MS)

/*
 * X(field, kind, name, default, least, most, unit or words, manual text). Sizes are bytes, times
 * milliseconds, choices the index of the word.
 */
#define LH_SETTINGS(X)                                                                             \
    X(registry_map_bytes, SIZE, "registry_map_size", LH_GIB, 16 * LH_MIB, 64 * LH_GIB, "bytes",    \
      "How large the registry may grow: tenants, keys, epochs, revocations. About 1 KiB for each " \
      "tenant and 100 bytes for each revoked session. Only address space is taken beforehand.")    \
    X(sessions_map_bytes, SIZE, "sessions_map_size", 16 * LH_GIB, 64 * LH_MIB, 1024 * LH_GIB,      \
      "bytes",                                                                                     \
      "How large the session store may grow, about 1 KiB for each session. It starts small and "   \
      "grows by itself; when it is full, no session can be made until some have ended. A larger "  \
      "value holds from the next command or reload on. A smaller one never shrinks what is "       \
      "there: a store that is larger already grows no further.")                                   \
    X(sessions_reserve_bytes, SIZE, "sessions_reserve", 16 * LH_MIB, LH_MIB, LH_GIB, "bytes",      \
      "Space of the session store that only revocations may use, so that a full store can still "  \
      "end sessions.")                                                                             \
    X(locked_memory, CHOICE, "locked_memory", 0, 0, 1, "required|best_effort",                     \
      "Whether keys must lie in memory that is never swapped. With `required` a worker that may "  \
      "not lock memory (RLIMIT_MEMLOCK) does not start; with `best_effort` it goes on without.")   \
    X(datakey_entries, COUNT, "datakey_entries", 4096, 16, 65536, "tenants",                       \
      "How many data keys a worker keeps open at once, in locked memory of about 128 bytes each. " \
      "Tenants beyond it cost a key fetch when they come back.")                                   \
    X(datakey_max_age_ms, TIME, "datakey_max_age", LH_HOUR_MS, 10 * LH_SECOND_MS, 24 * LH_HOUR_MS, \
      "time",                                                                                      \
      "How long an open data key may serve without being fetched again: when the keyring is "      \
      "gone, "                                                                                     \
      "warm tenants go on this long.")                                                             \
    X(datakey_refresh_ms, TIME, "datakey_refresh", 15 * LH_MINUTE_MS, 5 * LH_SECOND_MS,            \
      24 * LH_HOUR_MS, "time",                                                                     \
      "Age at which a data key in use is fetched again in the background. Less than "              \
      "datakey_max_age.")                                                                          \
    X(cookie_key_entries, COUNT, "cookie_key_entries", 1024, 16, 65536, "tenants",                 \
      "How many tenants' cookie keys a worker keeps prepared, about 1 KiB each.")                  \
    X(tenant_entries, COUNT, "tenant_entries", 4096, 16, 262144, "tenants",                        \
      "How many tenants a worker keeps in memory, about 2 KiB each.")                              \
    X(session_cache_entries, COUNT, "session_cache_entries", 4096, 16, 1048576, "sessions",        \
      "How many sessions a worker remembers for a second, about 2.5 KiB each. The next request "   \
      "of one of them needs no look-up.")                                                          \
    X(context_cache_entries, COUNT, "context_cache_entries", 8192, 16, 4194304, "contexts",        \
      "How many signed contexts a worker keeps to hand them out again, about 1.5 KiB each: one "   \
      "for each session of the last 40 seconds and each audience. A context that is not kept "     \
      "costs a signature.")                                                                        \
    X(token_cache_entries, COUNT, "token_cache_entries", 4096, 16, 1048576, "tokens",              \
      "How many verified bearer tokens a worker remembers, about 4 KiB each, and as many that it " \
      "has refused. The next request with one of them costs no signature check.")                  \
    X(token_key_entries, COUNT, "token_key_entries", 1024, 16, 65536, "keys",                      \
      "How many keys that verify tokens a worker keeps prepared, about 2 KiB each.")               \
    X(signature_secret_entries, COUNT, "signature_secret_entries", 1024, 16, 65536, "secrets",     \
      "How many secrets of request signatures (hmac-sha256) a worker keeps open, about 2 KiB "     \
      "each: for a second, so that not every request opens one.")                                  \
    X(token_max_bytes, SIZE, "token_max_size", 8 * LH_KIB, 1 * LH_KIB, 16 * LH_KIB, "bytes",       \
      "Longest bearer token that is read; a longer one is refused before anything of it is "       \
      "decoded.")                                                                                  \
    X(touch_queue_entries, COUNT, "touch_queue_entries", 8192, 256, 1048576, "touches",            \
      "How many last-use times may wait to be written; more are dropped and counted.")             \
    X(unproved_rate, COUNT, "unproved_rate", 100, 0, 1000000, "requests a second",                 \
      "How many requests a second one client (an IPv4 address, or the /64 of an IPv6 one) may "    \
      "send that prove nothing; half as many at one tenant. More get 429. A cookie whose MAC and " \
      "secret hold never counts. 0: no limit.")                                                    \
    X(unproved_burst, COUNT, "unproved_burst", 500, 2, 1000000, "requests",                        \
      "How many of them may come at once after a rest; half as many at one tenant.")               \
    X(signature_share, COUNT, "signature_share", 5, 0, 100, "per cent",                            \
      "How much of a worker's time may go into signatures for clients who have proved nothing "    \
      "yet, where it does not remember the token. More get 429. 0: no limit.")                     \
    X(signature_share_proved, COUNT, "signature_share_proved", 25, 0, 100, "per cent",             \
      "The same for clients who have proved themselves at their tenant in the last ten minutes. "  \
      "A worker that was started remembers no token: how soon it has verified those of all "       \
      "clients hangs on this. 0: no limit.")                                                       \
    X(sync_interval_ms, TIME, "sync_interval", 500, 100, LH_MINUTE_MS, "time",                     \
      "How often the session store is made safe against power loss. New sessions and last-use "    \
      "times younger than this are lost with the power; revocations never are.")                   \
    X(sweep_interval_ms, TIME, "sweep_interval", 10 * LH_SECOND_MS, LH_SECOND_MS, LH_HOUR_MS,      \
      "time", "How often ended sessions are removed from the store, a few hundred at a time.")     \
    X(maintenance_interval_ms, TIME, "maintenance_interval", LH_SECOND_MS, 250, LH_MINUTE_MS,      \
      "time",                                                                                      \
      "How often the store is looked after: space held by dead processes is freed, and a "         \
      "store that is nearly full grows.")

struct lh_settings {
#define LH_SETTING_FIELD(field, kind, name, standard, least, most, unit, manual) uint64_t field;
    LH_SETTINGS(LH_SETTING_FIELD)
#undef LH_SETTING_FIELD
};

/* One row, for who writes manuals. */
struct lh_setting {
    const char *name;
    enum lh_setting_kind kind;
    uint64_t standard;
    uint64_t least;
    uint64_t most;
    const char *unit;
    const char *manual;
};

/* All rows. out_count: how many. returns: static storage. */
const struct lh_setting *lh_settings_table(size_t *out_count);

/* What is wrong with a settings file. */
struct lh_settings_mistake {
    size_t line; /* from 1 */
    char text[160];
};

/* Longest settings file: ten times what init writes. */
#define LH_SETTINGS_MAX_BYTES ((size_t)64 * 1024)

/* Sets every field to its default. */
void lh_settings_init(struct lh_settings *out_settings);

/*
 * Reads "name = value" lines over the defaults: one setting a line, each at most once, "#" begins
 * a comment line, nothing else is allowed.
 * out_mistake  the first mistake. Errors: MALFORMED, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_settings_parse(lh_slice text, struct lh_settings *out_settings,
                                        struct lh_settings_mistake *out_mistake);

/* Appends a row's value as a file would say it. Errors: NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_setting_write(const struct lh_setting *setting, uint64_t value,
                                       struct lh_buf *out);

/*
 * Appends a file with every setting explained and at its default, commented out.
 * Errors: NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_settings_write_template(struct lh_buf *out);

#endif
