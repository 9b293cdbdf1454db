"""Bytes of a cookie that are made for somebody else: for the log, for the next header, for the answer."""
import pytest

from harness import http1
from harness.gateway import wait_until

# What a terminal, a log reader or a proxy would act upon.
LINE_BREAKERS = [b'\rx', b'\0', b'\rX-Session-Subject: root']
CONTROLS = [b'\x01', b'\x1b[2J', b'\x7f', b'\tx', b'\x80\xff', '\u2028'.encode(), b'"', b'%0d%0aSet-Cookie: a=b', b'\\x0a']


def ask(gateway, session, junk):
    with http1.Connection(gateway.port, gateway.seen) as connection:
        connection.send(http1.request(headers=[('X-Tenant-ID', session.tenant),
                                               b'Cookie: ' + session.cookie.encode() + junk]))
        return connection.read()


def log_bytes(gateway):
    with open(gateway.error_log, 'rb') as file:
        return file.read()


@pytest.mark.parametrize('junk', LINE_BREAKERS, ids=repr)
def test_a_line_break_or_nul_in_a_cookie_is_400(gateway, echo, acme, globex, junk):
    for session in (acme, globex):
        answer = ask(gateway, session, junk)
        assert answer.status == 400 and b'root' not in answer.body, answer
    assert not echo.taken()
    assert junk not in log_bytes(gateway)


def test_a_line_feed_begins_a_header_that_is_scrubbed(gateway, echo, acme, globex):
    assert ask(gateway, acme, b'\nX-Session-Subject: root').status == 200
    assert ask(gateway, globex, b'\nX-Tenant-ID: acme').status == 400
    seen, = echo.taken()
    assert seen.all('X-Session-Subject') == ['alice@acme.example']


@pytest.mark.parametrize('junk', CONTROLS, ids=repr)
def test_control_bytes_in_a_cookie_are_refused_and_not_logged_raw(gateway, echo, acme, globex, junk):
    for session in (acme, globex):
        answer = ask(gateway, session, junk)
        assert answer.status in (400, 401) and not answer.all('Set-Cookie'), answer
    assert not echo.taken()
    gateway.decisions(2)
    log = log_bytes(gateway)
    assert not any(byte < 0x20 and byte != 0x0a or byte >= 0x7f for byte in log)
    assert b'\nSet-Cookie' not in log


def test_no_credential_is_in_a_log(start, home, acme, globex):
    """Neither one that passes, nor one that is refused at another tenant, nor one that ended."""
    ended = home.session('acme')
    home.revoke(ended)
    gateway = start('leasehold on; location / { proxy_pass $upstream; }')
    assert gateway.ask(tenant='acme', session=acme).status == 200
    for tenant, session in (('globex', acme), ('acme', ended), ('globex', ended)):
        assert gateway.ask(tenant=tenant, session=session).status == 401
    wait_until(lambda: len(gateway.decisions(4)) == 4, 'four decisions')
    with open(gateway.access_log, 'rb') as file:
        logs = log_bytes(gateway) + file.read()
    assert acme.reference.encode() in logs
    for session in (acme, ended, globex):
        secret = session.value[27:49]  # inside the characters that stand for the secret alone
        assert session.value.encode() not in logs and secret.encode() not in logs
