/*
 * For tests: fills a session store, as many sign-ins would, until it refuses another session. They
 * are of a tenant that nobody knows and end in a far future.
 * fill_store DIRECTORY MAP_BYTES RESERVE_BYTES; prints how many it took.
 */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest first, then such as fit where no touch would. */
static const size_t record_bytes[] = {LH_STORE_RECORD_MAX_BYTES, 600};

static lh_status create_one(struct lh_store *store, size_t number, size_t bytes)
{
    static uint8_t record[LH_STORE_RECORD_MAX_BYTES];
    struct lh_session_key key = {.uid = {.bytes = {0xF1}}};
    memcpy(key.lease.bytes, &number, sizeof(number));
    const struct lh_store_row row = {.kind = LH_PLACE_RECORD,
                                     .generation = 1,
                                     .absolute_end_ms = UINT64_MAX / 2,
                                     .record = lh_slice_of(record, bytes)};
    return lh_store_create(store, NULL, &key, &row);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        return 2;
    }
    const struct lh_store_options options = {.path = argv[1],
                                             .map_bytes = strtoull(argv[2], NULL, 10),
                                             .reserve_bytes = strtoull(argv[3], NULL, 10)};
    struct lh_store *store = NULL;
    if (!lh_is_ok(lh_store_open("lmdb", &options, &store))) {
        return 1;
    }
    size_t made = 0;
    lh_status status = lh_ok();
    for (size_t i = 0; i < sizeof(record_bytes) / sizeof(record_bytes[0]); i++) {
        do {
            status = create_one(store, made, record_bytes[i]);
            made += lh_is_ok(status) ? 1 : 0;
        } while (lh_is_ok(status));
    }
    lh_store_close(store);
    printf("%zu\n", made);
    return status.code == LH_NO_SPACE ? 0 : 1;
}
