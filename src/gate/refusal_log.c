/*
 * The lines by which an operator learns why requests are refused.
 */
#include "gate/refusal_log.h"

#include "audit/audit_event.h"
#include "host/log.h"

#include "base/banned.h"

#define WINDOW_MS         1000U
#define FINGERPRINT_BYTES 16U

/* How a reason is told. */
enum voice {
    VOICE_ROUTINE, /* happens in ordinary life: for those who look closely */
    VOICE_REFUSED, /* somebody presented what does not hold, or may not */
    VOICE_FAULT,   /* something of ours does not work */
    VOICE_AUDIT    /* an event with a name */
};

static enum voice voice_of(const struct lh_refusal *refusal)
{
    switch (refusal->reason) {
    case LH_REASON_TENANT_MISSING:
    case LH_REASON_NO_CREDENTIAL:
    case LH_REASON_SESSION_EXPIRED:
    case LH_REASON_SESSION_REVOKED:
    case LH_REASON_SESSION_ABSENT:
    case LH_REASON_TOKEN_EXPIRED:
    case LH_REASON_TOKEN_REVOKED:
    case LH_REASON_SIGNATURE_EXPIRED:
        return refusal->is_passed ? VOICE_REFUSED : VOICE_ROUTINE;
    case LH_REASON_LEAK:
    case LH_REASON_INTEGRITY:
    case LH_REASON_BAD_MAC:
    case LH_REASON_TENANT_CONFLICT:
    case LH_REASON_TOKEN_TENANT:
    case LH_REASON_SIGNATURE_TENANT:
    case LH_REASON_SIGNATURE_REPLAYED:
    case LH_REASON_RATE_TENANT:
    case LH_REASON_RATE_CLIENT:
    case LH_REASON_NONCES_LIMITED:
    case LH_REASON_RATE_SIGNATURE:
        return VOICE_AUDIT;
    default:
        return lh_reason_http_status(refusal->reason) == 503 ? VOICE_FAULT : VOICE_REFUSED;
    }
}

static enum lh_audit_event event_of(enum lh_reason reason)
{
    switch (reason) {
    case LH_REASON_LEAK:
        return LH_AUDIT_cross_tenant_leak_detected;
    case LH_REASON_INTEGRITY:
        return LH_AUDIT_integrity;
    case LH_REASON_TENANT_CONFLICT:
        return LH_AUDIT_tenant_conflict;
    case LH_REASON_RATE_TENANT:
    case LH_REASON_RATE_CLIENT:
    case LH_REASON_NONCES_LIMITED:
    case LH_REASON_RATE_SIGNATURE:
        return LH_AUDIT_limited;
    case LH_REASON_SIGNATURE_REPLAYED:
        return LH_AUDIT_signature_replayed;
    default:
        return LH_AUDIT_tenant_mismatch;
    }
}

static void write_fingerprint(const struct lh_siphash_key *key, lh_slice id,
                              char out_text[FINGERPRINT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = lh_siphash(key, id);
    for (size_t i = 0; i < FINGERPRINT_BYTES; i++) {
        out_text[i] = digits[(hash >> (60U - 4U * i)) & 15U];
    }
}

static void tell_suppressed(struct lh_refusal_log *log, const struct lh_host *host)
{
    if (log->suppressed > 0) {
        lh_log(host, LH_LOG_WARN, "leasehold: %llu more refusals were not logged",
               (unsigned long long)log->suppressed);
        log->suppressed = 0;
    }
}

static bool is_new_window(const struct lh_refusal_log *log, uint64_t now_ms)
{
    return now_ms < log->window_ms || now_ms - log->window_ms >= WINDOW_MS;
}

bool lh_refusal_log_has_room(const struct lh_refusal_log *log, uint64_t now_ms)
{
    return log->written < LH_REFUSAL_LINES_PER_S || is_new_window(log, now_ms);
}

/* Whether one more line may be written now. */
static bool take_line(struct lh_refusal_log *log, const struct lh_host *host, uint64_t now_ms)
{
    if (is_new_window(log, now_ms)) {
        log->window_ms = now_ms;
        log->written = 0;
        tell_suppressed(log, host);
    }
    if (log->written >= LH_REFUSAL_LINES_PER_S) {
        log->suppressed++;
        return false;
    }
    log->written++;
    return true;
}

/* Most fields of one line. */
#define FIELDS_MAX 6U

static size_t collect_fields(const struct lh_refusal *refusal, lh_slice fingerprint,
                             struct lh_audit_field fields[FIELDS_MAX])
{
    const struct lh_audit_field all[FIELDS_MAX] = {
        {"reason", lh_slice_from_text(lh_reason_name(refusal->reason))},
        {"step", lh_slice_from_text(refusal->step)},
        {"tenant", refusal->tenant},
        {"session", fingerprint},
        {"request", refusal->request_id},
        {"passed_as", refusal->is_passed ? LH_SLICE_LITERAL("anonymous") : LH_SLICE_EMPTY},
    };
    size_t count = 0;
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        if (all[i].value.len > 0) {
            fields[count++] = all[i];
        }
    }
    return count;
}

static void write_plain(const struct lh_host *host, enum lh_log_level level,
                        const struct lh_refusal *refusal, lh_slice fingerprint)
{
    lh_log(host, level,
           "leasehold: %s; reason=%s step=%s tenant=\"%.*s\" session=%.*s request=%.*s%s",
           lh_reason_text(refusal->reason), lh_reason_name(refusal->reason), refusal->step,
           LH_SLICE_ARG(refusal->tenant), LH_SLICE_ARG(fingerprint),
           LH_SLICE_ARG(refusal->request_id), refusal->is_passed ? " passed_as=anonymous" : "");
}

void lh_refusal_log_write(struct lh_refusal_log *log, const struct lh_host *host,
                          const struct lh_refusal *refusal, uint64_t now_ms)
{
    static const enum lh_log_level levels[] = {[VOICE_ROUTINE] = LH_LOG_INFO,
                                               [VOICE_REFUSED] = LH_LOG_WARN,
                                               [VOICE_FAULT] = LH_LOG_ERROR,
                                               [VOICE_AUDIT] = LH_LOG_ERROR};
    if (refusal->reason != LH_REASON_LEAK && !take_line(log, host, now_ms)) {
        return;
    }
    char text[FINGERPRINT_BYTES];
    lh_slice fingerprint = LH_SLICE_EMPTY;
    if (refusal->session.len > 0) {
        write_fingerprint(&log->fingerprint_key, refusal->session, text);
        fingerprint = lh_slice_of(text, sizeof(text));
    }
    enum voice voice = voice_of(refusal);
    if (voice == VOICE_AUDIT) {
        struct lh_audit_field fields[FIELDS_MAX];
        size_t count = collect_fields(refusal, fingerprint, fields);
        lh_audit_write(host, event_of(refusal->reason), fields, count);
    } else {
        write_plain(host, levels[voice], refusal, fingerprint);
    }
}
