"""Fixtures of the long tests: the harness of the integration tests, over a home of each test's own."""
import os
import random
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'integration'))

from harness.echo import Echo  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.home import made_home, worker_user  # noqa: E402


@pytest.fixture
def home():
    with made_home() as made:
        yield made


@pytest.fixture
def start(home):
    """start(workers): a running gateway with the tenants' application behind it; server: other than
    that everything needs a session."""
    echo, started = Echo(), []

    def start_gateway(workers, **rest):
        server = rest.pop('server', 'leasehold on; location / { proxy_pass $upstream; }')
        gateway = Gateway(home, echo, server, workers=workers, user=worker_user(), **rest)
        started.append(gateway)
        return gateway.start()

    yield start_gateway
    for gateway in started:
        gateway.finish()
    echo.close()


@pytest.fixture
def seed():
    """The seed of this run: LEASEHOLD_TEST_SEED, or a new one. It is printed, to run it again."""
    chosen = int(os.environ.get('LEASEHOLD_TEST_SEED') or random.randrange(1 << 32))
    print(f'\nLEASEHOLD_TEST_SEED={chosen}')
    return chosen
