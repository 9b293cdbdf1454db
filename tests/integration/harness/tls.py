"""TLS for tests: a certificate of our own making, and clients that say which name they mean."""
import datetime
import os
import socket
import ssl
from collections import namedtuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.build import PATIENCE_S

Pair = namedtuple('Pair', 'certificate key')


def make_pair(folder, *names):
    """A self-signed certificate for these names, and its key: paths of two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.utcnow()
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=1))
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
                   .sign(key, hashes.SHA256()))
    pair = Pair(os.path.join(folder, 'server.crt'), os.path.join(folder, 'server.key'))
    pem = serialization.Encoding.PEM
    with open(pair.certificate, 'wb') as file:
        file.write(certificate.public_bytes(pem))
    with open(pair.key, 'wb') as file:
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return pair


def connect(port, name, protocols):
    """A TLS connection that asks for this name (None: for none) and offers these protocols. Whose
    certificate answers is not what these tests ask."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    return context.wrap_socket(socket.create_connection(('127.0.0.1', port), timeout=PATIENCE_S), server_hostname=name)
