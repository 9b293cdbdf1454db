"""Fixtures for files of many small tests: gateways, the echo upstream and both sessions are made once
for a file. A file imports them by name in place of those of conftest.py."""
import pytest

from harness.echo import Echo
from harness.gateway import Gateway
from harness.home import worker_user


@pytest.fixture(scope='module')
def file_echo():
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def echo(file_echo):
    file_echo.forget()
    return file_echo


@pytest.fixture(scope='module')
def start(file_echo, shared_home):
    """start(server, …): the file's gateway with this configuration, running; all oracles are asked
    at the end of the file."""
    running = {}

    def start_gateway(server=None, **rest):
        key = (server, *sorted(rest.items()))
        if key not in running:
            running[key] = Gateway(shared_home, file_echo, server, user=worker_user(), **rest).start()
        return running[key]

    yield start_gateway
    for gateway in running.values():
        gateway.finish()


@pytest.fixture(scope='module')
def acme(shared_home):
    return shared_home.session('acme', '--role', 'admin', '--scope', 'reports:read', sub='alice@acme.example')


@pytest.fixture(scope='module')
def globex(shared_home):
    return shared_home.session('globex', sub='bob@globex.example')
