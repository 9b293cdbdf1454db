"""A home that goes away, comes back, or has somebody sitting in it: three answers, and a worker that
never waits."""
import os
import signal
import subprocess
import time

import pytest

from harness import build, http1
from harness.gateway import wait_until

ON = '''leasehold on; location / { proxy_pass $upstream; }
    location /off { leasehold off; proxy_pass $upstream; }
    location /maybe { leasehold optional; proxy_pass $upstream; }'''

# What a worker may take to end with a stuck lane: it waits for it a second.
END_WITHIN_S = 6 if build.SANITIZED else 2


@pytest.fixture
def sessions(own_home):
    return own_home.session('acme', sub='alice'), own_home.session('globex', sub='bob')


@pytest.fixture
def get_stuck(own_home):
    """get_stuck() puts somebody into a write transaction on the sessions, until the test ends."""
    holders = []

    def hold():
        program = os.path.join(build.BUILD, 'tests', 'integration', 'hold_write')
        holder = subprocess.Popen([program, os.path.join(own_home.path, 'sessions')], stdout=subprocess.PIPE,
                                  user=own_home.user if os.geteuid() == 0 else None)
        holders.append(holder)
        assert holder.stdout.readline() == b'held\n'

    yield hold
    for holder in holders:
        holder.kill()
        holder.wait()


def replace_workers(gateway):
    """As after a crash: the master starts new ones."""
    before = gateway.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    gateway.expected_bad.append('exited on signal 9')
    gateway.wait_for_new_workers(before)


def test_without_a_home_the_answer_is_unknown(start, echo, own_home, sessions):
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert gateway.ask(tenant='acme', session=acme).status == 200
    os.rename(own_home.path, own_home.path + '.away')
    replace_workers(gateway)
    for path in ('/', '/maybe'):
        unknown = gateway.ask(path, tenant='acme', session=acme)
        assert unknown.status == 503 and unknown.one('Retry-After') and not unknown.all('Set-Cookie')
        assert unknown.json()['status'] == 503
    echo.forget()
    assert gateway.ask('/off', headers=[('X-Session-Subject', 'forged'), ('Cookie', acme.cookie)]).status == 200
    seen, = echo.taken()
    assert seen.one('X-Session-Subject') is None and seen.one('Cookie') is None
    assert 'cannot use home' in gateway.log_text()
    os.rename(own_home.path + '.away', own_home.path)
    wait_until(lambda: {gateway.ask(tenant='acme', session=acme).status for _ in range(8)} == {200},
               'the home is used again')
    assert gateway.ask(tenant='acme', session=globex).status == 401


def test_a_reload_with_an_unusable_home_changes_nothing(start, echo, own_home, sessions):
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    pids = gateway.worker_pids()
    os.rename(own_home.path, own_home.path + '.away')
    gateway.expected_bad.append('cannot use home')
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: 'cannot use home' in gateway.log_text(), 'refused')
    os.rename(own_home.path + '.away', own_home.path)
    assert gateway.worker_pids() == pids
    # Who looked for the counters while they were away looks again twice a second.
    wait_until(lambda: gateway.ask(tenant='acme', session=acme).status == 200, 'the counters are found again')
    assert gateway.ask(tenant='acme', session=globex).status == 401


def test_a_lost_home_does_not_keep_nginx_from_stopping(start, echo, own_home, sessions):
    gateway = start(ON, on=own_home)
    os.rename(own_home.path, own_home.path + '.away')
    succeeded, said = gateway.run_once('-s', 'stop')
    os.rename(own_home.path + '.away', own_home.path)
    assert succeeded, said
    gateway.process.wait(timeout=build.PATIENCE_S)
    gateway.process = None


def ask_many(gateway, tenant, session, status, count=100):
    """The longest that any of them took, in seconds."""
    connection = gateway.connect()
    longest = 0
    for _ in range(count):
        began = time.monotonic()
        connection.send(http1.request(headers=[('X-Tenant-ID', tenant), ('Cookie', session.cookie)]))
        assert connection.read().status == status
        longest = max(longest, time.monotonic() - began)
    return longest


@pytest.mark.parametrize('end', [signal.SIGTERM, signal.SIGQUIT])
def test_a_stuck_writer_slows_nobody_and_ends_nothing_late(start, echo, own_home, sessions, get_stuck, end):
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    short = own_home.session('acme', '--ttl', '1', sub='brief')
    get_stuck()
    time.sleep(1.2)
    # The workers want to note that this one has expired, and cannot.
    for _ in range(8):
        assert gateway.ask(tenant='acme', session=short).status == 401
    assert ask_many(gateway, 'acme', acme, 200) < 1
    assert ask_many(gateway, 'globex', globex, 200) < 1
    assert ask_many(gateway, 'acme', globex, 401) < 1
    for connection in gateway.connections:
        connection.close()
    assert gateway.stop(end) < END_WITHIN_S
    assert 'a write is stuck' in gateway.log_text()


def test_reload_with_a_stuck_writer_replaces_the_workers(start, echo, own_home, sessions, get_stuck):
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    short = own_home.session('acme', '--ttl', '1', sub='brief')
    get_stuck()
    time.sleep(1.2)
    for _ in range(8):
        assert gateway.ask(tenant='acme', session=short).status == 401
    old = gateway.worker_pids()
    began = time.monotonic()
    gateway.reload()
    wait_until(lambda: not any(os.path.exists(f'/proc/{pid}') for pid in old), 'old workers ended')
    assert time.monotonic() - began < END_WITHIN_S
    assert 'a write is stuck' in gateway.log_text()
    assert gateway.ask(tenant='acme', session=acme).status == 200
    assert gateway.ask(tenant='acme', session=globex).status == 401


def test_a_cold_key_is_waited_for(start, echo, own_home, sessions):
    """The first request of a tenant at a worker needs its key from the keyring: it waits, and passes."""
    acme, globex = sessions
    gateway = start(ON, on=own_home, workers=1)
    connections = [gateway.connect() for _ in range(20)]
    for i, connection in enumerate(connections):
        tenant, session = (('acme', acme), ('globex', globex))[i % 2]
        connection.send(http1.request(headers=[('X-Tenant-ID', tenant), ('Cookie', session.cookie)]))
    assert [connection.read().json()['headers']['X-Tenant-ID'] for connection in connections] \
        == ['acme', 'globex'] * 10


def test_who_leaves_while_a_key_is_fetched_harms_nobody(start, echo, own_home, sessions):
    acme, globex = sessions
    for _ in range(3):
        gateway = start(ON, on=own_home, workers=1)
        for i in range(20):
            connection = http1.Connection(gateway.port)
            tenant, session = (('acme', acme), ('globex', globex))[i % 2]
            connection.send(http1.request(headers=[('X-Tenant-ID', tenant), ('Cookie', session.cookie)]))
            connection.close()
        assert gateway.ask(tenant='acme', session=acme).status == 200
        assert gateway.ask(tenant='globex', session=globex).status == 200


def test_a_spent_budget_is_unknown(start, echo, own_home, sessions):
    """A key that cannot be had in time: 503 for that tenant, and the other goes on."""
    acme, globex = sessions
    gateway = start('leasehold on; leasehold_cold_budget 50ms; location / { proxy_pass $upstream; }',
                    on=own_home, workers=1)
    assert gateway.ask(tenant='globex', session=globex).status == 200
    keyring = os.path.join(own_home.path, 'keyring')
    os.rename(keyring, keyring + '.away')
    unknown = gateway.ask(tenant='acme', session=acme)
    assert unknown.status == 503 and not unknown.all('Set-Cookie')
    assert gateway.ask(tenant='globex', session=globex).status == 200
    os.rename(keyring + '.away', keyring)
    wait_until(lambda: gateway.ask(tenant='acme', session=acme).status == 200, 'the key is there again')


PARTS = ['registry', 'sessions', 'keyring', 'node', 'run/changes', 'keyring/kek', 'registry/data.mdb', 'leasehold.conf']


@pytest.mark.parametrize('part', PARTS)
def test_a_home_with_a_part_missing_admits_nobody(start, echo, own_home, sessions, part):
    """Whatever cannot be loaded at a worker's start: no answer but 503, where one credential was good."""
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert gateway.ask(tenant='acme', session=acme).status == 200
    echo.forget()
    path = os.path.join(own_home.path, part)
    os.rename(path, path + '.away')
    replace_workers(gateway)
    for tenant, session in (('acme', acme), ('globex', globex)):
        for where in ('/', '/maybe'):
            assert gateway.ask(where, tenant=tenant, session=session).status == 503
    assert gateway.ask(tenant='acme', session=globex).status in (401, 503)
    assert not echo.taken()
    os.rename(path + '.away', path)
    wait_until(lambda: gateway.ask(tenant='acme', session=acme).status == 200, 'the part is there again')


def mapped_stores(pid):
    with open(f'/proc/{pid}/maps', encoding='utf-8') as file:
        return {line.split()[-1] for line in file if line.rstrip().endswith('data.mdb')}


def test_each_worker_opens_the_stores_for_itself(start, echo, own_home, sessions):
    """LMDB does not go across fork: the master has nothing open that a worker could inherit."""
    acme, globex = sessions
    gateway = start(ON, on=own_home, workers=3)
    stores = {os.path.join(own_home.path, name, 'data.mdb') for name in ('registry', 'sessions')}
    for _ in range(3):
        assert not mapped_stores(gateway.process.pid)
        for pid in gateway.pids:
            assert mapped_stores(pid) == stores
        own_home.revoke(own_home.session('acme', sub='other'))
        assert gateway.ask(tenant='acme', session=acme).status == 200
        assert gateway.ask(tenant='acme', session=globex).status == 401
        gateway.reload()
