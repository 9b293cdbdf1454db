/*
 * Prints the tables that are also manuals, as JSON for tools/gen_docs: settings of a home,
 * directives of the nginx module, reasons of a decision.
 */
#include <leasehold/gate.h>

#include "codec/json.h"
#include "setup/settings.h"

#include <stdio.h>
#include <stdlib.h>

struct directive {
    const char *name;
    const char *where;
    const char *syntax;
    const char *standard;
    const char *meaning;
};

#define LH_DIRECTIVE(name, where, args, setter, level, field, post, syntax, standard, meaning) \
    {#name, #where, syntax, standard, meaning},
static const struct directive directives[] = {
#include "../adapters/nginx/directives.def"
};
#undef LH_DIRECTIVE

static lh_status add_member(struct lh_buf *json, const char *name, lh_slice value)
{
    LH_TRY(lh_buf_add_format(json, ", \"%s\": ", name));
    return lh_json_add_string(json, value);
}

static lh_status add_text(struct lh_buf *json, const char *name, const char *value)
{
    return add_member(json, name, lh_slice_from_text(value));
}

static lh_status add_value(struct lh_buf *json, const char *name, const struct lh_setting *setting,
                           uint64_t value)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_TRY(lh_setting_write(setting, value, &text));
    return add_member(json, name, lh_buf_view(&text));
}

static lh_status add_setting(struct lh_buf *json, const struct lh_setting *setting)
{
    bool is_choice = setting->kind == LH_SETTING_CHOICE;
    LH_TRY(lh_buf_add_format(json, "{\"is_choice\": %s", is_choice ? "true" : "false"));
    LH_TRY(add_text(json, "name", setting->name));
    LH_TRY(add_value(json, "default", setting, setting->standard));
    LH_TRY(add_value(json, "least", setting, setting->least));
    LH_TRY(add_value(json, "most", setting, setting->most));
    LH_TRY(add_text(json, "unit", setting->unit));
    LH_TRY(add_text(json, "manual", setting->manual));
    return lh_buf_add_text(json, "}");
}

static lh_status add_settings(struct lh_buf *json)
{
    size_t count;
    const struct lh_setting *rows = lh_settings_table(&count);
    LH_TRY(lh_buf_add_text(json, "\"settings\": ["));
    for (size_t i = 0; i < count; i++) {
        LH_TRY(lh_buf_add_text(json, i > 0 ? ",\n" : ""));
        LH_TRY(add_setting(json, &rows[i]));
    }
    return lh_buf_add_text(json, "],\n");
}

static lh_status add_directives(struct lh_buf *json)
{
    LH_TRY(lh_buf_add_text(json, "\"directives\": ["));
    for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
        LH_TRY(lh_buf_add_format(json, "%s{\"row\": %zu", i > 0 ? ",\n" : "", i));
        LH_TRY(add_text(json, "name", directives[i].name));
        LH_TRY(add_text(json, "where", directives[i].where));
        LH_TRY(add_text(json, "syntax", directives[i].syntax));
        LH_TRY(add_text(json, "default", directives[i].standard));
        LH_TRY(add_text(json, "meaning", directives[i].meaning));
        LH_TRY(lh_buf_add_text(json, "}"));
    }
    return lh_buf_add_text(json, "],\n");
}

static lh_status add_reasons(struct lh_buf *json)
{
    LH_TRY(lh_buf_add_text(json, "\"reasons\": ["));
    for (int i = 0; i < LH_REASON_COUNT; i++) {
        enum lh_reason reason = (enum lh_reason)i;
        LH_TRY(lh_buf_add_format(json, "%s{\"status\": %u", i > 0 ? ",\n" : "",
                                 lh_reason_http_status(reason)));
        LH_TRY(add_text(json, "name", lh_reason_name(reason)));
        LH_TRY(add_text(json, "text", lh_reason_text(reason)));
        LH_TRY(lh_buf_add_text(json, "}"));
    }
    return lh_buf_add_text(json, "]");
}

static lh_status add_all(struct lh_buf *json)
{
    LH_TRY(lh_buf_add_text(json, "{"));
    LH_TRY(add_settings(json));
    LH_TRY(add_directives(json));
    LH_TRY(add_reasons(json));
    return lh_buf_add_text(json, "}\n");
}

int main(void)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf json = LH_BUF_EMPTY;
    if (!lh_is_ok(add_all(&json)) || fwrite(json.ptr, 1, json.len, stdout) != json.len) {
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
