"""HTTP/2 as frames by hand: what the protocol forbids ends a stream or the connection, and nothing of
it becomes a header of the HTTP/1.1 request behind."""

import hyperframe.frame as frames
import pytest

from harness import http1, http2, tls
from harness.gateway import BASE_DOMAIN
from harness.standing import acme, echo, file_echo, globex, start  # the file's own, for all its tests

ON = 'leasehold on; location / { proxy_pass $upstream; }'
LENIENT = 'ignore_invalid_headers off; underscores_in_headers on; ' + ON
HOST = f'acme.{BASE_DOMAIN}'
OTHER_HOST = f'globex.{BASE_DOMAIN}'


def fields(session, *more, authority=HOST, path='/', method='GET'):
    pseudo = [(':method', method), (':scheme', 'http'), (':authority', authority), (':path', path)]
    return pseudo + [('cookie', session.plain), ('sec-fetch-site', 'same-origin'), *more]


def frames_to(gateway):
    client = http2.Raw(gateway.port, gateway.seen)
    gateway.connections.append(client)
    return client


def client_of(gateway):
    client = http2.Connection(gateway.port, gateway.seen)
    gateway.connections.append(client)
    return client


FORBIDDEN = {
    'the tenant twice, alike': [('x-tenant-id', 'acme'), ('x-tenant-id', 'acme')],
    'the tenant twice, unlike': [('x-tenant-id', 'acme'), ('x-tenant-id', 'globex')],
    'upper-case name': [('X-Tenant-ID', 'acme')],
    'upper case in any name': [('x-Any', 'a')],
    'another host': [('host', OTHER_HOST)],
    'two other hosts': [('host', HOST), ('host', OTHER_HOST)],
    'CR LF in a value': [('x-any', 'a\r\nx-session-subject: root')],
    'LF in a value': [('x-any', 'a\nx-session-subject: root')],
    'CR in a value': [('x-any', 'a\rb')],
    'NUL in a value': [('x-any', 'a\x00b')],
    'CR LF and a whole request in a value': [('x-any', 'a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')],
    'CR LF in a name': [('x-any: a\r\nx-session-subject', 'root')],
    'colon in a name': [('x-any: x', 'a')],
    'NUL in a name': [('x-a\x00ny', 'a')],
    'space in a name': [('x any', 'a')],
    'space behind a name': [('x-tenant-id ', 'acme')],
    'empty name': [('', 'a')],
    'pseudo-header behind a header': [(':authority', OTHER_HOST)],
    'a second path': [(':path', '/smuggled')],
    'no such pseudo-header': [(':tenant', 'acme')],
    'pseudo-header of answers': [(':status', '200')],
}


@pytest.mark.parametrize('server', [ON, LENIENT], ids=['default', 'lenient'])
@pytest.mark.parametrize('more', FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_http2_forbidden_fields_never_reach_the_upstream(start, echo, acme, globex, more, server):
    gateway = start(server, listen='http2')
    client = frames_to(gateway)
    client.headers(1, fields(acme, *more))
    assert client.answer(1) in (0, 400)
    assert not echo.taken()


# Forbidden in HTTP/2 too, and dropped: what goes to the upstream is nginx's own.
HOP_BY_HOP = [('transfer-encoding', 'chunked'), ('transfer-encoding', 'gzip, chunked'), ('connection', 'x-tenant-id'),
              ('connection', 'close'), ('keep-alive', 'timeout=9'), ('proxy-connection', 'x'), ('upgrade', 'h2c'), ('te', 'gzip')]


@pytest.mark.parametrize('more', HOP_BY_HOP, ids=[f'{name}: {value}' for name, value in HOP_BY_HOP])
def test_http2_hop_by_hop_fields_frame_nothing(start, echo, acme, globex, more):
    gateway = start(ON, listen='http2')
    client = frames_to(gateway)
    client.headers(1, fields(acme, more, path='/one', method='POST'), end_stream=False)
    client.body(1, b'0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n')
    status = client.answer(1)
    assert status in (0, 200, 400, 501)
    taken = echo.taken()
    assert len(taken) == (1 if status == 200 else 0)
    for seen in taken:
        assert seen.body.endswith(b'HTTP/1.1\r\n\r\n') and seen.one('X-Tenant-ID') == 'acme'
        assert seen.one('Connection') == 'close' and not seen.all('Transfer-Encoding')
        assert seen.one('Content-Length') == str(len(seen.body))


PSEUDO = {
    'space in the path': {':path': '/ HTTP/1.1 x'},
    'CR LF in the path': {':path': '/ HTTP/1.1\r\nx-session-subject: root\r\n'},
    'LF in the path': {':path': '/\nx'},
    'NUL in the path': {':path': '/\x00'},
    'empty path': {':path': ''},
    'relative path': {':path': 'smuggled'},
    'absolute path': {':path': f'http://{OTHER_HOST}/'},
    'space in the method': {':method': 'GET /smuggled HTTP/1.1'},
    'CR LF in the method': {':method': 'GET\r\n'},
    'empty method': {':method': ''},
    'CR LF in the authority': {':authority': HOST + '\r\nx: y'},
    'at in the authority': {':authority': f'{OTHER_HOST}@{HOST}:80@'},
    'port that is none': {':authority': HOST + ':99999'},
    'empty authority': {':authority': ''},
    'no path': {':path': None},
    'no method': {':method': None},
    'no authority': {':authority': None},
}


@pytest.mark.parametrize('change', PSEUDO.values(), ids=PSEUDO.keys())
def test_http2_pseudo_headers_that_are_none_are_refused(start, echo, acme, globex, change):
    gateway = start(LENIENT, listen='http2')
    client = frames_to(gateway)
    changed = [(name, change.get(name, value)) for name, value in fields(acme)]
    client.headers(1, [(name, value) for name, value in changed if value is not None])
    assert client.answer(1) in (0, 400)
    assert not echo.taken()


@pytest.mark.parametrize('length', ['2', '0', '99', '3, 3', '-1', '+3', 'x', ''])
def test_http2_a_length_that_is_not_the_bodys_is_refused(start, echo, acme, globex, length):
    gateway = start(ON, listen='http2')
    client = frames_to(gateway)
    client.headers(1, fields(acme, ('content-length', length), method='POST'), end_stream=False)
    client.body(1, b'abc')
    assert client.answer(1) in (0, 400)
    assert not echo.taken()


def test_http2_trailers_are_no_headers(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    for session in (acme, globex):
        client = frames_to(gateway)
        client.headers(1, fields(session, method='POST'), end_stream=False)
        client.body(1, b'abc', end_stream=False)
        client.headers(1, [('x-tenant-id', 'globex'), ('x-session-subject', 'root'), ('cookie', globex.plain)])
        assert client.answer(1) in ((0, 200) if session is acme else (0, 401))
    for seen in echo.taken():
        assert seen.one('X-Tenant-ID') == 'acme' and seen.one('X-Session-Subject') == 'alice@acme.example'


def send_in_parts(client, stream, block, size):
    """A header block as HEADERS and as many CONTINUATION frames as it takes."""
    size = min(size, len(block) - 1)
    parts = [block[start:start + size] for start in range(0, len(block), size)]
    first = frames.HeadersFrame(stream, parts[0])
    first.flags.add('END_STREAM')
    for frame in [first] + [frames.ContinuationFrame(stream, part) for part in parts[1:-1]]:
        client.send(frame)
    last = frames.ContinuationFrame(stream, parts[-1])
    last.flags.add('END_HEADERS')
    client.send(last)


@pytest.mark.parametrize('size', [1, 7, 40])
def test_http2_a_header_block_in_parts_is_one(start, echo, acme, globex, size):
    gateway = start(ON, listen='http2')
    client = frames_to(gateway)
    for stream, session, status in ((1, acme, 200), (3, globex, 401), (5, acme, 200)):
        send_in_parts(client, stream, client.encoder.encode(fields(session)), size)
        assert client.answer(stream) == status
    assert len(echo.taken()) == 2
    assert {seen.one('X-Session-Subject') for seen in echo.taken()} == {'alice@acme.example'}


def end_of_block(stream, part=b''):
    frame = frames.ContinuationFrame(stream, part)
    frame.flags.add('END_HEADERS')
    return frame


@pytest.mark.parametrize('session_of, status', [('acme', 200), ('globex', 401)])
@pytest.mark.parametrize('is_cut', [False, True], ids=['whole', 'cut'])
def test_http2_an_empty_frame_ends_a_header_block(start, echo, acme, globex, session_of, status, is_cut):
    """nginx by itself reads such a block only once it has got another frame, if its last field is a literal.
    Until then that connection waits, as one that has sent half a head does, and no other one."""
    gateway = start(ON, listen='http2')
    client, other = frames_to(gateway), frames_to(gateway)
    block = client.encoder.encode(fields({'acme': acme, 'globex': globex}[session_of]))
    first = frames.HeadersFrame(1, block[:9] if is_cut else block)
    first.flags.add('END_STREAM')
    client.send(first)
    if is_cut:
        client.send(frames.ContinuationFrame(1, block[9:]))
    client.send(end_of_block(1))
    other.headers(1, fields(globex, authority=OTHER_HOST))
    assert other.answer(1) == 200
    client.send(frames.PingFrame(0, b'12345678'))
    assert client.answer(1) == status
    subjects = [seen.one('X-Session-Subject') for seen in echo.taken()]
    assert sorted(subjects) == ['alice@acme.example'] * (status == 200) + ['bob@globex.example']


def test_http2_a_frame_of_another_stream_inside_a_header_block_ends_the_connection(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    for intruder in (frames.DataFrame(1, b'x'), frames.ContinuationFrame(3, b''), frames.PingFrame(0, b'12345678')):
        client = frames_to(gateway)
        block = client.encoder.encode(fields(acme))
        client.send(frames.HeadersFrame(1, block[:20]))
        client.send(intruder)
        last = frames.ContinuationFrame(1, block[20:])
        last.flags.add('END_HEADERS')
        try:
            client.send(last)
        except OSError:
            pass
        assert client.answer(1) == 0
    assert not echo.taken()


def test_http2_the_header_table_carries_no_credential_over(start, echo, acme, globex):
    """A cookie that lies in the table of the connection is the next stream's only if it names it."""
    gateway = start(ON, listen='http2')
    client = frames_to(gateway)
    client.headers(1, fields(acme))
    assert client.answer(1) == 200
    without = [field for field in fields(acme) if field[0] != 'cookie']
    client.headers(3, without)
    assert client.answer(3) == 401
    client.headers(5, [(name, OTHER_HOST if name == ':authority' else value) for name, value in fields(acme)])
    assert client.answer(5) == 401
    client.headers(7, fields(acme))
    assert client.answer(7) == 200
    assert len(echo.taken()) == 2


BROKEN_BLOCKS = {
    'index nought': b'\x80',
    'index beyond the table': b'\xff\xff\x7f',
    'index without an end': b'\xff' * 12,
    'string longer than the block': b'\x00\x7f\xff\x7fabc',
    'Huffman code that is none': b'\x00\x84\xff\xff\xff\xff\x01a',
    'table larger than allowed': b'\x3f\xff\xff\x7f',
}


@pytest.mark.parametrize('block', BROKEN_BLOCKS.values(), ids=BROKEN_BLOCKS.keys())
def test_http2_a_broken_header_block_ends_the_connection(start, echo, acme, globex, block):
    gateway = start(ON, listen='http2')
    client = frames_to(gateway)
    frame = frames.HeadersFrame(1, client.encoder.encode(fields(acme)) + block)
    frame.flags |= {'END_HEADERS', 'END_STREAM'}
    client.send(frame)
    assert client.answer(1) == 0
    assert not echo.taken()


def test_http2_a_stream_number_is_used_once(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    for second in (1, 2):
        client = frames_to(gateway)
        client.headers(1, fields(acme, path='/first'))
        assert client.answer(1) == 200
        client.headers(second, fields(acme, path='/second'))
        assert client.answer(second) == 0
    assert len(echo.taken('/first')) == 2 and not echo.taken('/second')


def test_http2_streams_reset_in_the_decision_change_no_others(start, echo, acme, globex):
    """Streams of both tenants; every other one is reset in the same write that opens it."""
    gateway = start(ON, listen='http2')
    client = client_of(gateway)
    kept = []
    for i in range(60):
        host, session, subject = ((HOST, acme, 'alice@acme.example'), (OTHER_HOST, globex, 'bob@globex.example'))[i // 2 % 2]
        stream = client.request(f'/{i}', host, headers=[('cookie', session.plain)])
        if i % 2:
            client.protocol.reset_stream(stream, error_code=8)
            client.open.pop(stream)
        else:
            kept.append((stream, f'/{i}', subject))
    for stream, path, subject in kept:
        answer = client.wait(stream)
        assert answer.status == 200
        assert answer.json()['path'] == path and answer.json()['headers']['X-Session-Subject'] == subject


def test_http2_a_client_that_says_goodbye_gets_what_it_asked_for(start, echo, acme, globex):
    gateway = start(ON, listen='http2')
    client = frames_to(gateway)
    client.headers(1, fields(acme))
    client.send(frames.GoAwayFrame(0, last_stream_id=0, error_code=0))
    assert client.answer(1) in (0, 200)
    client = frames_to(gateway)
    client.headers(1, fields(globex, authority=OTHER_HOST))
    assert client.answer(1) == 200
    assert {seen.one('X-Tenant-ID') for seen in echo.taken()} <= {'acme', 'globex'}


def secure(start, folder, http=''):
    """Both tenants on one certificate; a third name asks for a certificate of the client."""
    pair = tls.make_pair(folder, BASE_DOMAIN, f'*.{BASE_DOMAIN}')
    lines = f'ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key};'
    server = f'server_name {HOST} *.{BASE_DOMAIN}; {lines} {ON}'
    return start(server, listen='ssl http2', http=http.replace('$tls', lines).replace('$ca', pair.certificate))


def test_http2_by_alpn_decides_each_stream(start, echo, acme, globex, tmp_path):
    gateway = secure(start, tmp_path)
    wrapped = tls.connect(gateway.port, HOST, ['h2'])
    assert wrapped.selected_alpn_protocol() == 'h2'
    client = http2.Connection(gateway.port, gateway.seen, wrapped)
    gateway.connections.append(client)
    for host, session, status in ((HOST, acme, 200), (OTHER_HOST, acme, 401), (OTHER_HOST, globex, 200), (HOST, globex, 401)):
        stream = client.request('/', host, headers=[('cookie', session.plain)])
        assert client.wait(stream).status == status
    assert [seen.one('X-Tenant-ID') for seen in echo.taken()] == ['acme', 'globex']


def over_tls(gateway, name, host, session):
    connection = http1.Connection(gateway.port, gateway.seen, tls.connect(gateway.port, name, ['http/1.1']))
    gateway.connections.append(connection)
    connection.send(http1.request('/', host=host, headers=[('Cookie', session.plain)]))
    return connection.read()


def test_the_name_of_the_handshake_is_no_tenant(start, echo, acme, globex, tmp_path):
    """Only the host counts: a handshake for acme opens nothing of acme's at globex, nor the reverse."""
    gateway = secure(start, tmp_path)
    for name in (HOST, OTHER_HOST, None):
        assert over_tls(gateway, name, HOST, acme).status == 200
        assert over_tls(gateway, name, OTHER_HOST, globex).status == 200
        assert over_tls(gateway, name, OTHER_HOST, acme).status == 401
        assert over_tls(gateway, name, HOST, globex).status == 401
    assert [seen.one('X-Tenant-ID') for seen in echo.taken()] == ['acme', 'globex'] * 3


def test_another_handshake_does_not_relax_a_tenants_own_rules(start, echo, acme, globex, tmp_path):
    """globex' server wants a certificate of its clients; a handshake for acme does not walk around it."""
    strict = f'''server {{ listen 127.0.0.1:$second_port ssl http2; server_name {HOST}; $tls {ON}
                           leasehold_tenant_from subdomain {BASE_DOMAIN}; }}
                 server {{ listen 127.0.0.1:$second_port ssl http2; server_name {OTHER_HOST}; $tls {ON}
                           leasehold_tenant_from subdomain {BASE_DOMAIN};
                           ssl_client_certificate $ca; ssl_verify_client on; }}'''
    gateway = secure(start, tmp_path, strict)
    gateway.port = gateway.second_port
    assert over_tls(gateway, HOST, HOST, acme).status == 200
    assert over_tls(gateway, HOST, OTHER_HOST, globex).status in (400, 421)
    assert over_tls(gateway, OTHER_HOST, OTHER_HOST, globex).status == 400
    assert [seen.one('X-Tenant-ID') for seen in echo.taken()] == ['acme']
