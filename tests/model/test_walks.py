"""Walks by chance through the model of a session, made on the real stores: what the model says that
comes out of a step must come out of it there too."""
import os
import random
import re
import subprocess

import pytest

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'session.pml')
REPLAY = os.environ['LEASEHOLD_REPLAY']
SEED = int(os.environ.get('LEASEHOLD_TEST_SEED', '1'))
WALKS = 200
# Walks that had something rare when this was written.
RARE = (445, 451, 534, 597)
REQUESTS = 8  # between two ticks, at least
STEPS = 1500
SECONDS = 120
ACTS = ('REVOKES', 'EPOCHS', 'ROTATIONS', 'PATCHES', 'THEFTS', 'CRASHES')
# A store in memory does not outlive a power loss.
CRASHES = {'lmdb': 1, 'memory': 0}
# Every outcome that a walk can have; all the walks together must have had each.
OUTCOMES = ('load OK', 'load ABSENT', 'load REVOKED', 'load EXPIRED', 'load BAD_SECRET', 'judge OK', 'judge REVOKED',
            'judge TAMPERED', 'rotate_swap OK', 'rotate_swap refused', 'patch_swap OK', 'patch_swap refused',
            'shut_grace OK', 'in_grace', 'revoke_commit', 'revoke_bury',
            'revoke_unburied', 'epoch_commit', 'mark', 'touch', 'expire', 'sweep', 'forget', 'put_back')
AFTER_CRASHES = ('crash', 'import takes', 'import leaves', 'import_put OK', 'import_put nothing', 'load STORE_DOWN')


def walk(seed, crashes, path):
    """Writes the steps of one walk; returns the outcomes that it had. If all could happen in each, no
    session would live to its end."""
    chance = random.Random(seed)
    happens = {act: chance.randint(0, 1) for act in ACTS}
    happens['CRASHES'] *= crashes
    names = [f'-D{act}={times}' for act, times in happens.items()]
    done = subprocess.run(['spin', f'-n{seed}', f'-u{STEPS}', '-DWORKERS=2', f'-DWALK={REQUESTS}', *names, MODEL],
                          check=True, capture_output=True, text=True, timeout=SECONDS, cwd=path.parent)
    steps = re.findall(r'step (.*)', done.stdout)
    path.write_text(''.join(f'step {step}\n' for step in steps), encoding='ascii')
    return {outcome_of(step) for step in steps}


def outcome_of(step):
    words = step.split()
    said = [word for word in words[1:] if re.fullmatch('[A-Z_]+|refused|takes|leaves|nothing', word)]
    return ' '.join([words[0], *said[:1]])


def replay(driver, path):
    return subprocess.run([REPLAY], check=False, capture_output=True, text=True, errors='replace', timeout=SECONDS,
                          env={**os.environ, 'LH_REPLAY_DRIVER': driver, 'LH_REPLAY_WALK': str(path)})


@pytest.mark.parametrize('driver', CRASHES)
def test_walks_come_out_the_same_on_the_real_store(driver, tmp_path):
    had = set()
    for seed in (*range(SEED, SEED + WALKS), *RARE):
        path = tmp_path / f'walk-{seed}'
        had |= walk(seed, CRASHES[driver], path)
        done = replay(driver, path)
        assert done.returncode == 0, f'seed {seed}\n{path.read_text()}\n{done.stdout}{done.stderr}'
    missed = set(OUTCOMES + (AFTER_CRASHES if CRASHES[driver] else ())) - had
    assert not missed, f'no walk had {sorted(missed)}; there were {sorted(had)}'


@pytest.mark.parametrize('told, instead', [('judge 0 epoch 0 marks 0 OK', 'judge 0 epoch 0 marks 0 REVOKED'),
                                           ('place 1 generation 1', 'place 1 generation 2'),
                                           ('place 1 generation', 'place 2 generation'),
                                           ('previous 0 OK', 'previous 0 EXPIRED'),
                                           ('rotate_swap OK', 'rotate_swap refused')])
def test_walks_with_a_false_outcome_are_noticed(told, instead, tmp_path):
    path = tmp_path / 'walk'
    for seed in range(SEED, SEED + WALKS):
        walk(seed, 0, path)
        text = path.read_text(encoding='ascii')
        if told in text:
            break
    path.write_text(text.replace(told, instead, 1), encoding='ascii')
    assert told in text and replay('memory', path).returncode != 0
