"""Signed requests (RFC 9421) of acme's services. A signature passes once and not for long, so a new list is made
before each run."""
import base64
import hashlib
import hmac
import itertools
import os
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# More than a gate passes in a second: a list that is over begins anew, and what was used is refused.
PER_S = {'hmac-sha256': 60_000, 'ed25519': 20_000}
# Workers take no signature of their first half minute; this far ahead a clock may be.
AHEAD_S = 25
YOUNG_S = 30
LIFE_S = 60

COVERED = '("@method" "@authority" "@path" "x-tenant-id")'


class Signer:
    """One key of one service."""

    def __init__(self, home, folder, algorithm):
        self.algorithm = algorithm
        self.numbers = itertools.count()
        if algorithm == 'ed25519':
            private = Ed25519PrivateKey.generate()
            self.sign = private.sign
            path = os.path.join(folder, 'service.pem')
            with open(path, 'wb') as file:
                file.write(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            self.key_id = home.add_key('--algorithm', algorithm, '--public-key', path)['key']
        else:
            made = home.add_key('--algorithm', algorithm)
            secret = base64.b64decode(made['secret'])
            self.sign = lambda base: hmac.digest(secret, base, hashlib.sha256)
            self.key_id = made['key']

    def lines(self, authority, count):
        """Headers of so many requests for / there."""
        created = int(time.time()) + AHEAD_S
        front = f'"@method": GET\n"@authority": {authority}\n"@path": /\n"x-tenant-id": acme\n"@signature-params": '
        said = f'{COVERED};created={created};expires={created + LIFE_S};keyid="{self.key_id}";nonce="{created}-'
        for number in itertools.islice(self.numbers, count):
            parameters = f'{said}{number}"'
            made = base64.b64encode(self.sign((front + parameters).encode())).decode()
            yield f'X-Tenant-ID: acme\tSignature-Input: sig1={parameters}\tSignature: sig1=:{made}:\n'

    def write(self, path, server, seconds):
        """As many as a run of this length may send to a server."""
        time.sleep(max(0, server.began + YOUNG_S - AHEAD_S + 1 - time.time()))
        with open(path, 'w', encoding='ascii') as file:
            file.writelines(self.lines(f'127.0.0.1:{server.port}', seconds * PER_S[self.algorithm]))
