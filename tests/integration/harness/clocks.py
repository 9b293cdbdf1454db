"""Clocks of nginx and the command line that a test moves while they run: a preloaded library adds what
this file says."""
import mmap
import os
import struct
import threading
import time

from harness import build

LIBRARY = os.path.join(build.BUILD, 'tests', 'integration', 'set_clock.so')
HOUR_S = 3600
DRIFT_STEP_S = 0.01


class Clocks:
    """The clocks of a home and of whoever runs in this environment. Session time is the boot clock's,
    which only a sleeping machine moves, and the offset that the home keeps."""

    def __init__(self, home, folder):
        self.home = home
        self.wall_s = 0.0
        self.boot_s = 0.0
        path = os.path.join(folder, 'clocks')
        with open(path, 'w+b') as file:
            os.chmod(path, 0o644)
            file.write(bytes(16))
            file.flush()
            self.map = mmap.mmap(file.fileno(), 16)
        self.environment = {'LD_PRELOAD': build.preload(LIBRARY), 'LEASEHOLD_CLOCKS': path}
        with open(os.path.join(home.path, 'run', 'clock'), encoding='ascii') as file:
            self.offset_ms = int(file.read().split()[1])
        home.environment = self.environment

    def _tell(self):
        # one after the other, each whole: nobody asks for both at once
        self.map[0:8] = struct.pack('q', int(self.wall_s * 1e9))
        self.map[8:16] = struct.pack('q', int(self.boot_s * 1e9))

    def step(self, seconds):
        """Sets the wall clock."""
        self.wall_s += seconds
        self._tell()

    def drift(self, rate, seconds):
        """Lets the wall clock run faster or slower by this part of itself for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(DRIFT_STEP_S)
            self.step(rate * DRIFT_STEP_S)

    def sleep(self, seconds):
        """The machine sleeps so long: all clocks but the monotonic one go ahead."""
        self.boot_s += seconds
        self.wall_s += seconds
        self._tell()

    def session_ms(self):
        """What time it is for sessions."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 + int(self.boot_s * 1e3) + self.offset_ms


class Credential:
    """What is asked with; end_ms: the first moment at which it is over."""

    def __init__(self, request, end_ms):
        self.request = request
        self.end_ms = end_ms
        self.passes = 0
        self.refusals = 0


class Askers:
    """Threads that ask all the time, each time with one of many credentials by chance, and hold every
    answer against session time as it was when the request was sent and when its answer was there."""

    THREADS = 4

    def __init__(self, clocks, connect, chance):
        self.clocks = clocks
        self.connect = connect
        self.chance = chance
        self.credentials = []
        self.accepted = []
        self.lost = []
        self.failures = []
        self.asked = 0
        self.is_over = threading.Event()
        self.may_ask = threading.Event()
        self.lock = threading.Lock()
        self.resting = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self._run) for _ in range(self.THREADS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.may_ask.set()
        for thread in self.threads:
            thread.join()

    def pause(self):
        """Until nobody asks."""
        self.may_ask.clear()
        for _ in self.threads:
            assert self.resting.acquire(timeout=build.PATIENCE_S)

    def go_on(self):
        self.may_ask.set()

    def _rest(self):
        """At the barrier of a pause, once."""
        if not self.may_ask.is_set():
            self.resting.release()
            self.may_ask.wait()

    def _run(self):
        connection = None
        try:
            while not self.is_over.is_set():
                self._rest()
                if self.is_over.is_set() or not self.credentials:
                    time.sleep(0.001)
                    continue
                with self.lock:
                    credential = self.chance.choice(self.credentials)
                connection = self.ask(credential, connection)
        except Exception as fault:  # pylint: disable=broad-except  # the test fails with it
            self.failures.append(repr(fault))
            self.resting.release()
        finally:
            if connection is not None:
                connection.close()

    def ask(self, credential, connection):
        """One answer, over a new connection where an old worker has closed this one."""
        while True:
            connection = connection or self.connect()
            sent_ms = self.clocks.session_ms()
            try:
                connection.send(credential.request)
                status = connection.read().status
            except OSError:
                connection.close()
                connection = None
                continue
            self._judge(credential, sent_ms, self.clocks.session_ms(), status)
            connection.seen.clear()
            return connection

    def _judge(self, credential, sent_ms, read_ms, status):
        with self.lock:
            self.asked += 1
            if status == 204:
                credential.passes += 1
                if sent_ms >= credential.end_ms:
                    self.accepted.append((credential.request, sent_ms - credential.end_ms))
            elif status == 401:
                credential.refusals += 1
                if read_ms < credential.end_ms:
                    self.lost.append((credential.request, credential.end_ms - read_ms))
            else:
                self.failures.append(status)

    def sweep(self):
        """Each credential once."""
        connection = None
        for credential in list(self.credentials):
            connection = self.ask(credential, connection)
        if connection is not None:
            connection.close()

    def assert_right(self):
        assert not self.failures, self.failures[:5]
        assert not self.lost, f'{len(self.lost)} logged out: {self.lost[:3]}'
        assert not self.accepted, f'{len(self.accepted)} accepted when over: {self.accepted[:3]}'
