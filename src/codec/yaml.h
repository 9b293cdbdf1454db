/*
 * YAML (1.1, through libyaml) cut down to what policies need: maps with plain keys, lists, and
 * scalars whose meaning the reader's schema decides. Anchors, aliases, tags, merge keys,
 * directives and duplicate keys are errors, for each of them makes a text mean something else
 * than it seems to. For programs with a person behind them only.
 */
#ifndef LH_CODEC_YAML_H
#define LH_CODEC_YAML_H

#include "base/arena.h"

/* Deeper than any document of ours. */
#define LH_YAML_DEPTH_MAX 32U
/* Largest text: ten thousand tenants with all their policies. */
#define LH_YAML_MAX_BYTES ((size_t)8 * 1024 * 1024)
/* What the tree of such a text may take. */
#define LH_YAML_TREE_MAX_BYTES ((size_t)256 * 1024 * 1024)

enum lh_yaml_kind { LH_YAML_SCALAR, LH_YAML_LIST, LH_YAML_MAP };

struct lh_yaml_mark {
    size_t line;   /* from 1 */
    size_t column; /* from 1, in characters */
};

/* One value. Lies in the arena, as all that it points to. */
struct lh_yaml_node {
    enum lh_yaml_kind kind;
    struct lh_yaml_mark at;
    bool is_quoted;             /* a scalar in quotes or as a block is text, whatever it says */
    lh_slice text;              /* of a scalar */
    lh_slice key;               /* under which it lies in a map; empty otherwise */
    struct lh_yaml_mark key_at; /* where that key stands */
    struct lh_yaml_node *first; /* of a list or map */
    struct lh_yaml_node *next;  /* in the list, map or stream */
    size_t count;               /* of children */
};

struct lh_yaml_mistake {
    struct lh_yaml_mark at;
    char text[160]; /* printable */
};

/*
 * Reads a stream of documents.
 * arena          takes the tree; bound it to LH_YAML_TREE_MAX_BYTES or less.
 * out_documents  the roots, linked by next; NULL for an empty stream.
 * out_mistake    filled on MALFORMED and TOO_LARGE.
 * Errors: MALFORMED, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_yaml_parse(lh_slice text, struct lh_arena *arena,
                                    struct lh_yaml_node **out_documents,
                                    struct lh_yaml_mistake *out_mistake);

/* The value under a key of a map, or NULL. */
const struct lh_yaml_node *lh_yaml_find(const struct lh_yaml_node *map, lh_slice key);

#endif
