"""A table of nonces that is full, through nginx: what cannot be remembered is not accepted, and what was accepted
stays used."""
import contextlib
import random
import time

from harness import http1, signatures
from harness.gateway import wait_until
from harness.signatures import ask, send, wait_until_young

# The smallest table that a configuration may have. A tenant may hold an eighth of its places, for as long as a
# signature lives.
NONCES, PLACES, LIFE_S = 'leasehold_nonces 256k;', 28608, 300
SIGNED = '''
    leasehold on; leasehold_credential signature; keepalive_requests 100000;
    location / { proxy_pass $upstream; }
    location /cheap { empty_gif; }
'''
BATCH = 100


def fill(connection, signer):
    """A batch of requests that nobody has sent before. returns: (request, status) of each."""
    sent = [signer.request('/cheap', expires=int(time.time()) + LIFE_S) for _ in range(BATCH)]
    connection.send(b''.join(sent))
    return [(raw, connection.read().status) for raw in sent]


def fill_until(connection, signers, wanted):
    """Requests of the signers in turn until an answer is the wanted one. returns: all (request, status)."""
    done = []
    while wanted not in {status for _, status in done[-BATCH:]}:
        assert len(done) <= PLACES, 'more than there are places'
        done += fill(connection, signers[len(done) // BATCH % len(signers)])
    return done


def test_a_full_table_refuses_what_it_cannot_remember_and_nothing_is_played_again(start, echo, own_home):
    names = ['acme', 'globex', *(f'tenant-{number}' for number in range(9))]
    for name in names[2:]:
        own_home.run('tenant', 'add', name)
    *signers, late = [signatures.shared_key(own_home, name) for name in names]
    gateway = wait_until_young(start(SIGNED, on=own_home, http=NONCES), signers[0])
    with contextlib.closing(http1.Connection(gateway.port)) as connection:
        began = time.monotonic()
        of_one = fill_until(connection, signers[:1], 429)
        assert {status for _, status in of_one} == {200, 429}
        came_back = (time.monotonic() - began) / LIFE_S
        share = sum(status == 200 for _, status in of_one) / (PLACES / 8)
        assert 0.95 < share < 1.01 + came_back
        assert ask(gateway, signers[1]).status == 200  # the share was one tenant's
        of_all = fill_until(connection, signers[1:], 503)
    assert {status for _, status in of_all} == {200, 503}
    assert len(of_one) + len(of_all) > PLACES // 2
    passed = [raw for raw, status in of_one + of_all if status == 200]
    refused = [raw for raw, status in of_all if status == 503]
    before = len(gateway.decisions())
    answers = [send(gateway, raw) for raw in refused]
    assert all(answer.status == 503 and answer.one('Retry-After') == '2' for answer in answers)
    replays = random.sample(passed, 200) + passed[:20] + passed[-20:]
    assert {send(gateway, raw).status for raw in replays} == {401}
    wait_until(lambda: len(gateway.decisions()) >= before + len(refused) + len(replays), 'all answers in the access log')
    assert gateway.reasons()[before:] == ['nonces_full'] * len(refused) + ['signature_replayed'] * len(replays)
    # Where there is room, the next one passes, and once.
    raw = next(raw for raw in (late.request('/room') for _ in range(100)) if send(gateway, raw).status == 200)
    assert send(gateway, raw).status == 401
    assert len(echo.taken('/room')) == 1
