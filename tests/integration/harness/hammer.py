"""Many keep-alive connections that ask without a pause, and remember which request was let through
for whom, and when it was sent."""
import random
import threading
import time

from harness import http1


def spread(gateway, per_worker):
    """Connections that every worker has its part of. The gateway listens with reuseport, and tells
    the worker in X-Worker."""
    of = {}
    for _ in range(100 * gateway.workers):
        connection = http1.Connection(gateway.port)
        connection.send(http1.request())
        mine = of.setdefault(connection.read().one('X-Worker'), [])
        if len(mine) < per_worker:
            mine.append(connection)
        else:
            connection.close()
        if sum(map(len, of.values())) == per_worker * gateway.workers:
            return [connection for mine in of.values() for connection in mine]
    raise AssertionError(f'{len(of)} of {gateway.workers} workers answered')


class Hammer:
    """connections: to a gateway whose paths end in 204 or a refusal, given away. Sessions come and go
    while it runs."""

    def __init__(self, connections):
        self.connections = connections
        self.targets = []
        self.passes = {}
        self.refusals = {}
        self.failures = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(connection, seed))
                        for seed, connection in enumerate(connections)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        for connection in self.connections:
            connection.close()

    def aim(self, sessions):
        """From now on at these sessions only."""
        for session in sessions:
            self.passes.setdefault(session.reference, [])
            self.refusals.setdefault(session.reference, [])
        self.targets = list(sessions)

    def _run(self, connection, seed):
        chance = random.Random(seed)
        try:
            while not self.is_over.is_set():
                targets = self.targets
                if targets:
                    self._ask(connection, chance.choice(targets))
                else:
                    time.sleep(0.001)
        except Exception as fault:  # pylint: disable=broad-except  # the test fails with it
            self.failures.append(repr(fault))

    def _ask(self, connection, session):
        request = http1.request(headers=[('X-Tenant-ID', session.tenant), ('Cookie', session.cookie)])
        sent = time.monotonic()
        connection.send(request)
        status = connection.read().status
        connection.seen.clear()
        if status == 204:
            self.passes[session.reference].append(sent)
        elif status == 401:
            self.refusals[session.reference].append(sent)
        else:
            self.failures.append(f'{session.tenant}: {status}')

    def passed_after(self, session, moment):
        """How many requests of a session were let through that were sent after a moment."""
        return sum(sent > moment for sent in self.passes[session.reference])

    def refused_after(self, session, moment):
        return sum(sent > moment for sent in self.refusals[session.reference])
