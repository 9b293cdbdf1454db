/*
 * Claims under a signature that holds: whatever is accepted has all that a token must have, for the
 * tenant that is asked about and no other, now and not much longer; and a copy says the same.
 * The first byte chooses the issuer, the rest are typ and payload, a line each.
 */
#include "fuzz.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "token/claims.h"
#include "token/raw_token.h"

#define NOW UINT64_C(1700000000000)

static lh_slice audiences[] = {{(const uint8_t *)"api", 3}, {(const uint8_t *)"web", 3}};

static void make_issuer(uint8_t choice, struct lh_issuer *out_issuer)
{
    *out_issuer = (struct lh_issuer){
        .iss = LH_SLICE_LITERAL("https://idp.example"),
        .is_own = (choice & 1) != 0,
        .is_shared = (choice & 2) != 0,
        .bind_claim = (choice & 4) != 0 ? LH_SLICE_EMPTY : LH_SLICE_LITERAL("tenant_id"),
        .bind_value = (choice & 8) != 0 ? LH_SLICE_LITERAL("value") : LH_SLICE_EMPTY,
        .audiences = audiences,
        .audience_count = (choice & 16) != 0 ? 0 : 2,
        .skew_s = (choice & 32) != 0 ? UINT32_MAX : 10,
        .typ = (choice & 64) != 0 ? LH_SLICE_LITERAL("odd+jwt") : LH_SLICE_EMPTY,
        .generation = 3,
    };
}

static void make_tenant(const char *id, struct lh_tenant *out_tenant)
{
    memset(out_tenant, 0, sizeof(*out_tenant));
    memset(out_tenant->uid.bytes, id[0], sizeof(out_tenant->uid.bytes));
    FUZZ_CHECK(lh_is_ok(lh_tenant_id_parse(lh_slice_from_text(id), &out_tenant->id)));
}

/* header.payload.signature with the given typ; out is a compact text. */
static void write_token(lh_slice typ, lh_slice payload, struct lh_buf *out)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf header = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_is_ok(lh_buf_add_text(&header, "{\"alg\":\"ES256\",\"typ\":")));
    if (!lh_is_ok(lh_json_add_string(&header, typ))) {
        FUZZ_CHECK(lh_is_ok(lh_buf_add_text(&header, "\"JWT\"")));
    }
    FUZZ_CHECK(lh_is_ok(lh_buf_add_u8(&header, '}')));
    FUZZ_CHECK(lh_is_ok(lh_base64url_add(out, lh_buf_view(&header))));
    FUZZ_CHECK(lh_is_ok(lh_buf_add_u8(out, '.')));
    FUZZ_CHECK(lh_is_ok(lh_base64url_add(out, payload)));
    FUZZ_CHECK(lh_is_ok(lh_buf_add_text(out, ".c2ln")));
}

static void check_tokens(const struct lh_text_list *list)
{
    FUZZ_CHECK(list->count <= LH_TEXT_LIST_MAX);
    for (size_t i = 0; i < list->count; i++) {
        FUZZ_CHECK(lh_text_is_token(list->items[i]));
    }
}

static void check_times(const struct lh_verified_token *token)
{
    FUZZ_CHECK(token->skew_ms <= LH_TOKEN_SKEW_MAX_S * 1000);
    FUZZ_CHECK(NOW <= token->ends_ms && NOW >= token->begins_ms);
    FUZZ_CHECK(token->issued_ms <= NOW + token->skew_ms);
}

/* What jansson, which knows nothing of tables, finds in the same payload. */
static void check_oracle(const json_t *claims, const struct lh_verified_token *token)
{
    lh_slice text;
    FUZZ_CHECK(lh_is_ok(lh_json_get_string(claims, "sub", &text)) &&
               lh_slice_is_equal(text, token->sub));
    FUZZ_CHECK(lh_is_ok(lh_json_get_string(claims, "jti", &text)) &&
               lh_slice_is_equal(text, token->jti));
    FUZZ_CHECK(lh_is_ok(lh_json_get_string(claims, "iss", &text)) &&
               lh_slice_is_equal(text, token->iss));
    FUZZ_CHECK(json_is_number(json_object_get(claims, "exp")));
    FUZZ_CHECK(json_is_number(json_object_get(claims, "iat")));
    double end = json_number_value(json_object_get(claims, "exp")) * 1000;
    FUZZ_CHECK((double)(token->ends_ms - token->skew_ms) <= end);
    static const char *const refused[] = {"at_hash", "c_hash", "cnf", "events"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        FUZZ_CHECK(json_object_get(claims, refused[i]) == NULL);
    }
}

static void check_copy(const struct lh_verified_token *token)
{
    static uint8_t room[LH_JWS_MAX_BYTES];
    struct lh_verified_token copy;
    size_t len;
    FUZZ_CHECK(lh_is_ok(lh_verified_token_copy(token, room, sizeof(room), &copy, &len)));
    FUZZ_CHECK(lh_slice_is_equal(copy.sub, token->sub) && lh_slice_is_equal(copy.sid, token->sid));
    for (size_t i = 0; i < token->audiences.count; i++) {
        FUZZ_CHECK(lh_slice_is_equal(copy.audiences.items[i], token->audiences.items[i]));
    }
}

static void check_accepted(const struct lh_issuer *issuer, const struct lh_raw_token *raw,
                           lh_slice payload, const struct lh_verified_token *token)
{
    check_times(token);
    check_tokens(&token->roles);
    check_tokens(&token->scopes);
    check_tokens(&token->groups);
    FUZZ_CHECK(lh_text_is_token(token->sub) && lh_claim_is_text(token->jti));
    FUZZ_CHECK(token->sid.len == 0 || lh_text_is_token(token->sid));
    FUZZ_CHECK(token->audiences.count > 0 && token->audiences.count <= LH_TEXT_LIST_MAX);
    FUZZ_CHECK(token->is_own == issuer->is_own && token->generation == 3);
    check_copy(token);
    /* The other tenant is bound by nothing that binds this one, unless the row itself does. */
    struct lh_tenant globex;
    struct lh_verified_token other;
    make_tenant("globex", &globex);
    bool is_bound_by_row = issuer->bind_claim.len == 0 || issuer->bind_value.len > 0;
    lh_status status = lh_claims_judge(raw, &globex, issuer, NOW, &other);
    FUZZ_CHECK(is_bound_by_row ? lh_is_ok(status) : status.code == LH_WRONG_TENANT);
    LH_CLEANUP(lh_json_fini) json_t *claims = NULL;
    if (lh_is_ok(lh_json_parse(payload, LH_JWS_MAX_BYTES, &claims))) {
        check_oracle(claims, token);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice input = lh_slice_of(bytes, len);
    if (len == 0 || len > 8192) {
        return 0;
    }
    lh_slice rest = lh_slice_cut(input, 1, len);
    size_t typ_len = lh_slice_find(rest, '\n');
    lh_slice payload = lh_slice_cut(rest, typ_len + 1, len);
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    write_token(lh_slice_cut(rest, 0, typ_len), payload, &text);
    void *room = fuzz_room(lh_raw_token_room_bytes(text.len));
    const struct lh_raw_token *raw;
    struct lh_issuer issuer;
    struct lh_tenant acme;
    struct lh_verified_token token;
    struct lh_token_text sent = {.bytes = lh_buf_view(&text)};
    make_issuer(bytes[0], &issuer);
    make_tenant("acme", &acme);
    if (lh_is_ok(lh_raw_token_read(&sent, room, &raw))) {
        lh_status status = lh_claims_judge(raw, &acme, &issuer, NOW, &token);
        FUZZ_CHECK(lh_is_ok(status) || lh_status_class(status) == LH_CLASS_DENY);
        if (lh_is_ok(status)) {
            check_accepted(&issuer, raw, payload, &token);
        }
    }
    free(room);
    return 0;
}
