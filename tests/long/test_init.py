"""An init killed at every call that it makes of the disk, and the init after it likewise: the next one
that may go on makes a home as good as any, and nobody opens what is in between."""
import os
import shutil
import signal
import subprocess

import pytest

from harness import build
from harness.gateway import make_folder
from harness.home import Home, Refused, worker_user

SHIM = os.path.join(build.BUILD, 'tests', 'long', 'record_writes.so')
CALLS_MAX = 200


@pytest.fixture
def folder():
    made = make_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def init(home, kill_at):
    """Makes a home, and dies at that call of the disk; returns the exit code."""
    environment = {**os.environ, 'LD_PRELOAD': SHIM, 'LEASEHOLD_RECORD_TO': home.path + '.record',
                   'LEASEHOLD_RECORD_BELOW': home.path, 'LEASEHOLD_KILL_AT': str(kill_at)}
    return subprocess.run([build.CLI, '--home', home.path, 'init', '--user', home.user], env=environment,
                          capture_output=True, check=False, timeout=build.PATIENCE_S).returncode


def complete(home):
    """The next init; a home whose init died at its very last call is finished, and left alone."""
    is_marked = os.path.exists(os.path.join(home.path, 'init.unfinished'))
    if is_marked:
        with pytest.raises(Refused) as refused:
            home.run('tenant', 'list')
        assert 'unfinished' in refused.value.said, refused.value
    if is_marked or not os.path.exists(os.path.join(home.path, 'leasehold.conf')):
        home.init()


def assert_is_a_home(home):
    for tenant in ('acme', 'globex'):
        home.run('tenant', 'add', tenant)
        assert home.show(home.session(tenant))['standing'] == 'live'
    assert not os.path.exists(os.path.join(home.path, 'init.unfinished'))
    assert not [name for name in os.listdir(home.path) if name.startswith('.')]


def kill_at_every_call(folder, earlier=None):
    """Homes whose init dies at its first call, its second and so on; each is completed by the next init.
    earlier: a call at which another init died before in the same folder."""
    killed = 0
    for kill_at in range(1, CALLS_MAX):
        home = Home(os.path.join(folder, f'home{kill_at}'), worker_user())
        if earlier:
            assert init(home, earlier) == -signal.SIGKILL
        code = init(home, kill_at)
        if code == 0:
            break
        assert code == -signal.SIGKILL, code
        killed += 1
        complete(home)
        assert_is_a_home(home)
        shutil.rmtree(home.path)
    assert 20 < killed < CALLS_MAX - 2


def test_init__killed_at_every_call_is_completed_by_the_next(folder):
    kill_at_every_call(folder)


def test_init__a_second_one_killed_at_every_call_is_completed_by_the_third(folder):
    kill_at_every_call(folder, earlier=30)  # late, so that there is much to clear away
