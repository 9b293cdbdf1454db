/*
 * Other processes that have the same store open: each runs a part of a test and keeps step with
 * it over two pipes. A peer never asserts: it exits with 0 or with something else.
 */
#ifndef LH_TESTS_CONTRACT_PEER_H
#define LH_TESTS_CONTRACT_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct peer {
    pid_t pid;
    int to_peer; /* the test's ends */
    int from_peer;
    int in; /* the peer's ends */
    int out;
};

/* Starts part(peer, context) in a child, which exits with 0 if it returns true. */
void peer_start(struct peer *peer, bool (*part)(struct peer *peer, void *context), void *context);

/* In the peer: tells the test that a step is done. */
void peer_report(const struct peer *peer);
/* In the peer: waits until the test lets it go on. */
void peer_pause(const struct peer *peer);

/* In the test: waits for a report; fails the test if the peer is gone. */
void peer_wait(const struct peer *peer);
/* In the test: lets it go on. */
void peer_resume(const struct peer *peer);
/* In the test: kills it (SIGKILL), wherever it is. */
void peer_kill(struct peer *peer);
/* In the test: waits for its end, which must be exit 0. */
void peer_finish(struct peer *peer);

/* In the test: waits for its end, whatever it is. returns: its wait status. */
int peer_end(struct peer *peer);

#endif
