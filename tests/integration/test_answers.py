"""What answers say to caches and to pages of other origins: whatever needs or sets a session is kept by
nobody, and no origin is ever repeated to it."""
import os

import pytest

from harness.echo import answer
from harness.home import made_home

PUBLIC = [('Cache-Control', 'public, max-age=600'), ('Expires', 'Thu, 01 Jan 2099 00:00:00 GMT'),
          ('CDN-Cache-Control', 'max-age=600'), ('Surrogate-Control', 'max-age=600')]
NO_STORE = 'private, no-store'
NAVIGATION = [('Sec-Fetch-Mode', 'navigate'), ('Accept', 'text/html')]
PREFLIGHT = [('Access-Control-Request-Method', 'PUT'), ('Access-Control-Request-Headers', 'x-evil')]
SERVER = '''
    leasehold on; leasehold_origin https://app.example; leasehold_preflight https://app.example;
    location / { proxy_pass $upstream; }
    location /role { leasehold_require role=admin; proxy_pass $upstream; }
    location /signin { leasehold_signin /login; proxy_pass $upstream; }
    location /stale { leasehold optional; leasehold_optional_stale pass; proxy_pass $upstream; }'''


def stale(session):
    return [('Cookie', f'{session.name}=x{session.value[1:]}')]


def assert_kept_by_nobody(answered):
    assert answered.one('Cache-Control') == NO_STORE, answered
    assert not any(answered.all(name) for name in ('Expires', 'CDN-Cache-Control', 'Surrogate-Control', 'ETag')), answered


def each_answer(gateway, session, *, headers=()):
    """(status, answer) of each way in which a request can end, from any origin that headers name."""
    headers = list(headers)
    yield 200, gateway.ask('/', tenant='acme', session=session, headers=headers)
    yield 200, gateway.ask('/', 'acme', session, headers=headers + [('If-None-Match', '"x"'), ('Range', 'bytes=0-1')])
    yield 404, gateway.ask('/missing', tenant='acme', session=session, headers=headers)
    yield 400, gateway.ask('/', session=session, headers=headers)
    yield 401, gateway.ask('/', tenant='acme', headers=headers)
    yield 401, gateway.ask('/', tenant='globex', session=session, headers=headers)
    yield 403, gateway.ask('/role', tenant='acme', session=session, headers=headers)
    yield 403, gateway.ask('/', tenant='acme', session=session, method='POST', headers=[('Sec-Fetch-Site', 'cross-site')] + headers)
    yield 302, gateway.ask('/signin', tenant='acme', headers=NAVIGATION + headers)
    yield 401, gateway.ask('/', tenant='acme', method='OPTIONS', headers=PREFLIGHT + headers)
    yield 200, gateway.ask('/stale', tenant='acme', headers=stale(session) + headers)


@pytest.fixture(autouse=True)
def public(echo):
    """An upstream that wants everything to be kept."""
    echo.routes = {'/missing': lambda seen: answer(404, PUBLIC, b'no'), '/': lambda seen: answer(headers=PUBLIC, body=b'yes')}


def test_answers__that_need_or_set_a_session_are_kept_by_nobody(start, echo, acme, globex, home):
    member = home.session('acme', sub='member')
    gateway = start(SERVER)
    gateway.may_set_cookies = True  # the stale one is taken back
    for status, answered in each_answer(gateway, member):
        assert answered.status == status, answered
        assert_kept_by_nobody(answered)
    taken_back = gateway.ask('/stale', tenant='acme', headers=stale(member))
    assert 'Max-Age=0' in taken_back.one('Set-Cookie') and taken_back.one('Cache-Control') == NO_STORE
    preflight = gateway.ask('/', tenant='acme', method='OPTIONS', headers=PREFLIGHT + [('Origin', 'https://app.example')])
    assert preflight.status == 204 and preflight.one('Cache-Control') == NO_STORE
    assert gateway.ask('/', tenant='globex', session=globex).one('Cache-Control') == NO_STORE


def test_answers__of_limits_are_kept_by_nobody(start, echo):
    with made_home(has_limits=True) as home:
        home.apply('tiers: {premium: {requests_per_s: 1, requests_burst: 1}}')
        home.set('unproved_rate', 1)
        home.set('unproved_burst', 2)
        session = home.session('acme')
        gateway = start('leasehold on; location / { proxy_pass $upstream; }', on=home)
        for who in ({}, {'session': session}):
            limited = [gateway.ask('/', tenant='acme', **who) for _ in range(6)][-1]
            assert limited.status == 429, limited
            assert_kept_by_nobody(limited)
        assert gateway.ask('/', tenant='globex', session=home.session('globex')).status == 200


def test_answers__of_faults_are_kept_by_nobody(start, echo, own_home):
    session, other = own_home.session('acme'), own_home.session('globex')
    os.unlink(os.path.join(own_home.path, 'keyring', 'tenants', own_home.tenant('acme')['uid'] + '.tkek'))
    gateway = start('leasehold on; location / { proxy_pass $upstream; }', on=own_home)
    unknown = gateway.ask('/', tenant='acme', session=session)
    assert unknown.status == 503, unknown
    assert_kept_by_nobody(unknown)
    assert gateway.ask('/', tenant='globex', session=other).status == 200


@pytest.mark.parametrize('path', ['/account/x.css', '/account%2fx.js', '/account;x.css', '/account/x.css?v=1', '/account/%2e%2e/x.png',
                                  '/account/.css', '/account%00.css', '/account%23x.css', '/static/../account/x.woff2', '/account/x.jpg/'])
def test_answers__a_path_that_looks_static_is_a_session_s_all_the_same(start, echo, acme, globex, path):
    """D18: what may be kept is decided by the session, never by the path."""
    gateway = start('leasehold on; location / { proxy_pass $upstream; } location ~ "[.](css|js|png|jpg|woff2)$" '
                    '{ expires 30d; add_header Cache-Control public; proxy_pass $upstream; }')
    for tenant, session in (('acme', acme), ('globex', globex)):
        answered = gateway.ask(path, tenant=tenant, session=session)
        assert answered.status in (200, 400), answered
        if answered.status == 200:
            assert_kept_by_nobody(answered)
    refused = gateway.ask(path, tenant='acme', session=globex)
    assert refused.status in (400, 401)
    if refused.status == 401:
        assert_kept_by_nobody(refused)


@pytest.mark.parametrize('origin', ['https://evil.example', 'null', 'https://app.example.evil.example', 'https://app.example:444',
                                    'http://app.example', 'https://APP.example.', 'https://127.0.0.1', '*'])
def test_answers__no_origin_is_repeated_to_whoever_it_is(start, echo, home, acme, globex, origin):
    """D20: neither from the request nor as a wildcard, with or without a session."""
    gateway = start(SERVER)
    gateway.may_set_cookies = True
    for _, answered in each_answer(gateway, home.session('acme', sub='member'), headers=[('Origin', origin)]):
        assert not [name for name, _ in answered.headers if name.lower().startswith('access-control-')], answered
        assert origin not in str([value for name, value in answered.headers if name.lower() != 'location']), answered


def test_answers__any_origin_cannot_be_listed(configure):
    """No wildcard can be listed: it would be every origin, with credentials."""
    gateway = configure('leasehold on; leasehold_preflight *; location / { proxy_pass $upstream; }')
    is_right, said = gateway.check_conf()
    assert not is_right and 'not an origin' in said, said


def test_a_token_that_is_nothing_is_answered_as_any_other(start, echo, own_home):
    """D16: forged, expired, of another tenant, for another place, revoked, and no token at all."""
    gateway = start('''leasehold on; leasehold_credential bearer;
        location / { leasehold_audience orders; proxy_pass $upstream; }''', on=own_home)
    session, revoked = own_home.session('acme', sub='alice'), own_home.session('acme', sub='alice')
    good, gone = (own_home.token('acme', '--sid', one.reference, sub='alice', aud='orders') for one in (session, revoked))
    other = own_home.token('acme', '--sid', own_home.session('acme', sub='alice').reference, sub='alice', aud='billing')
    own_home.revoke(revoked)
    kinds = [None, '', 'x', 'a.b.c', good[:-8] + 'AAAAAAAA', good.split('.', 1)[0] + '..', gone, other,
             own_home.token('globex', sub='alice', aud='orders'), own_home.token('acme', sub='alice', aud='orders')]
    answers = [gateway.ask('/', tenant='acme', headers=[] if kind is None else [('Authorization', f'Bearer {kind}')])
               for kind in kinds]
    seen = {(one.status, one.body, tuple(pair for pair in one.headers if pair[0] not in ('Date', 'X-Request-ID'))) for one in answers}
    assert len(seen) == 1 and answers[0].status == 401, seen
    assert gateway.ask('/', tenant='acme', headers=[('Authorization', f'Bearer {good}')]).status == 200
    assert len(echo.taken()) == 1
