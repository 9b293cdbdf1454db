"""Key rotation killed at every call that it makes of the disk: each record opens, under exactly one key,
the tenant has exactly one active key, and nothing is left lying about."""
import os
import signal
import subprocess

from harness import build

SHIM = os.path.join(build.BUILD, 'tests', 'long', 'record_writes.so')
GATE = os.path.join(build.BUILD, 'tests', 'long', 'gate_once')
CALLS_MAX = 60


def rotate(home, record, kill_at, *which):
    """Rotates, and dies at that call of the disk; returns the exit code."""
    environment = {**os.environ, 'LD_PRELOAD': SHIM, 'LEASEHOLD_RECORD_TO': record,
                   'LEASEHOLD_RECORD_BELOW': home.path, 'LEASEHOLD_KILL_AT': str(kill_at)}
    return subprocess.run([build.CLI, '--home', home.path, '--json', 'key', 'rotate', *which], env=environment,
                          capture_output=True, check=False, timeout=build.PATIENCE_S).returncode


def assert_all_pass(home, sessions):
    asked = ''.join(f'{session.tenant} {session.cookie}\n' for session in sessions)
    said = subprocess.run([GATE, home.path], input=asked, capture_output=True, text=True, check=True,
                          user=home.user if os.geteuid() == 0 else None, timeout=build.PATIENCE_S)
    assert said.stdout.split('\n')[:-1] == ['200 ok'] * len(sessions), said


def assert_one_key_each(home, sessions):
    for tenant in ('acme', 'globex'):
        keys = home.run('key', 'list', tenant)['keys']
        assert [key['state'] for key in keys].count('active') == 1, keys
        ids = [key['key'] for key in keys]
        for session in sessions:
            if session.tenant == tenant:
                assert ids.count(str(home.show(session)['key'])) == 1


def kill_everywhere(home, sessions, *which):
    """Until a rotation outlives its last call; returns how many were killed."""
    record = os.path.join(os.path.dirname(home.path), 'record')
    names = sorted(os.listdir(os.path.join(home.path, 'keyring', 'tenants')))
    for kill_at in range(1, CALLS_MAX):
        code = rotate(home, record, kill_at, *which)
        assert code in (0, -signal.SIGKILL), code
        # A session of every state of the keys.
        sessions += [home.session('acme'), home.session('globex')]
        assert_all_pass(home, sessions)
        assert_one_key_each(home, sessions[-4:])
        assert sorted(os.listdir(os.path.join(home.path, 'keyring', 'tenants'))) == names
        if code == 0:
            return kill_at - 1
    raise AssertionError(f'{which} makes more than {CALLS_MAX} calls')


def test_rotation__killed_at_every_step_leaves_each_record_one_key(home):
    sessions = [home.session('acme'), home.session('globex')]
    assert kill_everywhere(home, sessions, 'acme') > 3
    assert kill_everywhere(home, sessions, '--all') > 6
    assert_one_key_each(home, sessions)
