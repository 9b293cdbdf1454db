"""Response caches: here they may not mix identities, elsewhere they may keep nothing that is personal."""
import time

import pytest

from harness.echo import answer
from harness.gateway import wait_until

HTTP = 'proxy_cache_path $folder/cache keys_zone=shared:1m; proxy_cache shared; proxy_cache_valid 200 10m;'


@pytest.fixture(autouse=True)
def numbered(echo):
    """An upstream that says whom it answers, and how often it was asked."""
    def respond(seen):
        body = f'{seen.one("X-Tenant-ID")} {seen.one("X-Session-Subject")} {len(echo.taken())}'
        return answer(headers=[('X-Seen', 'yes')], body=body.encode())

    echo.routes['/'] = respond


def test_a_key_without_identity_is_500_on_miss_and_hit(start, echo, acme, globex):
    gateway = start('leasehold on; location / { proxy_pass $upstream; }', http=HTTP)
    for _ in range(3):
        for tenant, session in (('acme', acme), ('globex', globex)):
            refused = gateway.ask('/page', tenant=tenant, session=session)
            assert refused.status == 500 and b'@' not in refused.body
    assert 'has neither $leasehold_uid nor $leasehold_cache_key' in gateway.log_text()
    assert gateway.ask('/page', tenant='acme', session=globex).status == 401


def test_a_path_writes_no_line_of_its_own_into_the_log(start, echo, acme, globex):
    gateway = start('leasehold on; location / { proxy_pass $upstream; }', http=HTTP)
    line = '2026/01/01%2000:00:00%20[error]%201%231:%20leasehold:%20audit%20session_revoked'
    for tenant, session in (('acme', acme), ('globex', globex)):
        assert gateway.ask(f'/page%0a{line}', tenant=tenant, session=session).status == 500
    assert 'would mix tenants' in gateway.log_text()
    assert not any(line.startswith('2026/01/01') for line in gateway.log_text().splitlines())


def test_an_error_page_does_not_come_out_of_the_same_cache(start, echo, acme, globex):
    gateway = start('''leasehold on; error_page 500 502 = @again;
        location / { proxy_pass $upstream; }
        location @again { proxy_pass $upstream; }''', http=HTTP)
    for _ in range(3):
        for tenant, session in (('acme', acme), ('globex', globex)):
            refused = gateway.ask('/page', tenant=tenant, session=session)
            assert refused.status == 500 and b'@' not in refused.body


@pytest.mark.parametrize('key', ['$leasehold_uid$request_uri', '$request_uri$leasehold_cache_key'])
def test_a_key_with_identity_keeps_tenants_apart(start, echo, acme, globex, key):
    gateway = start('leasehold on; location / { proxy_pass $upstream; }',
                    http=f'{HTTP} proxy_cache_key {key};', workers=1)
    bodies = [gateway.ask('/page', tenant=tenant, session=session).body
              for tenant, session in (('acme', acme), ('globex', globex)) * 2]
    assert bodies[0] == bodies[2] == b'acme alice@acme.example 1'
    assert bodies[1] == bodies[3] == b'globex bob@globex.example 2'
    assert len(echo.taken()) == 2


def test_a_subject_does_not_run_into_the_path(start, echo, home, acme, globex):
    """bob/x at /y is not bob at /x/y."""
    gateway = start('leasehold on; location / { proxy_pass $upstream; }',
                    http=f'{HTTP} proxy_cache_key $leasehold_cache_key$uri;', workers=1)
    for tenant in ('acme', 'globex'):
        for subject, path in [('bob/x', '/y'), ('bob', '/x/y'), ('bob/x/y', '/'), ('bob', '/x/y')]:
            told = gateway.ask(path, tenant=tenant, session=home.session(tenant, sub=subject)).body.decode()
            assert told.startswith(f'{tenant} {subject} '), (subject, path)


def test_scopes_in_the_key_keep_one_users_rights_apart(start, echo, home, acme, globex):
    """And without them whoever may less is refused where a scope is required, before the cache is asked."""
    gateway = start('leasehold on; location / { proxy_pass $upstream; } '
                    'location /write { leasehold_require scope=a:write; proxy_pass $upstream; }',
                    http=f'{HTTP} proxy_cache_key $leasehold_cache_key$leasehold_scope,$uri;', workers=1)
    for tenant in ('acme', 'globex'):
        few, many = (home.session(tenant, *scopes, sub='carol') for scopes in
                     (('--scope', 'a:read'), ('--scope', 'a:read', '--scope', 'a:write')))
        ways = [gateway.ask('/page', tenant=tenant, session=session).body for session in (many, few, many, few)]
        assert ways[0] == ways[2] and ways[1] == ways[3] and ways[0] != ways[1]
        assert [gateway.ask('/write', tenant=tenant, session=session).status for session in (many, few)] == [200, 403]


def test_a_uid_in_the_uri_does_not_stand_in_for_one_in_the_key(start, echo, home, acme, globex):
    uids = [home.tenant(name)['uid'] for name in ('acme', 'globex')]
    gateway = start('leasehold on; location / { proxy_pass $upstream; }', http=HTTP)
    both = '&'.join(uids)
    for path in (f'/page?{both}', f'/{uids[0]}/{uids[1]}', f'/%{ord(uids[0][0]):x}{uids[0][1:]}?{both}'):
        assert gateway.ask(path, tenant='acme', session=acme).status == 500
        assert gateway.ask(path, tenant='globex', session=globex).status == 500


def test_a_cache_in_front_of_what_is_not_decided_is_left_alone(start, echo, acme, globex):
    gateway = start('location / { leasehold off; proxy_pass $upstream; }', http=HTTP, workers=1)
    assert gateway.ask('/page').body == gateway.ask('/page').body == b'None None 1'


def test_an_update_in_the_background_is_the_same_tenants(start, echo, acme, globex):
    """nginx asks for it by a clone of the request, which runs through no phase."""
    http = HTTP.replace('10m', '1s') + '''proxy_cache_key $leasehold_uid$request_uri; proxy_cache_use_stale updating;
        proxy_cache_background_update on; add_header X-Cache ${upstream_cache_status};'''
    gateway = start('leasehold on; location / { proxy_pass $upstream; }', http=http)
    for tenant, session in (('acme', acme), ('globex', globex)):
        assert gateway.ask('/page', tenant=tenant, session=session).one('X-Cache') == 'MISS'
    for tenant, session, number in (('acme', acme, 1), ('globex', globex, 2)):
        while (stale := gateway.ask('/page', tenant=tenant, session=session)).one('X-Cache') == 'HIT':
            time.sleep(0.1)
        assert stale.one('X-Cache') == 'STALE' and stale.body.startswith(tenant.encode()) and stale.body.endswith(b' %d' % number)
        assert gateway.ask('/page', tenant=tenant, session=globex if session is acme else acme).status == 401
        wait_until(lambda: len(echo.taken()) == 2 + number, 'updated')
    assert [seen.one('X-Tenant-ID') for seen in echo.taken()] == ['acme', 'globex'] * 2


SENT = [('Cache-Control', 'public, max-age=600'), ('Expires', 'Thu, 01 Jan 2099 00:00:00 GMT'),
        ('CDN-Cache-Control', 'max-age=600'), ('Surrogate-Control', 'max-age=600')]


def test_what_upstream_says_to_caches_is_replaced(start, echo, acme, globex):
    echo.routes = {'/': lambda seen: answer(headers=SENT)}
    gateway = start('leasehold on; location / { proxy_pass $upstream; }')
    passed = gateway.ask(tenant='acme', session=acme)
    assert passed.status == 200 and passed.one('Cache-Control') == 'private, no-store'
    assert not passed.all('Expires') and not passed.all('CDN-Cache-Control') and not passed.all('Surrogate-Control')


def test_what_upstream_says_stays_where_it_may(start, echo, acme, globex):
    echo.routes = {'/said': lambda seen: answer(headers=SENT), '/silent': lambda seen: answer()}
    gateway = start('leasehold on; leasehold_cache_control keep; location / { proxy_pass $upstream; }')
    said = gateway.ask('/said', tenant='acme', session=acme)
    assert said.one('Cache-Control') == 'public, max-age=600' and said.one('CDN-Cache-Control') == 'max-age=600'
    assert gateway.ask('/silent', tenant='acme', session=acme).one('Cache-Control') == 'private, no-store'
    assert gateway.ask('/said', tenant='acme', session=globex).one('Cache-Control') == 'private, no-store'


def test_what_the_configuration_says_comes_too_early(start, echo, acme, globex):
    gateway = start('''leasehold on;
        location /expires { expires 30d; proxy_pass $upstream; }
        location /add { add_header Cache-Control "public, max-age=1" always; proxy_pass $upstream; }''')
    for path in ('/expires', '/add'):
        for session in (acme, globex):
            told = gateway.ask(path, tenant='acme', session=session)
            assert told.one('Cache-Control') == 'private, no-store' and not told.all('Expires')


def test_an_off_location_says_what_it_likes(start, echo, acme, globex):
    echo.routes = {'/': lambda seen: answer(headers=SENT)}
    gateway = start('location / { leasehold off; proxy_pass $upstream; }')
    assert gateway.ask(session=acme).one('Cache-Control') == 'public, max-age=600'
