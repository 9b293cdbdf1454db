"""Very many requests at the same moment: what they ask for is done once, they get what the limit says and
no more, and the log neither grows with them nor loses count."""
import ctypes
import os
import re
import time

import pytest

from harness import http1
from harness.gateway import wait_until
from harness.home import made_home

SERVER = 'leasehold on; location / { return 204; }'
MANY = 1000
WORKERS = 4
LIMIT = 100
# Lines of one worker in a second, as the code has it.
LINES_PER_S = 20
SOME_S = 3
# Fewer than the server takes on one connection.
MOST = 90_000


class Crowd:
    """Connections that all send one request and only then read their answers."""

    def __init__(self, gateway, count=MANY):
        self.connections = [gateway.connect() for _ in range(count)]

    def ask(self, session, tenant=None):
        request = http1.request(headers=[('X-Tenant-ID', tenant or session.tenant), ('Cookie', session.cookie)])
        for connection in self.connections:
            connection.send(request)
        return [connection.read().status for connection in self.connections]


@pytest.fixture
def limited():
    """The session of a tenant that may ask LIMIT times at once and once a second."""
    with made_home(has_limits=True) as made:
        made.apply(f'tiers: {{free: {{requests_per_s: 1, requests_burst: {LIMIT}}}, premium: {{requests_per_s: 0}}}}')
        made.set('unproved_rate', 0)
        yield made


def crowd_conf(start, home, **rest):
    return start(SERVER, on=home, workers=WORKERS, listen='reuseport backlog=4096', **rest)


def test_floods__a_thousand_at_once_get_what_the_limit_says(start, limited):
    """D10: workers share one number, so not even one more for each of them."""
    session, other = limited.session('globex'), limited.session('acme')
    gateway = crowd_conf(start, limited)
    crowd = Crowd(gateway)
    began = time.monotonic()
    statuses = crowd.ask(session)
    came_back = int(time.monotonic() - began) + 1
    assert set(statuses) == {204, 429}
    assert LIMIT <= statuses.count(204) <= LIMIT + came_back, statuses.count(204)
    assert crowd.ask(other).count(204) == MANY


class Opens:
    """How often a file is opened from now on (inotify(7))."""

    IN_OPEN, EVENT_BYTES = 0x20, 16

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        assert self.fd >= 0 and libc.inotify_add_watch(self.fd, path.encode(), self.IN_OPEN) >= 0
        self.count = 0

    def so_far(self):
        try:
            while True:
                self.count += len(os.read(self.fd, self.EVENT_BYTES)) // self.EVENT_BYTES
        except BlockingIOError:
            return self.count


def test_floods__a_thousand_who_wait_for_one_key_cause_one_fetch_in_each_worker(start, own_home):
    """D06. A fetch opens the file of the tenant's key."""
    session, other = own_home.session('acme'), own_home.session('globex')
    gateway = crowd_conf(start, own_home)
    opens = Opens(os.path.join(own_home.path, 'keyring', 'tenants', own_home.tenant('acme')['uid'] + '.tkek'))
    crowd = Crowd(gateway)
    assert crowd.ask(session).count(204) == MANY
    assert 1 <= opens.so_far() <= WORKERS, opens.count
    assert crowd.ask(other).count(204) == MANY and crowd.ask(session).count(204) == MANY
    assert opens.so_far() <= WORKERS


def test_floods__a_thousand_who_find_a_session_over_are_all_refused(start, own_home):
    """D06: whoever of them buries it."""
    brief, other = own_home.session('acme', '--ttl', '1'), own_home.session('globex')
    gateway = crowd_conf(start, own_home)
    crowd = Crowd(gateway)
    wait_until(lambda: set(crowd.ask(brief)) == {401}, 'over')
    assert crowd.ask(brief).count(401) == MANY and crowd.ask(other).count(204) == MANY
    assert not own_home.run('session', 'list', 'acme')['sessions']


def test_floods__are_counted_in_a_log_that_does_not_grow_with_them(start, own_home):
    """D12: each refusal is a line or counted in one."""
    session, other = own_home.session('acme'), own_home.session('globex')
    gateway = start(SERVER, on=own_home)
    sent, began = 0, time.monotonic()
    with http1.Connection(gateway.port) as connection:
        request = http1.request(headers=[('X-Tenant-ID', 'globex'), ('Cookie', session.cookie)])
        while time.monotonic() < began + SOME_S and sent < MOST:
            connection.send(request * 100)
            assert {connection.read().status for _ in range(100)} == {401}
            connection.seen.clear()
            sent += 100
        took_s = time.monotonic() - began
        time.sleep(1.1)  # the next line begins a second of its own, and tells of those before
        connection.send(request)
        assert connection.read().status == 401
    sent += 1
    assert sent > 10 * LINES_PER_S * SOME_S, 'no flood'
    log = gateway.log_text()
    lines = len(re.findall(r'reason=\w+ step=', log))
    untold = sum(int(count) for count in re.findall(r'leasehold: (\d+) more refusals were not logged', log))
    assert lines + untold == sent
    assert lines <= LINES_PER_S * (took_s + 2) + 1
    assert gateway.ask(tenant='globex', session=other).status == 204
