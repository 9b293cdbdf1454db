/*
 * Making a home. A marker file is written first and removed last: what a killed init leaves
 * behind says so itself, is opened by nobody, and has never been in use.
 */
#include "setup/home.h"

#include "audit/audit_event.h"
#include "crypto/crypto.h"
#include "keys/keys.h"
#include "keys/node_key.h"
#include "setup/counters_seat.h"
#include "setup/home_file.h"
#include "setup/unfinished.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define FIRST_CELL_KEY_ID 1U
#define COUNTERS_MODE     0600U
#define JWKS_MODE         0600U

/* A home in the making. */
struct making {
    const struct lh_home_plan *plan;
    struct lh_home_layout layout;
    struct lh_settings settings;
    struct lh_clock clock;
    struct lh_crypto *crypto;
    struct lh_keys *keys;
    int mark_fd; /* the mark of an unfinished home, locked; -1: not yet */
    char *error;
};

static void making_fini(struct making *making)
{
    lh_keys_close(making->keys);
    lh_crypto_free(making->crypto);
    lh_home_fd_close(&making->mark_fd);
}

static lh_status say(struct making *making, enum lh_code code, const char *what, const char *todo)
{
    (void)snprintf(making->error, LH_HOME_ERROR_BYTES, "%.300s %s; %s", making->layout.home, what,
                   todo);
    return lh_status_of(code);
}

/* --- The directory ---------------------------------------------------------------------------- */

static bool is_there(const char *path)
{
    struct stat ignored;
    return lstat(path, &ignored) == 0;
}

static bool is_empty_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    size_t entries = 0;
    errno = 0;
    while (readdir(directory) != NULL) {
        entries++;
    }
    bool is_read = errno == 0;
    (void)closedir(directory);
    return is_read && entries <= 2; /* "." and ".." */
}

static lh_status say_rival(struct making *making, lh_status status)
{
    if (status.code == LH_CONFLICT) {
        return say(making, LH_EXISTS, "is being made by another init", "wait for it");
    }
    return status.code == LH_EXISTS ? say(making, LH_EXISTS, "was made by another init meanwhile",
                                          "there is nothing to do")
                                    : status;
}

/* What an init that died has left was never in use: it goes, and all begins again. */
static lh_status take_leftovers(struct making *making)
{
    char strange[LH_HOME_NAME_BYTES];
    lh_status status = lh_unfinished_take_over(&making->layout, &making->mark_fd, strange);
    if (status.code == LH_EXISTS && strange[0] != '\0') {
        (void)snprintf(
            making->error, LH_HOME_ERROR_BYTES,
            "%.200s holds an unfinished home of an earlier init that was interrupted, and"
            " \"%.100s\", which is not of it; move that away and run init again",
            making->layout.home, strange);
        return status;
    }
    return say_rival(making, status);
}

/* An existing directory is taken only if it is ours and holds nothing, or such leftovers. */
static lh_status take_directory(struct making *making)
{
    const struct lh_home_layout *layout = &making->layout;
    struct stat entry;
    if (lstat(layout->home, &entry) != 0 || !S_ISDIR(entry.st_mode)) {
        return say(making, LH_EXISTS, "is not a directory", "choose another place");
    }
    bool is_ours = entry.st_uid == geteuid();
    if (is_ours && is_there(layout->unfinished)) {
        return take_leftovers(making);
    }
    if (is_there(layout->settings)) {
        return say(making, LH_EXISTS, "is a home already", "init never touches an existing home");
    }
    if (!is_ours) {
        return say(making, LH_UNSAFE_FILE, "belongs to another user", "choose another place");
    }
    if (!is_empty_directory(layout->home)) {
        return say(making, LH_EXISTS, "is not empty", "choose an empty or new directory");
    }
    LH_ENSURE(chmod(layout->home, S_IRWXU) == 0, LH_UNREADABLE);
    return lh_ok();
}

static lh_status make_directory(struct making *making)
{
    lh_status status = lh_home_directory_create(making->layout.home);
    if (status.code == LH_EXISTS) {
        return take_directory(making);
    }
    if (!lh_is_ok(status)) {
        return say(making, status.code, "cannot be made",
                   errno == ENOENT ? "make its parent directory first" : strerror(errno));
    }
    return lh_ok();
}

static lh_status begin(struct making *making)
{
    LH_TRY(make_directory(making));
    if (making->mark_fd < 0) {
        LH_TRY(say_rival(making, lh_unfinished_begin(&making->layout, &making->mark_fd)));
    }
#define MAKE_DIRECTORY(name, path) LH_TRY(lh_home_directory_create(making->layout.name));
    LH_HOME_DIRECTORIES(MAKE_DIRECTORY)
#undef MAKE_DIRECTORY
    return lh_ok();
}

static lh_status finish(struct making *making)
{
#define SYNC_DIRECTORY(name, path) LH_TRY(lh_home_directory_sync(making->layout.name));
    LH_HOME_DIRECTORIES(SYNC_DIRECTORY)
#undef SYNC_DIRECTORY
    LH_TRY(lh_home_directory_sync(making->layout.home));
    return lh_unfinished_end(&making->layout);
}

/* --- What lies in it -------------------------------------------------------------------------- */

static lh_status write_settings(struct making *making)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(LH_SETTINGS_MAX_BYTES);
    LH_TRY(lh_settings_write_template(&text));
    return lh_home_file_create(making->layout.settings, lh_buf_view(&text));
}

static lh_status open_tools(struct making *making)
{
    LH_TRY(lh_clock_open(making->plan->host, making->layout.run, &making->clock));
    return lh_crypto_new(&making->crypto);
}

static lh_status make_keyring(struct making *making)
{
    const struct lh_key_options options = {
        .path = making->layout.keyring, .may_create = true, .host = making->plan->host};
    return lh_keys_open("keyring_file", &options, making->crypto, &making->keys);
}

static lh_status make_registry(struct making *making)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf cell = lh_buf_bounded(LH_WRAPPED_MAX_BYTES);
    const struct lh_wrap_scope scope = {.purpose = LH_WRAP_CELL, .key_id = FIRST_CELL_KEY_ID};
    LH_TRY(lh_keys_generate(making->keys, making->crypto, &scope, &cell));
    struct lh_registry_founding founding = {.platform_epoch = lh_clock_now_ms(&making->clock),
                                            .wrapped_cell = lh_buf_view(&cell)};
    LH_TRY(lh_random(making->crypto, founding.home_id, sizeof(founding.home_id)));
    LH_TRY(lh_random(making->crypto, founding.counters_id, sizeof(founding.counters_id)));
    const struct lh_registry_options options = {
        .path = making->layout.registry,
        .counters_path = making->layout.changes,
        .map_bytes = making->settings.registry_map_bytes,
        .host = making->plan->host,
    };
    LH_TRY(lh_registry_create(&options, &founding));
    return lh_seat_found(&making->layout);
}

static lh_status make_sessions(struct making *making)
{
    const struct lh_store_options options = {
        .path = making->layout.sessions,
        .map_bytes = making->settings.sessions_map_bytes,
        .reserve_bytes = making->settings.sessions_reserve_bytes,
        .may_create = true,
        .host = making->plan->host,
    };
    struct lh_store *store = NULL;
    LH_TRY(lh_store_open("lmdb", &options, &store));
    lh_status status = lh_store_sync(store);
    lh_store_close(store);
    LH_TRY(status);
    return lh_boot_found(&making->layout);
}

static lh_status make_node_key(struct making *making)
{
    char name[LH_NODE_NAME_MAX_BYTES + 1];
    lh_node_name_of_host(name);
    const struct lh_node_key_place place = {
        .dir = making->layout.node, .jwks = making->layout.jwks, .jwks_mode = JWKS_MODE};
    struct lh_node_kid kid;
    return lh_node_key_create(making->crypto, &place, lh_slice_from_text(name),
                              lh_clock_now_ms(&making->clock), &kid);
}

/* --- All of it -------------------------------------------------------------------------------- */

static lh_status make_all(struct making *making)
{
    static const struct {
        const char *what;
        lh_status (*make)(struct making *making);
    } rows[] = {
        {"directories", begin},        {"settings", write_settings},
        {"clock", open_tools},         {"keyring", make_keyring},
        {"registry", make_registry},   {"session store", make_sessions},
        {"node's key", make_node_key}, {"last step", finish},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lh_status status = rows[i].make(making);
        if (!lh_is_ok(status)) {
            if (making->error[0] == '\0') {
                (void)snprintf(making->error, LH_HOME_ERROR_BYTES,
                               "cannot make the home %.300s: %s: %s", making->layout.home,
                               rows[i].what, lh_status_text(status));
            }
            return status;
        }
    }
    return lh_ok();
}

lh_status lh_home_create(const struct lh_home_plan *plan, char out_error[LH_HOME_ERROR_BYTES])
{
    out_error[0] = '\0';
    LH_CLEANUP(making_fini)
    struct making making = {.plan = plan, .mark_fd = -1, .error = out_error};
    lh_status status = lh_home_layout_init(plan->path, &making.layout);
    if (!lh_is_ok(status)) {
        (void)snprintf(out_error, LH_HOME_ERROR_BYTES, "the path of the home is empty or too long");
        return status;
    }
    lh_settings_init(&making.settings);
    LH_TRY(make_all(&making));
    const struct lh_audit_field field = {"home", lh_slice_from_text(making.layout.home)};
    lh_audit_write(plan->host, LH_AUDIT_home_created, &field, 1);
    return lh_ok();
}
