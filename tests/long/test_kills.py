"""Commands of sessions and tokens killed at every call that they make of the disk: what was there goes on,
what was begun is there or not, and whoever comes next finishes it."""
import json
import os
import re
import signal
import subprocess

from harness import build
from harness.home import Session

SHIM = os.path.join(build.BUILD, 'tests', 'long', 'record_writes.so')
GATE = os.path.join(build.BUILD, 'tests', 'long', 'gate_once')
CALLS_MAX = 80
QUOTA = 6
TIER = f'tiers: {{small: {{idle: 1h, absolute: 8h, sessions_max: {QUOTA}, sessions_per_user_max: 0}}}}\n'
BEARER = '''leasehold on; leasehold_credential bearer; leasehold_mode stateless;
    location / { proxy_pass $upstream; }'''


def killed_at(home, kill_at, *arguments):
    """Runs the command, which dies at that call of the disk; returns its document, or None if it died."""
    environment = {**os.environ, 'LD_PRELOAD': SHIM, 'LEASEHOLD_RECORD_TO': home.path + '.record',
                   'LEASEHOLD_RECORD_BELOW': home.path, 'LEASEHOLD_KILL_AT': str(kill_at)}
    done = subprocess.run([build.CLI, '--home', home.path, '--json', *arguments], env=environment, text=True,
                          capture_output=True, check=False, timeout=build.PATIENCE_S)
    assert done.returncode in (0, -signal.SIGKILL), done
    return json.loads(done.stdout) if done.returncode == 0 else None


def statuses(home, sessions):
    asked = ''.join(f'{session.tenant} {session.cookie}\n' for session in sessions)
    said = subprocess.run([GATE, home.path], input=asked, capture_output=True, text=True, check=True,
                          user=home.user if os.geteuid() == 0 else None, timeout=build.PATIENCE_S)
    return [int(line.split()[0]) for line in said.stdout.splitlines()]


def live(home, tenant, *arguments):
    listed = home.run('session', 'list', tenant, *arguments)['sessions']
    return [session['reference'] for session in listed if session['standing'] == 'live']


def until_it_survives(act):
    """act(kill_at) says whether the command came to its end."""
    for kill_at in range(1, CALLS_MAX):
        if act(kill_at):
            assert kill_at > 2, 'it makes no calls'
            return
    raise AssertionError(f'more than {CALLS_MAX} calls')


def test_kills__a_rotation_leaves_the_old_cookie_or_gives_the_new_one(home):
    """One that dies behind the store has given its new cookie to nobody: the old one passes for the rest
    of its grace, and the session can be rotated again."""
    other = home.session('globex', sub='alice')

    def rotate(kill_at):
        session = home.session('acme', sub=f'user{kill_at}')
        made = killed_at(home, kill_at, 'session', 'rotate', 'acme', session.reference)
        known = [session] + ([Session('acme', made)] if made else [])
        assert statuses(home, [*known, other]) == [200] * (len(known) + 1)
        assert live(home, 'acme', '--sub', f'user{kill_at}') == [session.reference]
        again = Session('acme', home.run('session', 'rotate', 'acme', session.reference))
        assert statuses(home, [again, session, other]) == [200, 401, 200]
        return made

    until_it_survives(rotate)


def test_kills__other_rights_leave_one_session_old_or_new(home):
    other = home.session('globex', sub='alice')

    def change(kill_at):
        session = home.session('acme', '--role', 'member', sub=f'user{kill_at}')
        made = killed_at(home, kill_at, 'session', 'rotate', 'acme', session.reference, '--role', 'auditor')
        left = live(home, 'acme', '--sub', f'user{kill_at}')
        assert len(left) == 1, left
        is_old = left == [session.reference]
        assert home.run('session', 'show', 'acme', left[0])['roles'] == (['member'] if is_old else ['auditor'])
        assert statuses(home, [session, other]) == [200 if is_old else 401, 200]
        if made:
            assert not is_old and statuses(home, [Session('acme', made)]) == [200]
        return made

    until_it_survives(change)


def test_kills__sessions_that_end_others_are_counted_as_they_lie_there(home):
    home.apply(TIER)
    other = home.session('globex', sub='alice')

    def create(kill_at):
        tenant = f'crowd-{kill_at}'
        home.run('tenant', 'add', tenant, '--tier', 'small')
        for number in range(QUOTA):
            home.session(tenant, sub=f'user{number}')
        made = killed_at(home, kill_at, 'session', 'create', tenant, '--sub', 'last')
        assert len(live(home, tenant)) == QUOTA
        # a count that were wrong would now end too few or too many
        for ended in range(3):
            home.revoke(Session(tenant, {'cookie': '=', 'reference': live(home, tenant)[0]}))
            assert len(live(home, tenant)) == QUOTA - 1 - ended
        for number in range(2 * QUOTA):
            home.session(tenant, sub=f'later{number}')
            assert len(live(home, tenant)) == min(QUOTA, QUOTA - 3 + number + 1)
        assert statuses(home, [other]) == [200]
        return made

    until_it_survives(create)


def published(home, tenant):
    """Of a command that died there may be a hidden file beside it, which nobody reads."""
    folder = os.path.join(home.path, 'public', home.tenant(tenant)['uid'])
    assert [name for name in os.listdir(folder) if not re.fullmatch(r'[.]jwks[.]json[.]\d+[.]new', name)] == ['jwks.json']
    with open(os.path.join(folder, 'jwks.json'), encoding='utf-8') as file:
        return {key['kid'] for key in json.load(file)['keys']}


def signing_keys(home, tenant):
    return {key['key']: key['state'] for key in home.run('key', 'list', tenant)['keys'] if key['kind'] == 'signing'}


def assert_tokens(home, gateway, tenant, tokens):
    """All of them pass, so does a new one, and every key is published."""
    tokens = [*tokens, home.token(tenant, sub='alice')]
    keys = signing_keys(home, tenant)
    assert list(keys.values()).count('active') == 1 and set(keys) <= published(home, tenant), keys
    for token in tokens:
        assert gateway.ask(tenant=tenant, headers=[('Authorization', f'Bearer {token}')]).status == 200


def test_kills__the_first_token_of_a_tenant(home, start):
    gateway = start(1, server=BEARER)
    other = home.token('globex', sub='bob')

    def mint(kill_at):
        tenant = f'first-{kill_at}'
        home.run('tenant', 'add', tenant, '--tier', 'premium')
        made = killed_at(home, kill_at, 'token', 'mint', tenant, '--sub', 'alice')
        assert_tokens(home, gateway, tenant, [made['token']] if made else [])
        assert_tokens(home, gateway, 'globex', [other])
        return made

    until_it_survives(mint)


def test_kills__a_rotation_of_the_key_that_signs(home, start):
    gateway = start(1, server=BEARER)
    other = home.token('globex', sub='bob')

    def rotate(kill_at):
        tenant = f'turned-{kill_at}'
        home.run('tenant', 'add', tenant, '--tier', 'premium')
        token = home.token(tenant, sub='alice')
        made = killed_at(home, kill_at, 'key', 'rotate', tenant, '--signing')
        assert_tokens(home, gateway, tenant, [token])
        if 'pending' not in signing_keys(home, tenant).values():
            assert not made
            home.run('key', 'rotate', tenant, '--signing')
        assert sorted(signing_keys(home, tenant).values()) == ['active', 'pending']
        assert_tokens(home, gateway, tenant, [token])
        assert_tokens(home, gateway, 'globex', [other])
        return made

    until_it_survives(rotate)
