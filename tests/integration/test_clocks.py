"""A thousand live sessions and some tokens while the wall clock is set, drifts and jumps back, the
machine sleeps and nginx reloads: nobody is logged out before his time, and nobody passes after it."""
import base64
import json
import os
import random
import time

import pytest

from harness import http1
from harness.clocks import HOUR_S, Askers, Clocks, Credential
from harness.gateway import wait_until
from harness.home import Refused

# So many in sum, half of them of each tenant; how long they are asked at random moments of a walk.
SESSIONS = int(os.environ.get('LEASEHOLD_TEST_SESSIONS', '1000'))
WALK_S = float(os.environ.get('LEASEHOLD_TEST_WALK_S', '4'))
TENANTS = ('acme', 'globex')
# Of these there are some more in each phase, which end in it.
BRIEF, BRIEF_S = 10, 2
OWN_SKEW_MS = 5000
# globex is of the tier free.
FREE_IDLE_S = 1800
SERVER = '''
    location / { leasehold on; return 204; }
    location /token { leasehold on; leasehold_credential bearer; leasehold_mode stateless;
                      leasehold_tenant_from claim; leasehold_audience orders; return 204; }
    location /live { leasehold on; leasehold_credential bearer;
                     leasehold_tenant_from claim; leasehold_audience orders; return 204; }
    location /told { leasehold on; proxy_pass $upstream; }'''


def made_many(home, tenant, count, seconds):
    """Credentials of new sessions, made as the command line makes them and under its clocks."""
    return [Credential(http1.request(headers=[('X-Tenant-ID', tenant), ('Cookie', cookie)]), int(end_ms))
            for _, cookie, end_ms in home.sessions(tenant, count, seconds)]


def claims_of(token):
    part = token.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


def made_token(home, tenant, path, *arguments):
    token = home.token(tenant, *arguments, sub='alice', aud='orders')
    end_ms = claims_of(token)['exp'] * 1000 + OWN_SKEW_MS + 1
    return Credential(http1.request(path, headers=[('Authorization', f'Bearer {token}')]), end_ms)


class Scene:
    """The home, the clocks, the gateway and those who ask."""

    def __init__(self, home, clocks, gateway, askers, count):
        self.home = home
        self.clocks = clocks
        self.gateway = gateway
        self.askers = askers
        self.lasting = {tenant: made_many(home, tenant, count // 2, 0) for tenant in TENANTS}
        self.tokens = {tenant: [made_token(home, tenant, '/token')] for tenant in TENANTS}
        self.brief_tokens = []
        for tenant in TENANTS:
            session = home.session(tenant, sub='alice')
            self.tokens[tenant].append(made_token(home, tenant, '/live', '--sid', session.reference))
            askers.credentials += self.lasting[tenant] + self.tokens[tenant]

    def brief(self):
        """Sessions that end soon, and a token that ends a skew later, made by whatever clock it is."""
        made = [credential for tenant in TENANTS for credential in made_many(self.home, tenant, BRIEF, BRIEF_S)]
        token = made_token(self.home, 'acme', '/token', '--ttl', '1')
        self.brief_tokens.append(token)
        # asked more often than the others
        self.askers.credentials = self.askers.credentials + (made + [token]) * 8
        return made

    def watch(self, brief):
        """Until what was brief is over, with a reload meanwhile; then everybody once more."""
        wait_until(lambda: all(one.passes for one in brief) or self.askers.failures, 'brief ones pass')
        self.gateway.reload()
        wait_until(lambda: all(one.refusals for one in brief) or self.askers.failures, 'brief ones are refused')
        gone = set(brief)
        self.askers.credentials = [one for one in self.askers.credentials if one not in gone]
        self.askers.sweep()
        self.askers.assert_right()

    def phase(self, act):
        """act moves the clock."""
        before = self.brief()
        act()
        self.watch(before + self.brief())

    def wait_for_tokens(self):
        wait_until(lambda: all(one.passes and one.refusals for one in self.brief_tokens) or self.askers.failures,
                   'brief tokens are refused')
        self.askers.assert_right()

    def sleep(self, seconds, over=()):
        """The machine sleeps; these are over when it wakes."""
        self.askers.pause()
        self.clocks.sleep(seconds)
        for credential in over:
            credential.end_ms = min(credential.end_ms, self.clocks.session_ms())
        self.askers.go_on()
        self.askers.sweep()
        self.askers.assert_right()

    def assert_contexts_tell_session_time(self, session):
        told = self.gateway.ask('/told', tenant='acme', session=session).json()['headers']['X-Tenant-Context']
        claims, now_s = claims_of(told), self.clocks.session_ms() / 1000
        assert claims['iat'] <= now_s < claims['exp'] <= claims['iat'] + 60, (claims, now_s)


@pytest.fixture
def seed():
    chosen = int(os.environ.get('LEASEHOLD_TEST_SEED') or random.randrange(1 << 32))
    print(f'\nLEASEHOLD_TEST_SEED={chosen}')
    return chosen


@pytest.fixture
def set_scene(start, own_home, seed):
    """set_scene(count): so many sessions that are asked about from now on."""
    clocks = Clocks(own_home, os.path.dirname(own_home.path))
    gateway = start(SERVER, on=own_home, workers=2, environment=clocks.environment)
    with Askers(clocks, lambda: http1.Connection(gateway.port), random.Random(seed)) as askers:
        def set_up(count):
            made = Scene(own_home, clocks, gateway, askers, count)
            askers.go_on()
            return made

        yield set_up
        print(f'{askers.asked} requests')


def test_clocks__a_wall_clock_that_is_set_drifts_and_jumps_ends_no_session_and_keeps_none(set_scene):
    scene = set_scene(SESSIONS)
    clocks, session = scene.clocks, scene.home.session('acme', sub='carol')
    for seconds in (HOUR_S, -HOUR_S, -HOUR_S, HOUR_S):
        scene.phase(lambda step=seconds: clocks.step(step))
        scene.assert_contexts_tell_session_time(session)
    scene.phase(lambda: (clocks.drift(0.05, 1.5), clocks.drift(-0.05, 1.5)))

    def jump_back():
        for _ in range(4):
            clocks.step(-5)
            time.sleep(0.3)

    scene.phase(jump_back)
    scene.assert_contexts_tell_session_time(session)
    scene.wait_for_tokens()


def test_clocks__time_that_a_machine_sleeps_counts(set_scene):
    """Whatever the wall clock says of it."""
    scene = set_scene(SESSIONS // 5)
    scene.clocks.step(-HOUR_S)
    brief = made_many(scene.home, 'acme', BRIEF, 600)
    scene.askers.credentials = scene.askers.credentials + brief
    scene.askers.sweep()
    scene.sleep(599 - 60)
    assert all(one.refusals == 0 for one in brief)
    scene.sleep(61)
    assert all(one.refusals for one in brief)
    scene.gateway.reload()
    # asked once a while they live on, beyond their idle time; not asked, they do not
    for _ in range(3):
        scene.sleep(FREE_IDLE_S - 120)
    stateless, stateful = scene.tokens['globex']
    scene.sleep(FREE_IDLE_S, over=[*scene.lasting['globex'], stateful])
    scene.gateway.reload()
    scene.askers.sweep()
    scene.askers.assert_right()
    assert all(one.refusals for one in scene.lasting['globex'])
    assert all(one.passes and not one.refusals for one in scene.lasting['acme'])


def rotate_node_key(home):
    """Refused while too many wait, which says nothing of clocks."""
    try:
        home.run('key', 'rotate', '--node')
    except Refused as refused:
        assert 'LIMITED' in str(refused)


def test_clocks__whatever_happens_at_whatever_moment(set_scene, seed):
    """Steps, jumps, drifts, reloads and acts of the command line one after the other by chance."""
    scene = set_scene(SESSIONS // 5 if WALK_S < 60 else SESSIONS)
    chance = random.Random(f'{seed} walk')
    clocks, home = scene.clocks, scene.home
    acts = [lambda: clocks.step(chance.choice((HOUR_S, -HOUR_S, -5, 5, chance.uniform(-86400, 86400)))),
            lambda: clocks.step(-5),
            lambda: clocks.drift(chance.uniform(-0.2, 0.2), 0.5),
            scene.gateway.reload,
            lambda: home.run('key', 'rotate', chance.choice(TENANTS)),
            lambda: rotate_node_key(home),
            lambda: home.run('session', 'list', 'acme', '--sub', 'user1')]
    until = time.monotonic() + WALK_S
    while time.monotonic() < until:
        brief = scene.brief()
        for _ in range(3):
            chance.choice(acts)()
        scene.watch(brief)
    scene.wait_for_tokens()
