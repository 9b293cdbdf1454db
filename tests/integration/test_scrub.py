"""What a client sends under a managed name never reaches an upstream, on no location and in no
spelling."""
import pytest

from harness.gateway import BASE_DOMAIN

MANAGED = ['X-Tenant-ID', 'X-Tenant-UID', 'X-Tenant-Context', 'X-Tenant-Anything', 'X-Session-Ref',
           'X-Session-Subject', 'X-Session-Scope', 'X-Session-Mode', 'X-Session-State',
           'X-Session-Whatever', 'X-User-ID', 'X-Groups', 'X-Request-ID', 'traceparent', 'tracestate']

FORGED = 'forged'

OFF = 'underscores_in_headers on; ignore_invalid_headers off; location / { proxy_pass $upstream; }'


def spellings(name):
    yield name
    yield name.upper()
    yield name.lower()
    yield name.replace('-', '_')
    yield name.replace('-', '_', 1)
    yield name.upper().replace('-', '_')
    yield name.replace('-', '.')
    yield name.replace('-', '[')
    yield name.replace('-', '~', 1)


def assert_nothing_forged(echo, count):
    requests = echo.taken()
    assert len(requests) == count
    for seen in requests:
        for name, values in seen.folded().items():
            assert FORGED not in values, (name, seen)


def test_every_spelling_is_removed_where_leasehold_is_off(start, echo, acme, globex):
    gateway = start(OFF)
    names = [spelling for name in MANAGED for spelling in spellings(name)]
    for name in names:
        assert gateway.ask(headers=[(name, FORGED), ('X-Other', 'stays')]).status == 200
    assert_nothing_forged(echo, len(names))
    assert all(seen.all('X-Other') == ['stays'] for seen in echo.taken())


def test_every_spelling_is_removed_where_leasehold_is_on(start, echo, acme, globex):
    gateway = start('leasehold on; ' + OFF.replace('{', f'{{ leasehold_tenant_from subdomain {BASE_DOMAIN};'))
    names = [spelling for name in MANAGED for spelling in spellings(name)]
    for name in names:
        gateway.ask_host('acme', session=acme, headers=[(name, FORGED)])
    assert_nothing_forged(echo, len(names))
    for seen in echo.taken():
        assert seen.folded()['x-tenant-id'] == ['acme']
        assert seen.folded()['x-session-subject'] == ['alice@acme.example']


@pytest.mark.parametrize('method', ['GET', 'POST', 'OPTIONS', 'HEAD', 'PUT'])
def test_off_location_is_scrubbed_for_every_method(start, echo, acme, globex, method):
    gateway = start('leasehold on; location / { leasehold off; proxy_pass $upstream; }')
    answer = gateway.ask(method=method, headers=[(name, FORGED) for name in MANAGED], tenant='globex')
    assert answer.status == 200
    seen, = echo.taken()
    # The gateway's own trace goes on; nothing of what the client sent is in it.
    assert {name.lower() for name, _ in seen.headers} <= {'host', 'connection', 'x-request-id', 'traceparent'}
    assert not any(FORGED in value for _, value in seen.headers)


@pytest.mark.parametrize('position', range(0, 45, 4))
def test_position_in_the_list_does_not_matter(start, echo, acme, globex, position):
    """nginx keeps headers in parts of 20; the forged ones stand first, last, alone, at the borders."""
    gateway = start(OFF)
    for run in (1, 2, 21):
        echo.forget()
        headers = [(f'X-Plain-{i}', str(i)) for i in range(40)]
        headers[position:position] = [('X-Session-Subject', FORGED)] * run
        assert gateway.ask(headers=headers).status == 200
        seen, = echo.taken()
        assert [seen.one(f'X-Plain-{i}') for i in range(40)] == [str(i) for i in range(40)]
        assert 'x-session-subject' not in seen.folded()


def test_nothing_but_forged_headers(start, echo, acme, globex):
    gateway = start(OFF)
    assert gateway.ask(host=None, version='1.0', headers=[('X-Groups', FORGED)] * 50).status == 200
    assert_nothing_forged(echo, 1)


def test_an_absent_value_is_not_taken_from_the_client(gateway, echo, acme, globex):
    """globex' session has no scope: the client's own may not stand in for it."""
    answer = gateway.ask(tenant='globex', session=globex,
                         headers=[('X-Session-Scope', 'everything'), ('X-Groups', 'admins')])
    assert answer.status == 200
    seen, = echo.taken()
    assert 'everything' not in str(seen.headers) and seen.one('X-Groups') is None


def test_a_refused_soft_failure_never_passes_bare(start, echo, acme, globex):
    gateway = start('leasehold optional; location / { proxy_pass $upstream; }')
    answer = gateway.ask_host('acme', headers=[('Cookie', '__Host-lh=%%%'), ('X-Session-Subject', FORGED)])
    assert answer.status == 401
    assert not echo.taken()


def test_hop_by_hop_does_not_drop_what_is_injected(start, echo, acme, globex):
    gateway = start('''leasehold on; proxy_http_version 1.1;
        location / { proxy_pass $upstream; proxy_set_header Connection $http_connection; }''')
    for tokens in ('X-Tenant-ID', 'x-tenant-uid, X_Session_Subject', 'upgrade, X-Tenant-Context'):
        assert gateway.ask(tenant='acme', session=acme, headers=[('Connection', tokens)]).status == 200
    for seen in echo.taken():
        assert seen.one('X-Tenant-ID') == 'acme' and seen.one('X-Session-Subject')
        assert 'tenant' not in (seen.one('Connection') or '').lower()
        assert 'session' not in (seen.one('Connection') or '').lower()
    assert echo.taken()[2].one('Connection') == 'upgrade'


STREAMED = 'proxy_request_buffering off; proxy_http_version 1.1;'


@pytest.mark.parametrize('how', ['', STREAMED], ids=['buffered', 'streamed'])
def test_trailers_are_no_headers(start, echo, acme, globex, how):
    gateway = start(f'leasehold on; {how} location / {{ proxy_pass $upstream; }}')
    with gateway.connect() as connection:
        connection.send(b'POST / HTTP/1.1\r\nHost: acme.localtest.example\r\nTransfer-Encoding: chunked\r\n'
                        b'Sec-Fetch-Site: same-origin\r\nCookie: ' + acme.cookie.encode() + b'\r\n'
                        b'Trailer: X-Tenant-ID\r\n\r\n3\r\nabc\r\n0\r\nX-Tenant-ID: globex\r\n'
                        b'X-Session-Subject: root\r\n\r\n')
        assert connection.read('POST').status == 200
    seen, = echo.taken()
    assert seen.body == b'abc' and seen.one('X-Tenant-ID') == 'acme'
    assert seen.one('X-Session-Subject') == 'alice@acme.example'


def test_two_tenant_headers_are_refused(gateway, echo, acme, globex):
    for first, second in (('acme', 'acme'), ('acme', 'globex'), ('globex', 'acme')):
        answer = gateway.ask(headers=[('X-Tenant-ID', first), ('X-Tenant-ID', second),
                                      ('Cookie', acme.cookie)])
        assert answer.status == 400
    assert not echo.taken()


def test_scrub_off_gives_the_request_as_it_came(start, echo, acme, globex):
    gateway = start('''leasehold on;
        location /service { leasehold off; leasehold_scrub off; proxy_pass $upstream; }
        location / { proxy_pass $upstream; }''')
    sent = [('X-Session-Subject', FORGED), ('Cookie', f'a=1; {acme.cookie}'), ('X-Tenant-ID', 'acme')]
    assert gateway.ask('/service', headers=sent).status == 200
    assert gateway.ask('/else', headers=sent).status == 200
    raw, decided = echo.taken()
    assert raw.one('X-Session-Subject') == FORGED and raw.one('Cookie') == f'a=1; {acme.cookie}'
    assert raw.one('X-Tenant-ID') == 'acme'
    assert decided.one('X-Session-Subject') == 'alice@acme.example' and decided.one('Cookie') == 'a=1'


def test_the_session_cookie_does_not_reach_an_off_location(start, echo, acme, globex):
    gateway = start('location / { leasehold off; proxy_pass $upstream; }')
    gateway.ask(headers=[('Cookie', f'x=1; {acme.cookie}; {globex.plain}')])
    gateway.ask(headers=[('Cookie', acme.cookie)])
    mixed, alone = echo.taken()
    assert mixed.one('Cookie') == 'x=1' and alone.one('Cookie') is None


def test_a_cookie_variable_read_early_holds_no_session(start, echo, acme, globex):
    gateway = start('''leasehold on; set $early "";
        if ($http_cookie ~ "x=1") { set $early yes; }
        location / { proxy_pass $upstream; proxy_set_header X-Early $early;
                     proxy_set_header X-Cookie $http_cookie; }''')
    answer = gateway.ask(tenant='acme', headers=[('Cookie', f'x=1; {acme.cookie}')])
    assert answer.status == 200
    seen, = echo.taken()
    assert seen.one('X-Early') == 'yes' and seen.one('X-Cookie') == 'x=1'


def test_upstream_cannot_set_a_session_cookie(start, echo, acme, globex):
    from harness.echo import answer
    echo.routes['/set'] = lambda seen: answer(headers=[
        ('Set-Cookie', '__Host-lh=stolen; Path=/; Secure'), ('Set-Cookie', 'theirs=1'),
        ('Set-Cookie', '__host-LH-12345678=x'), ('Set-Cookie', '=__Host-lh=nameless')])
    gateway = start('''leasehold on; location / { proxy_pass $upstream; }
        location /set/off { leasehold off; proxy_pass $upstream; }''')
    gateway.may_set_cookies = True
    assert gateway.ask('/set', tenant='acme', session=acme).all('Set-Cookie') == ['theirs=1']
    assert gateway.ask('/set/off').all('Set-Cookie') == ['theirs=1']
    assert 'upstream tried to set a session cookie' in gateway.log_text()
