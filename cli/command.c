/*
 * The table of commands.
 */
#include "command.h"

#include "base/banned.h"

#define SESSION_CREATE_OPTIONS                                                                     \
    (OPT(sub) | OPT(role) | OPT(scope) | OPT(group) | OPT(ttl) | OPT(state) | OPT(sealed) |        \
     OPT(out))

#define TOKEN_MINT_OPTIONS                                                                         \
    (OPT(sub) | OPT(role) | OPT(scope) | OPT(group) | OPT(ttl) | OPT(sid) | OPT(service) |         \
     OPT(audience) | OPT(out))

#define KEY_ADD_OPTIONS                                                                            \
    (OPT(id) | OPT(algorithm) | OPT(public_key) | OPT(sub) | OPT(role) | OPT(scope) | OPT(ttl) |   \
     OPT(out))

static const struct command command_rows[] = {
    {"init", NULL, "", 0, 0, OPT(user), 0, NULL, run_init, "make a home",
     "Makes the home: settings, registry with the tiers free, standard and premium, session store, "
     "keyring and the node's key. Run as root it gives the home to --user, by default the user of "
     "nginx's workers (www-data). It never touches an existing home."},
    {"apply", NULL, "FILE...", 1, OPERANDS_MAX, OPT(dry_run) | OPT(reclaim),
     NEEDS_HOME | NEEDS_INPUTS, NULL, run_apply, "bring tenants and tiers to the written state",
     "Reads YAML files with the maps `tiers` and `tenants`, prints the difference to what is, and "
     "makes it so, all in one step. What is not written is left alone; tenants are never removed. "
     "Files that they name for keys of issuers are read with the caller's rights. "
     "A file \"-\" is standard input."},
    {"tenant", "add", "ID", 1, 1, OPT(tier) | OPT(domain) | OPT(alias) | OPT(reclaim), NEEDS_HOME,
     NULL, run_tenant_add, "make a tenant",
     "Makes a tenant with keys of its own. Workers know it at once."},
    {"tenant", "list", "", 0, 0, 0, NEEDS_HOME, NULL, run_tenant_list, "list all tenants", ""},
    {"tenant", "show", "ID", 1, 1, 0, NEEDS_HOME, NULL, run_tenant_show, "show one tenant", ""},
    {"tenant", "disable", "ID", 1, 1, 0, NEEDS_HOME,
     "Every session of tenant \"%s\" will be refused until it is enabled.", run_tenant_disable,
     "refuse all of a tenant's requests",
     "Its sessions are refused at once, and live again after `enable` unless they ended "
     "meanwhile."},
    {"tenant", "enable", "ID", 1, 1, 0, NEEDS_HOME, NULL, run_tenant_enable,
     "let a disabled tenant in again", ""},
    {"tenant", "rename", "ID NEW", 2, 2, 0, NEEDS_HOME,
     "The name \"%s\" will stop at once, and stay reserved.", run_tenant_rename,
     "give a tenant another name",
     "The old name stops at once and stays reserved for this tenant. Sessions live on."},
    {"tenant", "remove", "ID", 1, 1, 0, NEEDS_HOME,
     "Tenant \"%s\" and all its sessions will be gone for good.", run_tenant_remove,
     "remove a tenant",
     "All its sessions end and cannot come back. Its names stay reserved for 400 days."},
    {"session", "create", "TENANT", 1, 1, SESSION_CREATE_OPTIONS, NEEDS_HOME | NEEDS_SESSIONS, NULL,
     run_session_create, "make a session and print its cookie",
     "Prints the cookie as name=value and the session's reference. Without --sub the session is "
     "anonymous. The cookie is a credential: with --out it goes to a file that only its owner can "
     "read. With --sealed the cookie holds the session, for places with `leasehold_cookie sealed`: "
     "it has no state, lies in no store, is in no list and counts for no quota, and ends at its "
     "idle time from now, whether it is used or not, or at its absolute end. Keep its reference: "
     "nobody can look it up."},
    {"session", "list", "TENANT", 1, 1, OPT(sub), NEEDS_HOME | NEEDS_SESSIONS, NULL,
     run_session_list, "list sessions",
     "Lists the sessions of a tenant, or of one user of it; those that are sealed into their "
     "cookies nobody can list."},
    {"session", "show", "TENANT REF", 2, 2, 0, NEEDS_HOME | NEEDS_SESSIONS, NULL, run_session_show,
     "show one session", ""},
    {"session", "rotate", "TENANT REF", 2, 2, OPT(role) | OPT(scope) | OPT(out),
     NEEDS_HOME | NEEDS_SESSIONS, NULL, run_session_rotate, "give a session a new cookie",
     "Prints the new cookie. The old one passes until the new one is first used, 10 seconds at "
     "most. With --role or --scope the session gets these roles or scopes in place of those that "
     "it has; it is then a new session with a reference of its own, and the old one ends at once."},
    {"session", "revoke", "TENANT [REF]", 1, 2, OPT(sub) | OPT(all) | OPT(sealed),
     NEEDS_HOME | NEEDS_SESSIONS, "These sessions of tenant \"%s\" will end for good.",
     run_session_revoke, "end sessions",
     "Ends one session by its reference, all of a user with --sub, or all of the tenant with "
     "--all. When the command returns, no worker accepts them any more. Those that are sealed into "
     "their cookies end too with --sub and --all, and one of them, by its reference, with "
     "--sealed: "
     "the reference is then taken as it is, for no store knows it."},
    {"key", "list", "[TENANT]", 0, 1, 0, NEEDS_HOME, NULL, run_key_list, "list keys",
     "Lists numbers and lives of keys, never the keys."},
    {"key", "add", "TENANT", 1, 1, KEY_ADD_OPTIONS, NEEDS_HOME, NULL, run_key_add,
     "give a service of a tenant a key for its requests",
     "The service signs its requests under this key (RFC 9421), and passes where "
     "leasehold_credential has \"signature\". With --algorithm ed25519 the key is the service's "
     "own "
     "and --public-key its public half. With --algorithm hmac-sha256 a secret is made and printed, "
     "in base64, this one time; with --out it goes to a file that only its owner can read. The key "
     "speaks for --sub (else for its own id), with the roles and scopes that are named here, and "
     "without --ttl until it is removed. Workers know it at once."},
    {"key", "remove", "TENANT KEY", 2, 2, 0, NEEDS_HOME,
     "Requests of tenant \"%s\" that are signed under this key will be refused.", run_key_remove,
     "take a key of request signatures away",
     "When the command returns, no worker accepts its signatures any more."},
    {"key", "rotate", "[TENANT]", 0, 1, OPT(all) | OPT(node) | OPT(signing), NEEDS_HOME, NULL,
     run_key_rotate, "make new keys",
     "Makes a new data key for a tenant, for every tenant with --all, or a new key for signing "
     "contexts with --node (published now, used after 10 minutes). With --signing it is the key "
     "that signs the tenant's tokens: published now, used after 10 minutes, the first one at once; "
     "--all means those that have one. Nobody is logged out."},
    {"token", "mint", "TENANT", 1, 1, TOKEN_MINT_OPTIONS, NEEDS_HOME | NEEDS_SESSIONS, NULL,
     run_token_mint, "make a token and print it",
     "Prints a JWT for --sub that the tenant's own key signs, and how long it is valid: --ttl, at "
     "most the tier's absolute life; an hour if nothing is said. With --sid it belongs to a live "
     "session of that subject and ends with it, or with the next token that is minted for it, "
     "where "
     "tokens are judged by their session (leasehold_mode stateful). With "
     "--service it is for an application at the session API. The first token of a tenant makes its "
     "key; the public half lies in `public/UID/jwks.json`. The token is a credential: with --out "
     "it goes to a file that only its owner can read."},
    {"recover", NULL, "", 0, 0, 0, 0, NULL, run_recover,
     "bring sessions back after an unclean boot",
     "To be run after each boot, before or while nginx starts; it does nothing where nothing is to "
     "be done. If the machine went down while the session store was open, the store was set aside: "
     "this imports from it what has not ended and is not revoked. Until it is done, a session that "
     "is not found is unknown (503). It can be stopped and run again. A store that is too damaged "
     "to be read is kept as sessions.damaged in the home; what of it was not imported is gone."},
    {"help", NULL, "[TOPIC...]", 0, 2, 0, NEEDS_NO_HOME, NULL, run_help, "explain commands",
     "TOPIC is a noun, a noun and a verb, `manual` (this page for man) or `settings` (a reference "
     "of leasehold.conf)."},
};

const struct command *command_table(size_t *out_count)
{
    *out_count = sizeof(command_rows) / sizeof(command_rows[0]);
    return command_rows;
}
