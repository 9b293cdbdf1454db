/*
 * Policy YAML: a tree that is accepted is within its depth, counts its children right, has no key
 * twice and no place outside the text; a mistake is printable and has a place.
 */
#include "fuzz.h"

#include "codec/yaml.h"

/* Small, so that its end is met too. */
#define ARENA_BYTES ((size_t)1024 * 1024)

static size_t lines_of(lh_slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n' || text.ptr[i] == '\r' ? 1U : 0U;
        /* NEL, LS and PS end lines too. */
        lines += text.ptr[i] >= 0x80 ? 1U : 0U;
    }
    return lines;
}

static void check_children(const struct lh_yaml_node *node, size_t lines)
{
    size_t count = 0;
    for (const struct lh_yaml_node *child = node->first; child != NULL; child = child->next) {
        count++;
        FUZZ_CHECK(child->at.line >= 1 && child->at.line <= lines + 1);
        FUZZ_CHECK((child->key.len > 0) == (node->kind == LH_YAML_MAP));
        if (node->kind == LH_YAML_MAP) {
            FUZZ_CHECK(lh_yaml_find(node, child->key) == child);
        }
    }
    FUZZ_CHECK(count == node->count);
    FUZZ_CHECK(node->kind != LH_YAML_SCALAR || count == 0);
}

/* Walks the tree with a stack of its own, as deep as a tree may be. */
static void check_tree(const struct lh_yaml_node *root, size_t lines)
{
    const struct lh_yaml_node *stack[LH_YAML_DEPTH_MAX + 2];
    size_t depth = 0;
    stack[depth++] = root;
    while (depth > 0) {
        const struct lh_yaml_node *node = stack[depth - 1];
        check_children(node, lines);
        if (node->first != NULL) {
            FUZZ_CHECK(depth <= LH_YAML_DEPTH_MAX);
            stack[depth++] = node->first;
            continue;
        }
        depth--;
        while (depth > 0 && node->next == NULL) {
            node = stack[--depth];
        }
        if (node->next != NULL && depth > 0) {
            stack[depth++] = node->next;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice text = lh_slice_of(bytes, len);
    struct lh_arena arena = lh_arena_bounded(ARENA_BYTES);
    struct lh_yaml_node *roots = NULL;
    struct lh_yaml_mistake mistake;
    lh_status status = lh_yaml_parse(text, &arena, &roots, &mistake);
    if (lh_is_ok(status)) {
        for (const struct lh_yaml_node *root = roots; root != NULL; root = root->next) {
            struct lh_yaml_node alone = *root;
            alone.next = NULL;
            check_tree(&alone, lines_of(text));
        }
    } else {
        FUZZ_CHECK(roots == NULL && status.code != LH_NO_MEMORY);
        FUZZ_CHECK(mistake.at.line >= 1 && mistake.at.column >= 1 && strlen(mistake.text) > 0);
        for (const char *c = mistake.text; *c != '\0'; c++) {
            FUZZ_CHECK(*c >= 0x20 && *c < 0x7f);
        }
    }
    lh_arena_fini(&arena);
    return 0;
}
