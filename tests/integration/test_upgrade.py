"""nginx's binary replaced while it runs: two masters with workers of their own over one home. No request
is lost that bare nginx would not lose, nobody passes who may not, and both generations know the same."""
import os
import threading
import time

import pytest

from harness import build, http1, processes
from harness.echo import mirror
from harness.gateway import text_of, wait_until
from harness.home import worker_user
from harness.upgradable import Upgradable

SERVER = '''leasehold on; proxy_http_version 1.1; proxy_buffering off;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
    location / { proxy_pass $upstream; }'''
UPGRADES = 5
SLOW_S = 0.4

# States of connections as the kernel numbers them.
ESTABLISHED, CLOSE_WAIT = '01', '08'


@pytest.fixture
def start(echo, own_home):
    started = []

    def start_daemon(**rest):
        started.append(Upgradable(own_home, echo, SERVER, user=worker_user(), workers=2, **rest))
        return started[-1].start()

    yield start_daemon
    for gateway in started:
        print(gateway.log_text()[-4000:])
        gateway.finish()


@pytest.fixture
def acme(own_home):
    return own_home.session('acme', sub='alice')


@pytest.fixture
def globex(own_home):
    return own_home.session('globex', sub='bob')


class Askers:
    """Threads that ask on connections of their own without a pause until they are told to stop. cases:
    (path, tenant, session, status)."""

    def __init__(self, gateway, cases):
        self.port = gateway.port
        self.is_over = threading.Event()
        self.wrong = []
        self.counts = [0] * len(cases)
        self.by = set()
        self.threads = [threading.Thread(target=self._run, args=(number, *case)) for number, case in enumerate(cases)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def _run(self, number, path, tenant, session, status):
        while not self.is_over.is_set():
            try:
                with http1.Connection(self.port) as connection:
                    connection.send(request(tenant, session, path))
                    answered = connection.read()
            except OSError as fault:
                self.wrong.append((path, tenant, repr(fault)))
                continue
            self.counts[number] += 1
            self.by.add(int(answered.one('X-Worker')))
            is_right = answered.status == status and (status != 200 or answered.json()['headers']['X-Tenant-ID'] == tenant)
            if not is_right:
                self.wrong.append((path, tenant, answered))

    def wait_for(self, pids):
        """Until each of these workers has answered, and each thread has once more."""
        before = list(self.counts)
        wait_until(lambda: set(pids) <= self.by and all(now > then for now, then in zip(self.counts, before)),
                   f'{pids} have answered')


def request(tenant, session, path='/'):
    return http1.request(path, headers=[('X-Tenant-ID', tenant), ('Cookie', session.cookie)])


def connection_to(gateway, pids):
    """A kept connection to one of these workers."""
    for _ in range(1000):
        connection = gateway.connect()
        connection.send(http1.request())
        if int(connection.read().one('X-Worker')) in pids:
            return connection
        connection.close()
        gateway.connections.remove(connection)
    raise AssertionError(f'none of {pids} answered')


def ask_on(connection, tenant, session):
    connection.send(request(tenant, session))
    return connection.read().status


def boot_mark(home):
    return text_of(os.path.join(home.path, 'run', 'boot')).split()[-1]


def all_cases(acme, globex):
    return [('/quick', 'acme', acme, 200), ('/quick', 'globex', globex, 200), ('/slow', 'acme', acme, 200),
            ('/slow', 'globex', globex, 200), ('/foreign', 'globex', acme, 401), ('/foreign', 'acme', globex, 401)]


def respond_slowly(seen):
    time.sleep(SLOW_S)
    return mirror(seen)


def test_upgrade__loses_no_request_and_admits_nobody(start, echo, acme, globex):
    """A binary that stays, one that is taken back, and one more that stays."""
    echo.routes['/slow'] = respond_slowly
    gateway = start()
    with Askers(gateway, all_cases(acme, globex)) as askers:
        askers.wait_for(gateway.pids)
        for is_kept in (True, False, True):
            old = gateway.pids
            gateway.upgrade()
            askers.by.clear()
            askers.wait_for(old + gateway.pids)
            gateway.wind_down()
            wait_until(lambda: not gateway.workers_of(gateway.old), 'the old workers have ended')
            askers.by.clear()
            askers.wait_for(gateway.pids)
            if is_kept:
                gateway.retire()
            else:
                gateway.roll_back()
            askers.by.clear()
            askers.wait_for(gateway.pids)
            assert askers.by <= set(gateway.pids)
    assert not askers.wrong, askers.wrong[:5]
    assert not echo.taken('/foreign')


def test_upgrade__both_generations_know_what_was_revoked_made_and_rotated(start, own_home, acme, globex):
    gateway = start()
    olds = [connection_to(gateway, [pid]) for pid in gateway.pids]
    gateway.upgrade()
    both = olds + [connection_to(gateway, [pid]) for pid in gateway.pids]
    for _ in range(2):  # the second time from their caches
        assert [ask_on(one, 'acme', acme) for one in both] == [200] * 4
        assert [ask_on(one, 'globex', globex) for one in both] == [200] * 4
    own_home.revoke(acme)
    assert [ask_on(one, 'acme', acme) for one in both] == [401] * 4
    made = own_home.session('acme', sub='carol')
    assert [ask_on(one, 'acme', made) for one in both] == [200] * 4
    assert [ask_on(one, 'globex', made) for one in both] == [401] * 4
    own_home.run('key', 'rotate', 'acme')
    after = own_home.session('acme', sub='dave')
    assert [ask_on(one, 'acme', session) for one in both for session in (made, after)] == [200] * 8
    own_home.run('session', 'revoke', 'acme', '--all', '--yes')
    assert [ask_on(one, 'acme', session) for one in both for session in (made, after)] == [401] * 8
    own_home.run('tenant', 'disable', 'globex', '--yes')
    assert [ask_on(one, 'globex', globex) for one in both] == [401] * 4
    gateway.wind_down()
    gateway.retire()


def test_upgrade__what_was_revoked_stays_so_when_it_is_taken_back(start, own_home, acme, globex):
    gateway = start()
    gateway.upgrade()
    gateway.wind_down()
    wait_until(lambda: not gateway.workers_of(gateway.old), 'the old workers have ended')
    assert gateway.ask(tenant='acme', session=acme).status == 200
    own_home.revoke(acme)
    made = own_home.session('acme', sub='carol')
    gateway.roll_back()
    for _ in range(10):
        assert gateway.ask(tenant='acme', session=acme).status == 401
        assert gateway.ask(tenant='acme', session=made).status == 200
        assert gateway.ask(tenant='globex', session=globex).status == 200


def test_upgrade__an_old_worker_still_watches_its_sockets(start, echo, own_home, acme, globex):
    """A worker that only finishes what it has closes a socket whose session ends, and then itself."""
    def speak_back(_seen, connection):
        connection.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
        while (received := connection.recv(4096)):
            connection.sendall(received)

    echo.streams['/socket'] = speak_back
    gateway = start()
    sockets = []
    for tenant, session in (('acme', acme), ('globex', globex)):
        connection = gateway.connect()
        connection.send(http1.request('/socket', headers=[
            ('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-Fetch-Site', 'same-origin'),
            ('X-Tenant-ID', tenant), ('Cookie', session.cookie)]))
        assert connection.read().status == 101
        sockets.append(connection)
    gateway.upgrade()
    gateway.wind_down()
    for connection in sockets:
        connection.send(b'ping')
        assert connection._exactly(4) == b'ping'
    assert gateway.workers_of(gateway.old)
    own_home.revoke(acme)
    assert sockets[0].is_closed()
    sockets[1].send(b'ping')
    assert sockets[1]._exactly(4) == b'ping'
    sockets[1].close()
    wait_until(lambda: not gateway.workers_of(gateway.old), 'the old workers have ended')
    gateway.retire()


def test_upgrade__the_store_is_clean_when_the_last_generation_has_ended(start, own_home, acme, globex):
    gateway = start()
    assert boot_mark(own_home) == 'open'
    gateway.upgrade()
    assert boot_mark(own_home) == 'open'
    gateway.wind_down()
    gateway.retire()
    assert gateway.ask(tenant='acme', session=acme).status == 200
    assert boot_mark(own_home) == 'open'
    gateway.stop()
    assert boot_mark(own_home) == 'clean'
    assert own_home.show(globex)['standing'] == 'live'


def use(gateway, acme, globex):
    """Some requests to each worker, and none of them left over."""
    for pid in gateway.pids:
        connection = connection_to(gateway, [pid])
        for _ in range(200):
            assert ask_on(connection, 'acme', acme) == 200
            assert ask_on(connection, 'globex', globex) == 200
            assert ask_on(connection, 'acme', globex) == 401
        connection.close()
        gateway.connections.remove(connection)
    gateway.seen.clear()
    wait_until(lambda: not is_somebody_served((gateway.port, gateway.echo.port)), 'no connection is left')


def is_somebody_served(ports):
    """Whether a connection from or to one of these ports is open at either end."""
    with open('/proc/net/tcp', encoding='ascii') as file:
        rows = [line.split()[1:4] for line in file.readlines()[1:]]
    return any(state in (ESTABLISHED, CLOSE_WAIT) and int(end.split(':')[1], 16) in ports
               for *ends, state in rows for end in ends)


def count_files(gateway):
    """Of the master and its workers. Of two workers one or the other has taken over a periodic job, and
    holds its lock: those do not count."""
    return [sum(not target.endswith('.lock') for target in processes.open_files(pid))
            for pid in (gateway.process.pid, *gateway.pids)]


def test_upgrade__files_and_memory_stay_the_same(start, acme, globex):
    gateway = start()
    files, memory, locked = [], [], []
    for _ in range(UPGRADES):
        gateway.upgrade()
        gateway.wind_down()
        gateway.retire()
        use(gateway, acme, globex)
        files.append(count_files(gateway))
        # A lane has a file open for a moment now and then.
        wait_until(lambda: count_files(gateway) == [min(column) for column in zip(*files)], f'as few files as before: {files}')
        memory.append(max(processes.status_kib(pid, 'VmRSS') for pid in gateway.pids))
        locked.append(max(processes.status_kib(pid, 'VmLck') for pid in gateway.pids))
    assert set(locked) == {locked[0]}, locked
    assert build.SANITIZED or memory[-1] < memory[0] * 1.1 + 512, memory
