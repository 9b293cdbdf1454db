/*
 * A tenant's keys of request signatures: the public ones are those of the policy, and the others
 * go. Secrets come from "key add" alone and are never touched here.
 */
#include "admin/apply.h"

#include "codec/base64url.h"

#include "base/banned.h"

/* So much of a public key's text tells it from another. */
#define SHOWN_BYTES 6U

/* The tenant whose keys are written. */
struct writing {
    struct lh_apply *apply;
    const struct lh_policy_tenant *wanted;
    const struct lh_tenant *tenant;
};

/* --- Telling ---------------------------------------------------------------------------------- */

static lh_status add_texts(struct lh_buf *out, const char *what, const lh_slice *texts,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        LH_TRY(lh_buf_add_text(out, i == 0 ? what : " "));
        LH_TRY(lh_buf_add(out, texts[i]));
    }
    return lh_ok();
}

/* "JrQLj5P_... as billing, roles admin, scopes pay"; nothing for NULL. */
static lh_status describe(const struct lh_signature_key *key, struct lh_buf *out)
{
    char shown[LH_BASE64URL_TEXT_LEN(SHOWN_BYTES)];
    if (key == NULL) {
        return lh_ok();
    }
    lh_base64url_write(lh_slice_cut(key->material, 0, SHOWN_BYTES), shown);
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(shown)));
    LH_TRY(lh_buf_add_text(out, "... as "));
    LH_TRY(lh_buf_add(out, key->subject));
    LH_TRY(add_texts(out, ", roles ", key->roles, key->role_count));
    LH_TRY(add_texts(out, ", scopes ", key->scopes, key->scope_count));
    return lh_buf_add_text(out, key->until_ms == 0 ? "" : ", with an end");
}

static lh_status note(const struct writing *writing, const struct lh_signature_key *before,
                      const struct lh_signature_key *after)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf field = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf old_text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf new_text = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add_text(&field, "signature key "));
    LH_TRY(lh_buf_add(&field, after != NULL ? after->key_id : before->key_id));
    LH_TRY(describe(before, &old_text));
    LH_TRY(describe(after, &new_text));
    const struct lh_apply_difference difference = {
        .verb = before == NULL  ? "add"
                : after == NULL ? "drop"
                                : "change",
        .kind = "tenant",
        .object = lh_tenant_id_view(&writing->wanted->id),
        .field = lh_buf_view(&field),
        .before = lh_buf_view(&old_text),
        .after = lh_buf_view(&new_text),
    };
    return lh_apply_note(writing->apply, &difference);
}

static lh_status touch(const struct writing *writing, enum lh_audit_event event, lh_slice key_id)
{
    return lh_apply_touch(writing->apply, event, lh_tenant_id_view(&writing->wanted->id), key_id);
}

/* --- Comparing -------------------------------------------------------------------------------- */

static bool has_text(const lh_slice *texts, size_t count, lh_slice text)
{
    for (size_t i = 0; i < count; i++) {
        if (lh_slice_is_equal(texts[i], text)) {
            return true;
        }
    }
    return false;
}

/* In whatever order; a text that is there twice counts twice, and is written anew. */
static bool has_same_texts(const lh_slice *a, size_t a_count, const lh_slice *b, size_t b_count)
{
    bool is_same = a_count == b_count;
    for (size_t i = 0; is_same && i < a_count; i++) {
        is_same = has_text(b, b_count, a[i]);
    }
    for (size_t i = 0; is_same && i < b_count; i++) {
        is_same = has_text(a, a_count, b[i]);
    }
    return is_same;
}

/* A key of a file has no end. */
static bool is_same(const struct lh_signature_key *a, const struct lh_signature_key *b)
{
    return lh_slice_is_equal(a->material, b->material) &&
           lh_slice_is_equal(a->subject, b->subject) && a->until_ms == b->until_ms &&
           has_same_texts(a->roles, a->role_count, b->roles, b->role_count) &&
           has_same_texts(a->scopes, a->scope_count, b->scopes, b->scope_count);
}

static const struct lh_signature_key *find_wanted(const struct lh_policy_tenant *wanted,
                                                  lh_slice key_id)
{
    for (size_t i = 0; i < wanted->signature_key_count; i++) {
        if (lh_slice_is_equal(wanted->signature_keys[i].key.key_id, key_id)) {
            return &wanted->signature_keys[i].key;
        }
    }
    return NULL;
}

static const struct lh_signature_key *find_present(const struct lh_tenant *tenant, lh_slice key_id)
{
    for (size_t i = 0; i < tenant->signature_key_count; i++) {
        if (lh_slice_is_equal(tenant->signature_keys[i].key_id, key_id)) {
            return &tenant->signature_keys[i];
        }
    }
    return NULL;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static lh_status drop(const struct writing *writing, const struct lh_signature_key *key)
{
    struct lh_apply *apply = writing->apply;
    LH_TRY(note(writing, key, NULL));
    LH_TRY(touch(writing, LH_AUDIT_signature_key_removed, key->key_id));
    return lh_admin_check(
        apply->admin,
        lh_registry_drop_signature_key(apply->txn, &writing->tenant->uid, key->key_id),
        "remove the signature key");
}

static lh_status drop_others(const struct writing *writing)
{
    const struct lh_tenant *tenant = writing->tenant;
    for (size_t i = 0; i < tenant->signature_key_count; i++) {
        const struct lh_signature_key *key = &tenant->signature_keys[i];
        if (key->algorithm == LH_HTTP_ED25519 &&
            find_wanted(writing->wanted, key->key_id) == NULL) {
            LH_TRY(drop(writing, key));
        }
    }
    return lh_ok();
}

static lh_status write_row(const struct writing *writing, const struct lh_signature_key *wanted)
{
    struct lh_apply *apply = writing->apply;
    struct lh_signature_key row = *wanted;
    row.created_ms = lh_admin_now_ms(apply->admin);
    lh_status status = lh_registry_put_signature_key(apply->txn, &writing->tenant->uid, &row);
    if (status.code == LH_LIMITED) {
        return lh_admin_fail(apply->admin, LH_LIMITED,
                             "a tenant has at most %u keys of request signatures, with those that "
                             "\"leasehold key add\" made",
                             LH_SIGNATURE_KEYS_MAX);
    }
    return lh_admin_check(apply->admin, status, "write the signature key");
}

static lh_status put(const struct writing *writing, const struct lh_signature_key *wanted)
{
    const struct lh_signature_key *present = find_present(writing->tenant, wanted->key_id);
    if (present != NULL && present->algorithm != LH_HTTP_ED25519) {
        return lh_admin_fail(writing->apply->admin, LH_EXISTS,
                             "the tenant has a secret of that id, made by \"leasehold key add\"; "
                             "remove it first, or choose another id");
    }
    if (present != NULL && is_same(present, wanted)) {
        return lh_ok();
    }
    LH_TRY(note(writing, present, wanted));
    if (present != NULL) {
        LH_TRY(touch(writing, LH_AUDIT_signature_key_removed, wanted->key_id));
    }
    LH_TRY(touch(writing, LH_AUDIT_signature_key_added, wanted->key_id));
    return write_row(writing, wanted);
}

lh_status lh_apply_signature_keys(struct lh_apply *apply, const struct lh_policy_tenant *wanted,
                                  const struct lh_tenant *tenant)
{
    const struct writing writing = {apply, wanted, tenant};
    if (!wanted->has_signature_keys) {
        return lh_ok();
    }
    LH_TRY(drop_others(&writing));
    for (size_t i = 0; i < wanted->signature_key_count; i++) {
        const struct lh_policy_signature_key *key = &wanted->signature_keys[i];
        LH_TRY(lh_apply_check(apply, &key->place, put(&writing, &key->key)));
    }
    return lh_ok();
}
