"""Fixtures of the integration tests. Every test has two tenants, acme and globex, with a live session
each; what happens to one may not show at the other."""
import os
import shutil

import pytest

from harness import build
from harness.echo import Echo
from harness.gateway import Gateway
from harness.home import made_home, worker_user


@pytest.fixture(scope='session')
def shared_home():
    """A home with acme (premium) and globex (free). Tests make sessions of their own in it, and
    change nothing that another test relies on."""
    assert os.path.exists(build.MODULE), f'{build.MODULE} is missing: set LEASEHOLD_BUILD'
    with made_home(has_domains=True) as made:
        yield made


@pytest.fixture
def home(shared_home):
    return shared_home


@pytest.fixture
def own_home():
    """A home of this test alone, to break."""
    with made_home() as made:
        yield made


@pytest.fixture
def echo():
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def acme(home):
    return home.session('acme', '--role', 'admin', '--scope', 'reports:read', sub='alice@acme.example')


@pytest.fixture
def globex(home):
    return home.session('globex', sub='bob@globex.example')


@pytest.fixture
def start(echo, home):
    """start(server, …): a running gateway on the home; all oracles are asked at the end."""
    started = []

    def start_gateway(server=None, **rest):
        gateway = Gateway(rest.pop('on', home), echo, server, user=worker_user(), **rest)
        started.append(gateway)
        return gateway.start()

    yield start_gateway
    for gateway in started:
        # pytest shows it where the test failed
        print(gateway.log_text()[-4000:])
        print(gateway.access_text()[-4000:])
        gateway.finish()


@pytest.fixture
def configure(echo, home):
    """configure(server, …): a gateway that is not started, to ask nginx -t about."""
    made = []

    def make_gateway(server=None, **rest):
        gateway = Gateway(rest.pop('on', home), echo, server, user=worker_user(), **rest)
        made.append(gateway)
        return gateway

    yield make_gateway
    for gateway in made:
        shutil.rmtree(gateway.folder, ignore_errors=True)


@pytest.fixture
def gateway(start):
    """Everything needs a session, and goes to the echo upstream."""
    return start('leasehold on; location / { proxy_pass $upstream; }')
