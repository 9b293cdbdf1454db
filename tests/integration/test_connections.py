"""Connections that many requests share, and requests that are more than a header: nothing of one
request is seen in the next, and a refusal leaves the connection in order."""
import threading

import pytest

from harness import http1, http2
from harness.gateway import wait_until

ON = 'leasehold on; location / { proxy_pass $upstream; }'


def raw(tenant, session, path='/', **rest):
    return http1.request(path, headers=[('X-Tenant-ID', tenant), ('Cookie', session.cookie)], **rest)


def test_keep_alive_carries_nothing_over(start, echo, acme, globex):
    gateway = start(ON)
    connection = gateway.connect()
    for i in range(50):
        tenant, session = (('acme', acme), ('globex', globex))[i % 2]
        connection.send(raw(tenant, session, f'/{i}'))
        answer = connection.read()
        assert answer.json()['headers']['X-Tenant-ID'] == tenant
        connection.send(raw(tenant, (globex, acme)[i % 2], f'/wrong/{i}'))
        assert connection.read().status == 401
    assert not echo.taken('/wrong')
    assert len(echo.taken()) == 50


def test_pipelined_requests_are_decided_one_by_one(start, echo, acme, globex):
    gateway = start(ON)
    connection = gateway.connect()
    order = [('acme', acme, 200), ('globex', acme, 401), ('globex', globex, 200), ('acme', globex, 401)] * 8
    connection.send(b''.join(raw(tenant, session, f'/{i}') for i, (tenant, session, _) in enumerate(order)))
    for i, (tenant, _, status) in enumerate(order):
        answer = connection.read()
        assert answer.status == status
        if status == 200:
            assert answer.json()['path'] == f'/{i}'
            assert answer.json()['headers']['X-Tenant-ID'] == tenant


@pytest.mark.parametrize('method', ['POST', 'GET', 'HEAD', 'PUT'])
def test_the_body_of_a_refused_request_is_no_request(start, echo, acme, globex, method):
    gateway = start(ON)
    connection = gateway.connect()
    smuggled = raw('acme', acme, '/smuggled')
    connection.send(raw('acme', globex, '/refused', method=method, body=smuggled))
    assert connection.read(method).status == 401
    connection.send(raw('acme', acme, '/next'))
    assert connection.read().json()['path'] == '/next'
    assert not echo.taken('/smuggled') and not echo.taken('/refused')


def test_a_refused_chunked_body_is_drained_too(start, echo, acme, globex):
    gateway = start(ON)
    connection = gateway.connect()
    head = http1.request('/refused', 'POST', headers=[('X-Tenant-ID', 'acme'), ('Cookie', globex.cookie),
                                                      ('Transfer-Encoding', 'chunked')])
    smuggled = raw('acme', acme, '/smuggled')
    connection.send(head + f'{len(smuggled):x}\r\n'.encode() + smuggled + b'\r\n0\r\n\r\n')
    assert connection.read('POST').status == 401
    connection.send(raw('acme', acme, '/next'))
    assert connection.read().json()['path'] == '/next'
    assert not echo.taken('/smuggled')


ERROR_PAGES = {'a named location': 'error_page 401 = @off;', 'a named location upstream': 'error_page 401 @upstream;',
               'a redirect': 'error_page 401 =302 http://elsewhere.example/;', 'a page': 'error_page 401 /page;',
               'a place': 'error_page 401 http://elsewhere.example/;', 'signing in': 'leasehold_signin /signin;'}


@pytest.mark.parametrize('page', ERROR_PAGES.values(), ids=ERROR_PAGES.keys())
@pytest.mark.parametrize('method', ['POST', 'GET'])
def test_an_error_page_makes_no_request_of_a_body(start, echo, acme, globex, page, method):
    gateway = start(f'''leasehold on; location /refused {{ {page} proxy_pass $upstream; }}
        location / {{ proxy_pass $upstream; }}
        location = /page {{ leasehold off; return 200 page; }}
        location @off {{ leasehold off; return 200 off; }}
        location @upstream {{ leasehold off; proxy_pass $upstream; }}''')
    smuggled = raw('acme', acme, '/smuggled')
    headers = [('X-Tenant-ID', 'acme'), ('Cookie', globex.cookie), ('Sec-Fetch-Mode', 'navigate')]
    chunked = b'%x\r\n%s\r\n0\r\n\r\n' % (len(smuggled), smuggled)
    for request in (http1.request('/refused', method, headers=headers, body=smuggled),
                    http1.request('/refused', method, headers=headers + [('Transfer-Encoding', 'chunked')]) + chunked):
        connection = gateway.connect()
        connection.send(request)
        assert connection.read(method).status in (200, 302, 401)
        connection.send(raw('globex', globex, '/next'))
        assert connection.read().json()['path'] == '/next'
    assert not echo.taken('/smuggled') and len(echo.taken('/next')) == 2
    assert all('x-session-subject' not in seen.folded() for seen in echo.taken('/refused'))


def test_expect_continue_is_not_asked_for_when_refused(start, echo, acme, globex):
    gateway = start(ON)
    connection = gateway.connect()
    connection.send(http1.request('/x', 'POST', headers=[('X-Tenant-ID', 'acme'), ('Expect', '100-continue'),
                                                         ('Content-Length', '10')]))
    head = connection._until(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 401')
    assert not echo.taken()


def test_a_large_body_passes_and_is_refused(start, echo, acme, globex):
    gateway = start('leasehold on; client_max_body_size 16m; location / { proxy_pass $upstream; }')
    body = bytes(range(256)) * 8192 * 2
    headers = [('Sec-Fetch-Site', 'same-origin')]
    assert gateway.ask(method='PUT', tenant='acme', session=acme, body=body, headers=headers).status == 200
    seen, = echo.taken()
    assert seen.body == body and seen.one('X-Tenant-ID') == 'acme'
    connection = gateway.connect()
    request = raw('acme', globex, method='PUT', body=body)

    def send():
        try:
            connection.send(request)
        except OSError:
            pass  # the answer may come, and the connection end, before all is sent

    sender = threading.Thread(target=send)
    sender.start()
    assert connection.read('PUT').status == 401
    sender.join()
    assert len(echo.taken()) == 1


def test_a_hundred_streams_of_two_tenants(start, echo, acme, globex):
    gateway = start(ON, listen='http2', workers=1)
    client = http2.Connection(gateway.port, gateway.seen)
    gateway.connections.append(client)
    streams = []
    for i in range(100):
        tenant, session = (('acme', acme), ('globex', globex))[i % 2]
        other = (globex, acme)[i % 2]
        headers = [('x-tenant-id', tenant), ('x-session-subject', 'forged')]
        streams.append((client.request(f'/{i}', headers=headers + [('cookie', session.cookie)]), tenant))
        streams.append((client.request(f'/no/{i}', headers=headers + [('cookie', other.cookie)]), None))
    for stream, tenant in streams:
        answer = client.wait(stream)
        if tenant is None:
            assert answer.status == 401
        else:
            assert answer.status == 200
            assert answer.json()['headers']['X-Tenant-ID'] == tenant
    assert len(echo.taken()) == 100 and not echo.taken('/no')
    assert all('forged' not in str(seen.headers) for seen in echo.taken())


KEPT = 'upstream kept { server 127.0.0.1:$echo_port; keepalive 1; }'
OVER_KEPT = '''leasehold on; proxy_http_version 1.1; proxy_set_header Connection "";
    location / { proxy_pass http://kept; }'''


def test_frames_of_two_tenants_between_each_other(start, echo, acme, globex):
    """Heads and bodies in another order for each of four streams, over one connection to the upstream."""
    gateway = start(OVER_KEPT, http=KEPT.replace('$echo_port', str(echo.port)), listen='http2')
    client = http2.Raw(gateway.port, gateway.seen)
    gateway.connections.append(client)
    streams = [('acme', acme, '200'), ('globex', globex, '200'), ('acme', globex, '401'), ('globex', acme, '401')]
    for first in range(1, 161, 8):
        for i, (tenant, session, _) in enumerate(streams):
            client.headers(first + 2 * i, [
                (':method', 'POST'), (':scheme', 'http'), (':authority', f'{tenant}.localtest.example'), (':path', f'/{i}'),
                ('cookie', session.plain), ('sec-fetch-site', 'same-origin')], end_stream=False)
        for i, is_last in ((3, False), (1, False), (0, False), (2, False), (1, True), (2, True), (0, True), (3, True)):
            client.body(first + 2 * i, b'%d' % i, end_stream=is_last)
        answers = client.answers({first + 2 * i for i in range(4)})
        assert [answers[first + 2 * i] for i in range(4)] == [status for _, _, status in streams]
    assert len(echo.taken()) == 40
    assert {(seen.path, seen.one('X-Tenant-ID'), seen.one('X-Session-Subject'), seen.body) for seen in echo.taken()} \
        == {('/0', 'acme', 'alice@acme.example', b'00'), ('/1', 'globex', 'bob@globex.example', b'11')}


def test_a_kept_connection_to_the_upstream_carries_nothing_over(start, echo, acme, globex):
    """Pipelined by one client, and handed on one behind the other over the same connection."""
    gateway = start(OVER_KEPT, http=KEPT.replace('$echo_port', str(echo.port)))
    connection = gateway.connect()
    order = [('acme', acme, 200), ('globex', globex, 200), ('globex', acme, 401), ('acme', acme, 200), ('acme', globex, 401)] * 6
    connection.send(b''.join(raw(tenant, session, f'/{i}') for i, (tenant, session, _) in enumerate(order)))
    for i, (tenant, session, status) in enumerate(order):
        answer = connection.read()
        assert answer.status == status
        if status == 200:
            told = answer.json()
            assert (told['path'], told['headers']['X-Tenant-ID'], told['headers']['X-Session-Ref']) \
                == (f'/{i}', tenant, session.reference)
    assert len(echo.connections) == 1


def test_http2_names_the_tenant_by_authority(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    client = http2.Connection(gateway.port, gateway.seen)
    gateway.connections.append(client)
    for tenant, session in (('acme', acme), ('globex', globex)):
        stream = client.request('/', f'{tenant}.localtest.example', headers=[('cookie', session.plain)])
        assert client.wait(stream).json()['headers']['X-Tenant-ID'] == tenant


def test_http2_cookie_crumbs_are_one_cookie_header(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    client = http2.Raw(gateway.port, gateway.seen)
    gateway.connections.append(client)
    base = [(':method', 'GET'), (':scheme', 'http'), (':authority', 'acme.localtest.example'), (':path', '/')]
    client.headers(1, base + [('cookie', 'a=1'), ('cookie', acme.cookie), ('cookie', 'b=2')])
    assert client.answer(1) == 200
    client.headers(3, base + [('cookie', acme.cookie), ('cookie', acme.cookie)])
    assert client.answer(3) == 400
    client.headers(5, base + [('cookie', acme.cookie), ('cookie', globex.plain)])
    assert client.answer(5) == 401
    seen, = echo.taken()
    assert seen.all('Cookie') == ['a=1; b=2']


def test_http2_repeated_and_malformed_tenants(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    base = [(':method', 'GET'), (':scheme', 'http'), (':authority', '127.0.0.1'), (':path', '/'),
            ('cookie', acme.cookie)]
    for fields in ([('x-tenant-id', 'acme'), ('x-tenant-id', 'acme')],
                   [('x-tenant-id', 'acme'), ('x-tenant-id', 'globex')],
                   [('X-Tenant-ID', 'acme')],
                   [('x-tenant-id', 'acme,globex')],
                   [('x-tenant-id', 'ac\x00me')]):
        client = http2.Raw(gateway.port, gateway.seen)
        gateway.connections.append(client)
        client.headers(1, base + fields)
        assert client.answer(1) in (0, 400)
    assert not echo.taken()


def test_http2_body_of_a_refused_stream(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    client = http2.Connection(gateway.port, gateway.seen)
    gateway.connections.append(client)
    headers = [('x-tenant-id', 'acme'), ('sec-fetch-site', 'same-origin')]
    refused = client.request('/no', method='POST', headers=headers + [('cookie', globex.cookie)], body=b'x' * 9000)
    passed = client.request('/yes', method='POST', headers=headers + [('cookie', acme.cookie)], body=b'y' * 9000)
    assert client.wait(refused).status == 401 and client.wait(passed).status == 200
    seen, = echo.taken()
    assert seen.body == b'y' * 9000


def test_clients_that_leave_at_once(start, echo, acme, globex):
    gateway = start(ON, workers=1)
    for i in range(100):
        connection = http1.Connection(gateway.port)
        connection.send(raw('acme', acme, '/', )[:20 + i])
        connection.close()
        connection = http1.Connection(gateway.port)
        connection.send(raw('acme', (acme, globex)[i % 2]))
        connection.close()
    assert gateway.ask(tenant='globex', session=globex).status == 200


def test_streams_that_are_reset_at_once(start, echo, acme, globex):
    gateway = start(ON, listen='http2', workers=1)
    client = http2.Connection(gateway.port, gateway.seen)
    gateway.connections.append(client)
    for i in range(100):
        stream = client.request('/', headers=[('x-tenant-id', 'acme'), ('cookie', acme.cookie)])
        if i % 2:
            client.flush()
        client.reset(stream)
    stream = client.request('/last', headers=[('x-tenant-id', 'globex'), ('cookie', globex.cookie)])
    assert client.wait(stream).status == 200


def test_reload_keeps_what_runs_and_the_sessions(start, echo, home, acme, globex):
    gateway = start(ON, workers=2)
    kept = gateway.connect()
    kept.send(raw('acme', acme))
    assert kept.read().status == 200
    gateway.reload()
    assert gateway.ask(tenant='acme', session=acme).status == 200
    home.revoke(acme)
    assert gateway.ask(tenant='acme', session=acme).status == 401
    assert gateway.ask(tenant='globex', session=globex).status == 200


def test_hosts_that_are_none_never_reach_the_upstream(start, echo, acme, globex):
    gateway = start(ON)
    for host in ('acme.localtest.example@globex.localtest.example', 'evillocaltest.example',
                 'x.acme.localtest.example', 'localtest.example', '127.0.0.1', '[::1]', 'acme.localtest.example.evil.com',
                 'acme%2elocaltest.example', 'acme_localtest.example', '.localtest.example'):
        answer = gateway.ask(host=host, session=acme)
        assert answer.status in (400, 401, 421), host
    assert not echo.taken()


def test_hosts_that_mean_the_tenant(start, echo, acme, globex):
    gateway = start(ON)
    for host in ('acme.localtest.example', 'ACME.localtest.EXAMPLE', 'acme.localtest.example.',
                 'acme.localtest.example:8080'):
        assert gateway.ask(host=host, session=acme).status == 200, host
        assert gateway.ask(host=host, session=globex).status == 401, host
    assert [seen.one('X-Tenant-ID') for seen in echo.taken()] == ['acme'] * 4


def test_an_absolute_target_is_the_one_source_of_the_host(start, echo, acme, globex):
    gateway = start('leasehold on; location / { proxy_pass $upstream; proxy_set_header Host $host; }')
    connection = gateway.connect()
    connection.send(http1.request('http://globex.localtest.example/x', host='acme.localtest.example',
                                  headers=[('Cookie', globex.plain)]))
    assert connection.read().status == 200
    connection.send(http1.request('http://globex.localtest.example/x', host='acme.localtest.example',
                                  headers=[('Cookie', acme.plain)]))
    assert connection.read().status == 401
    seen, = echo.taken()
    assert seen.one('Host') == 'globex.localtest.example' and seen.one('X-Tenant-ID') == 'globex'


def test_many_connections_at_once(start, echo, acme, globex):
    gateway = start(ON, workers=4)
    wrong = []

    def ask(tenant, session, status):
        for _ in range(20):
            if gateway.ask(tenant=tenant, session=session).status != status:
                wrong.append((tenant, session.tenant))

    threads = [threading.Thread(target=ask, args=arguments) for arguments in
               (('acme', acme, 200), ('globex', globex, 200), ('acme', globex, 401), ('globex', acme, 401)) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    wait_until(lambda: len(echo.taken()) == 120, 'all of them passed on')
    assert {(seen.one('X-Tenant-ID'), seen.one('X-Session-Subject')) for seen in echo.taken()} \
        == {('acme', 'alice@acme.example'), ('globex', 'bob@globex.example')}
