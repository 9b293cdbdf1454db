"""A home made and changed by the real command line."""
import contextlib
import json
import os
import pwd
import shutil
import subprocess

from harness.build import BUILD, CLI, PATIENCE_S
from harness.gateway import make_folder

MAKE_SESSIONS = os.path.join(BUILD, 'tests', 'integration', 'make_sessions')


class Refused(Exception):
    """The command line answered with another exit code than 0."""

    def __init__(self, command, code, said):
        super().__init__(f'{command}: exit {code}: {said}')
        self.code = code
        self.said = said


class Session:
    """A credential and its reference."""

    def __init__(self, tenant, made):
        self.tenant = tenant
        self.cookie = made['cookie']
        self.reference = made['reference']
        self.name, self.value = self.cookie.split('=', 1)

    @property
    def plain(self):
        """As it is called on a host that names the tenant."""
        return f'__Host-lh={self.value}'


class Home:
    """path: where it lies; user: whom it belongs to (the workers' user)."""

    def __init__(self, path, user):
        self.path = path
        self.user = user
        self.environment = {}  # what commands get beside the rest

    def run(self, *arguments):
        """Runs the command line; returns its JSON document, if it printed one."""
        command = [CLI, '--home', self.path, '--json', *arguments]
        environment = {**os.environ, 'ASAN_OPTIONS': 'detect_leaks=1', 'UBSAN_OPTIONS': 'halt_on_error=1',
                       **self.environment}
        done = subprocess.run(command, capture_output=True, text=True, env=environment,
                              timeout=3 * PATIENCE_S, check=False)
        if done.returncode != 0:
            raise Refused(' '.join(arguments), done.returncode, done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def init(self):
        self.run('init', '--user', self.user)

    def apply(self, policy):
        path = os.path.join(os.path.dirname(self.path), 'policy.yaml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(policy)
        self.run('apply', path)

    def set(self, name, value):
        with open(os.path.join(self.path, 'leasehold.conf'), 'a', encoding='utf-8') as file:
            file.write(f'{name} = {value}\n')

    def session(self, tenant, *arguments, sub='someone'):
        who = () if sub is None else ('--sub', sub)
        return Session(tenant, self.run('session', 'create', tenant, *who, *arguments))

    def sessions(self, tenant, count, seconds=0, sub=None):
        """Many at once, each of a user of its own or all of one: (reference, cookie, end in ms).
        seconds: how long they live; 0: as long as the tier lets them."""
        command = [MAKE_SESSIONS, self.path, tenant, str(count), str(seconds), *(() if sub is None else (sub,))]
        said = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **self.environment},
                              user=self.user if os.geteuid() == 0 else None, timeout=12 * PATIENCE_S)
        made = [line.split() for line in said.stdout.splitlines()]
        assert len(made) == count, said
        return made

    def token(self, tenant, *arguments, sub, aud=None):
        """The text of a token that the tenant's own key has signed."""
        audience = () if aud is None else ('--audience', aud)
        return self.run('token', 'mint', tenant, '--sub', sub, *audience, *arguments)['token']

    def tenant(self, name):
        return self.run('tenant', 'show', name)

    def show(self, session):
        return self.run('session', 'show', session.tenant, session.reference)

    def revoke(self, session):
        self.run('session', 'revoke', session.tenant, session.reference, '--yes')


@contextlib.contextmanager
def made_home(has_domains=False, has_limits=False):
    """A home with acme (premium) and globex (free), for as long as the block lasts. Without limits:
    a test is one client that asks more than any person does."""
    folder = make_folder()
    home = Home(os.path.join(folder, 'home'), worker_user())
    home.init()
    for tenant, tier in (('acme', 'premium'), ('globex', 'free')):
        home.run('tenant', 'add', tenant, '--tier', tier, *(('--domain', f'{tenant}.example') if has_domains else ()))
    if not has_limits:
        home.apply('tiers: {free: {requests_per_s: 0}}')
        home.set('unproved_rate', 0)
    yield home
    shutil.rmtree(folder, ignore_errors=True)


def worker_user():
    """Whom nginx's workers run as: as root www-data, else who runs the tests."""
    return 'www-data' if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
