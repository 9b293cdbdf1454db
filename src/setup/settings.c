/*
 * The settings table walked four ways: defaults, parser, writer, template. Setup reads a home's
 * leasehold.conf through it; init and the manuals write from it.
 */
#include "setup/settings.h"

#include "codec/quantity.h"
#include "codec/suggest.h"

#include <stdarg.h>

#include "base/banned.h"

static const struct lh_setting setting_rows[] = {
#define SETTING_ROW(field, kind, name, standard, least, most, unit, manual)                        \
    {name, LH_SETTING_##kind, standard, least, most, unit, manual},
    LH_SETTINGS(SETTING_ROW)
#undef SETTING_ROW
};

static const size_t setting_offsets[] = {
#define SETTING_OFFSET(field, kind, name, standard, least, most, unit, manual)                     \
    offsetof(struct lh_settings, field),
    LH_SETTINGS(SETTING_OFFSET)
#undef SETTING_OFFSET
};

#define SETTING_COUNT (sizeof(setting_rows) / sizeof(setting_rows[0]))
/* Widest comment line of the template. */
#define TEMPLATE_COLUMNS 90U

static enum lh_quantity_kind quantity_of(enum lh_setting_kind kind)
{
    switch (kind) {
    case LH_SETTING_SIZE:
        return LH_QUANTITY_SIZE;
    case LH_SETTING_TIME:
        return LH_QUANTITY_TIME;
    case LH_SETTING_COUNT:
    case LH_SETTING_CHOICE:
    default:
        return LH_QUANTITY_COUNT;
    }
}

static uint64_t *field_at(struct lh_settings *settings, size_t row)
{
    return (uint64_t *)(void *)((uint8_t *)settings + setting_offsets[row]);
}

const struct lh_setting *lh_settings_table(size_t *out_count)
{
    *out_count = SETTING_COUNT;
    return setting_rows;
}

void lh_settings_init(struct lh_settings *out_settings)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        *field_at(out_settings, i) = setting_rows[i].standard;
    }
}

/* --- Values ----------------------------------------------------------------------------------- */

/* The next of the words in "a|b|c". returns: false at the end. */
static bool next_word(lh_slice *rest, lh_slice *out_word)
{
    if (rest->len == 0) {
        return false;
    }
    size_t end = lh_slice_find(*rest, '|');
    *out_word = lh_slice_cut(*rest, 0, end);
    *rest = lh_slice_cut(*rest, end + 1, rest->len);
    return true;
}

static lh_status parse_choice(const struct lh_setting *setting, lh_slice text, uint64_t *out_value)
{
    lh_slice rest = lh_slice_from_text(setting->unit);
    lh_slice word;
    for (uint64_t i = 0; next_word(&rest, &word); i++) {
        if (lh_slice_is_equal(word, text)) {
            *out_value = i;
            return lh_ok();
        }
    }
    return lh_status_of(LH_MALFORMED);
}

static lh_status write_choice(const struct lh_setting *setting, uint64_t value, struct lh_buf *out)
{
    lh_slice rest = lh_slice_from_text(setting->unit);
    lh_slice word = LH_SLICE_EMPTY;
    for (uint64_t i = 0; i <= value; i++) {
        LH_ENSURE(next_word(&rest, &word), LH_INVALID);
    }
    return lh_buf_add(out, word);
}

lh_status lh_setting_write(const struct lh_setting *setting, uint64_t value, struct lh_buf *out)
{
    if (setting->kind == LH_SETTING_CHOICE) {
        return write_choice(setting, value, out);
    }
    return lh_quantity_write(quantity_of(setting->kind), value, out);
}

/* --- Parser ----------------------------------------------------------------------------------- */

struct parse {
    struct lh_settings settings;
    size_t lines_of[SETTING_COUNT]; /* line on which a setting was given; 0: not yet */
    struct lh_settings_mistake *mistake;
    size_t line;
};

static lh_status fail(struct parse *parse, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static lh_status fail(struct parse *parse, const char *format, ...)
{
    parse->mistake->line = parse->line;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(parse->mistake->text, sizeof(parse->mistake->text), format, arguments);
    va_end(arguments);
    return lh_status_of(LH_MALFORMED);
}

static bool is_name(lh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return text.len > 0 && text.len <= LH_SUGGEST_WORD_MAX_BYTES;
}

static lh_status fail_unknown(struct parse *parse, lh_slice name)
{
    lh_slice names[SETTING_COUNT];
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        names[i] = lh_slice_from_text(setting_rows[i].name);
    }
    size_t near = lh_suggest(name, names, SETTING_COUNT);
    if (near < SETTING_COUNT) {
        return fail(parse, "unknown setting \"%.*s\"; did you mean \"%s\"?", LH_SLICE_ARG(name),
                    setting_rows[near].name);
    }
    return fail(parse, "unknown setting \"%.*s\"", LH_SLICE_ARG(name));
}

/* Says what a value may be. */
static lh_status fail_value(struct parse *parse, const struct lh_setting *setting)
{
    if (setting->kind == LH_SETTING_CHOICE) {
        return fail(parse, "%s must be one of %s", setting->name, setting->unit);
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf range = LH_BUF_EMPTY;
    LH_TRY(lh_setting_write(setting, setting->least, &range));
    LH_TRY(lh_buf_add_text(&range, " to "));
    LH_TRY(lh_setting_write(setting, setting->most, &range));
    return fail(parse, "%s must be %.*s%s", setting->name, LH_SLICE_ARG(lh_buf_view(&range)),
                setting->kind == LH_SETTING_TIME ? ", with its unit" : "");
}

static lh_status set_value(struct parse *parse, size_t row, lh_slice text)
{
    const struct lh_setting *setting = &setting_rows[row];
    if (parse->lines_of[row] != 0) {
        return fail(parse, "%s is given already on line %zu", setting->name, parse->lines_of[row]);
    }
    parse->lines_of[row] = parse->line;
    uint64_t value = 0;
    lh_status status = setting->kind == LH_SETTING_CHOICE
                           ? parse_choice(setting, text, &value)
                           : lh_quantity_parse(quantity_of(setting->kind), text, &value);
    if (!lh_is_ok(status) || value < setting->least || value > setting->most) {
        return fail_value(parse, setting);
    }
    *field_at(&parse->settings, row) = value;
    return lh_ok();
}

static lh_status parse_line(struct parse *parse, lh_slice line)
{
    lh_slice text = lh_slice_trim(line);
    if (text.len == 0 || text.ptr[0] == '#') {
        return lh_ok();
    }
    size_t equals = lh_slice_find(text, '=');
    lh_slice name = lh_slice_trim(lh_slice_cut(text, 0, equals));
    if (equals == text.len || !is_name(name)) {
        return fail(parse, "expected \"name = value\"");
    }
    lh_slice value = lh_slice_trim(lh_slice_cut(text, equals + 1, text.len));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (lh_slice_is_equal(name, lh_slice_from_text(setting_rows[i].name))) {
            return set_value(parse, i, value);
        }
    }
    return fail_unknown(parse, name);
}

/* Fails at whichever of two settings was given later; defaults agree with each other. */
static lh_status fail_together(struct parse *parse, const uint64_t *a, const uint64_t *b,
                               const char *what)
{
    parse->line = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const uint64_t *field = field_at(&parse->settings, i);
        if ((field == a || field == b) && parse->lines_of[i] > parse->line) {
            parse->line = parse->lines_of[i];
        }
    }
    return fail(parse, "%s", what);
}

/* What no single row can say. */
static lh_status check_together(struct parse *parse)
{
    const struct lh_settings *settings = &parse->settings;
    if (settings->datakey_refresh_ms >= settings->datakey_max_age_ms) {
        return fail_together(parse, &settings->datakey_refresh_ms, &settings->datakey_max_age_ms,
                             "datakey_refresh must be less than datakey_max_age");
    }
    if (settings->sessions_reserve_bytes > settings->sessions_map_bytes / 4) {
        return fail_together(parse, &settings->sessions_reserve_bytes,
                             &settings->sessions_map_bytes,
                             "sessions_reserve must be at most a quarter of sessions_map_size");
    }
    return lh_ok();
}

lh_status lh_settings_parse(lh_slice text, struct lh_settings *out_settings,
                            struct lh_settings_mistake *out_mistake)
{
    struct parse parse = {.mistake = out_mistake, .line = 0};
    lh_settings_init(&parse.settings);
    if (text.len > LH_SETTINGS_MAX_BYTES) {
        (void)fail(&parse, "longer than %zu bytes", LH_SETTINGS_MAX_BYTES);
        return lh_status_of(LH_TOO_LARGE);
    }
    lh_slice rest = text;
    while (rest.len > 0) {
        parse.line++;
        size_t end = lh_slice_find(rest, '\n');
        LH_TRY(parse_line(&parse, lh_slice_cut(rest, 0, end)));
        rest = lh_slice_cut(rest, end + 1, rest.len);
    }
    LH_TRY(check_together(&parse));
    *out_settings = parse.settings;
    return lh_ok();
}

/* --- Template --------------------------------------------------------------------------------- */

/* Appends text as comment lines, broken at spaces. */
static lh_status write_comment(lh_slice text, struct lh_buf *out)
{
    while (text.len > 0) {
        size_t len = text.len;
        if (len > TEMPLATE_COLUMNS) {
            len = TEMPLATE_COLUMNS;
            while (len > 0 && text.ptr[len] != ' ') {
                len--;
            }
            len = len == 0 ? TEMPLATE_COLUMNS : len;
        }
        LH_TRY(lh_buf_add_text(out, "# "));
        LH_TRY(lh_buf_add(out, lh_slice_cut(text, 0, len)));
        LH_TRY(lh_buf_add_u8(out, '\n'));
        text = lh_slice_trim(lh_slice_cut(text, len, text.len));
    }
    return lh_ok();
}

lh_status lh_settings_write_template(struct lh_buf *out)
{
    LH_TRY(write_comment(
        LH_SLICE_LITERAL("Settings of this home. Each is shown with its default; take the \"#\" "
                         "away and change the value. Workers read this file when they start."),
        out));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        LH_TRY(lh_buf_add_u8(out, '\n'));
        LH_TRY(write_comment(lh_slice_from_text(setting_rows[i].manual), out));
        LH_TRY(lh_buf_add_format(out, "#%s = ", setting_rows[i].name));
        LH_TRY(lh_setting_write(&setting_rows[i], setting_rows[i].standard, out));
        LH_TRY(lh_buf_add_u8(out, '\n'));
    }
    return lh_ok();
}
