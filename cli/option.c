/*
 * The option table, and a command line read through it.
 */
#include "option.h"

#include "base/slice.h"
#include "codec/suggest.h"

#include "base/banned.h"

static const struct option option_rows[OPTION_COUNT] = {
#define OPTION_ROW(identifier, kind, name, value, text)                                            \
    [OPTION_##identifier] = {name, OPTION_##kind, value, text},
    CLI_OPTIONS(OPTION_ROW)
#undef OPTION_ROW
};

const struct option *option_at(enum option_id id)
{
    return &option_rows[id];
}

static size_t find_option(lh_slice name)
{
    size_t at = 0;
    while (at < OPTION_COUNT &&
           !lh_slice_is_equal(name, lh_slice_from_text(option_rows[at].name))) {
        at++;
    }
    return at;
}

struct reader {
    int argc;
    char **argv;
    int at;
    struct arguments *arguments;
    char *why;
    size_t why_bytes;
};

#define WRONG(reader, ...) (snprintf((reader)->why, (reader)->why_bytes, __VA_ARGS__), false)

static bool refuse_unknown(struct reader *reader, lh_slice name)
{
    lh_slice names[OPTION_COUNT];
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = lh_slice_from_text(option_rows[i].name);
    }
    size_t near = lh_suggest(name, names, OPTION_COUNT);
    if (near < OPTION_COUNT) {
        return WRONG(reader, "there is no option --%.*s; did you mean --%s?", LH_SLICE_ARG(name),
                     option_rows[near].name);
    }
    return WRONG(reader, "there is no option --%.*s", LH_SLICE_ARG(name));
}

static bool keep_value(struct reader *reader, size_t id, lh_slice value)
{
    struct arguments *arguments = reader->arguments;
    const struct option *option = &option_rows[id];
    if (arguments->counts[id] > 0 && option->kind != OPTION_LIST && option->kind != OPTION_FLAG) {
        return WRONG(reader, "--%s is given more than once", option->name);
    }
    if (option->kind == OPTION_FLAG) {
        arguments->counts[id] = 1;
        return true;
    }
    if (arguments->counts[id] == OPTION_REPEATS_MAX) {
        return WRONG(reader, "--%s is given more than %u times", option->name, OPTION_REPEATS_MAX);
    }
    if (value.len == 0) {
        return WRONG(reader, "--%s needs a %s that is not empty", option->name, option->value);
    }
    arguments->values[id][arguments->counts[id]++] = value;
    return true;
}

static bool read_option(struct reader *reader, lh_slice text)
{
    size_t equals = lh_slice_find(text, '=');
    lh_slice name = lh_slice_cut(text, 0, equals);
    bool has_value = equals < text.len;
    lh_slice value = lh_slice_cut(text, equals + 1, text.len);
    size_t id = find_option(name);
    if (id == OPTION_COUNT) {
        return refuse_unknown(reader, name);
    }
    if (option_rows[id].kind == OPTION_FLAG) {
        return has_value ? WRONG(reader, "--%s takes no value", option_rows[id].name)
                         : keep_value(reader, id, LH_SLICE_EMPTY);
    }
    if (!has_value) {
        if (reader->at == reader->argc) {
            return WRONG(reader, "--%s needs a %s", option_rows[id].name, option_rows[id].value);
        }
        value = lh_slice_from_text(reader->argv[reader->at++]);
    }
    return keep_value(reader, id, value);
}

static bool read_operand(struct reader *reader, const char *text)
{
    struct arguments *arguments = reader->arguments;
    if (arguments->operand_count == OPERANDS_MAX) {
        return WRONG(reader, "more than %u operands", OPERANDS_MAX);
    }
    arguments->operands[arguments->operand_count++] = text;
    return true;
}

bool arguments_parse(int argc, char **argv, struct arguments *out_arguments, char *out_why,
                     size_t why_bytes)
{
    *out_arguments = (struct arguments){.operand_count = 0};
    struct reader reader = {argc, argv, 1, out_arguments, out_why, why_bytes};
    bool has_options = true;
    while (reader.at < argc) {
        const char *text = argv[reader.at++];
        if (has_options && strcmp(text, "--") == 0) {
            has_options = false;
        } else if (has_options && strcmp(text, "-h") == 0) {
            out_arguments->counts[OPTION_help] = 1;
        } else if (has_options && text[0] == '-' && text[1] == '-') {
            if (!read_option(&reader, lh_slice_from_text(text + 2))) {
                return false;
            }
        } else if (has_options && text[0] == '-' && text[1] != '\0') {
            return WRONG(&reader, "there is no option %s; options begin with --", text);
        } else if (!read_operand(&reader, text)) {
            return false;
        }
    }
    return true;
}

bool has_option(const struct arguments *arguments, enum option_id id)
{
    return arguments->counts[id] > 0;
}

lh_slice option_value(const struct arguments *arguments, enum option_id id)
{
    return arguments->counts[id] > 0 ? arguments->values[id][0] : LH_SLICE_EMPTY;
}

struct lh_admin_texts option_values(const struct arguments *arguments, enum option_id id)
{
    return (struct lh_admin_texts){arguments->values[id], arguments->counts[id]};
}

lh_slice operand(const struct arguments *arguments, size_t index)
{
    return index < arguments->operand_count ? lh_slice_from_text(arguments->operands[index])
                                            : LH_SLICE_EMPTY;
}
