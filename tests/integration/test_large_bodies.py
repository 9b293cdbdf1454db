"""Bodies that fit into no buffer: they arrive unharmed however they are sent and passed on, and those of
refused requests are answered at once and reach nobody."""
import hashlib
import random
import threading

import pytest

from harness import http1, http2

MIB = 1024 * 1024
CHUNK = 100_003

SERVER = '''leasehold on; client_max_body_size 0; proxy_http_version 1.1;
    location /held { proxy_pass $upstream; }
    location /passed { proxy_request_buffering off; proxy_pass $upstream; }
    location /limited { client_max_body_size 8m; proxy_pass $upstream; }
    location /limited-passed { client_max_body_size 8m; proxy_request_buffering off; proxy_pass $upstream; }'''


def make_body(size):
    """No part of it is like another."""
    return random.Random(size).randbytes(size)


def digest(body):
    return hashlib.sha256(body).hexdigest()


def in_chunks(body):
    for start in range(0, len(body), CHUNK):
        part = body[start:start + CHUNK]
        yield b'%x\r\n%b\r\n' % (len(part), part)
    yield b'0\r\n\r\n'


def headers_of(tenant, session):
    return [('X-Tenant-ID', tenant), ('Cookie', session.cookie), ('Sec-Fetch-Site', 'same-origin')]


class Plain:
    """HTTP/1.1, the body's length in the head."""

    listen = ''

    def __init__(self, gateway):
        self.connection = gateway.connect()

    def head(self, path, headers, body):
        return http1.request(path, 'POST', headers=[*headers, ('Content-Length', len(body))])

    def parts(self, body):
        yield body

    def upload(self, path, tenant, session, body):
        """The answer, which may come before all is sent."""
        self.connection.send(self.head(path, headers_of(tenant, session), body))
        sender = threading.Thread(target=self._send, args=(body,))
        sender.start()
        answer = self.connection.read('POST')
        sender.join()
        return answer

    def _send(self, body):
        try:
            for part in self.parts(body):
                self.connection.send(part)
        except OSError:
            pass  # of a refused one nginx reads only so much


class Chunked(Plain):
    """HTTP/1.1 without a word of the length."""

    def head(self, path, headers, body):
        return http1.request(path, 'POST', headers=[*headers, ('Transfer-Encoding', 'chunked')])

    def parts(self, body):
        return in_chunks(body)


class Framed:
    """HTTP/2."""

    listen = 'http2'

    def __init__(self, gateway):
        self.connection = http2.Connection(gateway.port, gateway.seen)
        gateway.connections.append(self.connection)

    def upload(self, path, tenant, session, body):
        headers = [(name.lower(), value) for name, value in headers_of(tenant, session)]
        stream = self.connection.request(path, method='POST', headers=headers, is_whole=False)
        self.connection.upload(stream, body)
        return self.connection.wait(stream)


WAYS = {'length': Plain, 'chunked': Chunked, 'http2': Framed}
ways = pytest.mark.parametrize('way', WAYS.values(), ids=WAYS.keys())


@ways
@pytest.mark.parametrize('path', ['/held', '/passed'])
@pytest.mark.parametrize('size', [8 * MIB + 1, 64 * MIB])
def test_large_body__arrives_unharmed(start, echo, acme, globex, way, path, size):
    gateway = start(SERVER, listen=way.listen)
    body = make_body(size)
    answer = way(gateway).upload(path, 'acme', acme, body)
    assert answer.status == 200 and answer.json()['headers']['X-Tenant-ID'] == 'acme'
    seen, = echo.taken()
    assert len(seen.body) == size and digest(seen.body) == digest(body)
    assert seen.one('X-Session-Subject') == 'alice@acme.example'


@ways
@pytest.mark.parametrize('path', ['/held', '/passed'])
def test_large_body__of_a_refused_request_reaches_nobody(start, echo, acme, globex, way, path):
    """Not even a connection is made to the upstream; what is sent on is no request."""
    gateway = start(SERVER, listen=way.listen)
    smuggled = http1.request('/smuggled', headers=headers_of('acme', acme))
    body = smuggled * (16 * MIB // len(smuggled))
    for tenant, session in (('acme', globex), ('globex', acme)):
        assert way(gateway).upload(path, tenant, session, body).status == 401
    assert [line['status'] for line in gateway.decisions(2)] == [401, 401]
    assert echo.accepted == 0


@pytest.mark.parametrize('way', [Plain, Chunked], ids=['length', 'chunked'])
@pytest.mark.parametrize('path', ['/held', '/passed'])
def test_large_body__is_not_waited_for_to_refuse(start, echo, acme, globex, way, path):
    gateway = start(SERVER)
    client = way(gateway)
    client.connection.send(client.head(path, headers_of('acme', globex), bytes(64 * MIB)))
    assert client.connection.read('POST').status == 401
    assert echo.accepted == 0


def test_large_body__of_a_refused_stream_takes_no_room_from_the_next(start, echo, acme, globex):
    gateway = start(SERVER, listen='http2')
    client = Framed(gateway)
    body = make_body(8 * MIB)
    for _ in range(3):
        assert client.upload('/passed', 'acme', globex, body).status == 401
        assert client.upload('/passed', 'acme', acme, body).status == 200
    assert [digest(seen.body) for seen in echo.taken()] == [digest(body)] * 3


@ways
@pytest.mark.parametrize('path', ['/limited', '/limited-passed'])
def test_large_body__over_the_limit_is_413_and_not_passed_on(start, echo, acme, globex, way, path):
    gateway = start(SERVER, listen=way.listen)
    assert way(gateway).upload(path, 'acme', acme, make_body(9 * MIB)).status == 413
    assert way(gateway).upload(path, 'acme', globex, make_body(9 * MIB)).status in (401, 413)
    assert not echo.taken()
    assert way(gateway).upload(path, 'globex', globex, make_body(7 * MIB)).status == 200


def test_large_body__a_client_that_leaves_in_it_harms_nobody(start, echo, acme, globex):
    gateway = start(SERVER)
    body = make_body(8 * MIB)
    for path in ('/held', '/passed'):
        for way in (Plain, Chunked):
            client = way(gateway)
            client.connection.send(client.head(path, headers_of('acme', acme), body) + next(iter(client.parts(body)))[:MIB])
            client.connection.close()
    answer = Plain(gateway).upload('/passed', 'globex', globex, body)
    assert answer.status == 200
    seen, = echo.taken()
    assert seen.one('X-Tenant-ID') == 'globex' and digest(seen.body) == digest(body)
