"""Fixtures of the long tests: the harness of the integration tests, over a home of each test's own."""
import os
import random
import shutil
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'integration'))

from harness.echo import Echo  # noqa: E402
from harness.gateway import Gateway, make_folder  # noqa: E402
from harness.home import Home, worker_user  # noqa: E402


@pytest.fixture
def home():
    folder = make_folder()
    made = Home(os.path.join(folder, 'home'), worker_user())
    made.init()
    made.run('tenant', 'add', 'acme', '--tier', 'premium')
    made.run('tenant', 'add', 'globex', '--tier', 'free')
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(home):
    """start(workers): a running gateway with the tenant's application behind it."""
    echo, started = Echo(), []

    def start_gateway(workers, **rest):
        server = 'leasehold on; location / { proxy_pass $upstream; }'
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
