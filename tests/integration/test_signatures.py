"""Requests between services, signed under a tenant's keys (RFC 9421): who passes, once, and what the
upstream learns. The signing side is the harness's own."""
import json
import threading
import time

import pytest

from harness import http1, http2, signatures
from harness.cli import say
from harness.gateway import wait_until
from harness.signatures import MAKERS, ask, send, wait_until_young

NONCES = 'leasehold_nonces 1m;'
SIGNED = '''
    leasehold on; client_max_body_size 8m; proxy_http_version 1.1;
    leasehold_credential signature;
    location / { proxy_pass $upstream; }
    location /unbuffered { proxy_request_buffering off; proxy_pass $upstream; }
    location /limited { client_max_body_size 1k; proxy_pass $upstream; }
    location /kept { leasehold_pass_authorization on; proxy_pass $upstream; }
    location /scoped { leasehold_require scope=orders:write; proxy_pass $upstream; }
    location /off { leasehold off; proxy_pass $upstream; }
    location /either { leasehold_credential cookie bearer signature; proxy_pass $upstream; }
    location /twice { leasehold_require none; rewrite ^ /kept/twice last; }
    location /page { leasehold off; error_page 418 = /paged; return 418; }
    location /paged { proxy_pass $upstream; }
'''


@pytest.fixture
def signed(start, own_home):
    """signed(server, …): a gateway that judges signatures, on a home of its own."""
    def start_signed(server=SIGNED, **rest):
        gateway = start(server, on=own_home, http=NONCES, **rest)
        return wait_until_young(gateway, signatures.shared_key(own_home, 'acme'))

    return start_signed


@pytest.mark.parametrize('algorithm', sorted(MAKERS))
def test_a_signed_request_passes_as_its_service(signed, echo, own_home, algorithm):
    gateway = signed()
    for tenant in ('acme', 'globex'):
        signer = MAKERS[algorithm](own_home, tenant, '--sub', f'billing-{tenant}', '--scope', 'orders:write')
        answers = [ask(gateway, signer, path) for path in (f'/{tenant}/a?x=1&y=%20', f'/scoped/{tenant}', f'/kept/{tenant}')]
        assert [answer.status for answer in answers] == [200, 200, 200]
        seen = echo.taken(f'/{tenant}/a')[0]
        assert seen.one('X-Tenant-ID') == tenant and seen.one('X-Session-Subject') == f'billing-{tenant}'
        assert seen.one('X-Session-Mode') == 'service' and seen.one('X-Session-Scope') == 'orders:write'
        assert seen.one('X-Session-Ref') is None and seen.one('X-Tenant-Context')
        assert seen.one('Signature') is None and seen.one('Signature-Input') is None
        assert echo.taken(f'/kept/{tenant}')[0].one('Signature').startswith('sig1=:')
    assert {line['mode'] for line in gateway.decisions(6)[-6:]} == {'service'}


@pytest.mark.parametrize('algorithm', sorted(MAKERS))
def test_nothing_that_is_signed_can_be_changed(signed, echo, own_home, algorithm):
    gateway = signed()
    signer = MAKERS[algorithm](own_home, 'acme')
    body = b'{"amount": 10}'

    def changed(old, new):
        raw = signer.request('/pay?to=a', 'POST', body=body, extra=[('X-Order', '17')])
        assert raw.count(old) >= 1
        return send(gateway, raw.replace(old, new, 1), 'POST')

    assert changed(b'X-Order', b'x-oRDER').status == 200
    before = len(echo.taken())
    refused = [changed(*pair) for pair in (
        (b'POST /pay', b'PUT /pay'), (b'/pay?', b'/pax?'), (b'to=a', b'to=b'), (b'to=a', b'to=%61'), (b'?to=a', b''),
        (b'127.0.0.1', b'127.0.0.2'), (b'X-Order: 17', b'X-Order: 18'), (b'X-Order: 17', b'X-Ordes: 17'),
        (b'X-Tenant-ID: acme', b'X-Tenant-ID: globex'), (b'sha-256=:', b'sha-256=:AAAA'), (b'Content-Digest', b'Content-Digests'),
        (body, b'{"amount": 99}'), (b';nonce="', b';nonce="x'), (b';expires=', b';expires=1'))]
    assert {answer.status for answer in refused} == {401}
    assert len({answer.body for answer in refused}) == 1
    assert {answer.one('WWW-Authenticate') for answer in refused} == {'Signature realm="leasehold"'}
    assert len(echo.taken()) == before


def test_a_signature_says_and_covers_what_it_must(signed, echo, own_home):
    gateway = signed()
    signer = signatures.public_key(own_home, 'acme', '--id', 'partner-1')
    now = int(time.time())
    told = {
        'signature_coverage': [{'expires': None}, {'created': None, 'expires': now + 40}, {'nonce': None}, {'components': ['@method', '@authority', '@path']},
                               {'components': ['@method', '@path', 'x-tenant-id']}, {'expires': now + 400}],
        'signature_key': [{'keyid': 'partner-2'}],
        'signature_algorithm': [{'alg': 'hmac-sha256'}],
        'signature_malformed': [{'extension': 'x'}],
        'signature_early': [{'created': now + 90, 'expires': now + 120}],
        'signature_expired': [{'created': now - 90, 'expires': now - 30}],
    }
    before = len(gateway.reasons())
    expected = [reason for reason, changes in told.items() for _ in changes]
    answers = [ask(gateway, signer, **change) for changes in told.values() for change in changes]
    assert {answer.status for answer in answers} == {401}
    assert gateway.reasons(before + len(expected))[before:] == expected
    assert ask(gateway, signer, alg='ed25519', tag='anything').status == 200


def test_keys_are_one_tenants_and_stop_at_once(signed, own_home):
    gateway = signed(workers=2)
    for maker in MAKERS.values():
        signer, other = maker(own_home, 'acme'), maker(own_home, 'globex')
        assert [ask(gateway, each).status for each in (signer, other)] == [200, 200]
        assert ask(gateway, signer, tenant='globex').status == 401
        own_home.run('key', 'remove', 'acme', signer.key_id, '--yes')
        assert {ask(gateway, signer).status for _ in range(6)} == {401}
        assert ask(gateway, other).status == 200
    signer = signatures.shared_key(own_home, 'acme')
    own_home.run('tenant', 'disable', 'acme', '--yes')
    assert ask(gateway, signer).status == 401
    own_home.run('tenant', 'enable', 'acme')
    own_home.run('key', 'rotate', 'acme')
    assert ask(gateway, signer).status == 200


def test_a_policy_says_which_public_keys_there_are_and_touches_no_secret(signed, own_home):
    gateway = signed(workers=2)
    secret, other = signatures.shared_key(own_home, 'acme'), signatures.public_key(own_home, 'globex', '--id', 'partner')
    signer, jwk = signatures.listed_key('acme', 'partner')

    def apply(keys):
        own_home.apply(json.dumps({'tenants': {'acme': {'signature_keys': keys}}}))
        return own_home.run('tenant', 'show', 'acme')['signature_keys']

    assert ask(gateway, signer).status == 401
    secrets = own_home.run('tenant', 'show', 'acme')['signature_keys']
    assert secret.key_id in secrets
    listed = {'partner': {'jwk': jwk, 'subject': 'billing', 'scopes': ['orders:write']}}
    assert apply(listed) == ['partner', *secrets]
    assert [ask(gateway, each, path).status for each in (signer, secret, other) for path in 3 * ['/']] == 9 * [200]
    assert ask(gateway, signer, '/scoped').status == 200
    assert apply({'partner': {'jwk': jwk}}) == ['partner', *secrets]
    assert {ask(gateway, signer, '/scoped').status for _ in range(4)} == {403}
    assert apply({'partner': {'jwk': signatures.listed_key('acme', 'partner')[1]}})
    assert {ask(gateway, signer).status for _ in range(4)} == {401}
    assert apply({}) == secrets
    assert {ask(gateway, each).status for each in (secret, other) for _ in range(4)} == {200}


def test_a_nonce_is_good_once_for_all_workers_together(signed, echo, own_home):
    gateway = signed(workers=2)
    signer, other = signatures.shared_key(own_home, 'acme'), signatures.shared_key(own_home, 'globex')
    for repeated in range(8):
        raw = signer.request(f'/once/{repeated}')
        answers, barrier = [], threading.Barrier(6)

        def replay(raw=raw, barrier=barrier, answers=answers):
            with http1.Connection(gateway.port, gateway.seen) as connection:
                barrier.wait()
                connection.send(raw)
                answers.append(connection.read().status)

        threads = [threading.Thread(target=replay) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] + 5 * [401]
        assert len(echo.taken(f'/once/{repeated}')) == 1
    assert ask(gateway, other, nonce='same').status == 200 and ask(gateway, signer, nonce='same').status == 200
    assert ask(gateway, other, nonce='same').status == 401

    def replays():
        return sorted(line['tenant'] for line in gateway.decisions() if line['reason'] == 'signature_replayed')

    wait_until(lambda: replays() == 40 * ['acme'] + ['globex'], 'all replays in the access log')


def test_what_was_used_stays_used_over_a_reload(signed, own_home):
    gateway = signed()
    signer = signatures.shared_key(own_home, 'acme')
    raw = signer.request('/')
    assert send(gateway, raw).status == 200
    gateway.reload()
    assert send(gateway, raw).status == 401
    assert ask(gateway, signer).status == 200
    gateway.parts = (gateway.parts[0], 'leasehold_nonces 2m;', gateway.parts[2])
    gateway.write_conf()
    gateway.reload()
    assert send(gateway, raw).status == 503
    wait_until_young(gateway, signer)
    assert send(gateway, raw).status in (401, 503)


def in_chunks(body):
    return b''.join(b'%x\r\n%b\r\n' % (len(part), part) for part in (body[at:at + 5000] for at in range(0, len(body), 5000))) + b'0\r\n\r\n'


@pytest.mark.parametrize('path', ('/', '/unbuffered'))
@pytest.mark.parametrize('size', (0, 1, 70_000, 3_000_000))
def test_bodies_arrive_whole_or_not_at_all(signed, echo, own_home, path, size):
    gateway = signed()
    signer = signatures.public_key(own_home, 'acme')
    body, other = bytes(size), bytes(size) + b'x'
    for algorithm in ('sha-256', 'sha-512'):
        digest = signatures.digest_of(body, algorithm)
        assert ask(gateway, signer, path, 'POST', body=body, digest=digest).status == 200
    chunked = [('Transfer-Encoding', 'chunked')]
    head = http1.request(path, 'POST', headers=signer.headers(path, 'POST', body=body) + chunked)
    assert send(gateway, head + in_chunks(body), 'POST').status == 200
    assert [seen.body for seen in echo.taken()[-3:]] == [body] * 3
    count = len(echo.taken())
    for wrong in (other, b'y' + body[1:] if body else b'y'):
        headers = signer.headers(path, 'POST', body=body)
        assert send(gateway, http1.request(path, 'POST', headers=headers, body=wrong), 'POST').status == 401
        head = http1.request(path, 'POST', headers=signer.headers(path, 'POST', body=body) + chunked)
        assert send(gateway, head + in_chunks(wrong), 'POST').status == 401
    uncovered = signer.headers(path, 'POST')
    assert send(gateway, http1.request(path, 'POST', headers=uncovered, body=b'z'), 'POST').status == 401
    assert len(echo.taken()) == count
    assert 'signature_body' in gateway.reasons(6)


@pytest.mark.parametrize('path', ('/', '/unbuffered'))
@pytest.mark.parametrize('size', (1, 70_000, 3_000_000))
def test_bodies_over_http2_arrive_whole_or_not_at_all(signed, echo, own_home, path, size):
    gateway = signed('listen 127.0.0.1:$second_port http2;' + SIGNED)
    signer = signatures.shared_key(own_home, 'acme')
    connection = http2.Connection(gateway.second_port, gateway.seen)
    gateway.connections.append(connection)
    body = bytes(size)
    for sent, status in ((body, 200), (body[1:] + b'x', 401), (body + b'x', 401), (body, 200)):
        headers = [(name.lower(), value) for name, value in signer.headers(path, 'POST', body=body)]
        stream = connection.request(path, method='POST', headers=headers, is_whole=False)
        connection.upload(stream, sent)
        assert connection.wait(stream).status == status
    assert [seen.body for seen in echo.taken(path) if seen.method == 'POST'] == [body, body]


def test_a_subrequest_judges_no_body_that_nobody_has_read(signed, echo, own_home):
    gateway = signed('''leasehold on; leasehold_credential signature;
        location / { proxy_pass $upstream; }
        location /asks { leasehold off; auth_request /auth; proxy_pass $upstream; }
        location /auth { internal; proxy_pass $upstream; }
        location /mirrors { mirror /copy; proxy_pass $upstream; }
        location /copy { internal; leasehold_require none; proxy_pass $upstream; }''')
    signer = signatures.public_key(own_home, 'acme')
    assert ask(gateway, signer, '/asks').status == 200
    assert ask(gateway, signer, '/asks', 'POST', body=b'unread').status == 500
    headers = signer.headers('/asks', 'POST', body=b'')
    assert send(gateway, http1.request('/asks', 'POST', headers=headers, body=b'added'), 'POST').status == 500
    assert echo.taken('/asks')[0].method == 'GET' and len(echo.taken('/asks')) == 1
    assert ask(gateway, signer, '/mirrors', 'POST', body=b'mirrored').status == 200
    wait_until(lambda: [seen.body for seen in echo.taken('/copy')] == [b'mirrored'], 'mirrored')


def test_a_body_that_is_too_large_or_breaks_off_reaches_nobody(signed, echo, own_home):
    gateway = signed()
    signer = signatures.public_key(own_home, 'acme')
    body = bytes(2000)
    assert ask(gateway, signer, '/limited', 'POST', body=body).status == 413
    head = http1.request('/limited', 'POST', headers=signer.headers('/limited', 'POST', body=body) + [('Transfer-Encoding', 'chunked')])
    assert send(gateway, head + in_chunks(body), 'POST').status == 413
    with http1.Connection(gateway.port) as connection:
        connection.send(signer.request('/', 'POST', body=body)[:-1000])
    assert ask(gateway, signer).status == 200
    assert [seen.method for seen in echo.taken() if seen.method == 'POST'] == []


def test_one_request_is_one_request_in_all_its_locations(signed, echo, own_home):
    gateway = signed()
    signer = signatures.shared_key(own_home, 'acme')
    raw = signer.request('/twice', 'POST', body=b'body')
    assert send(gateway, raw, 'POST').status == 200
    assert send(gateway, raw, 'POST').status == 401
    assert ask(gateway, signer, '/page', 'POST', body=b'body').status == 200
    assert echo.taken('/paged')[0].body == b'body'


def test_a_signature_stands_alone(signed, echo, own_home):
    gateway = signed()
    signer = signatures.shared_key(own_home, 'acme')
    session = own_home.session('acme', sub='alice')
    token = own_home.token('acme', sub='alice', aud='leasehold')
    assert ask(gateway, signer, '/either').status == 200
    assert gateway.ask('/either', tenant='acme', session=session).status == 200
    for credential in (('Cookie', session.cookie), ('Authorization', f'Bearer {token}')):
        headers = signer.headers('/either') + [credential]
        assert send(gateway, http1.request('/either', headers=headers)).status == 401
    wait_until(lambda: gateway.reasons().count('credential_conflict') == 2, 'both conflicts in the access log')
    assert gateway.ask('/either', tenant='acme').one('WWW-Authenticate') == \
        'Cookie realm="leasehold", Bearer realm="leasehold", Signature realm="leasehold"'
    headers = signer.headers('/off')
    assert send(gateway, http1.request('/off', headers=headers)).status == 200
    assert echo.taken('/off')[0].one('Signature-Input').startswith('sig1=(')


def test_a_place_that_takes_signatures_needs_a_memory_for_them(configure):
    is_good, said = configure(SIGNED).check_conf()
    assert not is_good and 'leasehold_nonces SIZE' in said
    is_good, said = configure(SIGNED, http='leasehold_nonces 64k;').check_conf()
    assert not is_good and 'at least 256k' in said
    assert configure(SIGNED, http='leasehold_nonces 256k;').check_conf()[0]


def test_keys_are_told_once_and_listed_without_secrets(own_home, tmp_path):
    made = own_home.run('key', 'add', 'acme', '--algorithm', 'hmac-sha256', '--role', 'admin', '--ttl', '3600')
    assert made['key'].startswith('sig-') and made['subject'] == made['key'] and made['roles'] == ['admin']
    listed = [key for key in own_home.run('key', 'list', 'acme')['keys'] if key['kind'] == 'signature']
    assert [(key['key'], key['state']) for key in listed] == [(made['key'], 'active')] and made['secret'] not in str(listed)
    path = tmp_path / 'secret'
    told = own_home.run('key', 'add', 'acme', '--algorithm', 'hmac-sha256', '--out', str(path))
    assert 'secret' not in told and len(path.read_text()) == 45 and path.stat().st_mode & 0o777 == 0o600
    public = signatures.write_public(signatures.Ed25519PrivateKey.generate(), str(tmp_path))
    wrong = [('--algorithm', 'rsa'), (), ('--algorithm', 'ed25519'), ('--algorithm', 'hmac-sha256', '--id', 'mine'),
             ('--algorithm', 'hmac-sha256', '--public-key', public), ('--algorithm', 'ed25519', '--public-key', str(path)),
             ('--algorithm', 'ed25519', '--public-key', public, '--id', 'a b'),
             ('--algorithm', 'ed25519', '--public-key', public, '--out', str(path))]
    assert {say(own_home, 'key', 'add', 'acme', *arguments).code for arguments in wrong} == {2}
    assert say(own_home, 'key', 'add', 'acme', '--algorithm', 'ed25519', '--public-key', public, '--id', 'p').code == 0
    assert say(own_home, 'key', 'add', 'acme', '--algorithm', 'ed25519', '--public-key', public, '--id', 'p').code == 4
    assert say(own_home, 'key', 'add', 'globex', '--algorithm', 'ed25519', '--public-key', public, '--id', 'p').code == 0
    assert say(own_home, 'key', 'remove', 'acme', 'nobody', '--yes').code == 1
    assert say(own_home, 'key', 'remove', 'acme', 'p').code == 4
