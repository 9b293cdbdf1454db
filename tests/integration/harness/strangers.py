"""Requests without a valid session: all that is wrong with them is why."""
import re

import pytest

from harness import http1
from harness.gateway import BASE_DOMAIN


def forged(session):
    """The session's cookie with one letter of its MAC changed."""
    last = session.value[-10]
    return session.value[:-10] + ('A' if last != 'A' else 'B') + session.value[-9:]


@pytest.fixture
def strangers(own_home):
    """Requests that are all 401, by what is wrong; own_home has a third tenant, which is disabled."""
    home = own_home
    home.run('tenant', 'add', 'umbr', '--tier', 'free')
    of_disabled = home.session('umbr')
    home.run('tenant', 'disable', 'umbr', '--yes')
    acme, globex = home.session('acme'), home.session('globex')
    revoked = home.session('acme')
    home.revoke(revoked)
    return {
        'unknown tenant': ('none', None),
        'unknown tenant, a cookie': ('none', acme.value),
        'disabled tenant': ('umbr', None),
        'disabled tenant, its cookie': ('umbr', of_disabled.value),
        'no cookie': ('acme', None),
        'malformed cookie': ('acme', 'x' * len(acme.value)),
        'forged cookie': ('acme', forged(acme)),
        'revoked session': ('acme', revoked.value),
        'session of another tenant': ('acme', globex.value),
    }


def raw_request(tenant, value, by_header):
    headers = [('X-Tenant-ID', tenant)] if by_header else []
    host = '127.0.0.1' if by_header else f'{tenant}.{BASE_DOMAIN}'
    return http1.request(host=host, headers=headers + ([('Cookie', f'__Host-lh={value}')] if value else []))


def raw_answer(connection):
    """The bytes of an answer of known length."""
    head = connection._until(b'\r\n\r\n')
    return head + b'\r\n\r\n' + connection._exactly(int(re.search(rb'Content-Length: (\d+)', head).group(1)))
