"""make run at a terminal, as a user has it: Ctrl-C goes to everything that runs in the foreground, and
nothing is left of it."""
import os
import pty
import select
import signal
import socket
import subprocess
import time

import pytest

from test_make_run import ROOT, START_S, STOP_S, Run, curl, folder, free_port  # the fixture too

CTRL_C = b'\x03'


def environment_of_a_shell(**more):
    """The tests may run beneath make, whose own variables would speak to the make that is tested."""
    ours = {name: value for name, value in os.environ.items() if name not in ('MAKELEVEL', 'MAKEFLAGS', 'MFLAGS')}
    return {**ours, **more}


class Terminal(Run):
    """`make run` as the foreground job of a terminal."""

    def __init__(self, home, port, *more):
        self.home = home
        self.port = port
        self.lines = []
        self.said = b''
        self.status = None
        environment = environment_of_a_shell(PORT=str(port), LEASEHOLD_HOME=home)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it
            os.execvpe('make', ['make', '--no-print-directory', '-C', ROOT, 'run', *more], environment)

    def _read(self, within_s):
        """Whether there was something; at the end of the job there is nothing more."""
        if not select.select([self.terminal], [], [], within_s)[0]:
            return False
        try:
            part = os.read(self.terminal, 65536)
        except OSError:
            part = b''
        self.said += part
        return part != b''

    def wait_ready(self):
        while b'# Ctrl-C' not in self.said:
            if not self._read(START_S):
                pytest.fail(f'not ready: {self.said.decode()}')
        self.lines = self.said.decode().replace('\r\n', '\n').split('\n')
        return self

    def press(self, key):
        os.write(self.terminal, key)

    def wait(self):
        """Its exit code, as a shell's job control sees it; negative for a signal."""
        if self.status is None:
            while self._read(STOP_S):
                pass
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def members(self):
        """What runs in the terminal's session."""
        said = subprocess.run(['ps', '-o', 'pid=,args=', '-s', str(self.pid)], capture_output=True, text=True, check=False)
        return said.stdout.splitlines()

    def kill_group(self):
        for line in self.members():
            try:
                os.kill(int(line.split()[0]), signal.SIGKILL)
            except ProcessLookupError:
                pass
        os.close(self.terminal)
        if self.status is None:
            os.waitpid(self.pid, 0)

    def assert_nothing_left(self):
        deadline = time.monotonic() + STOP_S
        while self.members() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.members() == []
        with socket.socket() as probe:
            assert probe.connect_ex(('127.0.0.1', self.port)) != 0


@pytest.fixture
def at_terminal(folder):
    opened = []

    def open_terminal(port=None, home=None, *more):
        opened.append(Terminal(home or os.path.join(folder, 'home'), port or free_port(), *more))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.kill_group()


def test_terminal__ctrl_c_stops_everything_and_the_next_run_has_the_sessions(at_terminal):
    first = at_terminal().wait_ready()
    before = first.exported()
    assert curl(first, '-b', before['ACME_COOKIE'], '-H', 'X-Tenant-ID: acme')[0] == 200
    assert len(first.members()) >= 6  # make, the script, nginx with two workers, echo
    first.press(CTRL_C)
    assert first.wait() == -signal.SIGINT  # so ends make, once its recipe has
    first.assert_nothing_left()
    said = first.said.decode().split('# Ctrl-C', 1)[1].lower()
    assert 'traceback' not in said and 'error' not in said.replace('error.log', ''), said
    second = at_terminal().wait_ready()
    for name, tenant in (('ACME_COOKIE', 'acme'), ('GLOBEX_COOKIE', 'globex')):
        assert second.exported()[name] == before[name]
        assert curl(second, '-b', before[name], '-H', f'X-Tenant-ID: {tenant}')[0] == 200
        assert curl(second, '-b', before[name], '-H', f'X-Tenant-ID: {"globex" if tenant == "acme" else "acme"}')[0] == 401
    second.press(CTRL_C)
    second.wait()
    second.assert_nothing_left()


@pytest.mark.parametrize('after_s', [0.2, 1.5])
def test_terminal__ctrl_c_before_it_is_ready_leaves_nothing_either(at_terminal, after_s):
    run = at_terminal()
    time.sleep(after_s)
    run.press(CTRL_C)
    assert run.wait() != 0
    run.assert_nothing_left()
    again = at_terminal().wait_ready()
    assert curl(again, '-b', again.exported()['GLOBEX_COOKIE'], '-H', 'X-Tenant-ID: globex')[0] == 200


def test_terminal__closing_it_leaves_nothing(at_terminal):
    """The shell of a terminal that goes away hangs up on its jobs."""
    run = at_terminal().wait_ready()
    os.killpg(run.pid, signal.SIGHUP)
    assert run.wait() == -signal.SIGHUP
    run.assert_nothing_left()


def lines_of(run):
    """What it says before it ends by itself with an error: our lines, and those of make."""
    assert run.wait() == 2
    lines = run.said.decode().replace('\r\n', '\n').strip().split('\n')
    ours = [line for line in lines if not line.startswith('make: ')]
    assert all(line.startswith('leasehold: ') for line in ours), lines
    return ours


def test_terminal__a_busy_port_is_said_in_one_line(at_terminal):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        run = at_terminal(port=taken.getsockname()[1])
        line, = lines_of(run)
    assert str(run.port) in line and 'taken' in line


def test_terminal__the_port_is_8080_where_none_is_named(folder, monkeypatch):
    monkeypatch.delenv('PORT', raising=False)
    with socket.socket() as taken:
        try:
            taken.bind(('127.0.0.1', 8080))
            taken.listen()
        except OSError:
            pass  # somebody else has it, and it is as busy
        environment = environment_of_a_shell(LEASEHOLD_HOME=os.path.join(folder, 'home'))
        done = subprocess.run(['make', '--no-print-directory', '-C', ROOT, 'run'], env=environment, capture_output=True,
                              text=True, timeout=START_S, check=False)
    assert done.returncode == 2
    line, = [line for line in done.stderr.splitlines() if not line.startswith('make: ')]
    assert line.startswith('leasehold: port 8080 on 127.0.0.1 is taken')


@pytest.mark.skipif(os.geteuid() != 0, reason='only root has workers of another user')
def test_terminal__a_home_that_workers_cannot_use_is_said_in_one_line(at_terminal, folder):
    closed = os.path.join(folder, 'closed')
    os.mkdir(closed, 0o700)
    line, = lines_of(at_terminal(home=os.path.join(closed, 'home')))
    assert 'www-data' in line and closed in line


@pytest.mark.skipif(os.geteuid() != 0, reason='only root can make a home for somebody else')
def test_terminal__a_home_of_another_user_is_said_in_one_line(at_terminal, folder):
    home = os.path.join(folder, 'home')
    leasehold = os.path.join(os.path.join(ROOT, os.environ.get('BUILD', 'build')), 'cli', 'leasehold')
    subprocess.run([leasehold, '--home', home, 'init', '--user', 'nobody'], check=True, capture_output=True)
    line, = lines_of(at_terminal(home=home))
    assert 'www-data' in line and home in line
