/*
 * The vault's inside, for the files of this room that make it up.
 */
#ifndef LH_SESSION_VAULT_PARTS_H
#define LH_SESSION_VAULT_PARTS_H

#include "session/session_vault.h"

#define LH_VAULT_MAGIC 0x4c485654U /* "LHVT" */

struct lh_vault {
    uint32_t magic;
    struct lh_vault_parts parts;
};

#endif
