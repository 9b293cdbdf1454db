"""The state machine of a session, searched by spin in all interleavings: every promise holds in the
model, no step of it is dead, and each promise is broken by the model that lacks the rule behind it."""
import concurrent.futures
import os
import re
import subprocess

import pytest

FOLDER = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(FOLDER, 'session.pml')
SECONDS = 240  # of one search, on a machine that does much else

NONE = {'REVOKES': 0, 'EPOCHS': 0, 'ROTATIONS': 0, 'PATCHES': 0, 'CRASHES': 0, 'THEFTS': 0}
# What may happen in one search. All at once is more than a test run can wait for.
SEARCHES = {
    'revoke, rotation and power loss': {'REVOKES': 1, 'ROTATIONS': 1, 'CRASHES': 1},
    'revoke, epoch, and power loss': {'REVOKES': 1, 'EPOCHS': 1, 'CRASHES': 1},
    'rotation and theft': {'ROTATIONS': 1, 'THEFTS': 1},
    'revoke, epoch and theft': {'REVOKES': 1, 'EPOCHS': 1, 'THEFTS': 1},
    'revoke, theft and power loss': {'REVOKES': 1, 'THEFTS': 1, 'CRASHES': 1},
    'rotation, patch and theft': {'ROTATIONS': 1, 'PATCHES': 1, 'THEFTS': 1, 'LAST': 1},
    'rotation and patch': {'ROTATIONS': 1, 'PATCHES': 1},
    'revoke, patch and power loss': {'REVOKES': 1, 'PATCHES': 1, 'CRASHES': 1},
    'power loss': {'CRASHES': 1},
}
TWO_WORKERS = {'REVOKES': 1, 'WORKERS': 2}

DEAD = '.dead)'
TOMBSTONE = 'mem.kind!=2'
GENERATION = '.least)'
ENDS = 'last_use+2'
STICKY = 'is_meddled)||('
SECRET = 'old_dead||'
LOST_PATCH = 'ack_patched'
LOST_SESSION = 'aside.gen>=reg_least'
UNKNOWN = '!(is_partial)'
# The rule that is taken away, what must happen for it to matter, and the promise that breaks.
BREAKS = {
    'NO_REGISTRY': ('revoke, epoch, and power loss', DEAD),
    'NO_SECOND_RAISE': ('revoke, epoch, and power loss', DEAD),
    'NOTE_AFTER_READ': ('revoke, epoch, and power loss', DEAD),
    'SNAPSHOT_KEPT': ('revoke, epoch, and power loss', DEAD),
    'SWAP_REPLACES_TOMBSTONE': ('revoke, patch and power loss', TOMBSTONE),
    'TOUCH_PUTS_BACK': ('revoke, epoch, and power loss', TOMBSTONE),
    'NO_MARK': ('rotation and theft', GENERATION),
    'NO_IDLE_CHECK': ('revoke, epoch, and power loss', ENDS),
    'CLOCK_FALLS': ('power loss', STICKY),
    'CACHE_PREVIOUS': ('rotation and patch', SECRET),
    'GRACE_NEVER_ENDS': ('rotation and patch', SECRET),
    'ROTATION_IS_BLIND': ('rotation and patch', LOST_PATCH),
    'PATCH_IS_UNJUDGED': ('rotation, patch and theft', SECRET),
    'PATCH_IS_BLIND': ('rotation and patch', SECRET),
    'MARK_BEFORE_SYNC': ('revoke, rotation and power loss', LOST_SESSION),
    'PARTIAL_IS_ABSENT': ('revoke, epoch, and power loss', UNKNOWN),
}


def search(folder, happens, broken=None):
    """What the search of one model prints."""
    names = [f'-D{name}={value}' for name, value in {**NONE, **happens}.items()]
    subprocess.run(['spin', '-a', *names, *([f'-D{broken}=1'] if broken else []), MODEL], cwd=folder, check=True,
                   capture_output=True, timeout=SECONDS)
    # Most broken ones break within some thousand states; compiling well would take longer.
    level = '-O0' if broken else '-O2'
    subprocess.run([os.environ.get('CC', 'cc').split()[0], level, '-w', '-DSAFETY', '-DCOLLAPSE', '-DMEMLIM=2000',
                    '-o', 'pan', 'pan.c'], cwd=folder, check=True, capture_output=True, timeout=SECONDS)
    done = subprocess.run([os.path.join(folder, 'pan'), '-m100000'], cwd=folder, check=True, capture_output=True,
                          text=True, timeout=SECONDS)
    return done.stdout


def violation(printed):
    found = re.search(r'^pan:\d+: (.*) \(at depth', printed, re.M)
    return found.group(1).replace(' ', '') if found else None


def unreached(printed):
    """Steps of the model that no interleaving came to."""
    return set(re.findall(r'(\w+\.pml:\d+), state (\d+), "(.*)"', printed.partition('unreached in proctype')[2]))


def assert_holds(printed):
    assert violation(printed) is None, printed
    # A search that was cut short proves nothing.
    assert 'errors: 0' in printed and 'Search not completed' not in printed, printed
    assert 'max search depth too small' not in printed and 'unreached in proctype' in printed, printed


def test_model_holds_and_reaches_every_step(tmp_path):
    def one(item):
        folder = tmp_path / str(item[0])
        folder.mkdir()
        return search(folder, item[1])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(one, enumerate(SEARCHES.values())))
    for printed in answers:
        assert_holds(printed)
    dead = {step for step in set.intersection(*map(unreached, answers)) if step[2] != '-end-'}
    assert not dead, f'no interleaving comes to {sorted(dead)}'


def test_model_holds_between_two_workers(tmp_path):
    assert_holds(search(tmp_path, TWO_WORKERS))


@pytest.mark.parametrize('broken', BREAKS)
def test_model_without_a_rule_breaks_its_promise(tmp_path, broken):
    happens, promise = BREAKS[broken]
    found = violation(search(tmp_path, SEARCHES[happens], broken))
    assert found is not None and found.startswith('assertionviolated'), f'{broken} went unnoticed'
    assert promise in found, f'{broken} broke another promise: {found}'


def test_model_breaks_are_all_tried():
    written = set()
    for name in ('home.pml', 'worker.pml', 'session.pml'):
        with open(os.path.join(FOLDER, name), encoding='utf-8') as file:
            written |= set(re.findall(r'^#ifn?def ([A-Z_]+)$', file.read(), re.M))
    assert written - {'WORKERS', 'LAST', 'WALK', *NONE} == set(BREAKS)
