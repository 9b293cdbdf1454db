/*
 * Peers.
 */
#include "contract/peer.h"

#include "support/test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The framework's handlers would run the rest of the test in the child. */
static void die_of_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)signal(signals[i], SIG_DFL);
    }
    struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
}

void peer_start(struct peer *peer, bool (*part)(struct peer *peer, void *context), void *context)
{
    int down[2];
    int up[2];
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    *peer = (struct peer){.to_peer = down[1], .from_peer = up[0], .in = down[0], .out = up[1]};
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        die_of_signals();
        (void)close(peer->to_peer);
        (void)close(peer->from_peer);
        _exit(part(peer, context) ? 0 : 1);
    }
    (void)close(peer->in);
    (void)close(peer->out);
}

void peer_report(const struct peer *peer)
{
    if (write(peer->out, ".", 1) != 1) {
        _exit(2);
    }
}

void peer_pause(const struct peer *peer)
{
    char byte;
    if (read(peer->in, &byte, 1) != 1) {
        _exit(3);
    }
}

void peer_wait(const struct peer *peer)
{
    char byte;
    assert_int_equal(read(peer->from_peer, &byte, 1), 1);
}

void peer_resume(const struct peer *peer)
{
    assert_int_equal(write(peer->to_peer, ".", 1), 1);
}

int peer_end(struct peer *peer)
{
    int status = 0;
    assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
    (void)close(peer->to_peer);
    (void)close(peer->from_peer);
    return status;
}

void peer_kill(struct peer *peer)
{
    assert_int_equal(kill(peer->pid, SIGKILL), 0);
    int status = peer_end(peer);
    assert_true(WIFSIGNALED(status));
}

void peer_finish(struct peer *peer)
{
    int status = peer_end(peer);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
