"""What a session lives by, seen through the gateway: new credentials, and who goes for a new session."""
import time

import pytest

from harness.cli import DONE, NOT_SO, say, say_json
from harness.gateway import wait_until
from harness.home import Session

ON = 'leasehold on; location / { proxy_pass $upstream; }'
GRACE_S = 10


@pytest.fixture
def sessions(own_home):
    return own_home.session('acme', '--role', 'member', sub='alice'), own_home.session('globex', sub='bob')


def status(gateway, session):
    return gateway.ask(tenant=session.tenant, session=session).status


def rotated(home, session, *arguments):
    said = say_json(home, 'session', 'rotate', session.tenant, session.reference, *arguments)
    assert said.code == DONE, said
    return Session(session.tenant, said.document)


def test_a_rotated_session_lives_on_and_its_old_cookie_ends_with_the_first_use_of_the_new(start, echo, own_home, sessions):
    alice, bob = sessions
    gateway = start(ON, on=own_home, workers=2)
    for _ in range(8):
        assert (status(gateway, alice), status(gateway, bob)) == (200, 200)
    asked = time.monotonic()
    renewed = rotated(own_home, alice)
    assert renewed.reference == alice.reference and renewed.cookie != alice.cookie
    passed = status(gateway, alice)
    assert passed == 200 or time.monotonic() - asked >= GRACE_S
    assert status(gateway, renewed) == 200
    wait_until(lambda: status(gateway, alice) == 401, 'the end of the old cookie', within_s=GRACE_S / 2)
    for _ in range(8):
        assert (status(gateway, alice), status(gateway, renewed), status(gateway, bob)) == (401, 200, 200)
    assert alice.value not in own_home.run('session', 'show', 'acme', alice.reference).values()


def test_other_rights_are_another_session_and_the_old_cookie_is_dead_at_once(start, echo, own_home, sessions):
    alice, bob = sessions
    gateway = start(ON, on=own_home, workers=2)
    for _ in range(8):
        assert (status(gateway, alice), status(gateway, bob)) == (200, 200)
    renewed = rotated(own_home, alice, '--role', 'auditor')
    for _ in range(8):
        assert (status(gateway, alice), status(gateway, renewed), status(gateway, bob)) == (401, 200, 200)
    assert renewed.reference != alice.reference
    assert own_home.show(renewed)['roles'] == ['auditor']
    assert say(own_home, 'session', 'show', 'acme', alice.reference).code == NOT_SO


def test_who_is_evicted_passes_no_more_once_the_new_session_is_there(start, echo, own_home, sessions):
    """globex is of the tier free: 10 sessions of a user."""
    acme, bob = sessions
    gateway = start(ON, on=own_home, workers=2)
    alices = [own_home.session('globex', sub='alice') for _ in range(10)]
    for session in (*alices, *alices, bob, acme):
        assert status(gateway, session) == 200
    newest = own_home.session('globex', sub='alice')
    statuses = [status(gateway, session) for session in alices for _ in range(4)]
    assert statuses == [401] * 4 + [200] * 36
    assert [status(gateway, session) for session in (newest, bob, acme)] == [200, 200, 200]
