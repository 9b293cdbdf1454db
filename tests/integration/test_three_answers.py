"""Unknown is neither yes nor no: when the counters, the registry, the keyring or the space are gone,
nothing is deleted, nobody comes in who would not otherwise, and all is well again afterwards."""
import contextlib
import os
import shutil
import signal
import subprocess

import pytest

from harness.cli import DONE, UNAVAILABLE, say, say_json
from harness.gateway import make_folder, wait_until
from harness.home import Home, worker_user

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
    wait_until(lambda: len(gateway.worker_pids()) == gateway.workers
               and not set(gateway.worker_pids()) & set(before), 'new workers')
    gateway.pids = gateway.worker_pids()


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


def test_a_copy_of_the_counters_is_for_new_workers(start, own_home, sessions):
    """Who has the old file would miss what others raise in the new one, and says nothing more."""
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert statuses(gateway, acme, globex) == [200, 200]
    replace_by_a_copy(os.path.join(own_home.path, 'run', 'changes'))
    becomes(gateway, acme, 503)
    assert_unknown(gateway, acme, globex)
    own_home.revoke(acme)
    assert_unknown(gateway, acme, globex)
    kill_workers(gateway)
    becomes(gateway, globex, 200)
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


# --- Space -----------------------------------------------------------------------------------------

DISK = 'size=96m'


@contextlib.contextmanager
def small_disk():
    """A file system of its own, small enough to fill."""
    folder = make_folder()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', DISK + ',mode=755', 'none', folder],
                             capture_output=True, check=False).returncode == 0
    if not mounted:
        shutil.rmtree(folder)
        pytest.skip('nothing may be mounted here; the contract tests fill a map and a disk of the store alone')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '-l', folder], check=True)
        shutil.rmtree(folder)


@pytest.fixture
def small_home():
    """A home on a disk that is soon full."""
    with small_disk() as folder:
        home = Home(os.path.join(folder, 'home'), worker_user())
        home.init()
        with open(os.path.join(home.path, 'leasehold.conf'), 'a', encoding='ascii') as file:
            file.write('sessions_reserve = 1m\n')
        policy = os.path.join(folder, 'policy.yaml')
        with open(policy, 'w', encoding='ascii') as file:
            file.write('tiers: {large: {idle: 1h, absolute: 1d, state_size: 64k}}\n'
                       'tenants: {acme: {tier: large}, globex: {tier: large}}\n')
        home.run('apply', policy)
        home.filler = os.path.join(folder, 'filler')
        yield home


def fill(path):
    """Writes until the disk is full."""
    with open(path, 'wb', buffering=0) as file:
        for size in (65536, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def create_until_full(home):
    """Makes large sessions until one is refused; returns how that was said."""
    state = '{"a":"' + 'x' * 60000 + '"}'
    for _ in range(3000):
        fill(home.filler)
        said = say(home, 'session', 'create', 'globex', '--sub', 'bob', '--state', '-', text=state)
        if said.code != DONE:
            return said
    raise AssertionError('it never filled up')


def test_without_room_live_sessions_go_on_and_can_be_revoked(start, small_home):
    kept, doomed, globex = (small_home.session(tenant, sub='someone') for tenant in ('acme', 'acme', 'globex'))
    gateway = start(ON, on=small_home)
    assert statuses(gateway, kept, doomed, globex) == [200, 200, 200]
    said = create_until_full(small_home)
    assert said.code == UNAVAILABLE and '__Host-lh' not in said.out, said
    assert 'audit session_created' not in said.err and len(said.err.splitlines()) == 1
    assert statuses(gateway, kept, doomed, globex) == [200, 200, 200]
    small_home.revoke(doomed)
    assert statuses(gateway, kept, doomed, globex) == [200, 401, 200]
    assert say(small_home, 'session', 'revoke', 'globex', '--sub', 'bob', '--yes').code == DONE
    assert statuses(gateway, kept, globex) == [200, 200]
    assert say(small_home, 'session', 'revoke', 'globex', '--all', '--yes').code == DONE
    assert statuses(gateway, kept, globex) == [200, 401]
    os.unlink(small_home.filler)
    assert say(small_home, 'session', 'create', 'acme', '--sub', 'someone').code == DONE
    assert small_home.show(kept)['standing'] == 'live'
