/*
 * What the program prints: a command describes each thing once as a list of fields, and the
 * output makes of it one JSON document, a table, or one line per field.
 */
#ifndef LH_CLI_OUTPUT_H
#define LH_CLI_OUTPUT_H

#include <leasehold/admin.h>

#include <stdio.h>

/* TIME is milliseconds since 1970, LIFE seconds, LIST texts, ROLES a tenant's roles. */
enum field_kind {
    FIELD_TEXT,
    FIELD_NUMBER,
    FIELD_BOOL,
    FIELD_TIME,
    FIELD_LIFE,
    FIELD_LIST,
    FIELD_ROLES
};

/* Where a field is shown to people; JSON has all of them. */
#define SHOW_TABLE  1U
#define SHOW_RECORD 2U
#define SHOW_BOTH   3U
#define SHOW_JSON   0U

struct field {
    const char *name; /* as JSON says it; people see it with spaces */
    enum field_kind kind;
    unsigned show;
    lh_slice text;
    uint64_t number;
    struct lh_admin_texts list;
    const struct lh_admin_role *roles;
    size_t role_count;
};

#define FIELD_OF_TEXT(name_, show_, text_)                                                         \
    ((struct field){.name = (name_), .kind = FIELD_TEXT, .show = (show_), .text = (text_)})
#define FIELD_OF_NUMBER(name_, show_, number_)                                                     \
    ((struct field){.name = (name_), .kind = FIELD_NUMBER, .show = (show_), .number = (number_)})
#define FIELD_OF_BOOL(name_, show_, is_)                                                           \
    ((struct field){.name = (name_), .kind = FIELD_BOOL, .show = (show_), .number = (is_)})
#define FIELD_OF_TIME(name_, show_, ms_)                                                           \
    ((struct field){.name = (name_), .kind = FIELD_TIME, .show = (show_), .number = (ms_)})
#define FIELD_OF_LIFE(name_, show_, s_)                                                            \
    ((struct field){.name = (name_), .kind = FIELD_LIFE, .show = (show_), .number = (s_)})
#define FIELD_OF_LIST(name_, show_, list_)                                                         \
    ((struct field){.name = (name_), .kind = FIELD_LIST, .show = (show_), .list = (list_)})

#define FIELD_COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))
/* Widest table. */
#define COLUMNS_MAX 8U
/* Rows that are looked at before the first is printed, to find the widths of the columns. */
#define ROWS_MEASURED 256U

struct output {
    FILE *file;
    bool is_json;
    bool is_list;      /* between output_list_begin and output_list_end */
    bool has_printed;  /* the document is complete or begun */
    bool has_failed;   /* something of it could not be said, for there was no memory */
    size_t items;      /* of the list, so far */
    const char *empty; /* what people read of an empty list */
    char **cells;      /* rows that wait to be measured, COLUMNS_MAX each; owned */
    size_t waiting;    /* rows */
    size_t columns;
    const char *headings[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    bool is_measured;
};

/* An output on a stream. */
struct output output_on(FILE *file, bool is_json);
/* Frees what waits. */
void output_fini(struct output *output);

/* Prints one thing as the whole document. */
void output_item(struct output *output, const struct field *fields, size_t count);

/*
 * Begins a list.
 * name   its member in the JSON document; empty: what people read if nothing is in it.
 */
void output_list_begin(struct output *output, const char *name, const char *empty);
/* Prints one thing of the list; all have the same fields. */
void output_list_item(struct output *output, const struct field *fields, size_t count);
/* Ends the list, and the document with it. */
void output_list_end(struct output *output);

/*
 * Ends a document that has failed: {"error": {...}} in JSON, nothing for people. Also inside a
 * list.
 */
void output_error(struct output *output, lh_status status, const char *why);

/* Whether everything has reached the stream. */
bool output_flush(struct output *output);

#endif
