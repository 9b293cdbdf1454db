"""Tokens of issuers outside, whose keys a policy lists, through nginx: each algorithm, each tenant for itself."""
import base64
import json
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

IDP, SHARED = 'https://idp.acme.example', 'https://idp.shared.example'
PLACES = '''
    leasehold on; leasehold_credential bearer; leasehold_mode stateless;
    location / { leasehold_tenant_from claim header; proxy_pass $upstream; }
    location /orders { leasehold_tenant_from header; leasehold_audience orders; proxy_pass $upstream; }
'''
PAIRS = {'RS256': lambda: rsa.generate_private_key(65537, 2048), 'PS256': lambda: rsa.generate_private_key(65537, 2048),
         'ES256': lambda: ec.generate_private_key(ec.SECP256R1()), 'EdDSA': ed25519.Ed25519PrivateKey.generate}
ALGORITHMS = {'RS256': jwt.algorithms.RSAAlgorithm, 'PS256': jwt.algorithms.RSAAlgorithm,
              'ES256': jwt.algorithms.ECAlgorithm, 'EdDSA': jwt.algorithms.OKPAlgorithm}


class Key:
    def __init__(self, algorithm, kid=None):
        self.algorithm, self.kid, self.pair = algorithm, kid or f'{algorithm}-1', PAIRS[algorithm]()

    def jwk(self):
        public = json.loads(ALGORITHMS[self.algorithm].to_jwk(self.pair.public_key()))
        return {name: public[name] for name in ('kty', 'crv', 'n', 'e', 'x', 'y') if name in public} | {
            'kid': self.kid, 'alg': self.algorithm, 'use': 'sig'}

    def public_pem(self):
        return self.pair.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def token(self, tenant, iss=IDP, algorithm=None, **claims):
        now = int(time.time())
        return jwt.encode({'iss': iss, 'sub': 'alice', 'aud': 'leasehold', 'tenant_id': tenant, 'jti': uuid.uuid4().hex,
                           'iat': now, 'exp': now + 300, **claims}, self.pair, algorithm or self.algorithm, {'kid': self.kid})


def issuer(keys, iss=IDP, **rest):
    return {iss: {'jwks': {'keys': [key.jwk() for key in keys]}, **rest}}


def apply(home, **tenants):
    """What is JSON is YAML too. A tenant that is named has these issuers and no others."""
    home.apply(json.dumps({'tenants': {name: {'issuers': issuers} for name, issuers in tenants.items()}}))


def ask(gateway, token, tenant=None, path='/'):
    return gateway.ask(path, tenant=tenant, headers=[('Authorization', f'Bearer {token}')]).status


@pytest.fixture
def keys(own_home):
    """Beside a home that is a second old: dates in tokens are whole seconds, and one of others must be younger than its tenant."""
    assert own_home
    made = {algorithm: Key(algorithm) for algorithm in PAIRS}
    time.sleep(1)
    return made


def test_each_algorithm_passes_under_the_key_that_has_it(start, echo, own_home, keys):
    apply(own_home, acme=issuer(keys.values()))
    gateway = start(PLACES, on=own_home)
    for algorithm, key in keys.items():
        token = key.token('acme', roles=['admin'], scope='a:read')
        assert [ask(gateway, token) for _ in range(2)] == [200, 200], algorithm  # verified, and remembered
        assert ask(gateway, key.token('globex')) == 401 and ask(gateway, token, 'globex') == 401
        assert ask(gateway, key.token('acme', iss=IDP + '/')) == 401
        assert ask(gateway, key.token('acme', exp=int(time.time()) - 60)) == 401
    assert len(echo.taken()) == 2 * len(keys)
    assert all(seen.one('X-Session-Subject') == 'alice' and seen.one('X-Tenant-ID') == 'acme' for seen in echo.taken())


def with_header(token, **header):
    """The token under another header, its signature as it was."""
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b'=').decode()
    return '.'.join([text, *token.split('.')[1:]])


def test_no_key_is_used_for_what_it_is_not(start, own_home, keys):
    apply(own_home, acme=issuer(keys.values()))
    gateway = start(PLACES, on=own_home)
    rsa_key, pss_key, ec_key = keys['RS256'], keys['PS256'], keys['ES256']
    stranger = Key('ES256', kid=ec_key.kid)
    good = ec_key.token('acme')
    claims = jwt.decode(good, options={'verify_signature': False})
    hmac_key = rsa_key.public_pem()
    refused = {
        'of a stranger under a known kid': stranger.token('acme'),
        'PS256 of a key for RS256': rsa_key.token('acme', algorithm='PS256'),
        'RS256 of a key for PS256': pss_key.token('acme', algorithm='RS256'),
        'no algorithm': jwt.encode(claims, None, 'none', {'kid': ec_key.kid}),
        'HS256': with_header(jwt.encode(claims, 'x' * len(hmac_key), 'HS256'), alg='HS256', kid=rsa_key.kid),
        'another kid': with_header(good, alg='ES256', kid=rsa_key.kid),
        'a key of its own': with_header(good, alg='ES256', kid=ec_key.kid, jwk=stranger.jwk()),
        'a critical extension': with_header(good, alg='ES256', kid=ec_key.kid, crit=['b64'], b64=True),
    }
    assert {what: ask(gateway, token) for what, token in refused.items()} == dict.fromkeys(refused, 401)
    assert ask(gateway, good) == 200


def test_a_key_or_issuer_that_is_taken_away_is_worth_nothing_at_once(start, own_home, keys):
    first, second = keys['ES256'], keys['EdDSA']
    apply(own_home, acme=issuer([first, second]), globex=issuer([first], iss='https://idp.globex.example'))
    gateway = start(PLACES, on=own_home)
    token, other = first.token('acme'), second.token('acme')
    bystander = first.token('globex', iss='https://idp.globex.example')
    everybody = (token, other, bystander)
    assert [ask(gateway, each) for each in everybody] == [200] * 3
    apply(own_home, acme=issuer([second]))
    assert [ask(gateway, each) for each in everybody] == [401, 200, 200]
    apply(own_home, acme={})
    assert [ask(gateway, each) for each in everybody] == [401, 401, 200]
    apply(own_home, acme=issuer([first]))
    assert [ask(gateway, each) for each in everybody] == [200, 401, 200]


def test_a_shared_issuer_is_told_by_what_the_policy_says(start, own_home, keys):
    key = keys['RS256']
    apply(own_home, acme=issuer([key], SHARED, shared=True, claim='org', value='org-1'),
          globex=issuer([key], SHARED, shared=True, claim='org', value='org-2'))
    gateway = start(PLACES, on=own_home)
    of_acme, of_globex, of_nobody = (key.token(None, SHARED, org=f'org-{n}') for n in (1, 2, 3))
    assert [ask(gateway, token, 'acme') for token in (of_acme, of_globex, of_nobody)] == [200, 401, 401]
    assert [ask(gateway, token, 'globex') for token in (of_acme, of_globex, of_nobody)] == [401, 200, 401]
    assert ask(gateway, key.token(None, SHARED, org=['org-1']), 'acme') == 401


def test_an_audience_is_the_issuers_or_the_places(start, own_home, keys):
    key = keys['ES256']
    apply(own_home, acme={**issuer([key]), **issuer([key], SHARED, audiences=['crm'])})
    gateway = start(PLACES, on=own_home)
    for iss, aud, at_root, at_orders in ((IDP, 'leasehold', 200, 401), (IDP, 'orders', 401, 200), (IDP, ['x', 'orders'], 401, 200),
                                         (SHARED, 'crm', 200, 200), (SHARED, 'orders', 401, 401)):
        token = key.token('acme', iss, aud=aud)
        assert (ask(gateway, token, 'acme'), ask(gateway, token, 'acme', '/orders')) == (at_root, at_orders), (iss, aud)
