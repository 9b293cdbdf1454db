"""Contexts that are handed out again: to the same session and saying the same, and to nobody who may not pass."""
import base64
import json
import os
import time

import pytest

# Fewer than the sessions of a test: none is remembered from one round to the next.
REMEMBERED = 16
SESSIONS = 40


@pytest.fixture
def gateway(start, own_home):
    """One worker that remembers few sessions."""
    with open(os.path.join(own_home.path, 'leasehold.conf'), 'a', encoding='utf-8') as file:
        file.write(f'session_cache_entries = {REMEMBERED}\n')
    return start('leasehold on; location / { proxy_pass $upstream; }', on=own_home, workers=1)


@pytest.fixture
def apply(own_home, tmp_path):
    def run(text):
        path = tmp_path / 'policy.yaml'
        path.write_text(text)
        own_home.run('apply', str(path))

    return run


def claims(context):
    part = context.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


def visit(gateway, echo, sessions, names=None):
    """Each session asks once; the contexts that came upstream, in their order."""
    before = len(echo.taken())
    for session in sessions:
        tenant = (names or {}).get(session.tenant, session.tenant)
        assert gateway.ask('/page', tenant=tenant, session=session).status == 200
    contexts = [seen.one('X-Tenant-Context') for seen in echo.taken()[before:]]
    assert len(contexts) == len(sessions)
    for session, context in zip(sessions, contexts):
        assert claims(context)['ref'] == session.reference
        assert claims(context)['exp'] - time.time() > 15
    return contexts


def test_a_session_that_returns_gets_its_context_again(gateway, echo, own_home):
    sessions = [own_home.session(('acme', 'globex')[number % 2], sub=f'user{number}') for number in range(SESSIONS)]
    first = visit(gateway, echo, sessions)
    assert len(set(first)) == SESSIONS
    assert visit(gateway, echo, sessions) == first
    time.sleep(1.5)  # no session is remembered so long
    assert visit(gateway, echo, sessions) == first


def test_what_a_context_says_is_what_is_so_now(gateway, echo, own_home, apply):
    apply('tenants: {acme: {rbac: {editor: [pages:read, pages:write]}}}')
    alice = own_home.session('acme', '--role', 'editor', sub='alice')
    bob = own_home.session('globex', sub='bob')
    contexts = [visit(gateway, echo, [alice, bob])]
    assert claims(contexts[0][0])['scope'] == 'pages:read pages:write'
    apply('tenants: {acme: {rbac: {editor: [pages:read]}}}')
    contexts.append(visit(gateway, echo, [alice, bob]))
    assert claims(contexts[1][0])['scope'] == 'pages:read'
    own_home.run('tenant', 'rename', 'acme', 'zenith', '--yes')
    contexts.append(visit(gateway, echo, [alice, bob], names={'acme': 'zenith'}))
    assert claims(contexts[2][0])['tenant'] == 'zenith'
    # what happened to one tenant does not show at the other
    assert contexts[0][1] == contexts[1][1] == contexts[2][1]


def test_a_context_that_is_kept_admits_nobody(gateway, echo, own_home):
    alice = own_home.session('acme', sub='alice')
    bob = own_home.session('globex', sub='bob')
    contexts = visit(gateway, echo, [alice, bob])
    own_home.revoke(alice)
    before = len(echo.taken())
    assert gateway.ask('/page', tenant='acme', session=alice).status == 401
    assert len(echo.taken()) == before
    assert visit(gateway, echo, [bob]) == contexts[1:]
