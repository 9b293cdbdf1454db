"""Cookie headers as raw bytes, at a host that names the tenant, at one that does not, and where a session
is optional: what is no credential of this tenant admits nobody, and what is nobody's goes on as it is."""
import pytest

from harness import http1, http2
from harness.gateway import BASE_DOMAIN
from harness.standing import acme, echo, file_echo, globex, start  # the file's own, for all its tests
from harness.strangers import forged

SERVER = '''leasehold on; large_client_header_buffers 4 512k; proxy_buffer_size 64k; proxy_buffers 8 64k;
    location / { proxy_pass $upstream; }
    location /optional { leasehold optional; proxy_pass $upstream; }
    location /off { leasehold off; proxy_pass $upstream; }'''

HOST = f'acme.{BASE_DOMAIN}'
OTHER_HOST = f'globex.{BASE_DOMAIN}'


@pytest.fixture
def gateway(start):
    return start(SERVER)


@pytest.fixture
def second(shared_home):
    """Another live session of acme's."""
    return shared_home.session('acme', sub='eve@acme.example')


def ask(gateway, path, *lines, host=HOST, headers=()):
    with http1.Connection(gateway.port, gateway.seen) as connection:
        connection.send(http1.request(path, host=host, headers=[*headers, *(b'Cookie: ' + line for line in lines)]))
        return connection.read()


def fill(pattern, **sessions):
    """Bytes with {value} and {name} filled in, and {other} by the other session's value."""
    for name, text in sessions.items():
        pattern = pattern.replace(b'{%s}' % name.encode(), text.encode())
    return pattern


def filled(lines, acme, globex, second):
    return [fill(line, value=acme.value, name=acme.name, second=second.value, foreign=globex.value,
                 foreign_name=globex.name, forged=forged(acme)) for line in lines]


# The tenant's cookie is there more than once, or cannot be what was given out: (lines, status). An
# attacker who can set cookies for the parent domain shadows the real one before, behind, or under
# the other name (H14).
REFUSED = {
    'twice, alike': ([b'__Host-lh={value}; __Host-lh={value}'], 400),
    'shadow first': ([b'__Host-lh=shadow; __Host-lh={value}'], 400),
    'shadow last': ([b'__Host-lh={value}; __Host-lh=shadow'], 400),
    'empty shadow': ([b'__Host-lh=; a=b; __Host-lh={value}'], 400),
    'shadow of a foreign session': ([b'__Host-lh={foreign}; __Host-lh={value}'], 400),
    'shadow in a line of its own': ([b'a=b', b'__Host-lh={value}', b'__Host-lh=shadow'], 400),
    'shadow behind a tab': ([b'__Host-lh={value};\t__Host-lh\t=shadow'], 400),
    'suffixed twice': ([b'{name}={value}; {name}={value}'], 400),
    'suffixed twice beside the plain one': ([b'{name}={value}; __Host-lh={value}; {name}={second}'], 400),
    'plain one of another session': ([b'{name}={value}; __Host-lh={second}'], 401),
    'suffixed one of another session': ([b'{name}={second}', b'__Host-lh={value}'], 401),
    'plain one of another tenant': ([b'{name}={value}; __Host-lh={foreign}'], 401),
    'suffixed one of another tenant': ([b'__Host-lh={value}; {name}={foreign}'], 401),
    'plain one empty': ([b'{name}={value}; __Host-lh='], 401),
    'only another tenant\'s': ([b'__Host-lh={foreign}'], 401),
    'another tenant\'s under this suffix': ([b'{name}={foreign}'], 401),
    'forged': ([b'__Host-lh={forged}'], 401),
    'quoted': ([b'__Host-lh="{value}"'], 401),
    'quoted, of version 1': ([b'$Version=1; __Host-lh="{value}"; $Path="/"'], 401),
    'quote opened': ([b'__Host-lh="{value}'], 401),
    'octal escape': ([b'__Host-lh="\\137{value}"'], 401),
    'percent-encoded': ([b'__Host-lh=%41{value}'], 401),
    'padded': ([b'__Host-lh={value}='], 401),
    'with a comma': ([b'__Host-lh={value}, a=b'], 401),
    'with a space inside': ([b'__Host-lh={value} {value}'], 401),
    'space behind the equals sign': ([b'__Host-lh= {value}'], 401),
    'as chunks': ([b'__Host-lh=count=99999999; __Host-lh-0={value}; __Host-lh-1={value}'], 401),
    '8 KiB': ([b'__Host-lh=' + b'a' * 8192], 401),
    '64 KiB': ([b'__Host-lh=' + b'a' * 65536], 401),
}


@pytest.mark.parametrize('lines, status', REFUSED.values(), ids=REFUSED.keys())
def test_a_shadowed_or_altered_cookie_admits_nobody(gateway, echo, acme, globex, second, lines, status):
    lines = filled(lines, acme, globex, second)
    for path in ('/', '/optional'):
        answer = ask(gateway, path, *lines)
        assert answer.status == status and not answer.all('Set-Cookie'), answer
    assert not echo.taken()
    assert ask(gateway, '/', acme.plain.encode()).status == 200


# No cookie of the tenant: (what the client sends, what goes on).
NONE = {
    'without the prefix': b'lh={value}',
    'other prefix': b'__Secure-lh={value}',
    'one underscore': b'_Host-lh={value}',
    'lower case': b'__host-lh={value}',
    'upper case': b'__HOST-LH={value}',
    'longer name': b'__Host-lh2={value}',
    'percent-encoded name': b'%5f%5fHost-lh={value}',
    'percent-encoded hyphen': b'__Host%2dlh={value}',
    'name in quotes': b'"__Host-lh"={value}',
    'Unicode space before the name': b'\xe2\x80\x80__Host-lh={value}',
    'next line before the name': b'\x85__Host-lh={value}',
    'no-break space before the name': b'\xa0__Host-lh={value}',
    'no-break space behind the name': b'__Host-lh\xa0={value}',
    'form feed before the name': b'\x0c__Host-lh={value}',
    'vertical tab behind the name': b'__Host-lh\x0b={value}',
    'nameless': b'=__Host-lh={value}',
    'nameless among spaces': b' = __Host-lh={value}',
    'name without a value': b'__Host-lh',
    'name and value apart': b'__Host-lh; ={value}',
    'colon for the equals sign': b'__Host-lh:{value}',
    'value of another': b'a=__Host-lh={value}',
    'behind a comma': b'a=b, __Host-lh={value}',
    'dollar': b'$__Host-lh={value}',
}


@pytest.mark.parametrize('line', NONE.values(), ids=NONE.keys())
def test_what_is_only_like_the_cookie_is_no_credential(gateway, echo, acme, globex, second, line):
    sent, = filled([line], acme, globex, second)
    assert ask(gateway, '/', sent).status == 401
    assert ask(gateway, '/', sent, host='127.0.0.1', headers=[('X-Tenant-ID', 'acme')]).status == 401
    assert not echo.taken()
    assert ask(gateway, '/optional', sent).status == 200
    seen, = echo.taken()
    assert seen.one('X-Session-Mode') == 'anonymous' and seen.one('X-Session-Subject') is None
    assert seen.one('Cookie').encode('latin-1') == sent.strip(b' \t')


def test_only_the_suffixed_name_counts_where_the_host_names_nobody(gateway, echo, acme, globex):
    """Both tenants' sessions share the host: each request is decided by the cookie of the tenant it names."""
    both = f'{globex.name}={globex.value}; {acme.name}={acme.value}; __Host-lh={globex.value}'.encode()
    for tenant in ('acme', 'globex'):
        headers = [('X-Tenant-ID', tenant)]
        assert ask(gateway, '/', both, host='127.0.0.1', headers=headers).status == 200
        for session in (acme, globex):
            plain = ask(gateway, '/', session.plain.encode(), host='127.0.0.1', headers=headers)
            assert plain.status == 401, (tenant, session.tenant)
    assert ask(gateway, '/', acme.cookie.encode(), host='127.0.0.1', headers=[('X-Tenant-ID', 'globex')]).status == 401
    assert [(seen.one('X-Tenant-ID'), seen.one('Cookie')) for seen in echo.taken()] == [('acme', None), ('globex', None)]


# Several lines, and what the upstream gets of them.
SPLIT = {
    'before': ([b'a=1', b'__Host-lh={value}'], 'a=1'),
    'behind': ([b'__Host-lh={value}', b'b=2'], 'b=2'),
    'between': ([b'a=1;', b' __Host-lh={value} ', b';b=2;'], 'a=1; b=2'),
    'both names': ([b'{name}={value}', b'__Host-lh={value}; c="x y"'], 'c="x y"'),
    'foreign ones beside it': ([b'{foreign_name}={foreign}; d=4', b'__Host-lh={value}'], 'd=4'),
    'sandwich': ([b'$Version=1; e="', b'__Host-lh={value}', b'f="; g'], '$Version=1; e="; f="; g'),
    'alone': ([b'__Host-lh={value}'], None),
    'empty lines': ([b'', b';', b'__Host-lh={value}', b' ; ;'], None),
}


@pytest.mark.parametrize('lines, kept', SPLIT.values(), ids=SPLIT.keys())
def test_lines_and_crumbs_are_read_as_one_header(start, echo, acme, globex, second, lines, kept):
    """The same answer, and the same header upstream, by several lines and by HTTP/2 crumbs."""
    gateway = start(SERVER, listen='http2')
    plain = start(SERVER)
    sent = filled(lines, acme, globex, second)
    assert ask(plain, '/', *sent).status == 200
    assert ask(plain, '/', *sent, host=OTHER_HOST).status == 401
    client = http2.Raw(gateway.port, gateway.seen)
    gateway.connections.append(client)
    for stream, host, status in ((1, HOST, 200), (3, OTHER_HOST, 401)):
        client.headers(stream, [(':method', 'GET'), (':scheme', 'http'), (':authority', host), (':path', '/')]
                       + [('cookie', line) for line in sent])
        assert client.answer(stream) == status
    assert [seen.one('Cookie') for seen in echo.taken()] == [kept, kept]
    assert {seen.one('X-Session-Subject') for seen in echo.taken()} == {'alice@acme.example'}


ODD = [b'', b' ', b';', b'=', b';;;;', b'=;=', b'; ;a', b'\t', b'\t;\t', b'a', b'=;a=;=b', b',', b'"', b'";"', b'\\', b'$Path']


@pytest.mark.parametrize('odd', ODD, ids=repr)
def test_odd_cookie_headers_are_survived_everywhere(gateway, echo, acme, globex, odd):
    for lines in ([odd], [odd, odd], [odd, acme.plain.encode(), odd], [odd + b';' + acme.plain.encode() + b';' + odd]):
        is_signed_in = len(lines) == 3 or b'__Host' in lines[0]
        assert ask(gateway, '/', *lines).status == (200 if is_signed_in else 401)
        assert ask(gateway, '/', *lines, host=OTHER_HOST).status == 401
        assert ask(gateway, '/optional', *lines).status == ask(gateway, '/off', *lines).status == 200
    for seen in echo.taken():
        kept = [pair for pair in (seen.one('Cookie') or '').split('; ') if pair]
        assert set(kept) == {pair.strip() for pair in odd.decode().split(';') if pair.strip()}


MANY = {'pairs': b'a=b; ' * 1000, 'semicolons': b';' * 20000, 'names': b'a;' * 20000, 'equals signs': b'=' * 60000,
        'quotes': b'"; ' * 20000}


@pytest.mark.parametrize('many', MANY.values(), ids=MANY.keys())
def test_thousands_of_cookies_are_read_and_passed_on(gateway, echo, acme, globex, many):
    for before, behind in ((many, b''), (b'', many)):
        line = before + b'; ' + acme.plain.encode() + b'; ' + behind
        assert ask(gateway, '/', line).status == 200
        assert ask(gateway, '/', line, host=OTHER_HOST).status == 401
        assert ask(gateway, '/', line + b';' + acme.plain.encode()).status == 400
    kept = [pair.strip() for pair in many.decode().split(';') if pair.strip()]
    assert [seen.one('Cookie') for seen in echo.taken()] == ['; '.join(kept) or None] * 2


@pytest.mark.parametrize('count, status', [(64, 200), (65, 400), (1000, 400)])
def test_so_many_cookie_lines_are_refused(gateway, echo, acme, globex, count, status):
    """A request that concerns the gate by more headers than it looks at is not decided by the first of them."""
    lines = [acme.plain.encode()] + [b'a%d=b' % i for i in range(count - 1)]
    assert ask(gateway, '/', *lines).status == status
    assert ask(gateway, '/', *reversed(lines)).status == status
    assert ask(gateway, '/', *lines, host=OTHER_HOST).status == (401 if status == 200 else 400)
    assert len(echo.taken()) == (2 if status == 200 else 0)
