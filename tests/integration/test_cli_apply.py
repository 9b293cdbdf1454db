"""leasehold apply: mistakes with their place, the difference, and a state that is reached in one step."""
import os
import random
import signal
import subprocess
import time

import pytest

from harness.cli import DONE, NOT_SO, REFUSED, USAGE, command, environment, say, say_json

POLICY = '''tiers:
  gold:
    idle: 1h
    absolute: 2d
tenants:
  acme:
    tier: gold
    domains: [app.acme.example]
    rbac:
      admin: [users:write, users:read]
  initech:
    tier: gold
'''


def shown(home, tenant):
    return say_json(home, 'tenant', 'show', tenant).document


def tenants(home):
    return [tenant['id'] for tenant in say_json(home, 'tenant', 'list').document['tenants']]


@pytest.fixture
def apply(own_home, tmp_path):
    """apply(text, …): writes it to policy.yaml and applies that."""
    path = tmp_path / 'policy.yaml'

    def run(text, *arguments, how=say):
        path.write_text(text)
        return how(own_home, 'apply', str(path), *arguments)

    run.path = str(path)
    return run


def test_a_dry_run_prints_the_difference_and_changes_nothing(own_home, apply):
    before = shown(own_home, 'acme')
    rehearsed = apply(POLICY, '--dry-run', how=say_json)
    assert rehearsed.code == DONE and 'audit' not in rehearsed.err, rehearsed
    assert shown(own_home, 'acme') == before and tenants(own_home) == ['acme', 'globex']
    done = apply(POLICY, how=say_json)
    assert done.code == DONE and done.document == rehearsed.document, done
    assert {'verb': 'change', 'kind': 'tenant', 'name': 'acme', 'field': 'tier', 'before': 'premium',
            'after': 'gold'} in done.document['changes']
    assert tenants(own_home) == ['acme', 'globex', 'initech']
    after = shown(own_home, 'acme')
    assert after['rbac'] == {'admin': ['users:read', 'users:write']} or after['rbac'] == {'admin': ['users:write', 'users:read']}
    assert (after['uid'], after['tier'], after['domains']) == (before['uid'], 'gold', ['app.acme.example'])


def test_the_second_time_there_is_nothing_to_change(own_home, apply):
    assert apply(POLICY).code == DONE
    again = apply(POLICY)
    assert again.code == DONE and again.out == 'nothing to change\n' and not again.err, again
    assert apply(POLICY, how=say_json).document == {'changes': []}
    # What is not written stays: neither globex, nor a field of acme.
    assert apply('tenants: {acme: {}}').out == 'nothing to change\n'
    assert shown(own_home, 'globex')['tier'] == 'free' and shown(own_home, 'acme')['tier'] == 'gold'


@pytest.mark.parametrize('line,wrong,place,hint', [
    (7, '    teir: gold', '7:5', 'did you mean "tier"?'),
    (7, '    tier: premum', '6:3', 'did you mean "premium"?'),
    (3, '    idle: 1 parsec', '3:11', None),
    (3, '    idle: 3d', None, None),
    (8, '    domains: [not_a_host]', '8:15', None),
    (8, '    domains: app.acme.example', '8:14', None),
    (8, '    tier: gold', '8:5', None),
    (7, '    tier: &here gold', None, None),
    (11, '  acme:', '11:3', None),
    (11, '  in: {}', None, None),
    (5, 'tenant:', '5:1', 'did you mean "tenants"?'),
])
def test_a_mistake_is_named_with_its_place_and_nothing_is_changed(own_home, apply, line, wrong, place, hint):
    lines = POLICY.splitlines()
    lines[line - 1] = wrong
    before = [shown(own_home, tenant) for tenant in ('acme', 'globex')]
    said = apply('\n'.join(lines) + '\n')
    assert said.code in (USAGE, NOT_SO, REFUSED) and not said.out, said
    assert f'{apply.path}:{place or ""}' in said.err, said
    assert hint is None or hint in said.err, said
    assert [shown(own_home, tenant) for tenant in ('acme', 'globex')] == before
    assert tenants(own_home) == ['acme', 'globex']


def test_all_mistakes_are_told_at_once(own_home, apply):
    said = apply(POLICY.replace('tier: gold', 'teir: gold').replace('idle', 'idel'))
    assert said.code == USAGE and said.err.count('did you mean') == 3, said
    assert said.why == 'leasehold: 3 mistakes; nothing was changed'


@pytest.mark.parametrize('text', ['[]', 'tenants: [', 'a: b: c', '\x00', '\ufffe',
                                  'tenants: {initech: {tier: free}}\n---\n[]'])
def test_what_is_no_policy_is_refused(own_home, apply, text):
    said = apply(text)
    assert said.code == USAGE and f'{apply.path}:' in said.err, said
    assert tenants(own_home) == ['acme', 'globex']


def test_files_that_cannot_be_read(own_home, tmp_path):
    missing = say(own_home, 'apply', str(tmp_path / 'nothing.yaml'))
    assert missing.code == NOT_SO and 'nothing.yaml' in missing.why and not missing.out, missing
    assert say(own_home, 'apply', str(tmp_path)).code != DONE
    assert say(own_home, 'apply').code == USAGE


def test_standard_input_and_several_files_are_one_step(own_home, tmp_path):
    first = tmp_path / 'tiers.yaml'
    first.write_text('tiers: {gold: {idle: 1h, absolute: 2d}}\n')
    said = say(own_home, 'apply', str(first), '-', text='tenants: {initech: {tier: gold}}\n')
    assert said.code == DONE and shown(own_home, 'initech')['tier'] == 'gold', said
    twice = say(own_home, 'apply', str(first), '-', text='tiers: {gold: {idle: 2h, absolute: 2d}}\n')
    assert twice.code == USAGE and shown(own_home, 'initech')['idle_s'] == 3600, twice


def test_a_name_of_another_tenant_stays_his(own_home, apply):
    said = apply('tenants: {initech: {aliases: [globex]}}')
    assert said.code == REFUSED and not said.out and tenants(own_home) == ['acme', 'globex'], said


def test_killed_at_any_moment_a_second_run_completes(own_home, apply):
    """Each run is killed a little later; what it leaves is the old state or the new, never between."""
    with open(apply.path, 'w', encoding='ascii') as file:
        file.write('tiers: {gold: {idle: 1h, absolute: 2d}}\ntenants:\n')
        for number in range(40):
            file.write(f'  tenant-{number:02}: {{tier: gold}}\n')
    for _ in range(25):
        process = subprocess.Popen(command(own_home, 'apply', apply.path), env=environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() / 20)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(tenants(own_home)) in (2, 42)
    assert say(own_home, 'apply', apply.path).code == DONE
    assert len(tenants(own_home)) == 42
    for tenant in ('tenant-00', 'tenant-39', 'acme'):
        assert own_home.show(own_home.session(tenant))['standing'] == 'live'
    # No key was left behind for a tenant that is not there.
    assert len(os.listdir(os.path.join(own_home.path, 'keyring', 'tenants'))) >= 42
