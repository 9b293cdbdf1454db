"""Tokens on the command line: what is minted verifies by the published keys, with a library of others."""
import base64
import json
import os
import stat
from pathlib import Path

import jwt
import pytest

from harness.cli import DONE, NOT_SO, REFUSED, UNAVAILABLE, USAGE, say, say_json


def mint(home, tenant, *arguments):
    said = say_json(home, 'token', 'mint', tenant, *arguments)
    assert said.code == DONE, said
    return said.document


def published(home, tenant):
    uid = say_json(home, 'tenant', 'show', tenant).document['uid']
    path = Path(home.path, 'public') / uid / 'jwks.json'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    return json.loads(path.read_text())['keys']


def verify(home, tenant, token, audience='leasehold'):
    kid = jwt.get_unverified_header(token)['kid']
    key, = [key for key in published(home, tenant) if key['kid'] == kid]
    return jwt.decode(token, jwt.PyJWK(key).key, algorithms=['ES256'], audience=audience)


def test_a_token_verifies_by_the_published_keys(own_home):
    made = mint(own_home, 'acme', '--sub', 'alice', '--role', 'admin', '--scope', 'a:read', '--group', 'staff',
                '--audience', 'api', '--audience', 'web', '--ttl', '600')
    claims = verify(own_home, 'acme', made['token'], 'web')
    assert jwt.get_unverified_header(made['token']) == {'alg': 'ES256', 'kid': made['kid'], 'typ': 'at+jwt'}
    assert (claims['sub'], claims['tenant_id'], claims['jti']) == ('alice', 'acme', made['jti'])
    assert (claims['roles'], claims['scope'], claims['groups']) == (['admin'], 'a:read', ['staff'])
    assert (claims['aud'], claims['iss']) == (['api', 'web'], made['issuer'])
    assert claims['exp'] - claims['iat'] == 600 and made['expires_ms'] == claims['exp'] * 1000
    assert len(claims['lh_epochs']) == 3 and 'sid' not in claims
    assert all('d' not in key for key in published(own_home, 'acme'))


def test_tenants_have_keys_and_issuers_of_their_own(own_home):
    acme, globex = (mint(own_home, tenant, '--sub', 'alice') for tenant in ('acme', 'globex'))
    assert acme['issuer'] != globex['issuer'] and acme['kid'] != globex['kid']
    assert not {key['x'] for key in published(own_home, 'acme')} & {key['x'] for key in published(own_home, 'globex')}
    with pytest.raises(ValueError):
        verify(own_home, 'globex', acme['token'])
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(acme['token'], jwt.PyJWK(published(own_home, 'globex')[0]).key, algorithms=['ES256'],
                   audience='leasehold')


def test_a_service_token_is_told_by_its_type(own_home):
    made = mint(own_home, 'acme', '--sub', 'shop', '--service')
    assert jwt.get_unverified_header(made['token'])['typ'] == made['type'] == 'lh-service+jwt'
    assert verify(own_home, 'acme', made['token'], 'leasehold-api')['scope'] == 'sessions:*'
    assert say(own_home, 'token', 'mint', 'acme', '--sub', 'shop', '--service', '--scope', 'a').code == USAGE


def test_a_token_of_a_session_names_it_and_ends_with_it(own_home):
    session = say_json(own_home, 'session', 'create', 'acme', '--sub', 'alice', '--ttl', '900').document
    made = mint(own_home, 'acme', '--sub', 'alice', '--sid', session['reference'])
    claims = verify(own_home, 'acme', made['token'])
    assert claims['sid'] == session['reference'] and claims['exp'] * 1000 <= session['absolute_end_ms']
    other = ['--sid', session['reference']]
    assert say(own_home, 'token', 'mint', 'acme', '--sub', 'eve', *other).code == USAGE
    assert say(own_home, 'token', 'mint', 'globex', '--sub', 'alice', *other).code == NOT_SO
    assert say(own_home, 'token', 'mint', 'acme', '--sub', 'alice', '--ttl', '3600', *other).code == REFUSED
    assert say(own_home, 'session', 'revoke', 'acme', session['reference'], '--yes').code == DONE
    assert say(own_home, 'token', 'mint', 'acme', '--sub', 'alice', *other).code == NOT_SO


def test_a_session_stays_what_it_is_when_it_gets_a_token(own_home):
    session = say_json(own_home, 'session', 'create', 'acme', '--sub', 'alice').document
    show = ['session', 'show', 'acme', session['reference']]
    before = say_json(own_home, *show).document
    for number in (1, 2):
        mint(own_home, 'acme', '--sub', 'alice', '--sid', session['reference'])
        after = say_json(own_home, *show).document
        assert after['generation'] == before['generation'] + number
        assert {**after, 'generation': 0} == {**before, 'generation': 0}
    mint(own_home, 'acme', '--sub', 'alice')
    assert say(own_home, 'token', 'mint', 'acme', '--sub', 'bob', '--sid', session['reference']).code == USAGE
    assert say_json(own_home, *show).document['generation'] == before['generation'] + 2


def test_with_out_the_token_is_in_that_file_alone(own_home, tmp_path):
    path = tmp_path / 'token'
    said = say_json(own_home, 'token', 'mint', 'acme', '--sub', 'alice', '--out', str(path))
    assert said.code == DONE and 'token' not in said.document, said
    token = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and token not in said.out + said.err
    assert verify(own_home, 'acme', token)['jti'] == said.document['jti']
    full = say(own_home, 'token', 'mint', 'acme', '--sub', 'alice', '--out', '/dev/full')
    assert full.code == UNAVAILABLE and 'eyJ' not in full.out + full.err


def test_the_log_knows_the_token_and_not_its_subject(own_home):
    said = say_json(own_home, 'token', 'mint', 'acme', '--sub', 'alice')
    assert f"audit token_minted tenant=acme kid={said.document['kid']} jti={said.document['jti']}" in said.err
    assert 'alice' not in said.err and said.document['token'] not in said.err


@pytest.mark.parametrize('arguments, code', [
    (['acme'], USAGE), (['nobody', '--sub', 'alice'], NOT_SO), (['acme', '--sub', 'a b'], USAGE),
    (['acme', '--sub', 'alice', '--ttl', '0'], USAGE), (['acme', '--sub', 'alice', '--ttl', '1209601'], REFUSED),
    (['acme', '--sub', 'alice', '--sid', 'x'], USAGE), (['acme', '--sub', 'alice', '--audience', 'a b'], USAGE),
], ids=lambda value: ' '.join(value) if isinstance(value, list) else '')
def test_a_token_that_cannot_be_is_refused_and_makes_no_key(own_home, arguments, code):
    said = say(own_home, 'token', 'mint', *arguments)
    assert said.code == code and not said.out, said
    assert not [key for key in say_json(own_home, 'key', 'list').document['keys'] if key['kind'] == 'signing']


def test_the_next_key_is_published_before_it_is_used(own_home):
    first = mint(own_home, 'acme', '--sub', 'alice')
    said = say_json(own_home, 'key', 'rotate', 'acme', '--signing')
    pending, = said.document['keys']
    assert pending['state'] == 'pending' and pending['from_ms'] - pending['created_ms'] == 600_000
    assert {key['kid'] for key in published(own_home, 'acme')} == {first['kid'], pending['key']}
    assert mint(own_home, 'acme', '--sub', 'alice')['kid'] == first['kid']
    listed = say_json(own_home, 'key', 'list', 'acme').document['keys']
    assert [key['state'] for key in listed if key['kind'] == 'signing'] == ['active', 'pending']
    assert say(own_home, 'key', 'rotate', 'acme', '--signing').code == REFUSED
    assert say(own_home, 'key', 'rotate', '--all', '--signing').code == DONE
    assert say(own_home, 'key', 'rotate', '--node', '--signing').code == USAGE
    assert not [key for key in say_json(own_home, 'key', 'list', 'globex').document['keys'] if key['kind'] == 'signing']


def test_the_private_half_lies_nowhere_in_plain(own_home):
    made = mint(own_home, 'acme', '--sub', 'alice')
    header, claims, signature = made['token'].split('.')
    assert len(base64.urlsafe_b64decode(signature + '==')) == 64
    key, = published(own_home, 'acme')
    x = base64.urlsafe_b64decode(key['x'] + '=')
    registry = Path(own_home.path, 'registry', 'data.mdb').read_bytes()
    assert x in registry and claims.encode() not in registry and b'alice' not in registry


JWK = ('{"kty":"EC","crv":"P-256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
       '"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}')
POLICY = 'tenants:\n  acme:\n    issuers:\n      https://idp.example:\n        jwks_file: {}\n'


def test_keys_of_issuers_are_read_where_the_policy_names_them(own_home, tmp_path):
    folder = tmp_path / 'policies'
    folder.mkdir()
    policy, keys = folder / 'acme.yaml', folder / 'idp.json'
    policy.write_text(POLICY.format('idp.json'))
    missing = say(own_home, 'apply', str(policy))
    assert missing.code == USAGE and f'{policy}:5:20: {keys} cannot be read' in missing.err, missing
    keys.write_text('{"keys":[%s]}' % JWK)
    tried = say_json(own_home, 'apply', str(policy), '--dry-run')
    assert tried.document['changes'][0]['field'] == 'issuer https://idp.example'
    assert say_json(own_home, 'tenant', 'show', 'acme').document['issuers'] == []
    assert say_json(own_home, 'apply', str(policy)).document['changes'] == tried.document['changes']
    assert say_json(own_home, 'tenant', 'show', 'acme').document['issuers'] == ['https://idp.example']
    assert say_json(own_home, 'apply', str(policy)).document['changes'] == []
    policy.write_text(POLICY.replace('acme', 'globex').format(keys))
    said = say(own_home, 'apply', str(policy))
    assert said.code == REFUSED and f'{policy}:4:7:' in said.why and '"acme"' in said.why, said
    assert say_json(own_home, 'tenant', 'show', 'globex').document['issuers'] == []


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir, lambda path: os.symlink('/dev/zero', path)])
def test_only_plain_files_are_read_where_a_policy_names_them(own_home, tmp_path, make):
    policy, keys = tmp_path / 'acme.yaml', tmp_path / 'idp.json'
    policy.write_text(POLICY.format('idp.json'))
    make(keys)
    said = say(own_home, 'apply', str(policy))
    assert said.code == USAGE and f'{policy}:5:20: {keys} cannot be read' in said.err, said


def test_a_policy_may_name_many_files_and_not_any_number(own_home, tmp_path):
    policy, keys = tmp_path / 'acme.yaml', tmp_path / 'idp.json'
    keys.write_text('{"keys":[%s]}' % JWK)
    one = '  t{0:04}:\n    issuers:\n      https://idp.example/{0}:\n        jwks_file: {0}.json\n'
    for count, code in ((300, 0), (1025, REFUSED)):
        for number in range(count):
            (tmp_path / f'{number}.json').exists() or os.link(keys, tmp_path / f'{number}.json')
        policy.write_text('tenants:\n' + ''.join(one.format(number) for number in range(count)))
        said = say(own_home, 'apply', str(policy), '--dry-run')
        assert said.code == code, said
    assert 'more than 1024 files' in said.why


def test_a_private_key_in_a_set_is_refused_and_not_repeated(own_home, tmp_path):
    policy, keys = tmp_path / 'acme.yaml', tmp_path / 'idp.json'
    policy.write_text(POLICY.format('idp.json'))
    secret = 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI'
    keys.write_text('{"keys":[%s,"d":"%s"}]}' % (JWK[:-1], secret))
    said = say(own_home, 'apply', str(policy))
    assert said.code == USAGE and f'{policy}:5:20: key 1:' in said.err and secret not in said.err + said.out, said


def test_the_own_issuer_is_shown_first(own_home):
    made = mint(own_home, 'acme', '--sub', 'alice')
    assert say_json(own_home, 'tenant', 'show', 'acme').document['issuers'] == [made['issuer']]
