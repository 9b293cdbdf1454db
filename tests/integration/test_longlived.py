"""Requests that live on after their decision: WebSockets and streams end with their session."""
import time

import pytest

from harness import http1

UPGRADE = [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-Fetch-Site', 'same-origin')]

SERVER = '''leasehold on; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
    proxy_buffering off;
    location / { proxy_pass $upstream; }
    location /kept { leasehold_longlived keep; proxy_pass $upstream; }'''

# A revocation is noticed within a second; the rest is for a slow machine.
CLOSED_WITHIN_S = 2


def speak_back(_seen, connection):
    """An upgraded connection that says everything back."""
    connection.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    while (received := connection.recv(4096)):
        connection.sendall(received)


def stream_on(_seen, connection):
    """An answer without an end."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
    while True:
        connection.sendall(b'6\r\nevent\n\r\n')
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def endless(echo):
    echo.streams['/socket'] = speak_back
    echo.streams['/kept/socket'] = speak_back
    echo.streams['/stream'] = stream_on


def open_socket(gateway, tenant, session, path='/socket'):
    connection = gateway.connect()
    connection.send(http1.request(path, headers=UPGRADE + [('X-Tenant-ID', tenant), ('Cookie', session.cookie)]))
    answer = connection.read()
    return connection, answer.status


def is_alive(connection):
    connection.send(b'ping')
    try:
        return connection._exactly(4) == b'ping'
    except ConnectionError:
        return False


def test_an_upgrade_is_decided_before_it_is_made(start, echo, acme, globex):
    gateway = start(SERVER)
    assert open_socket(gateway, 'acme', globex)[1] == 401
    assert not echo.taken()
    connection, status = open_socket(gateway, 'acme', acme)
    assert status == 101 and is_alive(connection)
    assert echo.taken()[0].one('X-Tenant-ID') == 'acme'


def test_an_upgrade_from_another_origin_is_refused(start, echo, acme, globex):
    gateway = start(SERVER)
    headers = UPGRADE[:2] + [('Origin', 'https://evil.example')]
    assert gateway.ask('/socket', tenant='acme', session=acme, headers=headers).status == 403
    assert not echo.taken()


def test_a_websocket_ends_with_its_session(start, echo, home, acme, globex):
    gateway = start(SERVER)
    ended, _ = open_socket(gateway, 'acme', acme)
    stays, _ = open_socket(gateway, 'globex', globex)
    kept, _ = open_socket(gateway, 'acme', acme, '/kept/socket')
    time.sleep(1.2)
    assert is_alive(ended) and is_alive(stays) and is_alive(kept)
    home.revoke(acme)
    began = time.monotonic()
    assert ended.is_closed()
    assert time.monotonic() - began < CLOSED_WITHIN_S
    assert is_alive(stays) and is_alive(kept)


def test_a_stream_ends_with_its_session(start, echo, home, acme, globex):
    gateway = start(SERVER)
    connection = gateway.connect()
    connection.send(http1.request('/stream', headers=[('X-Tenant-ID', 'acme'), ('Cookie', acme.cookie)]))
    connection._until(b'event')
    home.revoke(acme)
    began = time.monotonic()
    with pytest.raises(ConnectionError):
        while time.monotonic() - began < 10:
            connection._until(b'event')
    assert time.monotonic() - began < CLOSED_WITHIN_S


def test_all_sessions_of_a_tenant_end_at_once(start, echo, home, globex):
    gateway = start(SERVER)
    first, second = home.session('acme', sub='one'), home.session('acme', sub='two')
    sockets = [open_socket(gateway, 'acme', session)[0] for session in (first, second)]
    other, _ = open_socket(gateway, 'globex', globex)
    home.run('session', 'revoke', 'acme', '--all', '--yes')
    assert all(connection.is_closed(CLOSED_WITHIN_S) for connection in sockets)
    assert is_alive(other)


ENDINGS = {'its user is logged out': ['session', 'revoke', 'acme', '--sub', 'carol', '--yes'],
           'its tenant is disabled': ['tenant', 'disable', 'acme', '--yes'],
           'its tenant is removed': ['tenant', 'remove', 'acme', '--yes'],
           'its life is over': None}


@pytest.mark.parametrize('act', ENDINGS.values(), ids=ENDINGS.keys())
def test_a_websocket_ends_however_its_session_does(start, echo, own_home, act):
    gateway = start(SERVER, on=own_home)
    other, _ = open_socket(gateway, 'globex', own_home.session('globex', sub='carol'))
    life = ['--ttl', '3'] if act is None else []
    ended, status = open_socket(gateway, 'acme', own_home.session('acme', *life, sub='carol'))
    assert status == 101 and is_alive(ended)
    if act:
        own_home.run(*act)
    assert ended.is_closed(CLOSED_WITHIN_S if act else 3 + CLOSED_WITHIN_S)
    assert is_alive(other)


def test_reload_leaves_sockets_and_still_watches_them(start, echo, home, acme, globex):
    gateway = start(SERVER)
    ended, _ = open_socket(gateway, 'acme', acme)
    stays, _ = open_socket(gateway, 'globex', globex)
    gateway.reload()
    assert is_alive(ended) and is_alive(stays)
    home.revoke(acme)
    assert ended.is_closed(CLOSED_WITHIN_S)
    assert is_alive(stays)
