/*
 * Fills a home with sessions of one tenant for measuring, without syncing each, and prints their
 * cookies ("name=value" a line). Sealed ones lie in no store: their cookies are all there is.
 *
 *     fill_sessions HOME TENANT COUNT [sealed]
 */
#include "registry/registry.h"
#include "session/sealed_cookie.h"
#include "session/session_vault.h"
#include "setup/home.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes one session and prints its cookie. Errors: PENDING (the tenant's key), and what the vault
   says. */
typedef lh_status make_fn(struct lh_home *home, struct lh_op *op, const struct lh_tenant *tenant,
                          const struct lh_session_spec *spec);

static void print_line(void *self, enum lh_log_level level, lh_slice line)
{
    (void)self;
    if (level <= LH_LOG_WARN) {
        (void)fprintf(stderr, "%.*s\n", LH_SLICE_ARG(line));
    }
}

static void print_cookie(const struct lh_tenant *tenant, lh_slice value)
{
    char name[LH_COOKIE_SUFFIXED_NAME_BYTES];
    lh_cookie_suffixed_name(&tenant->uid, name);
    (void)printf("%.*s=%.*s\n", (int)sizeof(name), name, LH_SLICE_ARG(value));
}

static lh_status make_stored(struct lh_home *home, struct lh_op *op, const struct lh_tenant *tenant,
                             const struct lh_session_spec *spec)
{
    struct lh_store_evicted evicted;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    struct lh_session_header header;
    LH_TRY(lh_vault_create(home->vault, op, tenant, spec, &handle, &header, &evicted));
    char value[LH_HANDLE_TEXT_BYTES];
    LH_TRY(lh_handle_write(home->cell, &handle, value));
    print_cookie(tenant, LH_SLICE_OF(value));
    return lh_ok();
}

static lh_status make_sealed(struct lh_home *home, struct lh_op *op, const struct lh_tenant *tenant,
                             const struct lh_session_spec *spec)
{
    struct lh_session_header header;
    LH_CLEANUP(lh_buf_fini) struct lh_buf value = lh_buf_bounded(LH_SEALED_COOKIE_TEXT_MAX_BYTES);
    LH_TRY(lh_vault_create_sealed(home->vault, op, home->cell, tenant, spec, &value, &header));
    print_cookie(tenant, lh_buf_view(&value));
    return lh_ok();
}

static lh_status fill_one(struct lh_home *home, const struct lh_tenant *tenant, make_fn *make,
                          uint64_t number)
{
    char subject[48];
    int len = snprintf(subject, sizeof(subject), "user-%" PRIu64 "@bench.example", number);
    struct lh_session_spec spec = {.principal = {.subject = lh_slice_of(subject, (size_t)len)}};
    spec.principal.roles.items[0] = LH_SLICE_LITERAL("member");
    spec.principal.roles.count = 1;
    struct lh_op op = lh_op_idle(0, NULL);
    lh_status status = make(home, &op, tenant, &spec);
    if (status.code == LH_PENDING) {
        lh_blocking_host_run(&home->blocking); /* fetches the tenant's key */
        status = make(home, &op, tenant, &spec);
    }
    return status;
}

static lh_status fill(struct lh_home *home, const char *tenant_name, make_fn *make, uint64_t count)
{
    const struct lh_directory_source *source = lh_registry_source(home->registry);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(source->load_by_name(source->self, lh_slice_from_text(tenant_name), &tenant));
    for (uint64_t i = 0; i < count; i++) {
        LH_TRY(fill_one(home, tenant, make, i));
        if (i % 50000 == 0) {
            LH_TRY(lh_store_maintain(home->store)); /* grows the map in time */
        }
    }
    return lh_store_sync(home->store);
}

int main(int count, char **arguments)
{
    static const struct lh_host log = {.log = print_line};
    struct lh_home *home = NULL;
    char why[LH_HOME_ERROR_BYTES] = "";
    bool are_sealed = count == 5 && strcmp(arguments[4], "sealed") == 0;
    if (count != 4 && !are_sealed) {
        (void)fprintf(stderr, "fill_sessions HOME TENANT COUNT [sealed]\n");
        return EXIT_FAILURE;
    }
    lh_status status = lh_home_open_operator(arguments[1], &log, "bench", true, &home, why);
    if (lh_is_ok(status)) {
        make_fn *make = are_sealed ? make_sealed : make_stored;
        status = fill(home, arguments[2], make, strtoull(arguments[3], NULL, 10));
        lh_home_close(home);
    }
    if (!lh_is_ok(status)) {
        (void)fprintf(stderr, "fill_sessions: %s %s\n", lh_status_text(status), why);
    }
    return lh_is_ok(status) ? EXIT_SUCCESS : EXIT_FAILURE;
}
