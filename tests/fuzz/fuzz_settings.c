/*
 * leasehold.conf: a file that is accepted gives values in their ranges, and written out again they
 * are read as the same; one that is not names a line that it has, in printable text.
 */
#include "fuzz.h"

#include "setup/settings.h"

static uint64_t value_at(const struct lh_settings *settings, size_t row)
{
    uint64_t values[sizeof(*settings) / sizeof(uint64_t)];
    memcpy(values, settings, sizeof(values));
    return values[row];
}

static void check_accepted(const struct lh_settings *settings)
{
    size_t count;
    const struct lh_setting *rows = lh_settings_table(&count);
    struct lh_buf text = LH_BUF_EMPTY;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = value_at(settings, i);
        FUZZ_CHECK(value >= rows[i].least && value <= rows[i].most);
        FUZZ_CHECK(lh_is_ok(lh_buf_add_format(&text, "%s = ", rows[i].name)));
        FUZZ_CHECK(lh_is_ok(lh_setting_write(&rows[i], value, &text)));
        FUZZ_CHECK(lh_is_ok(lh_buf_add_u8(&text, '\n')));
    }
    struct lh_settings again;
    struct lh_settings_mistake mistake;
    FUZZ_CHECK(lh_is_ok(lh_settings_parse(lh_buf_view(&text), &again, &mistake)));
    FUZZ_CHECK(memcmp(&again, settings, sizeof(again)) == 0);
    lh_buf_fini(&text);
}

static void check_refused(lh_slice text, const struct lh_settings_mistake *mistake)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n' ? 1U : 0U;
    }
    FUZZ_CHECK(mistake->line <= lines && strlen(mistake->text) > 0);
    for (const char *c = mistake->text; *c != '\0'; c++) {
        FUZZ_CHECK(*c >= 0x20 && *c < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct lh_settings settings;
    struct lh_settings_mistake mistake;
    lh_slice text = lh_slice_of(bytes, len);
    if (lh_is_ok(lh_settings_parse(text, &settings, &mistake))) {
        check_accepted(&settings);
    } else {
        check_refused(text, &mistake);
    }
    return 0;
}
