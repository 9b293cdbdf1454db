"""make run, as a new user meets it: what it prints works when pasted, a second run keeps the
sessions, everything stops, and what is wrong is said in one line."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = 'localtest.example'
START_S = 300
STOP_S = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Run:
    """One tools/run in a process group of its own."""

    def __init__(self, home, port, **rest):
        self.home = home
        self.port = port
        environment = {**os.environ, 'PORT': str(port), 'LEASEHOLD_HOME': home}
        self.process = subprocess.Popen([os.path.join(ROOT, 'tools', 'run')], env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **rest)
        self.lines = []

    def wait_ready(self):
        """Reads the block up to its last line."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))
            if line.startswith('# Ctrl-C'):
                return self
        pytest.fail(f'not ready: {self.lines} {self.process.stderr.read()}')

    def exported(self):
        """The variables as a shell sees them after pasting the export lines."""
        exports = '\n'.join(line for line in self.lines if line.startswith('export '))
        said = subprocess.run(['bash', '-c', exports + '\nenv'], capture_output=True, text=True, check=True).stdout
        return dict(line.split('=', 1) for line in said.splitlines() if '=' in line)

    def paste(self, line):
        """Runs one printed command after the exports and the function before it, as a user would."""
        exports = '\n'.join(line for line in self.lines if line.startswith(('export ', 'leasehold() ')))
        return subprocess.run(['bash', '-c', f'{exports}\n{line}'], capture_output=True, text=True, check=False).stdout

    def commands(self, word):
        return [line for line in self.lines if word in line and not line.startswith(('#', 'export', 'leasehold:', 'leasehold()'))]

    def stop(self, how=signal.SIGTERM):
        os.kill(self.process.pid, how)
        self.process.wait(STOP_S)

    def kill_group(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


@pytest.fixture
def folder():
    # Not pytest's own: the workers' user must get there.
    path = tempfile.mkdtemp(prefix='leasehold-run-')
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(folder):
    runs = []

    def start_run(port=None, home=None, **rest):
        runs.append(Run(home or os.path.join(folder, 'home'), port or free_port(), **rest))
        return runs[-1]

    yield start_run
    for run in runs:
        run.kill_group()


def group_members(pid):
    said = subprocess.run(['ps', '-o', 'pid=', '-g', str(pid)], capture_output=True, text=True, check=False).stdout
    return said.split()


def curl(run, *options):
    done = subprocess.run(['curl', '-s', '-m', '5', '-w', '\n%{http_code}', *options, f'http://127.0.0.1:{run.port}/x?y=1'],
                          capture_output=True, text=True, check=False)
    body, _, status = done.stdout.rpartition('\n')
    return int(status), body


def test_run__a_new_user_pastes_what_it_prints(start):
    run = start().wait_ready()
    assert run.lines[0] == 'leasehold: ready'
    variables = run.exported()
    assert variables['GATEWAY'] == f'http://127.0.0.1:{run.port}'
    assert re.fullmatch(r'__Host-lh-[0-9a-f]{8}=[\w-]{70}', variables['ACME_COOKIE'])
    assert re.fullmatch(r'__Host-lh-[0-9a-f]{8}=[\w-]{70}', variables['GLOBEX_COOKIE'])
    assert variables['ACME_COOKIE'] != variables['GLOBEX_COOKIE']
    first, second = [json.loads(run.paste(line)) for line in run.commands('curl -s -b "$ACME_COOKIE"')[:2]]
    for answer in (first, second):
        headers = {name.lower(): value for name, value in answer['headers'].items()}
        assert (answer['method'], answer['path']) == ('GET', '/')
        assert headers['x-tenant-id'] == 'acme'
        assert headers['x-session-subject'] == 'alice@acme.example'
        assert 'cookie' not in headers
    refused = [run.paste(line) for line in run.commands('curl -si')]
    assert len(refused) == 4
    assert [answer.split()[1] for answer in refused[:3]] == ['401'] * 3
    forged = json.loads(run.paste(run.commands('X-Session-Subject: root')[0]))
    assert {n.lower(): v for n, v in forged['headers'].items()}['x-session-subject'] == 'bob@globex.example'
    assert [run.paste(line).strip() for line in run.commands('/admin/')] == ['200', '403']
    by_token, by_session = run.commands('/api/orders')[0], run.commands('/api/orders')[2]
    assert json.loads(run.paste(by_token))['headers']['X-Session-Subject'] == 'alice@acme.example'
    assert json.loads(run.paste(by_session))['path'] == '/api/orders'
    run.paste(run.commands('session revoke')[0])
    assert run.paste(run.commands('curl -si')[3]).split()[1] == '401'
    assert curl(run, '-b', variables['GLOBEX_COOKIE'], '-H', 'X-Tenant-ID: globex')[0] == 200


def tour_of_the_readme():
    """The blocks of the README's tour, each one or more commands."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        tour = file.read().split('## A tour in five minutes', 1)[1].split('\n## ', 1)[0]
    return re.findall(r'```sh\n(.*?)```', tour, re.S)


def test_run__the_tour_of_the_readme_works_when_pasted(start):
    run = start().wait_ready()
    passes, refusals, forged, conflict, roles, token, keys, rotation, others, rates = [
        run.paste(block) for block in tour_of_the_readme()]
    assert json.loads(passes)['path'] == '/invoices'
    assert json.loads(passes)['headers']['X-Session-Subject'] == 'alice@acme.example'
    assert 'X-Tenant-Context' in json.loads(passes)['headers']
    first, second, third = refusals.replace('\r', '').split('HTTP/1.1 ')[1:]
    assert first.startswith('401') and drop_date(first) == drop_date(second) == drop_date(third)
    assert json.loads(forged)['headers']['X-Session-Subject'] == 'bob@globex.example'
    assert 'everything' not in forged
    assert conflict.split()[1] == '400'
    assert roles.split() == ['200', '403']
    by_token, refused, by_session = re.fullmatch(r'(\{.*\})\s*HTTP/1.1 (401.*)\n(\{.*\n\})\s*', token.replace('\r', ''),
                                                 re.S).groups()
    assert refused.startswith('401') and json.loads(by_token)['path'] == '/api/orders'
    assert json.loads(by_token)['headers']['X-Session-Subject'] == 'alice@acme.example'
    assert 'Authorization' not in json.loads(by_token)['headers']
    assert json.loads(by_session)['headers']['X-Session-Subject'] == 'alice@acme.example'
    assert keys.split()[-1] == '200'
    assert rotation.split() == ['200', '200', '401']
    assert re.search(r'(?m)^cookie +__Host-lh-[0-9a-f]{8}=Ag', others)
    made = re.search(r'(?m)^key +(sig-[a-z2-7]{16})$', others).group(1)
    assert re.search(rf'(?m)^signature keys +{made}$', others)
    *limited, free = [(int(count), status) for count, status in re.findall(r'(\d+) (\d{3})\n', rates)]
    assert free == (2000, '200')
    assert sum(count for count, _ in limited) == 2000 and {status for _, status in limited} <= {'200', '429'}
    assert {status: count for count, status in limited}['200'] >= 1000



def drop_date(answer):
    return re.sub(r'(?m)^Date: .*$', '', answer)


def test_run__goes_on_where_memory_may_not_be_locked(start):
    def lock_little():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))

    run = start(preexec_fn=lock_little).wait_ready()
    assert curl(run, '-b', run.exported()['ACME_COOKIE'], '-H', 'X-Tenant-ID: acme')[0] == 200
    run.stop()
    assert 'locked' in run.process.stderr.read()


def test_run__tenants_by_subdomain_and_by_header(start):
    run = start().wait_ready()
    variables = run.exported()
    for tenant, other in (('acme', 'globex'), ('globex', 'acme')):
        cookie = variables[f'{tenant.upper()}_COOKIE']
        plain = '__Host-lh=' + cookie.split('=', 1)[1]
        assert curl(run, '-b', cookie, '-H', f'Host: {tenant}.{BASE}')[0] == 200
        assert curl(run, '-b', plain, '-H', f'Host: {tenant}.{BASE}')[0] == 200
        assert curl(run, '-b', cookie, '-H', f'X-Tenant-ID: {tenant}')[0] == 200
        assert curl(run, '-b', plain, '-H', f'X-Tenant-ID: {tenant}')[0] == 401
        assert curl(run, '-b', cookie, '-H', f'X-Tenant-ID: {other}')[0] == 401
        assert curl(run, '-b', cookie, '-H', f'Host: {other}.{BASE}')[0] == 401
        assert curl(run, '-b', cookie, '-H', f'Host: {tenant}.{BASE}', '-H', f'X-Tenant-ID: {other}')[0] == 400
        assert curl(run, '-b', cookie)[0] == 400
    status, body = curl(run, '-H', 'X-Tenant-ID: acme', '-X', 'PATCH', '-b', variables['ACME_COOKIE'], '-d', 'z' * 100000,
                        '-H', 'Sec-Fetch-Site: same-origin')
    assert status == 200
    assert json.loads(body)['method'] == 'PATCH' and json.loads(body)['path'] == '/x?y=1'


def test_run__the_second_run_keeps_the_sessions_of_the_first(start):
    first = start().wait_ready()
    before = first.exported()
    first.stop()
    second = start().wait_ready()
    after = second.exported()
    for name, tenant in (('ACME_COOKIE', 'acme'), ('GLOBEX_COOKIE', 'globex')):
        assert after[name] == before[name]
        assert curl(second, '-b', before[name], '-H', f'X-Tenant-ID: {tenant}')[0] == 200


def test_run__a_revoked_session_gets_a_successor(start):
    first = start().wait_ready()
    before = first.exported()
    first.paste(first.commands('session revoke')[0])
    first.stop()
    second = start().wait_ready()
    after = second.exported()
    assert after['ACME_COOKIE'] != before['ACME_COOKIE']
    assert after['GLOBEX_COOKIE'] == before['GLOBEX_COOKIE']
    assert curl(second, '-b', before['ACME_COOKIE'], '-H', 'X-Tenant-ID: acme')[0] == 401
    assert curl(second, '-b', after['ACME_COOKIE'], '-H', 'X-Tenant-ID: acme')[0] == 200


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
def test_run__stops_everything_that_it_started(start, how):
    run = start().wait_ready()
    assert len(group_members(run.process.pid)) >= 4  # the script, nginx with two workers, echo
    began = time.monotonic()
    if how == signal.SIGINT:
        os.killpg(run.process.pid, how)  # what a terminal does
        run.process.wait(STOP_S)
    else:
        run.stop(how)
    assert time.monotonic() - began < STOP_S
    assert run.process.returncode == 0
    assert group_members(run.process.pid) == []
    with socket.socket() as probe:
        assert probe.connect_ex(('127.0.0.1', run.port)) != 0


def test_run__cookies_are_kept_from_other_users(start):
    run = start().wait_ready()
    for tenant in ('acme', 'globex'):
        mode = os.stat(os.path.join(run.home + '.run', f'{tenant}.session')).st_mode
        assert mode & 0o777 == 0o600


def assert_says_one_line(run, *words):
    """Ends by itself, with one line on stderr that begins with our name."""
    _, said = run.process.communicate(timeout=START_S)
    lines = said.strip().splitlines()
    assert run.process.returncode != 0
    assert len(lines) == 1 and lines[0].startswith('leasehold: '), said
    for word in words:
        assert word in lines[0]


def test_run__says_that_the_port_is_taken(start):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_says_one_line(start(port=port), str(port), 'taken')


def test_run__says_that_it_runs_already(start):
    first = start().wait_ready()
    assert_says_one_line(start(port=first.port), str(first.port), 'another make run')


@pytest.mark.parametrize('port', ['http', '0', '65536', '-1', '80 80'])
def test_run__says_that_a_port_is_none(start, port):
    assert_says_one_line(start(port=port), 'no port')


@pytest.mark.skipif(os.geteuid() != 0, reason='only root has workers of another user')
def test_run__says_that_the_workers_cannot_reach_the_home(start, folder):
    closed = os.path.join(folder, 'closed')
    os.mkdir(closed, 0o700)
    assert_says_one_line(start(home=os.path.join(closed, 'home')), 'www-data', closed)


def test_run__says_that_the_home_is_none(start, folder):
    home = os.path.join(folder, 'home')
    os.mkdir(home)
    with open(os.path.join(home, 'leasehold.conf'), 'w', encoding='ascii') as file:
        file.write('nonsense\n')
    assert_says_one_line(start(), home)
