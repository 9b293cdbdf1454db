"""Tokens of an issuer outside, whose public keys a tenant's policy lists: made beforehand, about 700 bytes each."""
import base64
import json
import os
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHMS = ('RS256', 'ES256')
ISSUER = 'https://idp.bench.example'
AUDIENCE = 'bench'
TOKEN_BYTES = 700
# Far more than a worker that is told to forget them remembers.
COUNT = 8192
FEW = 100
LIFE_S = 86_400
ES256_BYTES = 32


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b'=')


def b64_number(value, length):
    return b64(value.to_bytes(length, 'big')).decode()


class Key:
    """A key pair of the issuer's, for one algorithm."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        self.kid = f'{algorithm.lower()}-2026'
        self.pair = rsa.generate_private_key(65537, 2048) if algorithm == 'RS256' \
            else ec.generate_private_key(ec.SECP256R1())
        self.padding = ''
        self.padding = 'x' * ((TOKEN_BYTES - len(self.mint(COUNT))) * 3 // 4)

    def jwk(self):
        public = self.pair.public_key().public_numbers()
        if self.algorithm == 'RS256':
            material = {'kty': 'RSA', 'n': b64_number(public.n, 256), 'e': b64_number(public.e, 3)}
        else:
            material = {'kty': 'EC', 'crv': 'P-256', 'x': b64_number(public.x, ES256_BYTES),
                        'y': b64_number(public.y, ES256_BYTES)}
        return {**material, 'alg': self.algorithm, 'use': 'sig', 'kid': self.kid}

    def pem(self):
        return self.pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message):
        if self.algorithm == 'RS256':
            return self.pair.sign(message, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.pair.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(ES256_BYTES, 'big') + s.to_bytes(ES256_BYTES, 'big')

    def mint(self, number):
        now = int(time.time())
        header = {'alg': self.algorithm, 'kid': self.kid, 'typ': 'at+jwt'}
        claims = {'iss': ISSUER, 'sub': f'user-{number:06}', 'aud': AUDIENCE, 'jti': f'{number:016x}', 'iat': now,
                  'exp': now + LIFE_S, 'tenant_id': 'acme', 'roles': ['member'], 'name': self.padding}
        parts = [b64(json.dumps(part, separators=(',', ':')).encode()) for part in (header, claims)]
        message = b'.'.join(parts)
        return (message + b'.' + b64(self.sign(message))).decode()


class Issuer:
    """Its keys, and where files of its tokens lie (values of Authorization): all of an algorithm, and a few."""

    def __init__(self, folder):
        self.folder = folder
        # Dates are whole seconds, and one from before the tenant was made would be none of his.
        time.sleep(1)
        self.keys = {algorithm: Key(algorithm) for algorithm in ALGORITHMS}
        for algorithm, key in self.keys.items():
            tokens = [key.mint(number) for number in range(COUNT)]
            self.write(self.all_of(algorithm), tokens)
            self.write(self.few_of(algorithm), tokens[:FEW])
            with open(self.pem_of(algorithm), 'wb') as file:
                file.write(key.pem())

    def write(self, path, tokens):
        with open(path, 'w', encoding='ascii') as file:
            file.writelines(f'Bearer {token}\n' for token in tokens)

    def all_of(self, algorithm):
        return os.path.join(self.folder, f'tokens-{algorithm}')

    def few_of(self, algorithm):
        return os.path.join(self.folder, f'tokens-{algorithm}.few')

    def pem_of(self, algorithm):
        return os.path.join(self.folder, f'{algorithm}.pem')

    def policy(self):
        """What makes it an issuer of acme's. JSON is YAML."""
        keys = {'keys': [key.jwk() for key in self.keys.values()]}
        return json.dumps({'tenants': {'acme': {'issuers': {ISSUER: {'jwks': keys}}}}})
