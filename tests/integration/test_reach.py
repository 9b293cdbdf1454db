"""What reaches a location, and by which spelling: paths, methods, upgrades and nginx's own subrequests.
The policy that counts is that of the location which answers."""
import glob
import os
import re

import pytest

from harness import build, http1
from harness.echo import answer
from harness.gateway import wait_until

ADMIN = '''leasehold on;
    location / { add_header X-Location open always; proxy_pass $upstream; }
    location /admin { leasehold_require role=admin; add_header X-Location admin always; proxy_pass $upstream; }
    location = /public { leasehold off; add_header X-Location public always; proxy_pass $upstream; }'''

# What nginx makes of a path: which location it is served from, or None where nginx refuses it.
PATHS = [('/admin', 'admin'), ('//admin', 'admin'), ('/./admin', 'admin'), ('/a/../admin', 'admin'),
         ('/%61dmin', 'admin'), ('/public/%2e%2e/admin', 'admin'), ('/public/../admin', 'admin'),
         ('/public%2f..%2fadmin', 'admin'), ('/%2fadmin', 'admin'), ('/admin;x=y', 'admin'), ('/admin?public', 'admin'),
         ('/admin#/public', 'admin'), ('/admin%23public', 'admin'), ('/admin%3fpublic', 'admin'),
         ('/public?/admin', 'public'), ('/public#/admin', 'public'), ('/public%23/admin', 'open'),
         ('/public%3f/admin', 'open'), ('/public/', 'open'), ('/public;/admin', 'open'), ('/a/..;/admin', 'open'),
         ('/public/..;/admin', 'open'), ('/a%5c..%5cadmin', 'open'), ('/a\\..\\admin', 'open'), ('/ADMIN', 'open'),
         ('/%2561dmin', 'open'), ('/../admin', None), ('/%2e%2e/admin', None), ('/%00admin', None), ('/%zzadmin', None)]
# With merge_slashes off these are other paths.
UNMERGED = {'//admin': 'open', '/%2fadmin': 'open'}


def ask(gateway, path, session=None):
    """By a connection of its own, for some of these make nginx close it."""
    headers = [('X-Tenant-ID', session.tenant if session else 'acme')]
    if session:
        headers.append(('Cookie', session.cookie))
    connection = gateway.connect()
    connection.send(http1.request(path, headers=headers))
    return connection.read()


@pytest.mark.parametrize('merge', ['on', 'off'])
def test_the_policy_is_that_of_the_location_that_answers(start, echo, acme, globex, merge):
    """acme's session is an administrator's, globex's is not."""
    gateway = start(f'merge_slashes {merge}; {ADMIN}')
    for path, place in PATHS:
        place = UNMERGED.get(path, place) if merge == 'off' else place
        expected = {'admin': (401, 403, 200), 'open': (401, 200, 200), 'public': (200, 200, 200), None: (400,) * 3}[place]
        echo.forget()
        answers = [ask(gateway, path, session) for session in (None, globex, acme)]
        assert tuple(one.status for one in answers) == expected, path
        assert all(one.one('X-Location') == place for one in answers if place), path
        assert len(echo.taken()) == expected.count(200), path


@pytest.mark.parametrize('method, status', [('TRACE', 405), ('CONNECT', 405), ('get', 400), ('GE T', 400), ('G@T', 400)])
def test_methods_that_nginx_does_not_take_reach_nobody(start, echo, acme, globex, method, status):
    gateway = start(ADMIN)
    for session in (acme, globex):
        connection = gateway.connect()
        connection.send(http1.request('/', method=method, headers=[
            ('X-Tenant-ID', session.tenant), ('Cookie', session.cookie), ('Sec-Fetch-Site', 'same-origin')]))
        assert connection.read().status == status
    assert not echo.taken()


@pytest.mark.parametrize('method', ['PURGE', 'PROPFIND', 'FOO', 'M-SEARCH', 'X' * 200])
def test_methods_that_nobody_knows_are_decided_as_unsafe(start, echo, acme, globex, method):
    gateway = start(ADMIN)
    assert gateway.ask(method=method, tenant='acme', session=globex).status == 401
    # Without a word of the browser about its origin.
    assert gateway.ask(method=method, tenant='acme', session=acme).status in (400, 403)
    assert not echo.taken()


UPGRADES = '''leasehold on; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    location / { proxy_pass $upstream; }
    location /off { leasehold off; proxy_pass $upstream; }'''


@pytest.mark.parametrize('upgrade', ['h2c', 'H2C', 'h2c, websocket', 'websocket,h2c', ' h2c '])
def test_an_upgrade_to_http2_is_not_forwarded(start, echo, acme, globex, upgrade):
    gateway = start(UPGRADES)
    extra = [('Upgrade', upgrade), ('Connection', 'Upgrade, HTTP2-Settings'), ('HTTP2-Settings', 'AAMAAABkAAQAAP__'),
             ('Sec-Fetch-Site', 'same-origin')]
    assert gateway.ask(tenant='acme', session=globex, headers=extra).status == 401
    assert gateway.ask(tenant='acme', session=acme, headers=extra).status == 200
    assert gateway.ask('/off', headers=extra).status == 200
    assert len(echo.taken()) == 2
    for seen in echo.taken():
        assert 'h2c' not in (seen.one('Upgrade') or '').lower()


def test_two_upgrade_headers_hide_none(start, echo, acme, globex):
    gateway = start(UPGRADES)
    for order in (('websocket', 'h2c'), ('h2c', 'websocket')):
        extra = [('Upgrade', value) for value in order] + [('Connection', 'Upgrade'), ('Sec-Fetch-Site', 'same-origin')]
        assert gateway.ask(tenant='acme', session=acme, headers=extra).status in (200, 400)
        assert gateway.ask(tenant='globex', session=acme, headers=extra).status in (400, 401)
    assert all('h2c' not in value.lower() for seen in echo.taken() for value in seen.all('Upgrade'))


def test_a_failed_upgrade_leaves_no_tunnel(start, echo, acme, globex):
    """The upstream refuses; what follows on the connection is a request, and decided as one."""
    echo.routes['/socket'] = lambda seen: answer(400, body=b'no')
    gateway = start(UPGRADES)
    connection = gateway.connect()
    upgrade = [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-Fetch-Site', 'same-origin')]
    connection.send(http1.request('/socket', headers=upgrade + [('X-Tenant-ID', 'acme'), ('Cookie', acme.cookie)])
                    + http1.request('/tunnelled', headers=[('X-Tenant-ID', 'acme'), ('Cookie', globex.cookie)]))
    assert connection.read().status == 400
    assert connection.read().status == 401
    connection.send(http1.request('/next', headers=[('X-Tenant-ID', 'globex'), ('Cookie', globex.cookie)]))
    assert connection.read().json()['headers']['X-Tenant-ID'] == 'globex'
    assert not echo.taken('/tunnelled')


def test_additions_and_slices_are_decided(start, echo, acme, globex):
    """add_before_body asks by a subrequest, slice by one for each part."""
    echo.routes['/page'] = lambda seen: answer(headers=[('Content-Type', 'text/html')], body=b'page')
    echo.routes['/sliced'] = lambda seen: answer(206, [('Content-Range', 'bytes %s/8' % seen.one('Range')[6:])], b'1234')
    gateway = start('''leasehold on;
        location /page { leasehold off; add_before_body /before; proxy_pass $upstream; }
        location /before { leasehold on; leasehold_require role=admin; proxy_pass $upstream; }
        location /sliced { slice 4; proxy_set_header Range $slice_range; proxy_pass $upstream; }''')
    assert b'acme' not in gateway.ask('/page', tenant='acme').body
    assert b'globex' not in gateway.ask('/page', tenant='globex', session=globex).body
    assert b'acme' not in gateway.ask('/page', tenant='acme', session=globex).body
    assert not echo.taken('/before')
    assert b'"X-Tenant-ID": "acme"' in gateway.ask('/page', tenant='acme', session=acme).body
    assert len(echo.taken('/before')) == 1
    assert gateway.ask('/sliced', tenant='acme', session=globex).status == 401
    assert not echo.taken('/sliced')
    assert gateway.ask('/sliced', tenant='acme', session=acme).body == b'12341234'
    assert [seen.one('X-Session-Subject') for seen in echo.taken('/sliced')] == ['alice@acme.example'] * 2


def test_values_of_variables_are_taken_as_they_are(start, echo, home, globex):
    """In map, regex and rewrite: nothing in a value is a pattern, a capture or a variable."""
    subject = 'a$1.*(x)${host}%2e+@acme.example'
    session = home.session('acme', sub=subject)
    gateway = start('''leasehold on;
        location / { if ($leasehold_sub ~ "^(.*)@") { set $name $1; } add_header X-Sub $leasehold_sub;
            add_header X-Name $name; add_header X-Mapped $mapped; return 204; }
        location /rewritten { rewrite ^ /to/$leasehold_tenant break; proxy_pass $upstream; }''',
                    http='map $leasehold_sub $mapped { "~^(?<head>.).*(?<tail>.)$" "$tail$head"; default none; }')
    told = gateway.ask(tenant='acme', session=session)
    assert told.one('X-Sub') == subject and told.one('X-Name') == subject[:-len('@acme.example')]
    assert told.one('X-Mapped') == 'ea'
    told = gateway.ask(tenant='globex', session=globex)
    assert told.one('X-Sub') == 'bob@globex.example' and told.one('X-Name') == 'bob'
    assert gateway.ask('/rewritten/x', tenant='globex', session=globex).status == 200
    assert [seen.path for seen in echo.taken()] == ['/to/globex']


def test_post_action_is_decided(start, echo, acme, globex):
    """It is asked after every answer, refusals too, by a redirect of nginx's own."""
    gateway = start('''leasehold on;
        location / { post_action @after; proxy_pass $upstream; }
        location /strict { post_action /admin; proxy_pass $upstream; }
        location /plain { leasehold off; post_action @after; proxy_pass $upstream; }
        location /counted { post_action /off; proxy_pass $upstream; }
        location @after { rewrite ^ /after break; proxy_pass $upstream; }
        location /admin { leasehold_require role=admin; proxy_pass $upstream; }
        location /off { leasehold off; proxy_pass $upstream; }''')
    for path in ('/', '/strict', '/plain'):
        assert gateway.ask(path, tenant='acme', session=globex).status == (200 if path == '/plain' else 401)
    assert gateway.ask('/strict', tenant='globex', session=globex).status == 200
    assert gateway.ask('/counted', tenant='globex', session=acme).status == 401
    gateway.decisions(5)
    assert not echo.taken('/after') and not echo.taken('/admin')
    for seen in echo.taken('/off'):
        assert seen.one('X-Tenant-ID') is None and seen.one('Cookie') is None
    assert gateway.ask('/', tenant='acme', session=acme).status == 200
    assert gateway.ask('/strict', tenant='acme', session=acme).status == 200
    wait_until(lambda: echo.taken('/after') and echo.taken('/admin'), 'asked afterwards')
    for seen in echo.taken('/after') + echo.taken('/admin'):
        assert seen.one('X-Tenant-ID') == 'acme' and seen.one('X-Session-Ref') == acme.reference


def test_what_is_decided_begins_with_a_location(start, echo, acme, globex):
    """At server level a return is answered before, as the manual says; a rewrite leads to a location."""
    gateway = start('''leasehold on; rewrite ^/public/(.*)$ /admin/$1; if ($arg_to) { rewrite ^ /admin/if; }
        if ($request_uri = /health) { return 200 "fine"; }
        location / { leasehold off; proxy_pass $upstream; }
        location /admin { leasehold_require role=admin; proxy_pass $upstream; }''')
    assert gateway.ask('/health').body == b'fine'
    for path in ('/public/x', '/?to=1', '/health?to=1'):
        assert gateway.ask(path, tenant='acme', session=globex).status == 401
        assert gateway.ask(path, tenant='globex', session=globex).status == 403
        assert gateway.ask(path, tenant='acme', session=acme).status == 200
    assert [seen.one('X-Session-Subject') for seen in echo.taken()] == ['alice@acme.example'] * 3


def test_an_internal_location_cannot_be_asked_for(start, echo, acme, globex):
    gateway = start('''leasehold on; location / { proxy_pass $upstream; }
        location /inner { leasehold off; internal; proxy_pass $upstream; }''')
    for session in (acme, globex, None):
        assert gateway.ask('/inner', tenant='acme', session=session).status == 404
    assert not echo.taken()


COPIES = 'proxy_set_header X-Copy $http_x_session_subject; proxy_set_header X-Cookies $http_cookie;'


def test_a_header_variable_does_not_outlive_its_location(start, echo, acme, globex):
    """The client's own header, read where nothing is scrubbed, is not what the next location passes on."""
    echo.routes['/raw'] = lambda seen: answer(headers=[('X-Accel-Redirect', '/inner')])
    gateway = start(f'''leasehold on;
        location /raw {{ leasehold off; leasehold_scrub off; {COPIES} proxy_pass $upstream; }}
        location /inner {{ {COPIES} proxy_pass $upstream; }}''')
    forged = [('X-Session-Subject', 'forged'), ('Cookie', 'theme=dark')]
    for tenant, session, subject in (('acme', acme, 'alice@acme.example'), ('globex', globex, 'bob@globex.example')):
        echo.forget()
        assert gateway.ask('/raw', tenant=tenant, session=session, headers=forged).status == 200
        raw, inner = echo.taken()
        assert raw.one('X-Copy') == 'forged' and session.value in raw.one('X-Cookies')
        assert inner.one('X-Copy') == subject and inner.one('X-Cookies') == 'theme=dark'


def test_a_subrequest_does_not_change_what_its_parent_reads(start, echo, acme, globex):
    """nginx keeps one set of variables for both."""
    gateway = start(f'''leasehold on;
        location / {{ auth_request /ask; {COPIES} proxy_pass $upstream; }}
        location /bare {{ auth_request /ask-bare; {COPIES} proxy_pass $upstream; }}
        location = /ask {{ internal; leasehold off; leasehold_scrub off; {COPIES} proxy_pass $upstream/ask; }}
        location = /ask-bare {{ internal; leasehold off; {COPIES} proxy_pass $upstream/ask-bare; }}''')
    forged = [('X-Session-Subject', 'forged'), ('Cookie', 'theme=dark')]
    for path, asked, copy in (('/x', '/ask', 'forged'), ('/bare', '/ask-bare', None)):
        echo.forget()
        assert gateway.ask(path, tenant='acme', session=globex, headers=forged).status == 401
        assert gateway.ask(path, tenant='acme', session=acme, headers=forged).status == 200
        first, second = echo.taken()
        assert first.path == asked and first.one('X-Copy') == copy
        assert second.one('X-Copy') == 'alice@acme.example' and second.one('X-Cookies') == 'theme=dark'


def test_an_underscored_tenant_is_none_by_default(start, echo, acme, globex):
    """nginx drops the header before anyone reads it: the gate and the upstream agree."""
    gateway = start(ADMIN)
    for name in ('X_Tenant_ID', 'X_TENANT_ID', 'x-tenant_id'):
        for session in (acme, globex):
            headers = [(name, session.tenant), ('Cookie', session.cookie)]
            assert gateway.ask(headers=headers).status == 400
            assert gateway.ask('/public', headers=headers).status == 200
    assert gateway.reasons(12)[0] == 'tenant_missing'
    assert all('x-tenant-id' not in seen.folded() for seen in echo.taken())


def aliases_that_can_be_left(conf):
    """Locations without a final slash whose alias has one: "/s../x" is outside of it."""
    return [match.group(1) for match in re.finditer(r'location\s+(?:\^~\s+)?(/[^\s{]*)\s*\{[^{}]*?\balias\s+\S*/\s*;', conf)
            if not match.group(1).endswith('/')]


def test_no_shipped_example_has_an_alias_that_can_be_left():
    assert aliases_that_can_be_left('location /s { alias /d/; }') == ['/s']
    assert not aliases_that_can_be_left('location /s/ { alias /d/; } location /t { alias /d; }')
    confs = glob.glob(os.path.join(build.TOP, 'examples', '**', '*.conf*'), recursive=True)
    assert confs
    for path in confs:
        with open(path, encoding='utf-8') as file:
            assert not aliases_that_can_be_left(file.read()), path
