"""How a session lives and ends, through the gateway, while the machine's clock is moved: idle and absolute
ends, touches, the grace of a rotation, and who goes where there are too many."""
import os
import re

import pytest

from harness import build
from harness.cli import DONE, NOT_SO, REFUSED, say, say_json
from harness.clocks import Clocks
from harness.gateway import wait_until
from harness.home import Session

ON = 'leasehold on; location / { proxy_pass $upstream; }'
MINUTE_S = 60
# globex is of the tier free, acme of premium.
FREE_IDLE_S, FREE_ABSOLUTE_S = 30 * MINUTE_S, 480 * MINUTE_S
TOUCH_S = 60
GRACE_S = 10
CROWD = 'tiers: {small: {idle: 1h, absolute: 8h, sessions_max: 20, sessions_per_user_max: 0}}\ntenants: {crowd: {tier: small}}\n'


@pytest.fixture
def clocks(own_home):
    return Clocks(own_home, os.path.dirname(own_home.path))


@pytest.fixture
def gateway(start, own_home, clocks):
    return start(ON, on=own_home, workers=2, environment=clocks.environment)


def status(gateway, session):
    return gateway.ask(tenant=session.tenant, session=session).status


def commanded(home, *arguments):
    """A command under the home's clocks: its document and its log."""
    said = say_json(home, *arguments, env={**os.environ, **home.environment})
    assert said.code == DONE, said
    return said.document, said.err


def use(gateway, home, session):
    """A request, and its touch is written."""
    before = home.show(session)['last_touch_ms']
    assert status(gateway, session) == 200
    wait_until(lambda: home.show(session)['last_touch_ms'] > before, 'touched')


def test_life__ends_idle_unless_it_is_used(gateway, own_home, clocks):
    used, unused = own_home.session('globex', sub='a'), own_home.session('globex', sub='b')
    other = own_home.session('acme', sub='c')
    for _ in range(3):
        clocks.sleep(FREE_IDLE_S - 5 * MINUTE_S)
        use(gateway, own_home, used)
    assert [status(gateway, session) for session in (unused, used, other)] == [401, 200, 200]
    clocks.sleep(FREE_IDLE_S)
    assert [status(gateway, session) for session in (unused, used, other)] == [401, 401, 200]


def test_life__ends_absolutely_however_it_is_used(gateway, own_home, clocks):
    session, other = own_home.session('globex', sub='a'), own_home.session('acme', sub='b')
    end_ms = own_home.show(session)['absolute_end_ms']
    while clocks.session_ms() + (FREE_IDLE_S - 5 * MINUTE_S) * 1000 < end_ms:
        clocks.sleep(FREE_IDLE_S - 5 * MINUTE_S)
        use(gateway, own_home, session)
    assert own_home.show(session)['absolute_end_ms'] == end_ms
    clocks.sleep((end_ms - clocks.session_ms()) / 1000)
    assert [status(gateway, one) for one in (session, other)] == [401, 200]


def test_life__a_touch_is_written_once_a_minute_and_of_its_own_tenant(start, own_home, clocks):
    """One worker writes touches in their order: one that is written shows that another was not due."""
    gateway = start(ON, on=own_home, environment=clocks.environment)
    session, other, later = (own_home.session(*who) for who in (('acme', '--scope', 'a'), ('globex',), ('globex',)))
    born_ms = own_home.show(session)['last_touch_ms']
    clocks.sleep(TOUCH_S // 2)
    assert {status(gateway, session) for _ in range(8)} == {200}
    clocks.sleep(TOUCH_S)
    assert gateway.ask(tenant='globex', session=session).status == 401
    use(gateway, own_home, other)
    assert own_home.show(session)['last_touch_ms'] == born_ms
    use(gateway, own_home, session)
    touched_ms = own_home.show(session)['last_touch_ms']
    assert born_ms + TOUCH_S * 1000 <= touched_ms <= clocks.session_ms()
    clocks.sleep(TOUCH_S // 2)
    assert status(gateway, session) == 200
    use(gateway, own_home, later)
    assert own_home.show(session)['last_touch_ms'] == touched_ms


def test_life__what_has_expired_stays_so_whatever_the_clock_says_later(gateway, own_home, clocks):
    """Who sees it first buries it."""
    seen, unseen = own_home.session('globex', sub='a'), own_home.session('globex', sub='b')
    other = own_home.session('acme', sub='c')
    clocks.sleep(FREE_IDLE_S)
    assert status(gateway, seen) == 401
    wait_until(lambda: say(own_home, 'session', 'show', 'globex', seen.reference).code == NOT_SO, 'buried')
    clocks.sleep(-FREE_IDLE_S)
    assert [status(gateway, session) for session in (seen, seen, other)] == [401, 401, 200]
    # the clock does tell: whom nobody saw over is not
    assert status(gateway, unseen) == 200


def test_life__a_previous_cookie_passes_for_ten_seconds_at_most(gateway, own_home, clocks):
    session, other = own_home.session('acme', sub='a'), own_home.session('globex', sub='b')
    renewed = Session('acme', own_home.run('session', 'rotate', 'acme', session.reference))
    clocks.sleep(GRACE_S // 2)
    assert [status(gateway, session) for _ in range(4)] == [200] * 4
    clocks.sleep(GRACE_S - GRACE_S // 2)
    assert [status(gateway, session) for _ in range(4)] == [401] * 4
    assert [status(gateway, one) for one in (renewed, renewed, other)] == [200, 200, 200]


def test_life__other_rights_do_not_make_it_longer(gateway, own_home, clocks):
    session = own_home.session('globex', '--ttl', '3600', sub='a')
    end_ms = own_home.show(session)['absolute_end_ms']
    clocks.sleep(20 * MINUTE_S)
    renewed = Session('globex', own_home.run('session', 'rotate', 'globex', session.reference, '--role', 'auditor'))
    shown = own_home.show(renewed)
    assert shown['absolute_end_ms'] == end_ms and shown['idle_end_ms'] - shown['last_touch_ms'] == FREE_IDLE_S * 1000
    clocks.sleep(20 * MINUTE_S)
    assert status(gateway, renewed) == 200
    clocks.sleep(20 * MINUTE_S)
    assert status(gateway, renewed) == 401


@pytest.fixture
def crowd(own_home, clocks):
    """Twenty sessions of a tenant that may have twenty: of users 0 to 19."""
    own_home.apply(CROWD)
    return [own_home.session('crowd', sub=f'user{number}') for number in range(20)]


def evicted_in(log):
    return re.findall(r'audit session_evicted tenant=crowd ref=(\S+)', log)


def test_life__a_tenant_with_too_many_ends_the_one_that_was_used_longest_ago(gateway, own_home, clocks, crowd):
    bystanders = [own_home.session('globex', sub='user0'), own_home.session('acme', sub='user0')]
    clocks.sleep(2 * TOUCH_S)
    use(gateway, own_home, crowd[0])
    made, log = commanded(own_home, 'session', 'create', 'crowd', '--sub', 'user20')
    assert evicted_in(log) == [crowd[1].reference]
    everybody = [*crowd, Session('crowd', made), *bystanders]
    assert [status(gateway, session) for session in everybody] == [200, 401] + [200] * 21
    assert say(own_home, 'session', 'show', 'crowd', crowd[1].reference).code == NOT_SO


def test_life__one_in_ten_may_be_anonymous_and_none_of_them_ends_a_user(gateway, own_home, clocks, crowd):
    refused = say_json(own_home, 'session', 'create', 'crowd', env={**os.environ, **own_home.environment})
    assert refused.code == REFUSED, refused
    assert [status(gateway, session) for session in crowd] == [200] * 20
    for session in crowd[:4]:
        own_home.revoke(session)
    nobodies = [own_home.session('crowd', sub=None) for _ in range(2)]
    made, log = commanded(own_home, 'session', 'create', 'crowd')
    assert evicted_in(log) == [nobodies[0].reference]
    live = [*crowd[4:], nobodies[1], Session('crowd', made)]
    assert [status(gateway, session) for session in live] == [200] * 18
    assert status(gateway, nobodies[0]) == 401


def test_life__of_a_user_with_too_many_whose_time_is_over_goes_first(gateway, own_home, clocks):
    """globex is of the tier free: 10 sessions of a user. What had ended anyway is not told as evicted."""
    lasting = [own_home.session('globex', sub='alice') for _ in range(9)]
    own_home.session('globex', '--ttl', '5', sub='alice')
    clocks.sleep(5)
    made, log = commanded(own_home, 'session', 'create', 'globex', '--sub', 'alice')
    assert 'session_evicted' not in log
    assert [status(gateway, session) for session in [*lasting, Session('globex', made)]] == [200] * 10
    _, log = commanded(own_home, 'session', 'create', 'globex', '--sub', 'alice')
    assert f'session_evicted tenant=globex ref={lasting[0].reference}' in log
    assert [status(gateway, session) for session in lasting[:2]] == [401, 200]


def tiers_of_the_protocols():
    """Rows of the table of tiers: name, then cells as they stand there."""
    with open(os.path.join(build.TOP, 'docs', 'protocols.md'), encoding='utf-8') as file:
        rows = re.findall(r'^\| `(free|standard|premium)` \| (.*) \|$', file.read(), re.M)
    assert len(rows) == 3
    return {name: [cell.strip() for cell in cells.split('|')] for name, cells in rows}


def seconds(text):
    number, unit = text.split()
    return int(number) * {'min': 60, 'h': 3600, 'd': 86400}[unit]


def count(text):
    return 0 if text in ('no limit', '') else int(text.replace(',', ''))


def test_life__tiers_are_what_the_protocols_say(own_home, tmp_path):
    own_home.apply('tiers: {free: {requests_per_s: 200, requests_burst: 1000}}')  # as in a new home
    for tier, (idle, absolute, _, of_user, state, rate, burst) in tiers_of_the_protocols().items():
        tenant = own_home.run('tenant', 'add', f'of-{tier}', '--tier', tier)
        assert [tenant[name] for name in ('idle_s', 'absolute_s', 'requests_per_s', 'requests_burst')] == \
            [seconds(idle), seconds(absolute), count(rate), count(burst)]
        first = own_home.session(f'of-{tier}', sub='a')
        own_home.sessions(f'of-{tier}', count(of_user) - 1, sub='a')
        assert own_home.show(first)['standing'] == 'live'
        own_home.session(f'of-{tier}', sub='a')
        assert say(own_home, 'session', 'show', f'of-{tier}', first.reference).code == NOT_SO
        most = int(state.split()[0]) * 1024
        for size, code in ((most, DONE), (most + 1, REFUSED)):
            path = tmp_path / 'state'
            path.write_text('{"a":"' + 'x' * (size - 8) + '"}')
            said = say(own_home, 'session', 'create', f'of-{tier}', '--sub', 'b', '--state', str(path))
            assert said.code == code, (tier, size, said)
