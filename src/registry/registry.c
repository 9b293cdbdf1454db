/*
 * Making, opening and closing a registry, and what init decides once.
 */
#include "registry/registry_env.h"

#include "base/bug.h"
#include "registry/row_codec.h"
#include "store/drivers/lmdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* Sparse: costs address space, not disk. A million revocations fit some four times. */
#define DEFAULT_MAP_BYTES ((uint64_t)1024 * 1024 * 1024)
/* Below it the reserve would be most of the map. */
#define MIN_MAP_BYTES      ((uint64_t)4 * 1024 * 1024)

#define REGISTRY_DIR_MODE  0700
#define COUNTERS_FILE_MODE 0600

static void close_descriptor(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static lh_status new_registry(const struct lh_registry_options *options,
                              struct lh_registry **out_registry)
{
    struct lh_registry *registry = calloc(1, sizeof(*registry));
    LH_ENSURE(registry != NULL, LH_NO_MEMORY);
    uint64_t map_bytes = options->map_bytes == 0 ? DEFAULT_MAP_BYTES : options->map_bytes;
    registry->magic = LH_REGISTRY_MAGIC;
    registry->host = options->host;
    registry->is_read_only = options->is_read_only;
    registry->map_bytes = map_bytes < MIN_MAP_BYTES ? MIN_MAP_BYTES : map_bytes;
    registry->reserve_bytes = lh_registry_reserve_bytes(registry->map_bytes);
    registry->generation_fd = -1;
    lh_registry_fill_source(registry);
    *out_registry = registry;
    return lh_ok();
}

void lh_registry_close(struct lh_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    LH_MAGIC_CHECK(registry, LH_REGISTRY_MAGIC);
    lh_registry_env_close(registry);
    lh_registry_generation_close(registry);
    lh_counters_close(registry->counters);
    registry->magic = 0;
    free(registry);
}

static void fini_registry(struct lh_registry **registry)
{
    lh_registry_close(*registry);
    *registry = NULL;
}

/* --- Making ----------------------------------------------------------------------------------- */

static lh_status put_founding(struct lh_registry_txn *txn,
                              const struct lh_registry_founding *founding)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf cell = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add_u8(&cell, 1)); /* id of the first cell key */
    LH_TRY(lh_buf_add(&cell, founding->wrapped_cell));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_META, LH_META_CELL, lh_buf_view(&cell)));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_META, LH_META_HOME, LH_SLICE_OF(founding->home_id)));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_META, LH_META_COUNTERS,
                               LH_SLICE_OF(founding->counters_id)));
    LH_TRY(lh_registry_put_number(txn, LH_META_PLATFORM_EPOCH, founding->platform_epoch));
    LH_TRY(lh_registry_put_number(txn, LH_META_NEXT_SLOT, LH_COUNTER_PLATFORM_SLOT + 1));
    LH_TRY(lh_registry_put_number(txn, LH_META_GENERATION, 0));
    return lh_registry_put_number(txn, LH_META_FORMAT, LH_REGISTRY_FORMAT);
}

static lh_status put_default_tiers(struct lh_registry_txn *txn)
{
    size_t count;
    const struct lh_tier *tiers = lh_tier_defaults(&count);
    for (size_t i = 0; i < count; i++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
        LH_TRY(lh_tier_row_write(&tiers[i], &row));
        LH_TRY(
            lh_registry_put_row(txn, LH_TABLE_TIERS, lh_tier_name(&tiers[i]), lh_buf_view(&row)));
    }
    return lh_ok();
}

/* The first transaction: there are no counters yet and nobody who could look. */
static lh_status write_first_rows(struct lh_registry *registry,
                                  const struct lh_registry_founding *founding)
{
    struct lh_registry_txn txn = {.registry = registry};
    LH_TRY(lh_registry_status(mdb_txn_begin(registry->env, NULL, 0, &txn.mdb)));
    lh_status status = put_founding(&txn, founding);
    if (lh_is_ok(status)) {
        status = put_default_tiers(&txn);
    }
    if (!lh_is_ok(status)) {
        mdb_txn_abort(txn.mdb);
        return status;
    }
    return lh_registry_status(mdb_txn_commit(txn.mdb));
}

static lh_status make_env(const struct lh_registry_options *options,
                          const struct lh_registry_founding *founding)
{
    LH_CLEANUP(fini_registry) struct lh_registry *registry = NULL;
    struct lh_registry_options writable = *options;
    writable.is_read_only = false;
    LH_TRY(new_registry(&writable, &registry));
    LH_TRY(lh_registry_env_open(registry, options->path, true));
    LH_TRY(write_first_rows(registry, founding));
    LH_TRY(lh_registry_generation_create(options->path));
    return lh_counters_create(options->counters_path, founding->counters_id, COUNTERS_FILE_MODE);
}

/* Errors: EXISTS (a registry is there), UNREADABLE. */
static lh_status make_dir(const char *path)
{
    LH_ENSURE(mkdir(path, REGISTRY_DIR_MODE) == 0 || errno == EEXIST, LH_UNREADABLE);
    LH_CLEANUP(close_descriptor) int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LH_ENSURE(dir_fd >= 0, LH_UNREADABLE);
    LH_ENSURE(faccessat(dir_fd, "data.mdb", F_OK, AT_SYMLINK_NOFOLLOW) != 0, LH_EXISTS);
    return lh_ok();
}

/* So that a creation that failed can be tried again. */
static void remove_env(const char *path)
{
    LH_CLEANUP(close_descriptor) int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd >= 0) {
        (void)unlinkat(dir_fd, "data.mdb", 0);
        (void)unlinkat(dir_fd, "lock.mdb", 0);
    }
    lh_registry_generation_remove(path);
}

lh_status lh_registry_create(const struct lh_registry_options *options,
                             const struct lh_registry_founding *founding)
{
    LH_TRY(make_dir(options->path));
    lh_status status = make_env(options, founding);
    if (!lh_is_ok(status)) {
        remove_env(options->path);
    }
    return status;
}

/* --- Opening ---------------------------------------------------------------------------------- */

/*
 * LMDB would make an empty environment where none is, and die of a file that is cut short: all
 * workers of the machine would, at each start.
 */
static lh_status check_is_whole(const char *path)
{
    LH_ENSURE(lh_is_ok(lh_lmdb_check_tree(path)), LH_REGISTRY_DOWN);
    return lh_ok();
}

static lh_status check_format(const struct lh_registry_view *view)
{
    uint64_t format;
    LH_TRY(lh_registry_get_number(view, LH_META_FORMAT, &format));
    LH_ENSURE(format != 0, LH_REGISTRY_DOWN);
    LH_ENSURE(format <= LH_REGISTRY_FORMAT, LH_FUTURE_FORMAT);
    return lh_ok();
}

static lh_status open_counters(struct lh_registry *registry, const char *counters_path)
{
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    LH_TRY(lh_registry_view_open(registry, &view));
    LH_TRY(check_format(&view));
    lh_slice id;
    lh_status status = lh_registry_get_row(&view, LH_TABLE_META, LH_META_COUNTERS, &id);
    LH_ENSURE(lh_is_ok(status) && id.len == LH_COUNTER_ID_BYTES, LH_REGISTRY_DOWN);
    return lh_counters_open(counters_path, id.ptr, !registry->is_read_only, &registry->counters);
}

lh_status lh_registry_open(const struct lh_registry_options *options,
                           struct lh_registry **out_registry)
{
    LH_TRY(check_is_whole(options->path));
    LH_CLEANUP(fini_registry) struct lh_registry *registry = NULL;
    LH_TRY(new_registry(options, &registry));
    LH_TRY(lh_registry_env_open(registry, options->path, false));
    LH_TRY(open_counters(registry, options->counters_path));
    if (!registry->is_read_only) {
        LH_TRY(lh_registry_generation_open(registry, options->path));
    }
    *out_registry = registry;
    registry = NULL;
    return lh_ok();
}

const struct lh_directory_source *lh_registry_source(struct lh_registry *registry)
{
    LH_MAGIC_CHECK(registry, LH_REGISTRY_MAGIC);
    return &registry->source;
}

struct lh_counters *lh_registry_counters(struct lh_registry *registry)
{
    LH_MAGIC_CHECK(registry, LH_REGISTRY_MAGIC);
    return registry->counters;
}

lh_status lh_registry_read_cell(struct lh_registry *registry, uint8_t *out_key_id,
                                struct lh_buf *out_blob)
{
    LH_MAGIC_CHECK(registry, LH_REGISTRY_MAGIC);
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    LH_TRY(lh_registry_view_open(registry, &view));
    lh_slice row;
    LH_TRY(lh_registry_get_row(&view, LH_TABLE_META, LH_META_CELL, &row));
    struct lh_cursor cursor = lh_cursor_over(row);
    uint8_t key_id;
    LH_ENSURE(lh_is_ok(lh_cursor_u8(&cursor, &key_id)), LH_REGISTRY_DOWN);
    LH_TRY(lh_buf_add(out_blob, cursor.rest));
    *out_key_id = key_id;
    return lh_ok();
}
