"""Two hundred SIGKILLs of nginx workers and of command lines under load: no acknowledged session is
lost, no revoked one is accepted, no tenant's session passes at another, and whoever comes next finds
the home in order. The moments of the kills come from the seed."""
import fcntl
import glob
import json
import os
import random
import signal
import subprocess
import threading
import time

from harness import build, http1
from harness.home import Session
from ledger import IN_DOUBT, LIVE, REVOKED, Ledger

# Half of them workers, half command lines.
KILLS = int(os.environ.get('LEASEHOLD_TEST_KILLS', '200'))
WORKERS = 3
TENANTS = ['acme', 'globex']
BACK_WITHIN_S = 5
# A tenant keeps at most 64 data keys, so rotations are few.
ROTATIONS_MAX = 40
DEADLINE_S = 600


class Storm:
    """Load, operator acts and kills, all at once, until the kills are done."""

    def __init__(self, gateway, home, seed):
        self.gateway = gateway
        self.home = home
        self.seed = seed
        self.ledger = Ledger()
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.added = set()
        self.rotated = dict.fromkeys(TENANTS, 0)
        self.killed_workers = 0
        self.killed_commands = 0
        self.killed_acts = {}
        self.answers = {}
        self.made = 0
        self.command_s = self.measure_command()

    def measure_command(self):
        """How long a command takes from its start to its end: kills shall fall all over it."""
        took = []
        for _ in range(5):
            began = time.monotonic()
            self.home.session('acme')
            took.append(time.monotonic() - began)
        return sorted(took)[2]

    # --- the command line ----------------------------------------------------------------------

    def command(self, rng, *arguments):
        """Runs the command line, which is killed at a random moment every other time. returns: its
        document if it has acknowledged, else None."""
        process = subprocess.Popen([build.CLI, '--home', self.home.path, '--json', *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if rng.random() < 0.6:
            time.sleep(rng.uniform(0, 1.5 * self.command_s))
            process.kill()
        out, error = process.communicate(timeout=build.PATIENCE_S)
        if process.returncode == -signal.SIGKILL:
            with self.lock:
                self.killed_commands += 1
                act = ' '.join(arguments[:2])
                self.killed_acts[act] = self.killed_acts.get(act, 0) + 1
            return None
        if process.returncode != 0:
            self.ledger.blame(f'{arguments}: exit {process.returncode}: {out} {error}')
            return None
        return json.loads(out)

    def create(self, rng):
        tenant = rng.choice(TENANTS)
        with self.lock:
            self.made += 1
            sub = f'user{self.made}'
        made = self.command(rng, 'session', 'create', tenant, '--sub', sub)
        if made:
            self.ledger.created(Session(tenant, made), sub)

    def revoke(self, rng):
        entry = self.ledger.begin_revoke(rng)
        if entry and self.command(rng, 'session', 'revoke', entry.session.tenant, entry.session.reference,
                                  '--yes'):
            self.ledger.revoked(entry)

    def rotate(self, rng):
        tenant = rng.choice(TENANTS)
        with self.lock:
            if self.rotated[tenant] >= ROTATIONS_MAX:
                return
            self.rotated[tenant] += 1
        self.command(rng, 'key', 'rotate', tenant)

    def add(self, rng):
        with self.lock:
            self.made += 1
            name = f'tenant-{self.made}'
        if self.command(rng, 'tenant', 'add', name, '--tier', 'free'):
            with self.lock:
                self.added.add(name)

    def operate(self, number):
        rng = random.Random(f'{self.seed} operator {number}')
        while not self.is_over.is_set():
            rng.choices([self.create, self.revoke, self.rotate, self.add], [10, 6, 2, 2])[0](rng)

    # --- load ----------------------------------------------------------------------------------

    def ask_once(self, entry, tenant=None):
        """One answer; a killed worker's connection ends without one, and is asked again."""
        headers = [('X-Tenant-ID', tenant or entry.session.tenant), ('Cookie', entry.session.cookie)]
        deadline = time.monotonic() + BACK_WITHIN_S
        while True:
            try:
                with http1.Connection(self.gateway.port) as connection:
                    connection.send(http1.request(headers=headers))
                    answer = connection.read()
                    with self.lock:
                        self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
                    return answer
            except (ConnectionError, OSError):
                if time.monotonic() > deadline:
                    raise

    def ask(self, rng):
        entry = self.ledger.pick(rng, LIVE, IN_DOUBT, REVOKED)
        if entry is None:
            return
        before = (entry.state, entry.was_refused)
        self.ledger.judge(entry, before, self.ask_once(entry))
        other = TENANTS[entry.session.tenant == TENANTS[0]]
        if rng.random() < 0.2 and self.ask_once(entry, other).status == 200:
            self.ledger.blame(f'{entry.session.reference} accepted at {other}')

    def load(self, number):
        rng = random.Random(f'{self.seed} client {number}')
        while not self.is_over.is_set():
            self.ask(rng)
            self.gateway.echo.forget()

    # --- kills of workers ----------------------------------------------------------------------

    def kill_workers(self):
        rng = random.Random(f'{self.seed} killer')
        while self.killed_workers < KILLS / 2 and not self.is_over.is_set():
            time.sleep(rng.uniform(0.05, 0.3))
            victim = rng.choice(self.gateway.worker_pids())
            os.kill(victim, signal.SIGKILL)
            self.killed_workers += 1
            deadline = time.monotonic() + BACK_WITHIN_S
            while victim in (pids := self.gateway.worker_pids()) or len(pids) < WORKERS:
                if time.monotonic() > deadline:
                    self.ledger.blame(f'no new worker {BACK_WITHIN_S} s after kill {self.killed_workers}')
                    return
                time.sleep(0.005)

    def guarded(self, part, *arguments):
        try:
            part(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.ledger.blame(f'{part.__name__}: {error!r}')
            self.is_over.set()

    def is_done(self):
        """Enough kills, and enough acknowledged to say something of."""
        has_killed = self.killed_workers >= KILLS / 2 and self.killed_commands >= KILLS / 2
        has_happened = self.ledger.count(LIVE) > KILLS / 10 and self.ledger.count(REVOKED) > KILLS / 40
        return (has_killed and has_happened) or self.ledger.violations

    def rage(self):
        parts = [(self.kill_workers,)] + [(self.operate, i) for i in range(2)] + [(self.load, i) for i in range(2)]
        threads = [threading.Thread(target=self.guarded, args=part) for part in parts]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + DEADLINE_S
        while not self.is_done() and not self.is_over.is_set() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.is_over.set()
        for thread in threads:
            thread.join(timeout=60)
        assert not self.ledger.violations, self.ledger.violations[:10]
        assert self.is_done(), f'{self.killed_workers} and {self.killed_commands} kills in {DEADLINE_S} s'


def assert_sessions(storm):
    """Each acknowledged session is what was acknowledged, at its own tenant and at no other."""
    for entry in storm.ledger.entries:
        if entry.state == IN_DOUBT:
            storm.home.revoke(entry.session)
            entry.state = REVOKED
        expected = 200 if entry.state == LIVE else 401
        assert storm.ask_once(entry).status == expected, (entry.session.reference, entry.state)
        other = TENANTS[entry.session.tenant == TENANTS[0]]
        assert storm.ask_once(entry, other).status == 401


def assert_registry(storm):
    """Acknowledged tenants are there and usable, those in doubt are whole or absent."""
    listed = {tenant['id'] for tenant in storm.home.run('tenant', 'list')['tenants']}
    assert storm.added | set(TENANTS) <= listed, storm.added - listed
    for tenant in sorted(listed):
        keys = storm.home.run('key', 'list', tenant)['keys']
        assert [key['state'] for key in keys].count('active') == 1, (tenant, keys)
        made = storm.home.session(tenant, sub='after')
        assert storm.gateway.ask(tenant=tenant, session=made).status == 200, tenant


def assert_no_stray_locks(home):
    locks = glob.glob(os.path.join(home.path, 'run', '*.lock'))
    assert locks
    for path in locks:
        with open(path, 'rb') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_crash__kills_under_load_lose_nothing_and_revive_nothing(home, start, seed):
    gateway = start(WORKERS)
    gateway.expected_bad.append('exited on signal 9')
    storm = Storm(gateway, home, seed)
    for tenant in TENANTS:
        storm.ledger.created(home.session(tenant, sub=f'first-of-{tenant}'), f'first-of-{tenant}')
    began = time.monotonic()
    storm.rage()
    states = {state: storm.ledger.count(state) for state in (LIVE, IN_DOUBT, REVOKED)}
    print(f'{storm.killed_workers} workers and {storm.killed_commands} commands killed {storm.killed_acts} '
          f'in {time.monotonic() - began:.0f} s; sessions {states}; answers {storm.answers}')
    gateway.pids = gateway.worker_pids()
    assert_sessions(storm)
    assert_registry(storm)
    gateway.stop()
    assert_no_stray_locks(home)
