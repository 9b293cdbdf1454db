"""Rates of tenants and of clients who prove nothing, in memory that workers share."""
import time

import pytest

from harness import http1
from harness.home import Refused, made_home

PROBLEM = b'{"type":"urn:leasehold:problem:too-many-requests","title":"Too many requests","status":429}\n'
BEHIND_PROXY = 'set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;'
EVERYTHING = 'leasehold on; location / { proxy_pass $upstream; }'
BURST = 20


@pytest.fixture
def standard():
    """A home of this test alone, with the limits that a new one has."""
    with made_home(has_limits=True) as made:
        yield made


@pytest.fixture
def limited(standard):
    """globex may ask once a second and 20 at once; so may a client who proves nothing, and half as
    much at one tenant."""
    standard.apply(f'tiers: {{free: {{requests_per_s: 1, requests_burst: {BURST}}}}}')
    standard.set('unproved_rate', 1)
    standard.set('unproved_burst', BURST)
    return standard


class Flood:
    """Requests one after the other: how many were answered with each status, and the last 429."""

    def __init__(self, gateway, count, tenant, **rest):
        began = time.monotonic()
        self.statuses = {}
        self.limited = None
        for _ in range(count):
            answer = gateway.ask(tenant=tenant, **rest)
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            self.limited = answer if answer.status == 429 else self.limited
        # one a second comes back
        self.most_extra = int(time.monotonic() - began) + 2

    def assert_limited_after(self, status, budget):
        assert set(self.statuses) == {status, 429}, self.statuses
        assert budget <= self.statuses[status] <= budget + self.most_extra, self.statuses


def test_a_tenant_over_its_rate_is_429_and_another_is_not(start, limited):
    alice, bob = limited.session('acme'), limited.session('globex')
    gateway = start(EVERYTHING, on=limited)
    flood = Flood(gateway, 3 * BURST, 'globex', session=bob)
    flood.assert_limited_after(200, BURST)
    answer = flood.limited
    assert answer.body == PROBLEM and answer.one('content-type') == 'application/problem+json', answer
    assert answer.one('retry-after') == '1' and not answer.all('www-authenticate'), answer
    assert answer.one('cache-control') == 'private, no-store', answer
    assert Flood(gateway, 3 * BURST, 'acme', session=alice).statuses == {200: 3 * BURST}
    assert {'rate_tenant', 'ok'} == set(gateway.reasons(6 * BURST))
    told = [fields for event, fields in gateway.audit() if event == 'limited']
    assert told and all((line['reason'], line['tenant']) == ('rate_tenant', 'globex') for line in told), told


def test_a_flood_that_proves_nothing_leaves_everybody_else_alone(start, limited):
    alice, bob = limited.session('acme'), limited.session('globex')
    gateway = start(EVERYTHING, http=BEHIND_PROXY, on=limited)
    forged = [('Cookie', f'{bob.name}={alice.value}')]
    flood = Flood(gateway, 3 * BURST, 'globex', headers=[*forged, ('X-Real-IP', '192.0.2.1')])
    flood.assert_limited_after(401, BURST // 2)
    assert flood.limited.body == PROBLEM
    assert gateway.ask(tenant='globex', headers=[*forged, ('X-Real-IP', '192.0.2.2')]).status == 401
    assert gateway.ask(tenant='globex', headers=[*forged, ('X-Real-IP', '2001:db8::1')]).status == 401
    # the same client, and he proves himself; and the whole of the tenant's rate is still there
    own = Flood(gateway, BURST, 'globex', headers=[('Cookie', bob.cookie), ('X-Real-IP', '192.0.2.1')])
    assert own.statuses == {200: BURST}
    assert gateway.ask(tenant='acme', session=alice, headers=[('X-Real-IP', '192.0.2.1')]).status == 200


def test_nobody_is_another_client_by_saying_so(start, limited):
    """D08: only a proxy that is believed says who asks, and an IPv6 client has its whole /64."""
    gateway = start(EVERYTHING, on=limited)
    statuses = [gateway.ask(tenant='globex', headers=[('X-Real-IP', f'192.0.2.{i}'),
                                                      ('X-Forwarded-For', f'198.51.100.{i}'),
                                                      ('Forwarded', f'for=203.0.113.{i}')]).status
                for i in range(2 * BURST)]
    assert statuses[0] == 401 and statuses[-1] == 429, statuses
    gateway = start(EVERYTHING, http=BEHIND_PROXY, on=limited)
    statuses = [gateway.ask(tenant='globex', headers=[('X-Real-IP', f'2001:db8::{i:x}')]).status
                for i in range(2 * BURST)]
    assert statuses[0] == 401 and statuses[-1] == 429, statuses
    assert gateway.ask(tenant='globex', headers=[('X-Real-IP', '2001:db8:0:1::1')]).status == 401


def test_workers_share_one_budget_and_a_reload_keeps_it(start, limited):
    bob = limited.session('globex')
    gateway = start(EVERYTHING, http='leasehold_zone 6m;', on=limited, workers=3)
    Flood(gateway, 3 * BURST, 'globex', session=bob).assert_limited_after(200, BURST)
    gateway.reload()
    flood = Flood(gateway, BURST, 'globex', session=bob)
    assert flood.statuses.get(200, 0) <= flood.most_extra + 3, flood.statuses


def test_a_zone_of_another_size_begins_anew(start, limited):
    bob = limited.session('globex')
    gateway = start(EVERYTHING, http='leasehold_zone 6m;', on=limited)
    Flood(gateway, 3 * BURST, 'globex', session=bob).assert_limited_after(200, BURST)
    gateway.parts = (gateway.parts[0], 'leasehold_zone 7m;', gateway.parts[2])
    gateway.write_conf()
    gateway.reload()
    Flood(gateway, 3 * BURST, 'globex', session=bob).assert_limited_after(200, BURST)


def test_a_new_rate_counts_from_the_next_request_on(start, limited):
    bob = limited.session('globex')
    gateway = start(EVERYTHING, on=limited)
    Flood(gateway, 3 * BURST, 'globex', session=bob).assert_limited_after(200, BURST)
    limited.apply('tiers: {free: {requests_per_s: 0}}')
    assert Flood(gateway, 3 * BURST, 'globex', session=bob).statuses == {200: 3 * BURST}


def test_a_request_is_charged_once_however_it_is_decided(start, limited):
    """Twenty pages of three subrequests each, all under policies of their own."""
    bob = limited.session('globex')
    gateway = start('''
        location / { leasehold on; leasehold_audience page; auth_request /check; mirror /mirror;
                     error_page 404 = /fallback; proxy_intercept_errors on; proxy_pass $upstream; }
        location = /check { internal; leasehold on; leasehold_audience check; return 204; }
        location = /mirror { internal; leasehold on; leasehold_audience mirror; proxy_pass $upstream; }
        ''', on=limited)
    flood = Flood(gateway, 3 * BURST, 'globex', session=bob)
    flood.assert_limited_after(200, BURST)


def test_locations_that_let_strangers_pass_charge_nobody(start, limited):
    gateway = start('''
        location / { leasehold on; proxy_pass $upstream; }
        location /open { leasehold optional; proxy_pass $upstream; }
        location /off { leasehold off; proxy_pass $upstream; }
        ''', on=limited)
    for path in ('/open', '/off'):
        assert Flood(gateway, 3 * BURST, 'globex', path=path).statuses == {200: 3 * BURST}
    Flood(gateway, 3 * BURST, 'globex').assert_limited_after(401, BURST // 2)


def test_an_error_page_may_speak_of_limits(start, limited):
    bob = limited.session('globex')
    gateway = start('leasehold on; error_page 429 /slow; location / { proxy_pass $upstream; } '
                    'location = /slow { leasehold off; return 429 "slow down"; }', on=limited)
    flood = Flood(gateway, 2 * BURST, 'globex', session=bob)
    assert flood.limited.body == b'slow down' and flood.limited.one('retry-after') == '1', flood.limited


@pytest.mark.parametrize('size, is_right', [('5m', True), ('5120k', True), ('4m', False), ('1k', False),
                                            ('0', False), ('many', False), ('-8m', False), ('8m; leasehold_zone 8m', False)])
def test_the_zone_is_large_enough_or_an_error(configure, size, is_right):
    gateway = configure(EVERYTHING, http=f'leasehold_zone {size};')
    accepted, said = gateway.check_conf()
    assert accepted == is_right, said
    assert is_right or 'leasehold_zone' in said, said


@pytest.mark.parametrize('policy', ['requests_per_s: 1000001', 'requests_per_s: some', 'requests_burst: 0'])
def test_a_rate_that_cannot_be_is_a_mistake(standard, policy):
    with pytest.raises(Refused) as refused:
        standard.apply(f'tiers:\n  free:\n    {policy}\n')
    assert refused.value.code == 2 and 'policy.yaml:3' in refused.value.said, refused.value.said
    shown = standard.tenant('globex')
    assert (shown['requests_per_s'], shown['requests_burst']) == (200, 1000)


def test_a_new_home_limits_those_who_prove_nothing(start, standard):
    """500 at once, half of it at one tenant."""
    bob = standard.session('globex')
    gateway = start(EVERYTHING, on=standard)
    with gateway.connect() as connection:
        statuses = []
        for _ in range(800):
            connection.send(http1.request(headers=[('X-Tenant-ID', 'globex')]))
            statuses.append(connection.read().status)
    assert statuses[:250] == [401] * 250 and 429 in statuses[250:], statuses
    assert gateway.ask(tenant='globex', session=bob).status == 200
