"""Forged tokens: a worker has little time for signatures, and whoever floods one tenant with inventions spends
neither that of clients who have proved something nor that of another tenant."""
import base64
import json
import random
import time

from harness import http1
from harness.gateway import wait_until

PROBLEM = b'{"type":"urn:leasehold:problem:too-many-requests","title":"Too many requests","status":429}\n'
BEHIND_PROXY = 'set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;'
BEARER = '''
    leasehold on;
    location / { leasehold_tenant_from claim; leasehold_credential bearer; leasehold_mode stateless;
                 leasehold_audience orders; proxy_pass $upstream; }
'''
# Far more signatures than there is time for, however fast the machine: the time is counted, not the signatures.
FLOOD = 1000


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def forge(token, number):
    """The same token with a jti and a signature of its own."""
    header, claims = token.split('.')[:2]
    said = json.loads(base64.urlsafe_b64decode(claims + '=='))
    said['jti'] = f'forged-{number}'
    return f'{header}.{part(json.dumps(said, separators=(",", ":")).encode())}.{part(random.randbytes(64))}'


def sent_by(client, token):
    return [('Authorization', f'Bearer {token}'), ('X-Real-IP', client)]


def flood(gateway, token, client=lambda number: f'198.51.100.{number % 250}'):
    """Forged tokens, as fast as the worker takes them."""
    with gateway.connect() as connection:
        requests = [http1.request(headers=sent_by(client(number), forge(token, number))) for number in range(FLOOD)]
        answers = []
        for first in range(0, FLOOD, 50):
            connection.send(b''.join(requests[first:first + 50]))
            answers += [connection.read() for _ in range(50)]
    return answers


def test_a_flood_of_forged_tokens_costs_nobody_else(start, echo, own_home):
    known, fresh, late = (own_home.token('globex', sub='bob', aud='orders') for _ in range(3))
    acme = [own_home.token('acme', sub='alice', aud='orders') for _ in range(3)]
    gateway = start(BEARER, http=BEHIND_PROXY, on=own_home)
    assert gateway.ask(headers=sent_by('192.0.2.1', known)).status == 200
    answers = flood(gateway, known)
    for number, token in enumerate(acme):
        assert gateway.ask(headers=sent_by(f'203.0.113.{number}', token)).status == 200
        time.sleep(0.2)  # the slowest machine's signature is paid for by then
    assert gateway.ask(headers=sent_by('192.0.2.1', fresh)).status == 200
    assert gateway.ask(headers=sent_by('198.51.100.7', known)).status == 200
    assert answers[0].status == 401 and {answer.status for answer in answers} == {401, 429}
    limited = [answer for answer in answers if answer.status == 429]
    assert {answer.body for answer in limited} == {PROBLEM} and len(limited) > FLOOD // 10
    assert all(answer.one('retry-after') == '1' and not answer.all('www-authenticate') for answer in limited)
    assert set(gateway.reasons(FLOOD)) == {'token_signature', 'rate_signature', 'ok'}
    told = [fields for event, fields in gateway.audit() if event == 'limited']
    assert told and {(line['reason'], line['tenant']) for line in told} == {('rate_signature', 'globex')}, told
    # who has proved nothing waits for a moment, and is no forger for it
    wait_until(lambda: gateway.ask(headers=sent_by('192.0.2.9', late)).status == 200, 'time for a signature')
    assert len(echo.taken()) == 7


def test_a_client_whose_signatures_fail_waits_and_no_other_does(start, own_home):
    token, other = own_home.token('globex', sub='bob', aud='orders'), own_home.token('globex', sub='bob', aud='orders')
    gateway = start(BEARER, http=BEHIND_PROXY, on=own_home)
    assert gateway.ask(headers=sent_by('192.0.2.1', token)).status == 200
    assert gateway.ask(headers=sent_by('192.0.2.2', token)).status == 200
    statuses = [answer.status for answer in flood(gateway, token, client=lambda _: '192.0.2.1')]
    assert set(statuses) == {401, 429}, set(statuses)
    assert gateway.ask(headers=sent_by('192.0.2.1', token)).status == 200
    wait_until(lambda: gateway.ask(headers=sent_by('192.0.2.2', other)).status == 200, 'time for a signature')
