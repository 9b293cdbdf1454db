"""No room: a full session map, and a full disk. Who must write fails and is told; who lives goes on, and
can be logged out."""
import contextlib
import os
import re
import shutil
import subprocess
import time

import pytest

from harness import build
from harness.cli import DONE, UNAVAILABLE, say
from harness.gateway import make_folder, wait_until
from harness.home import Home, worker_user

ON = 'leasehold on; location / { proxy_pass $upstream; }'
MEBIBYTE = 1024 * 1024
# A session of the first is touched every ten seconds of use, one of the second every minute.
POLICY = '''tiers:
  brisk: {idle: 100s, absolute: 1d, state_size: 64k}
  large: {idle: 1h, absolute: 1d, state_size: 64k}
tenants: {acme: {tier: brisk}, globex: {tier: large}}
'''
LOST = re.compile(r'last-use times are lost.* so far (\d+) were refused by the session store.*'
                  r'out of space')


def statuses(gateway, *sessions):
    return [gateway.ask(tenant=session.tenant, session=session).status for session in sessions]


def set_settings(home, *lines):
    with open(os.path.join(home.path, 'leasehold.conf'), 'w', encoding='ascii') as file:
        file.write('\n'.join(lines) + '\n')


def make_home(folder):
    home = Home(os.path.join(folder, 'home'), worker_user())
    home.init()
    policy = os.path.join(folder, 'policy.yaml')
    with open(policy, 'w', encoding='ascii') as file:
        file.write(POLICY)
    home.run('apply', policy)
    return home


def refused_in_one_line(said):
    """Out of room: exit 3, one line, and no credential of a session that is not there."""
    assert said.code == UNAVAILABLE and '__Host-lh' not in said.out, said
    assert 'audit session_created' not in said.err and len(said.err.splitlines()) == 1, said
    return True


def touches_are_lost_and_counted(gateway, *sessions):
    """Goes on asking until a touch is due: whoever lives is answered, and the log counts."""
    def is_said():
        time.sleep(0.2)
        assert statuses(gateway, *sessions) == [200] * len(sessions)
        return LOST.search(gateway.log_text()) is not None
    wait_until(is_said, 'the log counts lost touches', within_s=2 * build.PATIENCE_S)
    assert int(LOST.search(gateway.log_text()).group(1)) > 0


def is_used_again(gateway, home, session):
    """A touch reaches the store."""
    before = home.show(session)['last_touch_ms']

    def has_moved():
        time.sleep(0.2)
        assert statuses(gateway, session) == [200]
        return home.show(session)['last_touch_ms'] > before
    wait_until(has_moved, 'touches are written', within_s=2 * build.PATIENCE_S)


# --- The map ---------------------------------------------------------------------------------------


def fill_store(home, mebibytes):
    program = os.path.join(build.BUILD, 'tests', 'integration', 'fill_store')
    done = subprocess.run([program, os.path.join(home.path, 'sessions'), str(mebibytes * MEBIBYTE), str(MEBIBYTE)],
                          user=home.user if os.geteuid() == 0 else None, capture_output=True, text=True,
                          check=True, timeout=3 * build.PATIENCE_S)
    assert int(done.stdout) > 10


def limit(home, mebibytes):
    set_settings(home, f'sessions_map_size = {mebibytes}m', 'sessions_reserve = 1m')


@pytest.fixture
def home():
    folder = make_folder()
    yield make_home(folder)
    shutil.rmtree(folder, ignore_errors=True)


def begin_store_anew(home):
    """A store never shrinks below what it began with: an unclean boot is where a new one begins."""
    with open(os.path.join(home.path, 'run', 'boot'), 'r+', encoding='ascii') as file:
        file.write('00000000-0000-4000-8000-000000000000 open \n')
    home.run('recover')


def test_a_full_map_fails_who_writes_and_nobody_who_lives(start, home):
    limit(home, 64)
    begin_store_anew(home)
    kept, doomed, globex = (home.session(tenant, sub='someone') for tenant in ('acme', 'acme', 'globex'))
    gateway = start(ON, on=home)
    assert statuses(gateway, kept, doomed, globex) == [200, 200, 200]
    fill_store(home, 64)
    for tenant in ('acme', 'globex'):
        refused_in_one_line(say(home, 'session', 'create', tenant, '--sub', 'late'))
    touches_are_lost_and_counted(gateway, kept, globex)
    home.revoke(doomed)
    assert statuses(gateway, kept, doomed, globex) == [200, 401, 200]
    assert say(home, 'session', 'revoke', 'globex', '--sub', 'someone', '--yes').code == DONE
    assert statuses(gateway, kept, globex) == [200, 401]
    # A larger limit holds from the next command on, and the workers that run follow the map.
    limit(home, 128)
    late = home.session('globex', sub='late')
    assert statuses(gateway, kept, late) == [200, 200]
    is_used_again(gateway, home, kept)
    assert statuses(gateway, doomed) == [401]


def test_a_lowered_limit_ends_growth_and_nothing_else(start, home):
    limit(home, 96)
    kept, doomed, globex = (home.session(tenant, sub='someone') for tenant in ('acme', 'acme', 'globex'))
    gateway = start(ON, on=home)
    assert statuses(gateway, kept, doomed, globex) == [200, 200, 200]
    fill_store(home, 80)
    assert say(home, 'session', 'create', 'acme', '--sub', 'late').code == DONE
    assert 'than sessions_map_size allows' not in gateway.log_text()
    limit(home, 64)
    refused_in_one_line(say(home, 'session', 'create', 'acme', '--sub', 'late'))
    gateway.reload()
    wait_until(lambda: 'than sessions_map_size allows' in gateway.log_text(), 'said by the worker')
    length = os.path.getsize(os.path.join(home.path, 'sessions', 'data.mdb'))
    assert statuses(gateway, kept, doomed, globex) == [200, 200, 200]
    is_used_again(gateway, home, kept)
    home.revoke(doomed)
    assert statuses(gateway, kept, doomed, globex) == [200, 401, 200]
    refused_in_one_line(say(home, 'session', 'create', 'globex', '--sub', 'late'))
    assert os.path.getsize(os.path.join(home.path, 'sessions', 'data.mdb')) <= length + MEBIBYTE
    limit(home, 96)
    assert statuses(gateway, home.session('globex', sub='late'), kept, globex) == [200, 200, 200]


# --- The disk --------------------------------------------------------------------------------------

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
        home = make_home(folder)
        set_settings(home, 'sessions_reserve = 1m')
        home.filler = os.path.join(folder, 'filler')
        yield home


def fill(path):
    """Writes until the disk is full."""
    with open(path, 'wb', buffering=0) as file:
        for size in (65536, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def create_until_full(home, state):
    """Makes sessions until one is refused; returns how that was said."""
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
    for state in ('{"a":"' + 'x' * 60000 + '"}', '{}'):
        refused_in_one_line(create_until_full(small_home, state))
    touches_are_lost_and_counted(gateway, kept, globex)
    small_home.revoke(doomed)
    assert statuses(gateway, kept, doomed, globex) == [200, 401, 200]
    assert say(small_home, 'session', 'revoke', 'globex', '--sub', 'bob', '--yes').code == DONE
    assert statuses(gateway, kept, globex) == [200, 200]
    assert say(small_home, 'session', 'revoke', 'globex', '--all', '--yes').code == DONE
    assert statuses(gateway, kept, globex) == [200, 401]
    os.unlink(small_home.filler)
    assert say(small_home, 'session', 'create', 'acme', '--sub', 'someone').code == DONE
    assert small_home.show(kept)['standing'] == 'live'
    is_used_again(gateway, small_home, kept)
