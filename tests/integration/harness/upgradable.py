"""A gateway whose nginx is a daemon, so that its binary can be replaced while it runs: nginx ignores
that wish of a process whose parent started it."""
import os
import signal
import subprocess

from harness import build, processes
from harness.gateway import Gateway, text_of, wait_until


class Daemon:
    """A master that nobody of us started; it must have become our child (processes.adopt_orphans)."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None if processes.is_running(self.pid) else 0

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout):
        wait_until(lambda: self.poll() is not None, f'master {self.pid} ended', timeout)
        try:
            assert os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == 0
        except ChildProcessError:
            pass  # the master that started it was still there to wait for it, and logs what it ended with


class Upgradable(Gateway):
    """old: the master of before, while both run. Every answer says in X-Worker who gave it."""

    daemon = 'on'

    def __init__(self, home, echo, server, **rest):
        # A new binary gets only what the configuration lets through of the environment.
        kept = ''.join(f'env {name}; ' for name in ('LD_PRELOAD', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'))
        super().__init__(home, echo, f'add_header X-Worker $pid always; {server}', main=kept, **rest)
        self.old = None
        processes.adopt_orphans()

    @property
    def pid_file(self):
        return os.path.join(self.folder, 'nginx.pid')

    def _written_pid(self):
        text = text_of(self.pid_file)
        return int(text) if text.endswith('\n') else None

    def start(self):
        command, environment = self._run()
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True, timeout=build.PATIENCE_S)
        wait_until(self._written_pid, 'a daemon')
        self.process = Daemon(self._written_pid())
        wait_until(self._is_up, 'started')
        self.pids = self.worker_pids()
        return self

    def upgrade(self):
        """USR2: from now on there are two masters, and workers of both."""
        before = self.process
        before.send_signal(signal.SIGUSR2)
        wait_until(lambda: self._written_pid() not in (None, before.pid), 'a new master')
        self.old, self.process = before, Daemon(self._written_pid())
        wait_until(self._is_up, 'new workers')
        self.pids = self.worker_pids()

    def workers_of(self, master):
        """All of them, those on their way out too."""
        return [pid for pid in processes.children(master.pid) if 'worker process' in processes.title(pid)]

    def wind_down(self):
        """WINCH: the old master stays, its workers finish what they have and end."""
        self.old.send_signal(signal.SIGWINCH)

    def retire(self):
        """QUIT: the old master ends once its workers have."""
        self.old.send_signal(signal.SIGQUIT)
        self.old.wait(3 * build.PATIENCE_S)
        self.old = None

    def roll_back(self):
        """HUP to the old master, which starts workers again, and QUIT to the new one."""
        new, self.process = self.process, self.old
        self.process.send_signal(signal.SIGHUP)
        wait_until(self._is_up, 'workers of the old master')
        self.pids = self.worker_pids()
        new.send_signal(signal.SIGQUIT)
        new.wait(3 * build.PATIENCE_S)
        wait_until(lambda: self._written_pid() == self.process.pid, 'the old master in its place')
        self.old = None

    def finish(self):
        if self.old is not None and self.old.poll() is None:
            self.old.send_signal(signal.SIGTERM)
            self.old.wait(3 * build.PATIENCE_S)
        super().finish()
