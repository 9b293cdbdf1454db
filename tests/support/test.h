/*
 * What every C test includes: cmocka with its prerequisites, and the assertions that our types
 * need. Test functions are named test_<unit>__<sentence>.
 */
#ifndef LH_TESTS_SUPPORT_TEST_H
#define LH_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/status.h"

/* Fails with the names of both statuses. */
#define assert_status(call, expected_code)                                                         \
    do {                                                                                           \
        lh_status assert_status_got_ = (call);                                                     \
        if (assert_status_got_.code != (expected_code)) {                                          \
            fail_msg("%s: got %s, expected %s", #call, lh_status_name(assert_status_got_),         \
                     lh_status_name(lh_status_of(expected_code)));                                 \
        }                                                                                          \
    } while (0)

#define assert_ok(call) assert_status(call, LH_OK)

/* Fails unless the slice holds exactly the text. */
#define assert_slice_text(slice, text)                                                             \
    do {                                                                                           \
        lh_slice assert_slice_got_ = (slice);                                                      \
        if (!lh_slice_is_equal(assert_slice_got_, lh_slice_from_text(text))) {                     \
            fail_msg("got \"%.*s\", expected \"%s\"", LH_SLICE_ARG(assert_slice_got_), text);      \
        }                                                                                          \
    } while (0)

#endif
