/*
 * Reading JSON into jansson's values. The reader works on a copy, because it unescapes in place.
 */
#include "codec/json.h"

#include <locale.h>
#include <math.h>

#include "base/banned.h"

static lh_status made(json_t *value, json_t **out_value)
{
    LH_ENSURE(value != NULL, LH_NO_MEMORY);
    *out_value = value;
    return lh_ok();
}

static lh_status make_integer(lh_slice text, json_t **out_value)
{
    bool is_negative = text.ptr[0] == '-';
    uint64_t magnitude;
    LH_ENSURE(lh_is_ok(lh_slice_parse_u64(lh_slice_cut(text, is_negative, text.len),
                                          (uint64_t)INT64_MAX + is_negative, &magnitude)),
              LH_MALFORMED);
    /* Two's complement, and the one magnitude that has no positive twin. */
    json_int_t value = is_negative ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude;
    return made(json_integer(value), out_value);
}

/*
 * strtod reads what the process's locale says, so it is given the one that JSON means. It stops
 * where the number ends: behind the text there is at least a bracket.
 */
static lh_status make_real(lh_slice text, json_t **out_value)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    LH_ENSURE(plain != (locale_t)0, LH_NO_MEMORY);
    double value = strtod_l((const char *)text.ptr, NULL, plain);
    freelocale(plain);
    LH_ENSURE(isfinite(value), LH_MALFORMED);
    return made(json_real(value), out_value);
}

static lh_status make_value(const struct lh_json_piece *piece, json_t **out_value)
{
    switch (piece->kind) {
    case LH_JSON_OBJECT:
        return made(json_object(), out_value);
    case LH_JSON_ARRAY:
        return made(json_array(), out_value);
    case LH_JSON_STRING:
        return made(json_stringn_nocheck((const char *)piece->text.ptr, piece->text.len),
                    out_value);
    case LH_JSON_INTEGER:
        return make_integer(piece->text, out_value);
    case LH_JSON_REAL:
        return make_real(piece->text, out_value);
    case LH_JSON_TRUE:
        return made(json_true(), out_value);
    case LH_JSON_FALSE:
        return made(json_false(), out_value);
    default:
        return made(json_null(), out_value);
    }
}

/* Containers that are not closed yet, the root first. */
struct tree {
    json_t *root; /* owns all */
    json_t *stack[LH_JSON_MAX_DEPTH];
};

static void drop_tree(struct tree *tree)
{
    json_decref(tree->root);
}

/* Takes value over, also on failure. */
static lh_status attach(json_t *container, const struct lh_json_piece *piece, json_t *value)
{
    const char *name = (const char *)piece->name.ptr;
    int result = piece->has_name ? json_object_set_new_nocheck(container, name, value)
                                 : json_array_append_new(container, value);
    LH_ENSURE(result == 0, LH_NO_MEMORY);
    return lh_ok();
}

/* depth: of the container that the piece lies in. */
static lh_status grow(struct tree *tree, const struct lh_json_piece *piece, unsigned depth)
{
    json_t *value;
    if (depth == 0) {
        LH_TRY(make_value(piece, &tree->root));
        tree->stack[0] = tree->root;
        return lh_ok();
    }
    json_t *container = tree->stack[depth - 1];
    LH_ENSURE(!piece->has_name || json_object_get(container, (const char *)piece->name.ptr) == NULL,
              LH_MALFORMED);
    LH_TRY(make_value(piece, &value));
    if (piece->kind == LH_JSON_OBJECT || piece->kind == LH_JSON_ARRAY) {
        tree->stack[depth] = value;
    }
    return attach(container, piece, value);
}

static lh_status build(struct lh_json_reader *reader, struct tree *tree)
{
    do {
        unsigned depth = reader->depth;
        struct lh_json_piece piece;
        LH_TRY(lh_json_reader_next(reader, &piece));
        if (piece.kind != LH_JSON_CLOSED) {
            LH_TRY(grow(tree, &piece, depth));
        }
    } while (reader->depth > 0);
    return lh_ok();
}

lh_status lh_json_parse(lh_slice text, size_t max_bytes, json_t **out_value)
{
    LH_ENSURE(text.len <= max_bytes && text.len <= LH_BUF_MAX_BYTES, LH_TOO_LARGE);
    json_object_seed(0); /* the first call takes it from the kernel, later ones do nothing */
    LH_CLEANUP(lh_buf_fini) struct lh_buf copy = LH_BUF_EMPTY;
    LH_CLEANUP(drop_tree) struct tree tree = {0};
    LH_TRY(lh_buf_add(&copy, text));
    LH_TRY(lh_buf_terminate(&copy));
    struct lh_json_reader reader = lh_json_reader_over(copy.ptr, copy.len);
    LH_TRY(build(&reader, &tree));
    *out_value = tree.root;
    tree.root = NULL;
    return lh_ok();
}
