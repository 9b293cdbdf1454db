/*
 * Tenant ids and uids as text. Every name that reaches a look-up, a key or a log line has passed
 * here once; nobody else folds case or judges characters.
 */
#include "tenant/tenant_id.h"

#include "codec/hex.h"

#include "base/banned.h"

/* A name that no new tenant may take. */
struct reserved_word {
    const char *word;
    const char *reason;
};

/*
 * Words that fit the grammar and that people, mail and auto-discovery read as something else than
 * a tenant. Shorter ones (www, api, all) are no tenant ids anyway.
 */
static const struct reserved_word reserved_words[] = {
    {"default", "there is no default tenant"},
    {"anonymous", "reads as no tenant"},
    {"none", "reads as no tenant"},
    {"null", "reads as no tenant"},
    {"undefined", "reads as no tenant"},
    {"unknown", "reads as no tenant"},
    {"false", "reads as a truth value"},
    {"true", "reads as a truth value"},
    {"admin", "reads as the operator"},
    {"administrator", "reads as the operator"},
    {"operator", "reads as the operator"},
    {"root", "reads as the operator"},
    {"superuser", "reads as the operator"},
    {"support", "reads as the operator"},
    {"system", "reads as the platform"},
    {"leasehold", "reads as the platform"},
    {"platform", "reads as the platform"},
    {"global", "reads as every tenant"},
    {"public", "reads as every tenant"},
    {"shared", "reads as every tenant"},
    {"tenant", "reads as every tenant"},
    {"tenants", "reads as every tenant"},
    {"internal", "reads as the inner network"},
    {"localhost", "reads as this machine (RFC 6761)"},
    {"localdomain", "reads as this machine"},
    {"auth", "a sign-in page there would look like ours"},
    {"login", "a sign-in page there would look like ours"},
    {"logout", "a sign-in page there would look like ours"},
    {"oauth", "a sign-in page there would look like ours"},
    {"signin", "a sign-in page there would look like ours"},
    {"sign-in", "a sign-in page there would look like ours"},
    {"abuse", "mailbox of a service (RFC 2142)"},
    {"hostmaster", "mailbox of a service (RFC 2142)"},
    {"postmaster", "mailbox of a service (RFC 2142)"},
    {"webmaster", "mailbox of a service (RFC 2142)"},
    {"security", "mailbox of a service (RFC 2142)"},
    {"autoconfig", "clients look for settings there"},
    {"autodiscover", "clients look for settings there"},
    {"isatap", "clients look for settings there"},
    {"mta-sts", "clients look for settings there (RFC 8461)"},
    {"openpgpkey", "clients look for settings there"},
    {"wpad", "clients look for settings there"},
};

#define RESERVED_WORD_COUNT (sizeof(reserved_words) / sizeof(reserved_words[0]))

static bool is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* ASCII only: a locale would fold other bytes too. */
static char lower_letter(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

lh_status lh_tenant_id_parse(lh_slice raw, struct lh_tenant_id *out_id)
{
    LH_ENSURE(raw.len >= LH_TENANT_ID_MIN_BYTES && raw.len <= LH_TENANT_ID_MAX_BYTES, LH_MALFORMED);
    struct lh_tenant_id id = {.len = (uint8_t)raw.len};
    for (size_t i = 0; i < raw.len; i++) {
        id.text[i] = lower_letter(raw.ptr[i]);
        LH_ENSURE(is_id_character(id.text[i]), LH_MALFORMED);
    }
    *out_id = id;
    return lh_ok();
}

const char *lh_tenant_id_reserved_reason(const struct lh_tenant_id *id)
{
    for (size_t i = 0; i < RESERVED_WORD_COUNT; i++) {
        if (lh_slice_is_equal(lh_tenant_id_view(id), lh_slice_from_text(reserved_words[i].word))) {
            return reserved_words[i].reason;
        }
    }
    return NULL;
}

lh_status lh_tenant_id_parse_new(lh_slice raw, struct lh_tenant_id *out_id)
{
    struct lh_tenant_id id;
    LH_TRY(lh_tenant_id_parse(raw, &id));
    LH_ENSURE(id.text[0] != '-' && id.text[id.len - 1] != '-', LH_MALFORMED);
    /* An A-label would show as other letters in browsers than in our tables. */
    LH_ENSURE(!lh_slice_has_prefix(lh_tenant_id_view(&id), LH_SLICE_LITERAL("xn--")), LH_MALFORMED);
    struct lh_tenant_uid uid;
    LH_ENSURE(!lh_is_ok(lh_tenant_uid_parse(lh_tenant_id_view(&id), &uid)), LH_MALFORMED);
    LH_ENSURE(lh_tenant_id_reserved_reason(&id) == NULL, LH_RESERVED);
    *out_id = id;
    return lh_ok();
}

bool lh_tenant_id_is_equal(const struct lh_tenant_id *a, const struct lh_tenant_id *b)
{
    return lh_slice_is_equal(lh_tenant_id_view(a), lh_tenant_id_view(b));
}

bool lh_tenant_uid_is_equal(const struct lh_tenant_uid *a, const struct lh_tenant_uid *b)
{
    return lh_slice_is_equal(lh_tenant_uid_view(a), lh_tenant_uid_view(b));
}

void lh_tenant_uid_write(const struct lh_tenant_uid *uid, char *out_text)
{
    lh_hex_write(lh_tenant_uid_view(uid), out_text);
}

/* The digit's value, or 16 when it is none. */
static unsigned digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10U : 16U;
}

lh_status lh_tenant_uid_parse(lh_slice text, struct lh_tenant_uid *out_uid)
{
    LH_ENSURE(text.len == LH_TENANT_UID_TEXT_BYTES, LH_MALFORMED);
    struct lh_tenant_uid uid;
    for (size_t i = 0; i < LH_TENANT_UID_BYTES; i++) {
        unsigned high = digit_value(text.ptr[2 * i]);
        unsigned low = digit_value(text.ptr[2 * i + 1]);
        LH_ENSURE(high < 16U && low < 16U, LH_MALFORMED);
        uid.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out_uid = uid;
    return lh_ok();
}
