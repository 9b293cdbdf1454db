/*
 * Every option of the program, once: parsing, usage text and manual page read this table.
 */
#ifndef LH_CLI_OPTION_H
#define LH_CLI_OPTION_H

#include <leasehold/admin.h>

/* FLAG takes no value, VALUE one and once, LIST one each time, INPUT and OUTPUT name a file. */
enum option_kind { OPTION_FLAG, OPTION_VALUE, OPTION_LIST, OPTION_INPUT, OPTION_OUTPUT };

/* X(identifier, kind, name, value's name, text) */
#define CLI_OPTIONS(X)                                                                             \
    X(home, VALUE, "home", "DIR", "The home to work on; else $LEASEHOLD_HOME, else " DEFAULT_HOME) \
    X(json, FLAG, "json", "", "Print one JSON document instead of text for people.")               \
    X(yes, FLAG, "yes", "", "Do not ask before what cannot be undone.")                            \
    X(help, FLAG, "help", "", "Explain the command.")                                              \
    X(version, FLAG, "version", "", "Print the version.")                                          \
    X(user, VALUE, "user", "USER", "Who shall own the home: the user of nginx's workers.")         \
    X(tier, VALUE, "tier", "TIER", "The tier that sets lives and limits (standard).")              \
    X(domain, LIST, "domain", "HOST", "A host name that belongs to the tenant; may be repeated.")  \
    X(alias, LIST, "alias", "ID", "Another name of the tenant; may be repeated.")                  \
    X(reclaim, FLAG, "reclaim", "", "Take names that are reserved for another tenant.")            \
    X(dry_run, FLAG, "dry-run", "", "Print the difference and change nothing.")                    \
    X(sub, VALUE, "sub", "SUBJECT", "The user, as the application names him.")                     \
    X(role, LIST, "role", "ROLE", "A role of the session or token; may be repeated.")              \
    X(scope, LIST, "scope", "SCOPE", "A scope beside those of its roles; may be repeated.")        \
    X(group, LIST, "group", "GROUP", "A group of the user; may be repeated.")                      \
    X(ttl, VALUE, "ttl", "SECONDS", "How long the session or token lives at most.")                \
    X(state, INPUT, "state", "FILE",                                                               \
      "A JSON object to be kept, sealed, with the session; - is "                                  \
      "standard input.")                                                                           \
    X(sealed, FLAG, "sealed", "",                                                                  \
      "The session is one that its cookie holds whole, and that lies in no store.")                \
    X(out, OUTPUT, "out", "FILE",                                                                  \
      "Write the cookie or token to this file (0600) and not to the output.")                      \
    X(all, FLAG, "all", "", "All of them.")                                                        \
    X(node, FLAG, "node", "", "The key with which this node signs contexts.")                      \
    X(signing, FLAG, "signing", "", "The key with which the tenant's tokens are signed.")          \
    X(sid, VALUE, "sid", "REF", "The session, by its reference, that the token belongs to.")       \
    X(service, FLAG, "service", "", "A token for an application at the session API.")              \
    X(id, VALUE, "id", "ID", "How the service names its key; else an id is made.")                 \
    X(algorithm, VALUE, "algorithm", "NAME", "ed25519 or hmac-sha256.")                            \
    X(public_key, INPUT, "public-key", "FILE",                                                     \
      "The public half of an ed25519 key, in PEM; - is standard input.")                           \
    X(audience, LIST, "audience", "NAME",                                                          \
      "Who shall take the token (leasehold; with --service leasehold-api); may be repeated.")

#define DEFAULT_HOME "/var/lib/leasehold"

enum option_id {
#define CLI_OPTION_ID(identifier, kind, name, value, text) OPTION_##identifier,
    CLI_OPTIONS(CLI_OPTION_ID)
#undef CLI_OPTION_ID
        OPTION_COUNT
};

/* A set of options: OPT(tier) | OPT(domain). */
#define OPT(identifier) (1U << OPTION_##identifier)
/* What every command takes. */
#define OPT_EVERYWHERE (OPT(home) | OPT(json) | OPT(yes) | OPT(help) | OPT(version))

struct option {
    const char *name;
    enum option_kind kind;
    const char *value;
    const char *text;
};

/* The row of an option; static storage. */
const struct option *option_at(enum option_id id);

/* Most times that one option is given, and most operands of a command. */
#define OPTION_REPEATS_MAX 64U
#define OPERANDS_MAX       256U

/* A command line, taken apart. Texts are borrowed from argv. */
struct arguments {
    lh_slice values[OPTION_COUNT][OPTION_REPEATS_MAX];
    size_t counts[OPTION_COUNT];
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
};

/*
 * Takes a command line apart: "--name VALUE", "--name=VALUE", "--" ends the options; everything
 * else is an operand.
 * out_why  a line on what is wrong. returns: false on a mistake.
 */
bool arguments_parse(int argc, char **argv, struct arguments *out_arguments, char *out_why,
                     size_t why_bytes);

/* Whether an option was given. */
bool has_option(const struct arguments *arguments, enum option_id id);
/* Its value, empty if it was not given. */
lh_slice option_value(const struct arguments *arguments, enum option_id id);
/* All its values. */
struct lh_admin_texts option_values(const struct arguments *arguments, enum option_id id);
/* An operand as a slice, empty if it was not given. */
lh_slice operand(const struct arguments *arguments, size_t index);

#endif
