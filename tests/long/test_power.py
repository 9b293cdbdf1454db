"""Power losses: what commands ask of the disk is recorded, and for every moment images of the disk are
made in which any part of what no sync had covered has arrived. Over each image: the registry opens and
can be written, holds every tenant, key and disabling that was acknowledged (exit 0), and the real gate
accepts no session whose revocation was acknowledged."""
import copy
import json
import os
import random
import shutil
import subprocess

from disk import Disk, read_record
from harness import build
from harness.home import Home, Refused, Session

SHIM = os.path.join(build.BUILD, 'tests', 'long', 'record_writes.so')
GATE = os.path.join(build.BUILD, 'tests', 'long', 'gate_once')
OTHER_BOOT = '00000000-0000-4000-8000-000000000000'
ALL_UP_TO = 16  # so many images of one moment are all made; of more, DRAWN
DRAWN = 6
TENANTS = ['acme', 'globex']


class Facts:
    """What was acknowledged, and which tenant a command was about to change."""

    def __init__(self):
        self.tenants = {}   # name to state
        self.keys = {}      # tenant to its active key
        self.sessions = []  # all that were made
        self.revoked = set()
        self.in_doubt = None


class Recording:
    """Commands one after the other over one home, each recorded; facts by the length of the record."""

    def __init__(self, home, to):
        self.home = home
        self.to = to
        self.facts = Facts()
        self.moments = []

    def run(self, *arguments):
        environment = {**os.environ, 'LD_PRELOAD': SHIM, 'LEASEHOLD_RECORD_TO': self.to,
                       'LEASEHOLD_RECORD_BELOW': self.home.path}
        self.note(arguments[2] if len(arguments) > 2 else None)
        made = subprocess.run([build.CLI, '--home', self.home.path, '--json', *arguments], env=environment,
                              capture_output=True, text=True, check=True)
        return json.loads(made.stdout)

    def note(self, in_doubt):
        """What holds from here on in the record, until the next note."""
        self.facts.in_doubt = in_doubt
        length = os.path.getsize(self.to) if os.path.exists(self.to) else 0
        self.moments.append((length, copy.deepcopy(self.facts)))

    def add(self, name):
        self.run('tenant', 'add', name, '--tier', 'free')
        self.facts.tenants[name] = 'active'
        self.facts.keys[name] = '1'

    def set_state(self, verb, name, state, *how):
        self.run('tenant', verb, name, *how)
        self.facts.tenants[name] = state

    def rotate(self, name):
        made = self.run('key', 'rotate', name)['keys']
        self.facts.keys[name] = made[0]['key']

    def create(self, tenant, sub):
        self.facts.sessions.append((Session(tenant, self.run('session', 'create', tenant, '--sub', sub)), sub))

    def revoke(self, which, *how):
        """which: those that this ends, by their number; how: what to say instead of one reference."""
        session = self.facts.sessions[which[0]][0]
        self.run('session', 'revoke', session.tenant, *(how or (session.reference,)), '--yes')
        self.facts.revoked |= set(which)


def record(home, to, rng):
    """A morning of an operator."""
    recording = Recording(home, to)
    for tenant in TENANTS:
        recording.facts.tenants[tenant] = 'active'
        recording.facts.keys[tenant] = '1'
    for i in range(8):
        recording.create(TENANTS[i % 2], f'user{i % 4}')
    recording.revoke([0])
    recording.rotate('acme')
    recording.add('third')
    recording.create('third', 'user9')
    recording.revoke([1, 5], '--sub', 'user1')
    recording.set_state('disable', 'third', 'disabled', '--yes')
    recording.create('acme', 'user8')
    recording.rotate('globex')
    recording.revoke([9])
    recording.set_state('enable', 'third', 'active')
    recording.revoke([3, 7], '--all')
    for i in range(6):
        recording.create(rng.choice(TENANTS), f'late{i}')
        recording.revoke([len(recording.facts.sessions) - 1])
        recording.rotate(rng.choice(TENANTS))
    recording.add('fourth')
    recording.note(None)
    return recording


class Judge:
    """Holds images of a recorded home against the facts of their moment."""

    def __init__(self, recording, base, folder):
        self.recording = recording
        self.base = base
        self.image = Home(os.path.join(folder, 'image'), recording.home.user)
        self.disk = Disk(base)
        self.images = 0
        self.recovered = 0
        self.accepted = 0

    def facts_at(self, index_of_byte):
        return [facts for length, facts in self.recording.moments if length <= index_of_byte][-1]

    def boot_again(self):
        """The image wakes in another boot, unless it was closed clean, and what it lost is dealt with
        before anybody is served."""
        with open(os.path.join(self.image.path, 'run', 'boot'), 'r+', encoding='ascii') as file:
            file.write(OTHER_BOOT)
        self.recovered += self.image.run('recover')['needed']

    def assert_registry(self, facts):
        """Also that it can be written: a writer stops at a registry that was set back."""
        found = {tenant['id']: tenant for tenant in self.image.run('tenant', 'list')['tenants']}
        for name, state in facts.tenants.items():
            keys = {key['key']: key['state'] for key in self.image.run('key', 'list', name)['keys']}
            assert list(keys.values()).count('active') == 1, (name, keys)
            assert name in found and facts.keys[name] in keys, (name, keys)
            if name != facts.in_doubt:
                assert found[name]['state'] == state and keys[facts.keys[name]] == 'active', (name, keys)
        self.image.run('tenant', 'add', 'afterwards', '--tier', 'free')
        self.image.run('key', 'rotate', 'afterwards')

    def decide(self, facts):
        """The gate's status of each session; None if there was no gate to ask."""
        asked = ''.join(f'{session.tenant} {session.cookie}\n' for session, _ in facts.sessions)
        user = self.recording.home.user if os.geteuid() == 0 else None
        said = subprocess.run([GATE, self.image.path], input=asked, capture_output=True, text=True,
                              user=user, check=False, timeout=build.PATIENCE_S)
        if said.returncode != 0:
            return None, said.stderr
        lines = said.stdout.split('\n')[:-1]
        assert len(lines) == len(facts.sessions), said
        return [line.split(' ') for line in lines], said.stderr

    def assert_gate(self, facts, are_sessions_whole):
        """Where the file of sessions is whole, those that live must also pass."""
        decided, why = self.decide(facts)
        assert decided is not None, why
        for number, (status, reason) in enumerate(decided):
            session, _ = facts.sessions[number]
            is_disabled = facts.tenants[session.tenant] != 'active' and facts.in_doubt != session.tenant
            if number in facts.revoked or is_disabled:
                assert status != '200', f'{session.tenant} {session.reference} is accepted: {reason}'
            elif are_sessions_whole and facts.in_doubt != session.tenant:
                assert status == '200', f'{session.tenant} {session.reference} is refused: {reason}'
            self.accepted += status == '200'

    def judge(self, facts, content_of, arrived, are_sessions_whole):
        self.disk.write_image(self.base, self.image.path, content_of, arrived)
        self.images += 1
        try:
            self.boot_again()
            self.assert_gate(facts, are_sessions_whole)
            self.assert_registry(facts)
        except (AssertionError, Refused) as error:
            raise AssertionError(f'image {self.images}, kept in {self.image.path}: {error}') from error

    def judge_moment(self, facts, rng):
        """Every image of this moment, or some."""
        unsure = self.disk.pending('registry') + self.disk.pending('keyring')
        renames = len(self.disk.renaming)
        choices = (renames + 1)
        for file in unsure:
            choices *= file.choices()
        for number in range(choices if choices <= ALL_UP_TO else DRAWN):
            rest, contents = number, {}
            for file in unsure:
                rest, mine = divmod(rest, file.choices())
                contents[id(file)] = file.chosen(mine) if choices <= ALL_UP_TO else file.drawn(rng)
            arrived = rest if choices <= ALL_UP_TO else rng.randint(0, renames)
            is_whole = rng.random() < 0.5
            self.judge(facts, lambda path, file, to=contents, whole=is_whole:
                       to[id(file)] if id(file) in to else file.whole() if whole else file.drawn(rng),
                       arrived, is_whole)

    def replay(self, events, rng):
        """Before each sync and while a synced write is on its way there is most to lose; and behind
        each command is what it acknowledged."""
        ends = {length for length, _ in self.recording.moments}
        for begin, event, end in events:
            if event.kind == 'sync':
                self.judge_moment(self.facts_at(begin), rng)
            self.disk.take(event)
            if event.kind == 'writesync':
                self.judge_moment(self.facts_at(begin), rng)
            self.disk.settle(event)
            if end in ends:
                self.judge_moment(self.facts_at(end), rng)


def test_power__whatever_arrived_no_acknowledged_revocation_is_lost(home, seed):
    folder = os.path.dirname(home.path)
    base, to = os.path.join(folder, 'base'), os.path.join(folder, 'record')
    rng = random.Random(f'{seed} power')
    shutil.copytree(home.path, base, symlinks=True)
    owner = os.stat(home.path)
    for directory, _, names in os.walk(base):
        for name in ['', *names]:
            os.chown(os.path.join(directory, name), owner.st_uid, owner.st_gid)
    recording = record(home, to, rng)
    judge = Judge(recording, base, folder)
    events = list(read_record(to, home.path, base))
    judge.replay(events, rng)
    print(f'{judge.images} images of {len(events)} events and {len(recording.moments)} commands; '
          f'{judge.accepted} live sessions accepted; {judge.recovered} times an import was needed')
    assert judge.images > 200 and judge.accepted > 500 and judge.recovered > 50, 'too little happened to say anything'
