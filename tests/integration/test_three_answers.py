"""Unknown is neither yes nor no: when the counters, the registry or the keyring are gone,
nothing is deleted, nobody comes in who would not otherwise, and all is well again afterwards."""
import os
import shutil
import signal

import pytest

from harness.cli import UNAVAILABLE, say, say_json
from harness.gateway import wait_until

ON = 'leasehold on; location / { proxy_pass $upstream; }'


@pytest.fixture
def sessions(own_home):
    return own_home.session('acme', sub='alice'), own_home.session('globex', sub='bob')


def statuses(gateway, *sessions):
    return [gateway.ask(tenant=session.tenant, session=session).status for session in sessions]


def becomes(gateway, session, status):
    wait_until(lambda: statuses(gateway, session) == [status], f'{status} for {session.tenant}')


def assert_unknown(gateway, *sessions):
    for session in sessions:
        answer = gateway.ask(tenant=session.tenant, session=session)
        assert answer.status == 503 and int(answer.one('Retry-After')) >= 1, answer
        assert not answer.all('Set-Cookie')


def kill_workers(gateway):
    """As after a crash: the master starts new ones, which know nothing yet."""
    before = gateway.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    gateway.expected_bad.append('exited on signal 9')
    gateway.wait_for_new_workers(before)


# --- The change counters ---------------------------------------------------------------------------


def remove(path):
    os.rename(path, path + '.away')


def replace_by_a_copy(path):
    """The same bytes in another file."""
    remove(path)
    shutil.copy2(path + '.away', path)
    owner = os.stat(path + '.away')
    os.chown(path, owner.st_uid, owner.st_gid)


def replace_by_another_home_s(path):
    """Another file with another identity."""
    replace_by_a_copy(path)
    with open(path, 'r+b') as file:
        file.seek(16)
        file.write(bytes(16))


def put_back(path):
    os.replace(path + '.away', path)


@pytest.mark.parametrize('harm', [remove, replace_by_another_home_s])
def test_without_the_counters_nothing_is_written_and_nothing_said(start, echo, own_home, sessions, harm):
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert statuses(gateway, acme, globex) == [200, 200]
    counters = os.path.join(own_home.path, 'run', 'changes')
    harm(counters)
    becomes(gateway, acme, 503)
    echo.forget()
    assert_unknown(gateway, acme, globex)
    assert not echo.taken()
    for act in (['session', 'create', 'acme', '--sub', 'eve'], ['tenant', 'add', 'initech'],
                ['session', 'revoke', 'acme', acme.reference, '--yes'], ['key', 'rotate', 'acme'],
                ['tenant', 'disable', 'globex', '--yes']):
        said = say(own_home, *act)
        assert said.code == UNAVAILABLE and len(said.err.splitlines()) == 1 and not said.out, (act, said)
    put_back(counters)
    becomes(gateway, acme, 200)
    becomes(gateway, globex, 200)
    assert [tenant['id'] for tenant in say_json(own_home, 'tenant', 'list').document['tenants']] == ['acme', 'globex']
    own_home.revoke(acme)
    assert statuses(gateway, acme, globex) == [401, 200]


def test_a_copy_of_the_counters_is_nobodys_while_workers_have_the_other(start, own_home, sessions):
    """Who raised counters in the copy would reach no worker: all writers refuse. Once nobody has the old
    file, the copy is as good as it was: a home that was restored needs no more."""
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert statuses(gateway, acme, globex) == [200, 200]
    counters = os.path.join(own_home.path, 'run', 'changes')
    replace_by_a_copy(counters)
    for act in (['session', 'create', 'acme', '--sub', 'eve'], ['tenant', 'disable', 'globex', '--yes'],
                ['session', 'revoke', 'acme', acme.reference, '--yes'], ['key', 'rotate', 'acme']):
        said = say(own_home, *act)
        assert said.code == UNAVAILABLE and len(said.err.splitlines()) == 1 and not said.out, (act, said)
        assert 'not the file that running workers have' in said.err
    becomes(gateway, acme, 503)
    assert_unknown(gateway, acme, globex)
    put_back(counters)
    becomes(gateway, acme, 200)
    becomes(gateway, globex, 200)
    replace_by_a_copy(counters)
    becomes(gateway, acme, 503)
    kill_workers(gateway)
    becomes(gateway, globex, 200)
    becomes(gateway, acme, 200)
    own_home.revoke(acme)
    assert statuses(gateway, acme, globex) == [401, 200]


def test_new_workers_refuse_the_counters_of_another_home(start, own_home, sessions):
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert statuses(gateway, acme, globex) == [200, 200]
    counters = os.path.join(own_home.path, 'run', 'changes')
    replace_by_another_home_s(counters)
    kill_workers(gateway)
    becomes(gateway, acme, 503)
    assert_unknown(gateway, acme, globex)
    put_back(counters)
    becomes(gateway, acme, 200)
    becomes(gateway, globex, 200)


# --- The registry ----------------------------------------------------------------------------------


def test_an_unreadable_registry_is_unknown(start, echo, own_home, sessions):
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert statuses(gateway, acme, globex) == [200, 200]
    registry = os.path.join(own_home.path, 'registry')
    os.rename(registry, registry + '.away')
    kill_workers(gateway)
    echo.forget()
    becomes(gateway, acme, 503)
    assert_unknown(gateway, acme, globex)
    assert not echo.taken()
    for act in (['tenant', 'list'], ['session', 'list', 'acme'], ['tenant', 'add', 'initech']):
        said = say(own_home, *act)
        assert said.code == UNAVAILABLE and len(said.err.splitlines()) == 1 and not said.out, (act, said)
    os.rename(registry + '.away', registry)
    becomes(gateway, acme, 200)
    becomes(gateway, globex, 200)


# --- The keyring -----------------------------------------------------------------------------------


def test_without_the_keyring_warm_tenants_go_on(start, echo, own_home, sessions):
    acme, globex = sessions
    another = own_home.session('acme', sub='carol')
    gateway = start(ON, on=own_home)
    assert statuses(gateway, acme) == [200]
    keyring = os.path.join(own_home.path, 'keyring')
    os.rename(keyring, keyring + '.away')
    echo.forget()
    # Not only the session that was seen already: whatever is under a key that the worker holds.
    for session in (acme, another, acme):
        assert statuses(gateway, session) == [200]
        assert_unknown(gateway, globex)
    assert [seen.one('X-Session-Subject') for seen in echo.taken()] == ['alice', 'carol', 'alice']
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'eve')
    assert said.code == UNAVAILABLE and len(said.err.splitlines()) == 1 and not said.out, said
    os.rename(keyring + '.away', keyring)
    becomes(gateway, globex, 200)
    assert own_home.show(globex)['standing'] == own_home.show(acme)['standing'] == 'live'
