"""A hundred thousand tokens that are almost right, judged by us and by PyJWT, which shares nothing with
us but OpenSSL: whatever we accept, it accepts, too, and for the same subject. It is no model of what we
should refuse, since it forgives much; that we refuse nothing that is right, and do accept some of what
was changed, is asked as well."""
import base64
import json
import os
import random
import subprocess
import time

import jwt
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness import build

JUDGE = os.path.join(build.BUILD, 'tests', 'long', 'judge_tokens')
TOKENS = int(os.environ.get('LEASEHOLD_TEST_TOKENS', '100000'))
BATCH = 2000
ISS = 'https://idp.example'
SKEW_S = 30


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b'=')


def number(value, length=None):
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, 'big')).decode()


class Signer:
    """A key pair with one algorithm; its public half as a JWK."""

    def __init__(self, alg, pair, jwk):
        self.alg, self.pair = alg, pair
        self.jwk = {'alg': alg, 'kid': alg.lower() + '-1', 'use': 'sig', **jwk}

    def sign(self, message):
        if self.alg == 'RS256':
            return self.pair.sign(message, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == 'PS256':
            return self.pair.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        if self.alg == 'EdDSA':
            return self.pair.sign(message)
        r, s = decode_dss_signature(self.pair.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, 'big') + s.to_bytes(32, 'big')


def make_signers():
    rsa_pair = rsa.generate_private_key(65537, 2048)
    n = rsa_pair.public_key().public_numbers()
    p256 = ec.generate_private_key(ec.SECP256R1())
    point = p256.public_key().public_numbers()
    ed = ed25519.Ed25519PrivateKey.generate()
    raw = ed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    rsa_jwk = {'kty': 'RSA', 'n': number(n.n), 'e': number(n.e)}
    return [Signer('RS256', rsa_pair, rsa_jwk), Signer('PS256', rsa_pair, rsa_jwk),
            Signer('ES256', p256, {'kty': 'EC', 'crv': 'P-256', 'x': number(point.x, 32), 'y': number(point.y, 32)}),
            Signer('EdDSA', ed, {'kty': 'OKP', 'crv': 'Ed25519', 'x': b64(raw).decode()})]


class Forger:
    """Makes tokens, right ones and ones that are almost right."""

    def __init__(self, rng, signers):
        self.rng, self.signers, self.now = rng, signers, 0
        self.source = b''  # the right token that was made last
        self.kinds = [self.right, self.changed_text, self.changed_base64, self.changed_json, self.odd_claim,
                      self.odd_header, self.spliced, self.swapped_algorithm, self.symmetric]

    def signer(self):
        # RSA signs slowly.
        return self.rng.choices(self.signers, [1, 1, 4, 4])[0]

    def header(self, signer):
        return {'alg': signer.alg, 'kid': signer.jwk['kid'], 'typ': self.rng.choice(['JWT', 'at+jwt'])}

    def claims(self):
        claims = {'iss': ISS, 'aud': self.rng.choice(['api', ['api', 'web']]), 'exp': self.now + 600,
                  'iat': self.now - 5, 'sub': f'user-{self.rng.randrange(1000)}', 'tenant_id': 'acme',
                  'jti': f'{self.rng.getrandbits(64):x}'}
        for name, value in [('nbf', self.now - 5), ('scope', 'read write'), ('roles', ['admin']),
                            ('extra', {'a': [1, 2, {'b': None}]})]:
            if self.rng.random() < 0.3:
                claims[name] = value
        items = list(claims.items())
        self.rng.shuffle(items)
        return dict(items)

    def compact(self, signer, header, payload):
        signed = b64(header) + b'.' + b64(payload)
        return signed + b'.' + b64(signer.sign(signed))

    def dump(self, value):
        return json.dumps(value, ensure_ascii=self.rng.random() < 0.5).encode()

    def right(self):
        signer = self.signer()
        self.source = self.compact(signer, self.dump(self.header(signer)), self.dump(self.claims()))
        return self.source

    def change(self, octets, alphabet):
        """One to three bytes replaced, put in or taken out."""
        octets = bytearray(octets)
        for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
            at = self.rng.randrange(len(octets) + 1)
            what = self.rng.randrange(4)
            if what == 0 and at < len(octets):
                octets[at] = self.rng.choice(alphabet)
            elif what == 1:
                octets.insert(at, self.rng.choice(alphabet))
            elif what == 2 and at < len(octets):
                del octets[at]
            elif at < len(octets):
                octets[at] ^= 1 << self.rng.randrange(8)
        return bytes(octets)

    def changed_text(self):
        return self.change(self.right(), b'ABCDEFabcdef0123456789-_.=+/ \n\x00')

    def changed_base64(self):
        parts = self.right().split(b'.')
        which = self.rng.randrange(3)
        part = parts[which]
        parts[which] = self.rng.choice([
            part + b'=', part + b'==', part + b'\n', b' ' + part, part.replace(b'-', b'+').replace(b'_', b'/'),
            part[:-1] + bytes([self.rng.choice(b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')]),
            part + b'A', part[:-1], part + b'%3D', part.lower(), b''])
        return b'.'.join(parts)

    def changed_json(self):
        """Header or payload changed as a text, and signed as it is then."""
        signer = self.signer()
        header, payload = self.dump(self.header(signer)), self.dump(self.claims())
        if self.rng.random() < 0.3:
            header = self.change(header, b'"{}[]:,\\ \t\n0eE.+-\x00\xc3\xa9u')
        else:
            payload = self.change(payload, b'"{}[]:,\\ \t\n0123eE.+-\x00\xc3\xa9u')
        return self.compact(signer, header, payload)

    def odd_value(self):
        return self.rng.choice([
            None, True, False, 0, -1, 1.5, 1e300, 2**53, 2**63, 2**64, '', 'x', [], {}, [1], ['api'], {'a': 1},
            self.now, self.now + 0.5, self.now - 31, self.now - 3600, self.now + 31, self.now + 3600,
            str(self.now + 600), float(self.now + 600), ISS, [ISS], ISS + '/', 'acme', ['acme'], 'globex',
            'a\nb', 'é', '\U0001f600', 'a' * 300, [[]], 'alice', 'JWT', 'at+jwt', 'logout+jwt', 'none'])

    def odd_claim(self):
        signer, claims = self.signer(), self.claims()
        name = self.rng.choice(['iss', 'aud', 'exp', 'iat', 'nbf', 'sub', 'tenant_id', 'jti', 'sid', 'scope', 'roles',
                                'groups', 'cnf', 'typ', 'token_use', 'at_hash', 'other'])
        how = self.rng.randrange(4)
        if how == 0:
            claims.pop(name, None)
        else:
            claims[name] = self.odd_value()
        payload = self.dump(claims)
        if how == 1:
            # The same name twice, the right value last or first.
            twin = self.dump({name: self.odd_value()})[1:-1]
            payload = (payload[:-1] + b',' + twin + b'}' if self.rng.random() < 0.5 else
                       b'{' + twin + b',' + payload[1:])
        return self.compact(signer, self.dump(self.header(signer)), payload)

    def odd_header(self):
        signer = self.signer()
        header = self.header(signer)
        name = self.rng.choice(['alg', 'kid', 'typ', 'crit', 'b64', 'jku', 'jwk', 'x5c', 'x5t', 'zip', 'cty', 'enc', 'p2c'])
        if self.rng.random() < 0.2:
            header.pop(name, None)
        else:
            header[name] = self.rng.choice([self.odd_value(), ['b64'], 'HS256', 'RS512', 'ES384', signer.jwk])
        return self.compact(signer, self.dump(header), self.dump(self.claims()))

    def spliced(self):
        parts = [self.right().split(b'.') for _ in range(3)]
        return b'.'.join(self.rng.choice(parts)[i] for i in range(3))

    def swapped_algorithm(self):
        """Signed by one key, said to be another's."""
        signer, other = self.signer(), self.rng.choice(self.signers)
        header = self.header(signer)
        header[self.rng.choice(['alg', 'kid'])] = self.rng.choice([other.alg, other.jwk['kid'], 'none', 'HS256'])
        return self.compact(signer, self.dump(header), self.dump(self.claims()))

    def symmetric(self):
        """An HMAC under what everybody knows of the key."""
        signer = self.signer()
        header = {'alg': self.rng.choice(['HS256', 'none', signer.alg]), 'kid': signer.jwk['kid']}
        signed = b64(self.dump(header)) + b'.' + b64(self.dump(self.claims()))
        mac = hmac.HMAC(json.dumps(signer.jwk).encode(), hashes.SHA256())
        mac.update(signed)
        return signed + b'.' + self.rng.choice([b64(mac.finalize()), b''])


def judge_all(keys_path, now, tokens):
    """What we say of each: (status, subject)."""
    asked = b''.join(len(token).to_bytes(4, 'big') + token for token in tokens)
    said = subprocess.run([JUDGE, keys_path, ISS, str(now)], input=asked, capture_output=True, check=True,
                          timeout=build.PATIENCE_S)
    lines = said.stdout.decode().split('\n')[:-1]
    assert len(lines) == len(tokens), said.stderr
    return [tuple(line.split(' ', 1)) for line in lines]


class Oracle:
    """PyJWT, with a key for each kid, as its manual tells to use it."""

    def __init__(self, signers):
        self.keys = {signer.jwk['kid']: (jwt.PyJWK(signer.jwk).key, signer.alg) for signer in signers}

    def subject(self, token):
        """The subject of a token that it accepts, or None."""
        try:
            key, alg = self.keys[jwt.get_unverified_header(token).get('kid')]
            claims = jwt.decode(token, key, algorithms=[alg], issuer=ISS, leeway=SKEW_S,
                                options={'require': ['exp', 'iat', 'iss', 'sub', 'jti', 'aud'], 'verify_aud': False})
        except Exception:  # pylint: disable=broad-except
            return None  # whatever it stumbles over, it does not accept
        return claims['sub'] if claims.get('tenant_id') == 'acme' else None


def test_tokens__we_accept_only_what_an_independent_library_accepts(seed, tmp_path):
    rng = random.Random(f'{seed} tokens')
    signers = make_signers()
    forger, oracle = Forger(rng, signers), Oracle(signers)
    keys_path = str(tmp_path / 'jwks.json')
    with open(keys_path, 'w', encoding='utf-8') as file:
        json.dump({'keys': [signer.jwk for signer in signers]}, file)
    accepted = dict.fromkeys((kind.__name__ for kind in forger.kinds), 0)
    forgiven = 0
    for _ in range(0, TOKENS, BATCH):
        forger.now = int(time.time())  # PyJWT reads the clock; no date is nearer to a limit than 29 s
        made = [(kind.__name__, kind(), forger.source)
                for kind in (rng.choice(forger.kinds) for _ in range(BATCH))]
        said = judge_all(keys_path, forger.now, [token for _, token, _ in made])
        for (kind, token, source), (status, subject) in zip(made, said):
            theirs = oracle.subject(token)
            if status == 'OK':
                assert theirs == subject, (kind, token)
                accepted[kind] += 1
                # A token has one spelling: what was changed as a text is another one, or was not changed.
                assert kind not in ('changed_text', 'changed_base64') or token == source, (kind, token)
            else:
                assert kind != 'right', (status, token)
                forgiven += theirs is not None
    print(f'accepted: {accepted}; refused, and accepted by PyJWT: {forgiven}')
    # Else nothing was compared.
    for kind in ('right', 'changed_json', 'odd_claim', 'odd_header', 'swapped_algorithm'):
        assert accepted[kind] > TOKENS / 1000, accepted
    assert accepted['symmetric'] == 0, accepted
    assert forgiven > 0
