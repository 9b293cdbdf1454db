"""Request signatures as a partner's client makes them: RFC 9421 and RFC 9530 from their texts, on the
cryptography that Python has. Nothing of it comes from the project."""
import base64
import hashlib
import hmac
import itertools
import os
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness import http1
from harness.gateway import wait_until

# As far ahead as a clock may be: workers of a new memory take nothing that is older than they are.
AHEAD_S = 29
LIFE_S = 60

count = itertools.count()


def digest_of(body, algorithm='sha-256'):
    """Content-Digest of a body."""
    hashed = {'sha-256': hashlib.sha256, 'sha-512': hashlib.sha512}[algorithm](body).digest()
    return f'{algorithm}=:{base64.b64encode(hashed).decode()}:'


class Signer:
    """One key of one tenant's service."""

    def __init__(self, tenant, key_id, sign):
        self.tenant = tenant
        self.key_id = key_id
        self.sign = sign

    def base(self, components, values, parameters):
        """The signature base, RFC 9421 section 2.5."""
        lines = [f'"{name}": {values[name]}' for name in components]
        return '\n'.join([*lines, f'"@signature-params": {parameters}']).encode()

    def headers(self, path='/', method='GET', host='127.0.0.1', body=None, tenant=None, extra=(), **changes):
        """What makes the request a signed one. body: also covered; extra: more (name, value) that are covered.
        changes: components, and parameters of the signature; None leaves one out."""
        tenant = tenant or self.tenant
        values = {'@method': method, '@authority': host, '@path': path.partition('?')[0], 'x-tenant-id': tenant}
        if '?' in path:
            values['@query'] = '?' + path.partition('?')[2]
        sent = [('X-Tenant-ID', tenant)]
        if body is not None:
            values['content-digest'] = changes.pop('digest', None) or digest_of(body)
            sent.append(('Content-Digest', values['content-digest']))
        for name, value in extra:
            values[name.lower()] = value
            sent.append((name, value))
        components = changes.pop('components', list(values))
        return [*sent, *self.signature(components, values, **changes)]

    def signature(self, components, values, label='sig1', **changes):
        created = int(time.time()) + AHEAD_S
        said = {'created': created, 'expires': (changes.get('created') or created) + LIFE_S,
                'nonce': f'n{os.getpid()}-{next(count)}', 'keyid': self.key_id, **changes}
        written = ''.join(f';{name}={value}' if isinstance(value, int) else f';{name}="{value}"'
                          for name, value in said.items() if value is not None)
        parameters = '(' + ' '.join(f'"{name}"' for name in components) + ')' + written
        made = base64.b64encode(self.sign(self.base(components, values, parameters))).decode()
        return [('Signature-Input', f'{label}={parameters}'), ('Signature', f'{label}=:{made}:')]

    def request(self, path='/', method='GET', body=None, **rest):
        """The bytes of a signed request over HTTP/1.1."""
        headers = self.headers(path, method, body=body, **rest)
        return http1.request(path, method, headers=headers, body=body or b'')


def shared_key(home, tenant, *arguments):
    """A key of hmac-sha256 that the command line makes."""
    made = home.run('key', 'add', tenant, '--algorithm', 'hmac-sha256', *arguments)
    secret = base64.b64decode(made['secret'], validate=True)
    assert len(secret) == 32
    return Signer(tenant, made['key'], lambda base: hmac.new(secret, base, hashlib.sha256).digest())


def write_public(private, folder):
    path = os.path.join(folder, f'public-{next(count)}.pem')
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with open(path, 'wb') as file:
        file.write(pem)
    return path


def public_key(home, tenant, *arguments):
    """A key of ed25519, of which the home knows the public half."""
    private = Ed25519PrivateKey.generate()
    path = write_public(private, os.path.dirname(home.path))
    made = home.run('key', 'add', tenant, '--algorithm', 'ed25519', '--public-key', path, *arguments)
    assert 'secret' not in made
    return Signer(tenant, made['key'], private.sign)


def listed_key(tenant, key_id):
    """A key of ed25519 and its public half as a JWK (RFC 8037), for a policy file."""
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {'kty': 'OKP', 'crv': 'Ed25519', 'x': base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}
    return Signer(tenant, key_id, private.sign), jwk


MAKERS = {'hmac-sha256': shared_key, 'ed25519': public_key}


def ask(gateway, signer, path='/', method='GET', **rest):
    """One signed request on a connection of its own."""
    return send(gateway, signer.request(path, method, **rest), method)


def send(gateway, raw, method='GET'):
    with http1.Connection(gateway.port, gateway.seen) as connection:
        connection.send(raw)
        return connection.read(method)


def wait_until_young(gateway, signer, path='/'):
    """Until signatures are younger than the memory of the workers; what they are is the test's own concern."""
    def is_young():
        time.sleep(0.2)
        return ask(gateway, signer, path).status != 503

    wait_until(is_young, 'old enough to judge signatures')
    return gateway
