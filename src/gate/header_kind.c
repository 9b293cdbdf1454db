/*
 * What a header name is to the gate. Runs for every header of every request, so the first byte
 * and the length rule out nearly all names before anything is compared.
 *
 * Names that we write ourselves are recognised in every spelling that an upstream may fold into
 * one: WSGI turns "-" into "_", PHP "." and "[" too, Apache's CGI once everything but letters and
 * digits. Matching more than we must only removes more. Names that we read to judge by are taken
 * in their one spelling.
 */
#include <leasehold/gate.h>

#include "base/slice.h"

#include "base/banned.h"

static uint8_t fold(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return (uint8_t)(byte + ('a' - 'A'));
    }
    bool is_kept = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
    return is_kept ? byte : '-';
}

/* Whether name begins with the folded text of length len. */
static bool has_folded_prefix(lh_slice name, const char *folded, size_t len)
{
    if (name.len < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (fold(name.ptr[i]) != (uint8_t)folded[i]) {
            return false;
        }
    }
    return true;
}

#define HAS_PREFIX(name, literal) has_folded_prefix(name, literal, sizeof(literal) - 1)
#define IS_FOLDED(name, literal)  ((name).len == sizeof(literal) - 1 && HAS_PREFIX(name, literal))
#define IS_NAME(name, literal)    lh_slice_is_equal_nocase(name, LH_SLICE_LITERAL(literal))

/* Names that begin with "x" and one of the bytes that fold to "-". */
static enum lh_header_kind kind_of_extension(lh_slice name)
{
    switch (fold(name.ptr[2])) {
    case 't':
        if (IS_FOLDED(name, "x-tenant-id")) {
            return IS_NAME(name, "x-tenant-id") ? LH_HEADER_TENANT : LH_HEADER_TENANT_LIKE;
        }
        return HAS_PREFIX(name, "x-tenant-") ? LH_HEADER_MANAGED : LH_HEADER_PLAIN;
    case 's':
        return HAS_PREFIX(name, "x-session-") ? LH_HEADER_MANAGED : LH_HEADER_PLAIN;
    case 'u':
        return IS_FOLDED(name, "x-user-id") ? LH_HEADER_MANAGED : LH_HEADER_PLAIN;
    case 'g':
        return IS_FOLDED(name, "x-groups") ? LH_HEADER_MANAGED : LH_HEADER_PLAIN;
    case 'r':
        return IS_FOLDED(name, "x-request-id") ? LH_HEADER_REQUEST_ID : LH_HEADER_PLAIN;
    default:
        return LH_HEADER_PLAIN;
    }
}

static enum lh_header_kind kind_of_a(lh_slice name)
{
    if (IS_NAME(name, "accept")) {
        return LH_HEADER_ACCEPT;
    }
    if (IS_NAME(name, "authorization")) {
        return LH_HEADER_AUTHORIZATION;
    }
    if (IS_NAME(name, "access-control-request-method")) {
        return LH_HEADER_CORS_METHOD;
    }
    return IS_NAME(name, "access-control-request-headers") ? LH_HEADER_CORS_HEADERS
                                                           : LH_HEADER_PLAIN;
}

static enum lh_header_kind kind_of_s(lh_slice name)
{
    if (IS_NAME(name, "signature") || IS_NAME(name, "signature-input")) {
        return LH_HEADER_SIGNATURE;
    }
    if (IS_NAME(name, "sec-fetch-site")) {
        return LH_HEADER_FETCH_SITE;
    }
    if (IS_NAME(name, "sec-fetch-mode")) {
        return LH_HEADER_FETCH_MODE;
    }
    return IS_NAME(name, "sec-fetch-dest") ? LH_HEADER_FETCH_DEST : LH_HEADER_PLAIN;
}

static enum lh_header_kind kind_of_t(lh_slice name)
{
    if (IS_FOLDED(name, "traceparent")) {
        return LH_HEADER_TRACEPARENT;
    }
    return IS_FOLDED(name, "tracestate") ? LH_HEADER_TRACESTATE : LH_HEADER_PLAIN;
}

/* Shortest name of a table of ours: "accept", "cookie", "origin". */
#define SHORTEST_NAME 6U

enum lh_header_kind lh_gate_header_kind(lh_slice name)
{
    if (name.len < SHORTEST_NAME) {
        return LH_HEADER_PLAIN;
    }
    switch (name.ptr[0] | 0x20) {
    case 'x':
        return fold(name.ptr[1]) == '-' ? kind_of_extension(name) : LH_HEADER_PLAIN;
    case 'c':
        return IS_NAME(name, "cookie") ? LH_HEADER_COOKIE : LH_HEADER_PLAIN;
    case 'a':
        return kind_of_a(name);
    case 'o':
        return IS_NAME(name, "origin") ? LH_HEADER_ORIGIN : LH_HEADER_PLAIN;
    case 's':
        return kind_of_s(name);
    case 't':
        return kind_of_t(name);
    default:
        return LH_HEADER_PLAIN;
    }
}

bool lh_gate_is_managed(enum lh_header_kind kind)
{
    switch (kind) {
    case LH_HEADER_MANAGED:
    case LH_HEADER_TENANT:
    case LH_HEADER_TENANT_LIKE:
    case LH_HEADER_REQUEST_ID:
    case LH_HEADER_TRACEPARENT:
    case LH_HEADER_TRACESTATE:
        return true;
    default:
        return false;
    }
}
