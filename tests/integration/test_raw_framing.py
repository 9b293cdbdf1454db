"""Requests whose end can be read in more than one way: each is refused, or reaches the upstream as
exactly one request, and as many requests reach it as were accepted by the gate."""
import json

import pytest

from harness import framings, http1
from harness.echo import Echo
from harness.framings import REFUSED
from harness.gateway import Gateway, wait_until
from harness.home import worker_user

# The second location hands bodies on as they come, over connections that many requests share: there
# a byte too many would be the next request.
SERVER = '''leasehold on; client_header_timeout 20s; client_body_timeout 20s;
    location / { proxy_pass $upstream; }
    location /streamed/ { proxy_pass http://shared/; proxy_http_version 1.1; proxy_request_buffering off;
                          proxy_set_header Connection ""; }'''
HTTP = 'upstream shared { server 127.0.0.1:$echo_port; keepalive 4; }'

HOST = 'acme.localtest.example'
PREFIXES = ['/', '/streamed/']


class Bench:
    """A gateway for all inputs of this file, and what came of one of them."""

    def __init__(self, home):
        self.echo = Echo()
        http = HTTP.replace('$echo_port', str(self.echo.port))
        self.gateway = Gateway(home, self.echo, SERVER, http=http, user=worker_user()).start()
        self.acme = home.session('acme')
        self.globex = home.session('globex')
        self.lines_before = 0

    def begin(self):
        self.echo.forget()
        self.lines_before = len(self._lines())
        return self.gateway.connect()

    def _lines(self):
        return self.gateway._access_lines()

    def decisions(self, lines):
        """The decisions since begin, once the log has so many lines more."""
        wait_until(lambda: len(self._lines()) - self.lines_before >= lines, f'{lines} lines in the access log')
        return [json.loads(line)['decision'] for line in self._lines()[self.lines_before:]]

    def assert_counts(self, lines):
        accepted = [decision for decision in self.decisions(lines) if decision == 'pass']
        assert len(accepted) == len(self.echo.taken())
        assert not self.echo.taken('/smuggled')


@pytest.fixture(scope='module')
def bench(shared_home):
    bench = Bench(shared_home)
    yield bench
    bench.gateway.finish()
    bench.echo.close()


def headers_of(session):
    return [('Cookie', session.plain), ('Sec-Fetch-Site', 'same-origin')]


def framed(framing, session, prefix):
    return framing.request(HOST, headers_of(session)).replace(b' /framed', b' ' + prefix.encode() + b'framed')


def named(table):
    return [pytest.param(framing, id=framing.name) for framing in table]


def assert_in_step(bench, connection, session):
    """The connection stands between two requests: the next one is read as it was sent."""
    connection.send(http1.request('/next', host=HOST, headers=headers_of(session)))
    answer = connection.read()
    if session is bench.acme:
        assert answer.status == 200 and answer.json()['path'] == '/next'
    else:
        assert answer.status == 401


@pytest.mark.parametrize('prefix', PREFIXES)
@pytest.mark.parametrize('framing', named(framings.DISAGREEING + framings.LENGTHS + framings.CHUNKS + framings.HEADS))
def test_what_has_two_meanings_is_refused_and_closed(bench, framing, prefix):
    connection = bench.begin()
    assert framing.becomes is REFUSED
    connection.send(framed(framing, bench.acme, prefix))
    answer = connection.read('POST')
    assert answer.status in (400, 405, 413, 501, 505), answer
    assert connection.is_closed()
    assert not bench.echo.taken()


@pytest.mark.parametrize('prefix', PREFIXES)
@pytest.mark.parametrize('framing', named(framings.SOUND))
def test_what_has_one_meaning_is_one_request(bench, framing, prefix):
    connection = bench.begin()
    connection.send(framed(framing, bench.acme, prefix))
    answer = connection.read()
    assert answer.status == 200, answer
    assert_in_step(bench, connection, bench.acme)
    bench.assert_counts(2)
    assert [seen.body for seen in bench.echo.taken()] == framing.becomes + [b'']


@pytest.mark.parametrize('framing', named(framings.SOUND))
def test_a_refused_request_of_one_meaning_is_read_to_its_end(bench, framing):
    connection = bench.begin()
    connection.send(framed(framing, bench.globex, '/'))
    assert connection.read().status == 401
    assert_in_step(bench, connection, bench.globex)
    bench.assert_counts(2)
    assert not bench.echo.taken()


@pytest.mark.parametrize('prefix', PREFIXES)
@pytest.mark.parametrize('framing', named(framings.FOLLOWED))
def test_a_request_behind_another_is_decided_by_itself(bench, framing, prefix):
    connection = bench.begin()
    connection.send(framed(framing, bench.acme, prefix))
    assert connection.read().status == 200
    assert connection.read().status == 401
    assert_in_step(bench, connection, bench.acme)
    bench.assert_counts(3)
    assert bench.decisions(3) == ['pass', 'refuse', 'pass']
    assert [seen.body for seen in bench.echo.taken()] == framing.becomes + [b'']


@pytest.mark.parametrize('prefix', PREFIXES)
@pytest.mark.parametrize('expect', ['100-continue', '100-CONTINUE', 'y', '', '100-continue, 100-continue', '100'])
def test_expectations_change_no_count(bench, expect, prefix):
    """Whatever is expected, and whether or not the client waits: one request, or one refusal."""
    body = framings.SMUGGLED
    head = framings.Framing('', [f'Expect: {expect}'.encode(), framings.length(b'%d' % len(body))])
    connection = bench.begin()
    connection.send(framed(head, bench.acme, prefix))
    if expect.lower() == '100-continue':
        assert connection._until(b'\r\n\r\n') == b'HTTP/1.1 100 Continue'
    connection.send(body)
    assert connection.read().status == 200
    connection.send(framed(head, bench.globex, prefix) + body)
    assert connection.read().status == 401
    assert_in_step(bench, connection, bench.acme)
    bench.assert_counts(3)
    assert [seen.body for seen in bench.echo.taken()] == [body, b'']


@pytest.mark.parametrize('lines', [[framings.length(b'0')], [], [framings.CHUNKED]], ids=['length', 'none', 'chunked'])
def test_an_expectation_without_a_body_hides_no_request(bench, lines):
    body = framings.END if framings.CHUNKED in lines else b''
    framing = framings.Framing('', [b'Expect: 100-continue'] + lines, body + framings.SMUGGLED)
    connection = bench.begin()
    connection.send(framed(framing, bench.acme, '/'))
    assert connection.read().status == 200
    assert connection.read().status == 401
    bench.assert_counts(2)


def test_a_client_that_waits_for_a_refusal_is_not_asked_for_its_body(bench):
    framing = framings.Framing('', [b'Expect: 100-continue', framings.length(b'4')])
    connection = bench.begin()
    connection.send(framed(framing, bench.globex, '/'))
    assert connection._until(b'\r\n\r\n').startswith(b'HTTP/1.1 401')


@pytest.mark.parametrize('step', [1, 7])
def test_a_request_that_comes_byte_by_byte_is_one_request(bench, step):
    framing = framings.Framing('', [framings.CHUNKED], framings.HIDDEN)
    connection = bench.begin()
    whole = framed(framing, bench.acme, '/streamed/')
    for start in range(0, len(whole), step):
        connection.send(whole[start:start + step])
    assert connection.read().status == 200
    assert_in_step(bench, connection, bench.acme)
    bench.assert_counts(2)
    assert bench.echo.taken()[0].body == framings.SMUGGLED


@pytest.mark.parametrize('prefix', PREFIXES)
def test_a_body_that_ends_early_is_no_second_request(bench, prefix):
    framing = framings.Framing('', [framings.length(b'500')], framings.SMUGGLED)
    for session in (bench.acme, bench.globex):
        connection = bench.begin()
        connection.send(framed(framing, session, prefix))
        connection.close()
    connection = bench.begin()
    assert_in_step(bench, connection, bench.acme)
    assert not bench.echo.taken('/smuggled')
