"""From the command line's exit after a revocation to the last request that is let through: none. Four
workers, each with its own cache of sessions, under a load that keeps those caches warm."""
import os
import time

from harness.gateway import wait_until
from harness.hammer import Hammer, spread

ROUNDS = int(os.environ.get('LEASEHOLD_TEST_REVOKES', '52'))
PER_WORKER = 2
# Requests that a session gets through before it ends, and refusals after it.
WARM, COLD = 24, 16
OTHER = {'acme': 'globex', 'globex': 'acme'}


def revoke_one(home, tenant, session):
    home.revoke(session)


def revoke_user(home, tenant, session):
    home.run('session', 'revoke', tenant, '--sub', 'victim', '--yes')


def revoke_all(home, tenant, session):
    home.run('session', 'revoke', tenant, '--all', '--yes')


def disable(home, tenant, session):
    home.run('tenant', 'disable', tenant, '--yes')


ENDINGS = [revoke_one, revoke_user, revoke_all, disable]


def end_one(home, hammer, tenant, end, bystander):
    """One round: a session of each tenant under load; one of them ends, the other must not."""
    victim = home.session(tenant, sub='victim')
    hammer.aim([victim, bystander])
    aimed = time.monotonic()
    for session in (victim, bystander):
        wait_until(lambda: hammer.passed_after(session, aimed) >= WARM or hammer.failures, 'warm caches')
    end(home, tenant, victim)
    ended = time.monotonic()
    wait_until(lambda: hammer.refused_after(victim, ended) >= COLD or hammer.failures, 'refusals')
    wait_until(lambda: hammer.passed_after(bystander, ended) >= COLD or hammer.failures, 'the other goes on')
    hammer.aim([])
    assert not hammer.failures, hammer.failures[:5]
    assert not hammer.refused_after(bystander, aimed)
    late = hammer.passed_after(victim, ended)
    assert late == 0, f'{end.__name__}: {late} requests passed after the end'
    if end is disable:
        home.run('tenant', 'enable', tenant)
    return victim


def test_nothing_passes_after_the_command_line_has_ended(start, echo, own_home):
    gateway = start('leasehold on; add_header X-Worker $pid always; location / { return 204; }',
                    on=own_home, workers=4, listen='reuseport')
    ended, bystanders = [], {}
    with Hammer(spread(gateway, PER_WORKER)) as hammer:
        for i in range(ROUNDS):
            tenant, end = ('acme', 'globex')[i % 2], ENDINGS[i // 2 % len(ENDINGS)]
            other = OTHER[tenant]
            bystander = bystanders.get(other) or own_home.session(other, sub='bystander')
            bystanders[other] = bystander
            victim = end_one(own_home, hammer, tenant, end, bystander)
            if end is revoke_all:
                bystanders.pop(tenant, None)
            if end is not disable:
                ended.append(victim)
        # None of them comes back, at any worker.
        hammer.aim(ended)
        again = time.monotonic()
        wait_until(lambda: all(hammer.refused_after(victim, again) >= 4 for victim in ended) or hammer.failures,
                   'all refused once more')
    assert not hammer.failures, hammer.failures[:5]
    assert not any(hammer.passed_after(victim, again) for victim in ended)
