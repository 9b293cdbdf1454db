/*
 * Fields into JSON, tables and records. Lists are printed as they come: a tenant may have more
 * sessions than fit into memory.
 */
#include "output.h"

#include "base/buf.h"
#include "codec/json.h"

#include <inttypes.h>
#include <time.h>

#include "base/banned.h"

#define MS_PER_S 1000U

struct output output_on(FILE *file, bool is_json)
{
    return (struct output){.file = file, .is_json = is_json};
}

static void drop_rows(struct output *output)
{
    for (size_t i = 0; i < output->waiting * COLUMNS_MAX; i++) {
        free(output->cells[i]);
        output->cells[i] = NULL;
    }
    output->waiting = 0;
}

void output_fini(struct output *output)
{
    if (output->cells != NULL) {
        drop_rows(output);
        free(output->cells);
        output->cells = NULL;
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* Of a text that is no UTF-8 JSON can keep what is ASCII; NULL without memory. */
static json_t *ascii_value(lh_slice text)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf ascii = LH_BUF_EMPTY;
    if (!lh_is_ok(lh_buf_add(&ascii, text))) {
        return NULL;
    }
    for (size_t i = 0; i < ascii.len; i++) {
        ascii.ptr[i] = ascii.ptr[i] < 0x80 ? ascii.ptr[i] : '?';
    }
    return json_stringn((const char *)ascii.ptr, ascii.len);
}

static json_t *text_value(lh_slice text)
{
    json_t *value = json_stringn(text.len == 0 ? "" : (const char *)text.ptr, text.len);
    return value != NULL ? value : ascii_value(text);
}

static json_t *list_value(const struct lh_admin_texts *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        if (json_array_append_new(array, text_value(list->items[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *roles_value(const struct field *field)
{
    json_t *object = json_object();
    for (size_t i = 0; i < field->role_count; i++) {
        const struct lh_admin_role *role = &field->roles[i];
        char name[256];
        (void)snprintf(name, sizeof(name), "%.*s", LH_SLICE_ARG(role->name));
        if (json_object_set_new(object, name, list_value(&role->scopes)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *field_value(const struct field *field)
{
    switch (field->kind) {
    case FIELD_TEXT:
        return text_value(field->text);
    case FIELD_BOOL:
        return json_boolean(field->number);
    case FIELD_LIST:
        return list_value(&field->list);
    case FIELD_ROLES:
        return roles_value(field);
    case FIELD_NUMBER:
    case FIELD_TIME:
    case FIELD_LIFE:
    default:
        return json_integer((json_int_t)field->number);
    }
}

static const char *unit_of(enum field_kind kind)
{
    return kind == FIELD_TIME ? "_ms" : kind == FIELD_LIFE ? "_s" : "";
}

static void print_json(struct output *output, const struct field *fields, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s%s", fields[i].name, unit_of(fields[i].kind));
        output->has_failed |= json_object_set_new(object, name, field_value(&fields[i])) != 0;
    }
    output->has_failed |= json_dumpf(object, output->file, JSON_COMPACT) != 0;
    json_decref(object);
}

/* --- Text for people -------------------------------------------------------------------------- */

static void write_time(uint64_t ms, struct lh_buf *out)
{
    time_t seconds = (time_t)(ms / MS_PER_S);
    struct tm broken;
    char text[32];
    if (ms != 0 && gmtime_r(&seconds, &broken) != NULL &&
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &broken) > 0) {
        (void)!lh_is_ok(lh_buf_add_text(out, text));
    }
}

static void write_life(uint64_t seconds, struct lh_buf *out)
{
    static const struct {
        uint64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t at = 0;
    while (at + 1 < FIELD_COUNT(units) && (seconds == 0 || seconds % units[at].seconds != 0)) {
        at++;
    }
    (void)!lh_is_ok(
        lh_buf_add_format(out, "%" PRIu64 " %s", seconds / units[at].seconds, units[at].unit));
}

static void write_list(const struct lh_admin_texts *list, const char *between, struct lh_buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        (void)!lh_is_ok(lh_buf_add_text(out, i == 0 ? "" : between));
        (void)!lh_is_ok(lh_buf_add(out, list->items[i]));
    }
}

static void write_roles(const struct field *field, struct lh_buf *out)
{
    for (size_t i = 0; i < field->role_count; i++) {
        const struct lh_admin_role *role = &field->roles[i];
        (void)!lh_is_ok(lh_buf_add_text(out, i == 0 ? "" : "; "));
        (void)!lh_is_ok(lh_buf_add(out, role->name));
        (void)!lh_is_ok(lh_buf_add_text(out, ": "));
        write_list(&role->scopes, ", ", out);
    }
}

/* The text of a field, "-" for nothing. Owned by the caller; NULL without memory. */
static char *cell_of(const struct field *field)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    switch (field->kind) {
    case FIELD_TEXT:
        (void)!lh_is_ok(lh_buf_add(&text, field->text));
        break;
    case FIELD_NUMBER:
        (void)!lh_is_ok(lh_buf_add_format(&text, "%" PRIu64, field->number));
        break;
    case FIELD_BOOL:
        (void)!lh_is_ok(lh_buf_add_text(&text, field->number != 0 ? "yes" : "no"));
        break;
    case FIELD_TIME:
        write_time(field->number, &text);
        break;
    case FIELD_LIFE:
        write_life(field->number, &text);
        break;
    case FIELD_LIST:
        write_list(&field->list, ", ", &text);
        break;
    case FIELD_ROLES:
        write_roles(field, &text);
        break;
    }
    if (text.len == 0) {
        (void)!lh_is_ok(lh_buf_add_text(&text, "-"));
    }
    return lh_is_ok(lh_buf_terminate(&text)) ? strdup((const char *)text.ptr) : NULL;
}

/* A field's name as people read it. */
static void print_name(FILE *file, const char *name, size_t width, bool is_heading)
{
    size_t at = 0;
    for (; name[at] != '\0'; at++) {
        char c = name[at] == '_' ? ' ' : name[at];
        (void)fputc(is_heading && c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c, file);
    }
    for (; at < width; at++) {
        (void)fputc(' ', file);
    }
}

static void print_record(struct output *output, const struct field *fields, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = (fields[i].show & SHOW_RECORD) != 0 ? strlen(fields[i].name) : 0;
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < count; i++) {
        if ((fields[i].show & SHOW_RECORD) == 0) {
            continue;
        }
        char *cell = cell_of(&fields[i]);
        print_name(output->file, fields[i].name, width, false);
        (void)fprintf(output->file, "  %s\n", cell == NULL ? "?" : cell);
        free(cell);
    }
}

void output_item(struct output *output, const struct field *fields, size_t count)
{
    output->has_printed = true;
    if (output->is_json) {
        print_json(output, fields, count);
        (void)fputc('\n', output->file);
    } else {
        print_record(output, fields, count);
    }
}

/* --- Tables ----------------------------------------------------------------------------------- */

static void print_row(struct output *output, char **cells)
{
    for (size_t i = 0; i < output->columns; i++) {
        const char *cell = cells[i] == NULL ? "?" : cells[i];
        bool is_last = i + 1 == output->columns;
        (void)fprintf(output->file, "%-*s%s", is_last ? 0 : (int)output->widths[i], cell,
                      is_last ? "\n" : "  ");
    }
}

static void print_headings(struct output *output)
{
    for (size_t i = 0; i < output->columns; i++) {
        bool is_last = i + 1 == output->columns;
        print_name(output->file, output->headings[i], is_last ? 0 : output->widths[i], true);
        (void)fputs(is_last ? "\n" : "  ", output->file);
    }
}

/* Prints what waits; the first time with headings, and widths found from it. */
static void print_waiting(struct output *output)
{
    if (!output->is_measured) {
        for (size_t i = 0; i < output->columns; i++) {
            output->widths[i] = strlen(output->headings[i]);
            for (size_t row = 0; row < output->waiting; row++) {
                const char *cell = output->cells[row * COLUMNS_MAX + i];
                size_t len = cell == NULL ? 1 : strlen(cell);
                output->widths[i] = len > output->widths[i] ? len : output->widths[i];
            }
        }
        print_headings(output);
        output->is_measured = true;
    }
    for (size_t row = 0; row < output->waiting; row++) {
        print_row(output, &output->cells[row * COLUMNS_MAX]);
    }
    drop_rows(output);
}

static void add_row(struct output *output, const struct field *fields, size_t count)
{
    if (output->cells == NULL) {
        output->cells = calloc(ROWS_MEASURED * COLUMNS_MAX, sizeof(char *));
    }
    if (output->cells == NULL) {
        output->has_failed = true;
        return;
    }
    size_t column = 0;
    for (size_t i = 0; i < count && column < COLUMNS_MAX; i++) {
        if ((fields[i].show & SHOW_TABLE) != 0) {
            output->headings[column] = fields[i].name;
            output->cells[output->waiting * COLUMNS_MAX + column] = cell_of(&fields[i]);
            column++;
        }
    }
    output->columns = column;
    output->waiting++;
    if (output->waiting == ROWS_MEASURED || output->is_measured) {
        print_waiting(output);
    }
}

void output_list_begin(struct output *output, const char *name, const char *empty)
{
    output->is_list = true;
    output->empty = empty;
    if (output->is_json) {
        output->has_printed = true;
        (void)fprintf(output->file, "{\"%s\":[", name);
    }
}

void output_list_item(struct output *output, const struct field *fields, size_t count)
{
    if (output->is_json) {
        (void)fputs(output->items == 0 ? "\n" : ",\n", output->file);
        print_json(output, fields, count);
    } else {
        add_row(output, fields, count);
    }
    output->items++;
}

void output_list_end(struct output *output)
{
    if (output->is_json) {
        (void)fputs("]}\n", output->file);
    } else if (output->items == 0) {
        (void)fprintf(output->file, "%s\n", output->empty);
    } else if (output->waiting > 0) {
        print_waiting(output);
    }
    output->has_printed = true;
    output->is_list = false;
}

void output_error(struct output *output, lh_status status, const char *why)
{
    if (!output->is_json) {
        if (output->is_list && output->waiting > 0) {
            print_waiting(output); /* what was read so far is true */
        }
        return;
    }
    if (output->has_printed && !output->is_list) {
        return; /* the document is complete: the error is about what came after */
    }
    json_t *error = json_pack("{s:s,s:o}", "status", lh_status_name(status), "message",
                              text_value(lh_slice_from_text(why)));
    (void)fputs(output->is_list ? "],\"error\":" : "{\"error\":", output->file);
    output->has_failed |= json_dumpf(error, output->file, JSON_COMPACT) != 0;
    (void)fputs("}\n", output->file);
    json_decref(error);
    output->has_printed = true;
    output->is_list = false;
}

bool output_flush(struct output *output)
{
    return fflush(output->file) == 0 && ferror(output->file) == 0 && !output->has_failed;
}
