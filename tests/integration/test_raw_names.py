"""X-Tenant-ID as raw bytes: what is not letter by letter a tenant's name names nobody, nothing is decoded or
repaired, and what two sources say must be one tenant."""
import pytest

from harness import http1, http2
from harness.gateway import BASE_DOMAIN
from harness.standing import acme, echo, file_echo, globex, start  # the file's own, for all its tests

SERVER = '''leasehold on; location / { proxy_pass $upstream; }
    location /optional { leasehold optional; proxy_pass $upstream; }
    location /host { leasehold_tenant_from host header; proxy_pass $upstream; }'''

MALFORMED = {
    'percent-encoded letter': b'%61cme',
    'percent-encoded slash': b'acme%2fx',
    'percent-encoded NUL': b'acme%00',
    'encoded twice': b'%2561cme',
    'plus': b'acme+',
    'list': b'acme,globex',
    'list of the same': b'acme, acme',
    'list with an empty member': b',acme',
    'list ending early': b'acme,',
    'semicolon': b'acme;globex',
    'two words': b'acme globex',
    'quoted': b'"acme"',
    'tab before': b'\tacme',
    'tab behind': b'acme\t',
    'vertical tab behind': b'acme\x0b',
    'no-break space behind': b'acme\xa0',
    'next line behind': b'acme\x85',
    'next line in UTF-8': b'acme\xc2\x85',
    'full-width': '\uff41cme'.encode(),
    'Cyrillic a': '\u0430cme'.encode(),
    'Kelvin sign': 'initec\u212a'.encode(),
    'composed accent': 'acm\u00e9'.encode(),
    'decomposed accent': 'acme\u0301'.encode(),
    'zero-width space': 'ac\u200bme'.encode(),
    'soft hyphen': 'ac\u00adme'.encode(),
    'right to left': '\u202eemca'.encode(),
    'byte order mark': '\ufeffacme'.encode(),
    'bytes that are no UTF-8': b'acme\xff\xfe',
    'overlong a': b'\xc1\xa1cme',
    'star': b'*',
    'dot': b'.',
    'two dots': b'..',
    'path': b'../acme',
    'glob': b'acm?',
    'as a host': f'acme.{BASE_DOMAIN}'.encode(),
    'trailing dot': b'acme.',
    'empty': b'',
    'two letters': b'ac',
    'three letters': b'acm',
    'thirty-seven letters': b'a' * 37,
    'underscore': b'ac_me',
    'template': b'${acme}',
    'SQL': b"acme' or '1'='1",
    'JSON': b'{"a":1}',
}

# Well-formed names that nobody has: like any other stranger's.
NOBODY = {'default': b'default', 'admin': b'admin', 'system': b'system', 'four letters': b'acm-', 'punycode': b'xn--acme-9ta',
          'hyphen before': b'-acme', 'hyphens': b'----', 'thirty-six letters': b'a' * 36, 'near': b'acme2', 'digits': b'0000'}


@pytest.fixture
def gateway(start):
    return start(SERVER)


def ask(gateway, value, session, path='/', host='127.0.0.1', suffix=b''):
    lines = [] if value is None else [b'X-Tenant-ID: ' + value + suffix]
    with http1.Connection(gateway.port, gateway.seen) as connection:
        connection.send(http1.request(path, host=host, headers=[*lines, ('Cookie', f'{session.cookie}; {session.plain}')]))
        return connection.read()


@pytest.mark.parametrize('value', MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_name_is_nobodys(gateway, echo, acme, globex, value):
    """Alone, and where the host says already who it is: it is refused, not left out."""
    for session in (acme, globex):
        for path in ('/', '/optional', '/host'):
            assert ask(gateway, value, session, path).status == 400
            assert ask(gateway, value, session, path, host=f'{session.tenant}.{BASE_DOMAIN}').status == 400
    assert not echo.taken()


@pytest.mark.parametrize('value', NOBODY.values(), ids=NOBODY.keys())
def test_a_name_that_nobody_has_admits_nobody(gateway, echo, acme, globex, value):
    for session in (acme, globex):
        assert ask(gateway, value, session).status == 401
        assert ask(gateway, value, session, host=f'{session.tenant}.{BASE_DOMAIN}').status == 400
    assert not echo.taken()


@pytest.mark.parametrize('value', [v for v in MALFORMED.values() if not set(v) & {0, 10, 13} and v == v.strip(b'\t ')],
                         ids=repr)
def test_http2_a_malformed_name_is_nobodys(start, echo, acme, globex, value):
    gateway = start(SERVER, listen='http2')
    client = http2.Raw(gateway.port, gateway.seen)
    gateway.connections.append(client)
    for stream, session, host in ((1, acme, '127.0.0.1'), (3, globex, '127.0.0.1'), (5, acme, f'acme.{BASE_DOMAIN}')):
        client.headers(stream, [(':method', 'GET'), (':scheme', 'http'), (':authority', host), (':path', '/'),
                                ('x-tenant-id', value), ('cookie', session.cookie)])
        assert client.answer(stream) in (0, 400)
    assert not echo.taken()


@pytest.mark.parametrize('spelling', ['acme', 'ACME', 'Acme', 'aCmE'])
def test_each_case_of_a_name_is_the_same_tenant(gateway, echo, home, acme, globex, spelling):
    """One tenant for the cookie, the record, the key, and all that the upstream and the log are told."""
    uid = home.tenant('acme')['uid']
    assert ask(gateway, spelling.encode(), acme).status == 200
    assert ask(gateway, spelling.encode(), acme, host=f'ACME.{BASE_DOMAIN}').status == 200
    assert ask(gateway, spelling.encode(), globex).status == 401
    assert ask(gateway, spelling.encode(), acme, host=f'globex.{BASE_DOMAIN}').status == 400
    assert [(seen.one('X-Tenant-ID'), seen.one('X-Tenant-UID')) for seen in echo.taken()] == [('acme', uid)] * 2
    assert {(line['tenant'], line['uid']) for line in gateway.decisions(4) if line['decision'] == 'pass'} == {('acme', uid)}


@pytest.mark.parametrize('claimed', ['acme', 'globex', 'nobody'])
def test_two_sources_that_disagree_choose_nobody(gateway, echo, acme, globex, claimed):
    """Whichever the credential would prove; also where one of the names is nobody's."""
    for session in (acme, globex):
        for named in ('acme', 'globex', 'nobody'):
            by_subdomain = ask(gateway, claimed.encode(), session, host=f'{named}.{BASE_DOMAIN}')
            by_domain = ask(gateway, claimed.encode(), session, '/host', host=f'{named}.example')
            if named != claimed:
                assert by_subdomain.status == 400, (named, session.tenant)
            # A domain that no tenant has says nothing, where the header speaks.
            if named not in (claimed, 'nobody'):
                assert by_domain.status == 400, (named, session.tenant)
    assert {seen.one('X-Tenant-ID') for seen in echo.taken()} <= {claimed}
    assert {seen.one('X-Session-Subject') for seen in echo.taken()} \
        <= {'acme': {'alice@acme.example'}, 'globex': {'bob@globex.example'}, 'nobody': set()}[claimed]


def test_a_session_that_nobody_gave_out_is_not_made(gateway, echo, home, acme, globex):
    """Whatever number a client thinks of, there is no session of that number afterwards."""
    before = {name: home.run('session', 'list', name) for name in ('acme', 'globex')}
    for tenant, other in ((acme, globex), (globex, acme)):
        for value in (other.value, tenant.value[:10] + 'A' * 60, 'A' * 70, tenant.value[:-1] + '-', tenant.value[1:]):
            answer = http1_ask(gateway, tenant.tenant, f'{tenant.name}={value}')
            assert answer.status == 401 and not answer.all('Set-Cookie')
    assert not echo.taken()
    assert {name: home.run('session', 'list', name) for name in ('acme', 'globex')} == before


def http1_ask(gateway, tenant, cookie):
    with http1.Connection(gateway.port, gateway.seen) as connection:
        connection.send(http1.request(headers=[('X-Tenant-ID', tenant), ('Cookie', cookie)]))
        return connection.read()
