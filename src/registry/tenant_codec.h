/*
 * A tenant's row: a binary head and the rest as JSON. The head has what lists and counters need
 * without parsing (version, slot, id), and the two keys that no parser's heap shall see (buckets,
 * user tags). Wrapped DEKs and the tier's limits lie in other tables. Private to the room.
 */
#ifndef LH_REGISTRY_TENANT_CODEC_H
#define LH_REGISTRY_TENANT_CODEC_H

#include "base/buf.h"
#include "tenant/directory.h"

/* Longest row; a tenant with a thousand names and roles stays below. */
#define LH_TENANT_ROW_MAX_BYTES ((size_t)128 * 1024)
/* What a snapshot may take: the texts and lists of the longest row, and its wrapped keys. */
#define LH_TENANT_ARENA_MAX_BYTES ((size_t)4 * 1024 * 1024)
/* Largest B of a tenant: buckets are 11 bits in references. */
#define LH_BUCKET_COUNT_MAX 2048U

struct lh_tenant_row_head {
    uint32_t slot;
    struct lh_tenant_id id;
};

/* Reads the head alone. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_tenant_row_read_head(lh_slice row, struct lh_tenant_row_head *out_head);

/*
 * Appends a tenant's row.
 * Errors: INVALID (a field out of range), MALFORMED (a text that is not UTF-8), TOO_LARGE,
 * NO_MEMORY.
 */
LH_MUST_USE lh_status lh_tenant_row_write(const struct lh_tenant *tenant, struct lh_buf *out);

/*
 * Reads a row into an empty snapshot: all fields that the row holds, of the tier its name.
 * Errors: MALFORMED, FUTURE_FORMAT, TOO_LARGE, NO_MEMORY; the snapshot is then half-filled.
 */
LH_MUST_USE lh_status lh_tenant_row_read(lh_slice row, struct lh_tenant *tenant);

#endif
