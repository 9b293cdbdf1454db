/*
 * The rules for claims (RFC 7519 §4.1, RFC 8725 §3, RFC 9068 §4). Every rule refuses; none lets
 * another one off. Where an issuer of others has its say, texts that could be nobody's role or
 * scope here are dropped.
 */
#include "token/claims.h"

#include "token/raw_token.h"

#include "base/banned.h"

#define MS_PER_S UINT64_C(1000)
#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* --- What the token is ------------------------------------------------------------------------ */

/* RFC 7515 §4.1.9: "application/" may be left out, and case does not count. */
static lh_slice without_application(lh_slice typ)
{
    static const lh_slice prefix = {(const uint8_t *)"application/", 12};
    bool is_long = lh_slice_is_equal_nocase(lh_slice_cut(typ, 0, prefix.len), prefix);
    return is_long ? lh_slice_cut(typ, prefix.len, typ.len) : typ;
}

static bool is_typ(lh_slice typ, lh_slice expected)
{
    return lh_slice_is_equal_nocase(without_application(typ), without_application(expected));
}

static lh_status judge_own_typ(lh_slice typ, enum lh_token_kind *out_kind)
{
    bool is_service = is_typ(typ, LH_SLICE_LITERAL(LH_TYP_SERVICE));
    LH_ENSURE(is_service || is_typ(typ, LH_SLICE_LITERAL(LH_TYP_ACCESS)), LH_FORBIDDEN);
    *out_kind = is_service ? LH_TOKEN_SERVICE : LH_TOKEN_ACCESS;
    return lh_ok();
}

/* Types of our own are not for others to write, whatever their row says. */
static lh_status judge_foreign_typ(lh_slice typ, lh_slice expected)
{
    LH_ENSURE(!lh_slice_is_equal_nocase(lh_slice_cut(without_application(typ), 0, 3),
                                        LH_SLICE_LITERAL("lh-")),
              LH_FORBIDDEN);
    bool is_expected = expected.len > 0 ? is_typ(typ, expected)
                                        : typ.len == 0 || is_typ(typ, LH_SLICE_LITERAL("JWT")) ||
                                              is_typ(typ, LH_SLICE_LITERAL(LH_TYP_ACCESS));
    LH_ENSURE(is_expected, LH_FORBIDDEN);
    return lh_ok();
}

/* OK if a member is missing or the one text. Errors: FORBIDDEN. */
static lh_status expect_if_there(const struct lh_json_table *claims, lh_slice name,
                                 lh_slice expected)
{
    lh_slice text;
    lh_status status = lh_json_table_string(claims, name, &text);
    bool is_fine =
        status.code == LH_ABSENT || (lh_is_ok(status) && lh_slice_is_equal_nocase(text, expected));
    LH_ENSURE(is_fine, LH_FORBIDDEN);
    return lh_ok();
}

/*
 * Many issuers sign all kinds of tokens with one key and write "JWT" over each. By these claims an
 * id token (OpenID Connect Core §3.1.3.6, §3.3.2.11), an event or logout token (RFC 8417), a
 * refresh token, or one that is bound to a key which nobody has shown (RFC 7800) betrays itself.
 */
static lh_status refuse_other_uses(const struct lh_json_table *claims)
{
    static const lh_slice refused[] = {NAME("at_hash"), NAME("c_hash"), NAME("cnf"),
                                       NAME("events")};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        LH_ENSURE(lh_json_table_find(claims, refused[i]) == NULL, LH_FORBIDDEN);
    }
    LH_TRY(expect_if_there(claims, LH_SLICE_LITERAL("typ"), LH_SLICE_LITERAL("Bearer")));
    return expect_if_there(claims, LH_SLICE_LITERAL("token_use"), LH_SLICE_LITERAL("access"));
}

static lh_status judge_kind(const struct lh_raw_token *raw, const struct lh_issuer *issuer,
                            struct lh_verified_token *token)
{
    token->is_own = issuer->is_own;
    if (issuer->is_own) {
        LH_TRY(judge_own_typ(raw->jws.typ, &token->kind));
    } else {
        token->kind = LH_TOKEN_ACCESS;
        LH_TRY(judge_foreign_typ(raw->jws.typ, issuer->typ));
    }
    return refuse_other_uses(&raw->claims);
}

/* --- When it is valid ------------------------------------------------------------------------- */

/* A date in ms. Errors: ABSENT, MALFORMED (also one that is too large). */
static lh_status read_date(const struct lh_json_table *claims, lh_slice name, uint64_t *out_ms)
{
    uint64_t seconds;
    lh_status status = lh_json_table_floor(claims, name, LH_TOKEN_DATE_MAX, &seconds);
    LH_ENSURE(status.code != LH_ABSENT, LH_ABSENT);
    LH_ENSURE(lh_is_ok(status), LH_MALFORMED);
    *out_ms = seconds * MS_PER_S;
    return lh_ok();
}

/* A claim that must be there is as malformed without it. */
static lh_status required(lh_status status)
{
    return status.code == LH_ABSENT ? lh_status_of(LH_MALFORMED) : status;
}

static uint64_t without_skew(uint64_t time_ms, uint64_t skew_ms)
{
    return time_ms > skew_ms ? time_ms - skew_ms : 0;
}

/*
 * When it is over: at its exp and the skew, and never later than logouts are remembered. Somebody
 * else's token of ten years would come back to life when the logout that ended it is forgotten.
 */
static uint64_t end_of(uint64_t issued_ms, uint64_t expires_ms, uint64_t skew_ms)
{
    uint64_t forgotten_ms = issued_ms + LH_TOKEN_AGE_MAX_S * MS_PER_S;
    uint64_t end_ms = expires_ms + skew_ms;
    return end_ms < forgotten_ms ? end_ms : forgotten_ms;
}

static lh_status judge_times(const struct lh_json_table *claims, const struct lh_issuer *issuer,
                             uint64_t now_ms, struct lh_verified_token *token)
{
    uint32_t skew_s = issuer->skew_s < LH_TOKEN_SKEW_MAX_S ? issuer->skew_s : LH_TOKEN_SKEW_MAX_S;
    uint64_t expires_ms;
    uint64_t not_before_ms = 0;
    LH_TRY(required(read_date(claims, LH_SLICE_LITERAL("exp"), &expires_ms)));
    LH_TRY(required(read_date(claims, LH_SLICE_LITERAL("iat"), &token->issued_ms)));
    lh_status status = read_date(claims, LH_SLICE_LITERAL("nbf"), &not_before_ms);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, LH_MALFORMED);
    token->skew_ms = skew_s * MS_PER_S;
    token->ends_ms = end_of(token->issued_ms, expires_ms, token->skew_ms);
    token->begins_ms = without_skew(
        not_before_ms > token->issued_ms ? not_before_ms : token->issued_ms, token->skew_ms);
    LH_ENSURE(now_ms <= token->ends_ms, LH_EXPIRED);
    LH_ENSURE(now_ms >= token->begins_ms, LH_EARLY);
    return lh_ok();
}

/* --- Texts and lists -------------------------------------------------------------------------- */

/* Errors: MALFORMED. */
static lh_status read_header_text(const struct lh_raw_token *raw, lh_slice name, lh_slice *out_text)
{
    LH_TRY(required(lh_raw_token_text(raw, name, out_text)));
    LH_ENSURE(lh_text_is_token(*out_text), LH_MALFORMED);
    return lh_ok();
}

static lh_status read_sid(const struct lh_raw_token *raw, struct lh_verified_token *token)
{
    if (lh_json_table_find(&raw->claims, LH_SLICE_LITERAL(LH_CLAIM_SID)) == NULL) {
        return lh_ok();
    }
    return read_header_text(raw, LH_SLICE_LITERAL(LH_CLAIM_SID), &token->sid);
}

static lh_status add_text(struct lh_text_list *list, lh_slice text)
{
    LH_ENSURE(list->count < LH_TEXT_LIST_MAX, LH_TOO_LARGE);
    list->items[list->count++] = text;
    return lh_ok();
}

/* RFC 7519 §4.1.3: one string, or an array of them. */
static lh_status read_audiences(const struct lh_json_table *claims, struct lh_text_list *out_list)
{
    const struct lh_json_cell *cell = lh_json_table_find(claims, LH_SLICE_LITERAL("aud"));
    LH_ENSURE(cell != NULL && (cell->kind == LH_JSON_STRING || cell->elements > 0), LH_MALFORMED);
    size_t first = cell->kind == LH_JSON_STRING ? 0 : 1;
    for (size_t i = first; i <= cell->elements; i++) {
        lh_slice audience = lh_json_table_text(claims, cell + i);
        LH_ENSURE(cell[i].kind == LH_JSON_STRING && lh_claim_is_text(audience), LH_MALFORMED);
        LH_TRY(add_text(out_list, audience));
    }
    return lh_ok();
}

/* Adds what may be a role, scope or group of ours. */
static lh_status add_token(struct lh_text_list *list, lh_slice text)
{
    return lh_text_is_token(text) ? add_text(list, text) : lh_ok();
}

/* RFC 8693 §4.2: names between single spaces. */
static lh_status read_scopes(const struct lh_json_table *claims, struct lh_text_list *out_list)
{
    lh_slice rest;
    lh_status status = lh_json_table_string(claims, LH_SLICE_LITERAL(LH_CLAIM_SCOPE), &rest);
    if (status.code == LH_ABSENT) {
        return lh_ok();
    }
    LH_TRY(status);
    while (rest.len > 0) {
        size_t len = lh_slice_find(rest, ' ');
        LH_TRY(add_token(out_list, lh_slice_cut(rest, 0, len)));
        rest = lh_slice_cut(rest, len + 1, rest.len);
    }
    return lh_ok();
}

/* An array of strings that may be missing. */
static lh_status read_names(const struct lh_json_table *claims, lh_slice name,
                            struct lh_text_list *out_list)
{
    const struct lh_json_cell *cell = lh_json_table_find(claims, name);
    if (cell == NULL) {
        return lh_ok();
    }
    LH_ENSURE(cell->kind == LH_JSON_ARRAY, LH_MALFORMED);
    for (size_t i = 1; i <= cell->elements; i++) {
        LH_ENSURE(cell[i].kind == LH_JSON_STRING, LH_MALFORMED);
        LH_TRY(add_token(out_list, lh_json_table_text(claims, cell + i)));
    }
    return lh_ok();
}

static lh_status read_texts(const struct lh_raw_token *raw, struct lh_verified_token *token)
{
    const struct lh_json_table *claims = &raw->claims;
    LH_TRY(required(lh_raw_token_iss(raw, &token->iss)));
    LH_TRY(read_header_text(raw, LH_SLICE_LITERAL("sub"), &token->sub));
    LH_TRY(required(lh_raw_token_text(raw, LH_SLICE_LITERAL("jti"), &token->jti)));
    LH_TRY(read_sid(raw, token));
    LH_TRY(read_audiences(claims, &token->audiences));
    LH_TRY(read_scopes(claims, &token->scopes));
    LH_TRY(read_names(claims, LH_SLICE_LITERAL(LH_CLAIM_ROLES), &token->roles));
    return read_names(claims, LH_SLICE_LITERAL(LH_CLAIM_GROUPS), &token->groups);
}

/* Our own tokens carry their epochs; somebody else's have none that we would believe. */
static lh_status read_epochs(const struct lh_json_table *claims, struct lh_token_epochs *out_epochs)
{
    uint64_t *const epochs[] = {&out_epochs->platform, &out_epochs->tenant, &out_epochs->user};
    const size_t count = sizeof(epochs) / sizeof(epochs[0]);
    const struct lh_json_cell *cell = lh_json_table_find(claims, LH_SLICE_LITERAL(LH_CLAIM_EPOCHS));
    LH_ENSURE(cell != NULL && cell->elements == count, LH_MALFORMED);
    for (size_t i = 0; i < count; i++) {
        LH_ENSURE(cell[i + 1].kind == LH_JSON_INTEGER, LH_MALFORMED);
        LH_TRY(lh_json_number_floor(lh_json_table_text(claims, cell + i + 1), LH_TOKEN_DATE_MAX,
                                    epochs[i]));
    }
    return lh_ok();
}

/* --- Whose it is ------------------------------------------------------------------------------ */

static bool is_audience_of(const struct lh_issuer *issuer, lh_slice audience)
{
    bool is_found = false;
    for (size_t i = 0; i < issuer->audience_count && !is_found; i++) {
        is_found = lh_slice_is_equal(issuer->audiences[i], audience);
    }
    return is_found;
}

/*
 * Where nothing but an audience tells the tenants of a shared issuer apart, a token that is for
 * another one too would be good at both.
 */
static bool are_all_ours(const struct lh_text_list *audiences, const struct lh_issuer *issuer)
{
    bool are_ours = true;
    for (size_t i = 0; i < audiences->count && are_ours; i++) {
        are_ours = is_audience_of(issuer, audiences->items[i]);
    }
    return are_ours;
}

static lh_status judge_tenant(const struct lh_raw_token *raw, const struct lh_tenant *tenant,
                              const struct lh_issuer *issuer, const struct lh_verified_token *token)
{
    if (issuer->bind_claim.len == 0) {
        LH_ENSURE(lh_token_is_for(token, issuer->audiences, issuer->audience_count),
                  LH_WRONG_TENANT);
        LH_ENSURE(!issuer->is_shared || are_all_ours(&token->audiences, issuer), LH_WRONG_TENANT);
        return lh_ok();
    }
    lh_slice claim;
    LH_TRY(required(lh_raw_token_text(raw, issuer->bind_claim, &claim)));
    bool is_ours = issuer->bind_value.len > 0 ? lh_slice_is_equal(claim, issuer->bind_value)
                                              : lh_tenant_is_named_by(tenant, claim);
    LH_ENSURE(is_ours, LH_WRONG_TENANT);
    return lh_ok();
}

lh_status lh_claims_judge(const struct lh_raw_token *raw, const struct lh_tenant *tenant,
                          const struct lh_issuer *issuer, uint64_t now_ms,
                          struct lh_verified_token *out_token)
{
    struct lh_verified_token token = {.generation = issuer->generation};
    LH_TRY(judge_kind(raw, issuer, &token));
    LH_TRY(read_texts(raw, &token));
    if (issuer->is_own) {
        LH_TRY(read_epochs(&raw->claims, &token.epochs));
    }
    LH_TRY(judge_tenant(raw, tenant, issuer, &token));
    LH_TRY(judge_times(&raw->claims, issuer, now_ms, &token));
    *out_token = token;
    return lh_ok();
}
