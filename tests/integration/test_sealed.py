"""Sessions that their cookies hold whole: who passes with one, what ends it, and that the other kind of
cookie is none here."""
import base64
import json
import time

import pytest

from harness.cli import NOT_SO, REFUSED, say
from harness.gateway import BASE_DOMAIN, wait_until
from harness.http1 import request

SEALED = 'leasehold on; leasehold_cookie sealed; location / { proxy_pass $upstream; }'
BOTH_KINDS = '''
    leasehold on; leasehold_cookie sealed;
    location / { proxy_pass $upstream; }
    location /stored/ { leasehold_cookie handle; proxy_pass $upstream; }
    location /optional/ { leasehold optional; leasehold_optional_stale pass; proxy_pass $upstream; }
    location /full/ { leasehold_state full; proxy_pass $upstream; }
    location /admin/ { leasehold_require role=admin; proxy_pass $upstream; }
    location /read/ { leasehold_require scope=read; proxy_pass $upstream; }
'''
HEADER_BYTES, MAC_BYTES = 101, 16
LIMIT = 2868


def sealed(home, tenant, *arguments, sub='someone'):
    return home.session(tenant, '--sealed', *arguments, sub=sub)


@pytest.fixture
def people(own_home):
    return sealed(own_home, 'acme', '--role', 'admin', '--scope', 'read', sub='alice'), sealed(own_home, 'globex', sub='bob')


def status(gateway, session, path='/'):
    return gateway.ask(path, tenant=session.tenant, session=session).status


def bytes_of(value):
    return base64.urlsafe_b64decode(value + '=' * (-len(value) % 4))


def value_of(data):
    return base64.urlsafe_b64encode(data).decode().rstrip('=')


def altered(session, at, mask=1):
    data = bytearray(bytes_of(session.value))
    data[at] ^= mask
    return value_of(bytes(data))


def sessions_in_store(home, tenant):
    return home.run('session', 'list', tenant)['sessions']


def test_it_passes_at_its_tenant_alone(start, echo, own_home, people):
    alice, bob = people
    gateway = start(BOTH_KINDS, on=own_home)
    for path in ('/', '/optional/', '/admin/', '/read/', '/full/'):
        assert status(gateway, alice, path) == 200
    assert status(gateway, bob) == 200
    assert (status(gateway, bob, '/admin/'), status(gateway, bob, '/read/')) == (403, 403)
    upstream = echo.requests[-1]
    assert upstream.one('X-Session-Subject') == 'bob'
    for session, name in ((alice, 'globex'), (bob, 'acme')):
        uid = own_home.tenant(name)['uid'][:8]
        before = len(echo.requests)
        for cookie in (session.cookie, f'__Host-lh-{uid}={session.value}'):
            assert gateway.ask(tenant=name, headers=[('Cookie', cookie)]).status == 401
            assert gateway.ask(host=f'{name}.{BASE_DOMAIN}', headers=[('Cookie', session.plain)]).status == 401
        assert len(echo.requests) == before
    assert gateway.reasons(13)[-4:].count('bad_mac') >= 2


def test_the_service_learns_what_it_does_of_any_session_and_never_the_cookie(start, echo, own_home, people):
    alice, _ = people
    gateway = start(BOTH_KINDS, on=own_home)
    assert gateway.ask_host('acme', headers=[('Cookie', f'theme=dark; {alice.plain}; {alice.cookie}')]).status == 200
    got = echo.requests[-1]
    assert got.one('Cookie') == 'theme=dark'
    assert got.one('X-Tenant-ID') == 'acme' and got.one('X-Session-Ref') == alice.reference
    assert got.one('X-Session-Mode') == 'normal' and got.one('X-Session-Scope') == 'read'
    claims = json.loads(bytes_of(got.one('X-Tenant-Context').split('.')[1]))
    assert (claims['sub'], claims['ref'], claims['tenant']) == ('alice', alice.reference, 'acme')
    assert status(gateway, alice, '/full/') == 200
    assert echo.requests[-1].all('X-Session-State') == []
    anonymous = sealed(own_home, 'acme', sub=None)
    assert status(gateway, anonymous) == 200
    assert echo.requests[-1].one('X-Session-Mode') == 'anonymous'


def test_nothing_is_stored(start, own_home, people):
    alice, _ = people
    gateway = start(SEALED, on=own_home)
    for _ in range(3):
        assert status(gateway, alice) == 200
    assert sessions_in_store(own_home, 'acme') == []
    assert say(own_home, 'session', 'show', 'acme', alice.reference).code == NOT_SO


def test_no_altered_cookie_passes(start, echo, own_home, people):
    alice, bob = people
    gateway = start(SEALED, on=own_home)
    data = bytes_of(alice.value)
    assert status(gateway, alice) == 200
    before = len(echo.requests)
    tried = [altered(alice, at, 1 << at % 8) for at in range(0, len(data), 5)]
    tried += [value_of(data[:length]) for length in (0, 1, HEADER_BYTES, len(data) - MAC_BYTES, len(data) - 1)]
    tried += [value_of(data + b'\0'), alice.value + '=', alice.value + 'A', alice.value * 2, 'A' * 4070, 'A' * 5000]
    foreign = bytes_of(bob.value)
    tried += [value_of(foreign[:HEADER_BYTES] + data[HEADER_BYTES:]), value_of(data[:-MAC_BYTES] + foreign[-MAC_BYTES:])]
    with gateway.connect() as connection:
        for value in tried:
            connection.send(request(headers=[('X-Tenant-ID', 'acme'), ('Cookie', f'{alice.name}={value}')]))
            assert connection.read().status == 401, value
    assert len(echo.requests) == before
    assert set(gateway.reasons(len(tried) + 1)[1:]) == {'bad_mac', 'cookie_malformed'}
    assert status(gateway, alice) == 200


def test_a_place_takes_one_kind_of_cookie(start, echo, own_home, people):
    alice, bob = people
    stored = own_home.session('acme', '--role', 'admin', sub='alice')
    gateway = start(BOTH_KINDS, on=own_home)
    assert (status(gateway, alice), status(gateway, stored, '/stored/')) == (200, 200)
    assert (status(gateway, stored), status(gateway, alice, '/stored/')) == (401, 401)
    assert gateway.reasons(4)[2:] == ['cookie_malformed'] * 2
    assert status(gateway, bob) == 200
    both = gateway.ask_host('acme', headers=[('Cookie', f'{alice.plain}; {stored.cookie}')])
    twice = gateway.ask_host('acme', headers=[('Cookie', f'{alice.plain}; {alice.plain}')])
    assert (both.status, twice.status) == (401, 400)


def test_a_stale_one_is_deleted_where_that_is_wanted(start, echo, own_home, people):
    alice, bob = people
    gateway = start(BOTH_KINDS, on=own_home)
    gateway.may_set_cookies = True
    own_home.run('session', 'revoke', 'acme', alice.reference, '--sealed', '--yes')
    answer = gateway.ask('/optional/', tenant='acme', session=alice)
    assert answer.status == 200 and echo.requests[-1].one('X-Session-Mode') == 'anonymous'
    assert answer.all('set-cookie')[0].startswith(f'{alice.name}=; Path=/; Max-Age=0')
    assert status(gateway, bob, '/optional/') == 200
    assert echo.requests[-1].one('X-Session-Mode') == 'normal'


def test_it_ends_at_its_time(start, own_home, people):
    alice, bob = people
    short = sealed(own_home, 'acme', '--ttl', '3', sub='alice')
    made = time.monotonic()
    gateway = start(SEALED, on=own_home)
    passed = status(gateway, short)
    assert passed == 200 or time.monotonic() - made >= 3
    wait_until(lambda: status(gateway, short) == 401, 'the end of the session')
    # nginx answers before it writes its line
    wait_until(lambda: gateway.reasons()[-1] == 'session_expired', 'the reason in the access log')
    assert (status(gateway, alice), status(gateway, bob)) == (200, 200)


def test_it_is_revoked_by_its_reference(start, own_home, people):
    alice, bob = people
    other = sealed(own_home, 'acme', sub='alice')
    gateway = start(SEALED, on=own_home, workers=2)
    for session in (alice, other, bob):
        assert status(gateway, session) == 200
    # no store knows it, so that a mistyped reference is still one
    unknown = say(own_home, 'session', 'revoke', 'acme', alice.reference, '--yes')
    assert unknown.code == NOT_SO and '--sealed' in unknown.err
    assert status(gateway, alice) == 200
    # under another tenant's name it is another session
    own_home.run('session', 'revoke', 'globex', alice.reference, '--sealed', '--yes')
    assert status(gateway, alice) == 200
    own_home.run('session', 'revoke', 'acme', alice.reference, '--sealed', '--yes')
    for _ in range(8):
        assert (status(gateway, alice), status(gateway, other), status(gateway, bob)) == (401, 200, 200)
    own_home.run('session', 'revoke', 'acme', alice.reference, '--sealed', '--yes')
    assert status(gateway, alice) == 401


def test_a_stored_session_is_revoked_whole_with_the_same_option(start, own_home):
    stored = own_home.session('acme', sub='alice')
    gateway = start('leasehold on; location / { proxy_pass $upstream; }', on=own_home)
    assert status(gateway, stored) == 200
    own_home.run('session', 'revoke', 'acme', stored.reference, '--sealed', '--yes')
    assert status(gateway, stored) == 401
    assert sessions_in_store(own_home, 'acme') == []


@pytest.mark.parametrize('who', [('--sub', 'alice'), ('--all',)])
def test_a_log_out_ends_it(start, own_home, people, who):
    alice, bob = people
    carol = sealed(own_home, 'acme', sub='carol')
    gateway = start(SEALED, on=own_home, workers=2)
    for session in (alice, carol, bob):
        assert status(gateway, session) == 200
    own_home.run('session', 'revoke', 'acme', *who, '--yes')
    spared = 200 if who[0] == '--sub' else 401
    for _ in range(8):
        assert (status(gateway, alice), status(gateway, carol), status(gateway, bob)) == (401, spared, 200)
    later = sealed(own_home, 'acme', sub='alice')
    assert status(gateway, later) == 200


def test_a_new_key_logs_nobody_out(start, own_home, people):
    alice, bob = people
    gateway = start(SEALED, on=own_home, workers=2)
    own_home.run('key', 'rotate', 'acme')
    later = sealed(own_home, 'acme', sub='carol')
    for _ in range(8):
        assert [status(gateway, session) for session in (alice, bob, later)] == [200, 200, 200]


def test_it_ends_with_its_tenant(start, own_home, people):
    alice, bob = people
    gateway = start(SEALED, on=own_home, workers=2)
    assert status(gateway, alice) == 200
    own_home.run('tenant', 'disable', 'acme', '--yes')
    for _ in range(4):
        assert (status(gateway, alice), status(gateway, bob)) == (401, 200)
    own_home.run('tenant', 'enable', 'acme')
    assert status(gateway, alice) == 200
    own_home.run('tenant', 'remove', 'acme', '--yes')
    for _ in range(4):
        assert (status(gateway, alice), status(gateway, bob)) == (401, 200)


def test_what_does_not_fit_is_refused_with_its_size(own_home):
    names = [f'role-{number:02}-' + 'x' * 100 for number in range(32)]
    roles = [argument for name in names for argument in ('--role', name)]
    refused = say(own_home, 'session', 'create', 'acme', '--sub', 'alice', '--sealed', *roles)
    size = sum(1 + len(name) for name in names) + 1 + len('alice') + 3
    assert refused.code != 0 and str(size) in refused.err and str(LIMIT) in refused.err
    some = sealed(own_home, 'acme', *roles[:50], sub='alice')
    assert len(some.cookie) <= 4096


def test_the_largest_cookie_passes(start, echo, own_home):
    names = [f'role-{number:02}-' + 'x' * 100 for number in range(32)]
    room = LIMIT - (1 + len('alice') + 3)
    fitting, used = [], 0
    for name in names:
        if used + 1 + len(name) <= room:
            fitting += ['--role', name]
            used += 1 + len(name)
    if room - used > 1:
        fitting += ['--scope', 's' * (room - used - 1)]
    largest = sealed(own_home, 'acme', *fitting, sub='alice')
    assert 4090 <= len(largest.cookie) <= 4096
    gateway = start(SEALED, on=own_home)
    assert status(gateway, largest) == 200
    assert echo.requests[-1].one('X-Session-Subject') == 'alice'


def test_there_is_no_state(own_home, tmp_path):
    state = tmp_path / 'state.json'
    state.write_text('{}')
    refused = say(own_home, 'session', 'create', 'acme', '--sealed', '--state', str(state))
    assert refused.code != 0 and 'no state' in refused.err


def test_the_configuration_knows_two_kinds(configure):
    accepted, said = configure('leasehold_cookie plain; location / { proxy_pass $upstream; }').check_conf()
    assert not accepted and 'invalid value "plain"' in said
