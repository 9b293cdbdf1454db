"""Sessions and keys on the command line, and where a secret may be seen: only where it was asked for."""
import base64
import os
import re
import stat

import pytest

from harness.cli import DONE, NOT_SO, REFUSED, UNAVAILABLE, USAGE, say, say_json, say_on_terminal

COOKIE = re.compile(r'__Host-lh-[0-9a-f]{8}=([A-Za-z0-9_-]+)')


def create(home, tenant, *arguments):
    said = say_json(home, 'session', 'create', tenant, *arguments)
    assert said.code == DONE, said
    return said.document


def listed(home, tenant, *arguments):
    said = say_json(home, 'session', 'list', tenant, *arguments)
    assert said.code == DONE, said
    return {session['reference']: session for session in said.document['sessions']}


def live(home, tenant):
    return {reference for reference, session in listed(home, tenant).items() if session['standing'] == 'live'}


def secret_of(made):
    return made['cookie'].split('=', 1)[1]


@pytest.mark.parametrize('arguments', [
    ['session', 'revoke', 'acme'], ['session', 'revoke', 'acme', 'REF', '--all'],
    ['session', 'revoke', 'acme', '--sub', 'alice', '--all'], ['session', 'revoke', 'acme', '--sub', ''],
    ['session', 'revoke', 'acme', ''], ['key', 'rotate'], ['key', 'rotate', 'acme', '--all'], ['key', 'rotate', '--node', '--all'],
], ids=' '.join)
def test_what_an_act_is_about_is_said_once_and_before_anybody_is_asked(own_home, arguments):
    kept = own_home.session('acme')
    for more in ([], ['--yes']):
        if more or arguments[-1] != '':
            said = say(own_home, *arguments, *more)
            assert said.code == USAGE and 'yes' not in said.why, said
    assert own_home.show(kept)['standing'] == 'live'


def test_a_session_is_created_and_shown_without_its_secret(own_home):
    said = say_json(own_home, 'session', 'create', 'acme', '--sub', 'alice', '--role', 'admin', '--role', 'dev',
                    '--scope', 'a:read', '--group', 'staff', '--ttl', '3600')
    made = said.document
    assert made['cookie'] == f"{made['cookie_name']}={made['cookie_value']}"
    assert secret_of(made) not in said.err
    shown = say_json(own_home, 'session', 'show', 'acme', made['reference'])
    session = shown.document
    assert (session['sub'], session['standing'], session['anonymous']) == ('alice', 'live', False)
    assert (session['roles'], session['scopes'], session['groups']) == (['admin', 'dev'], ['a:read'], ['staff'])
    assert session['absolute_end_ms'] - session['created_ms'] == 3600_000
    for seen in (shown, say(own_home, 'session', 'show', 'acme', made['reference']),
                 say(own_home, 'session', 'list', 'acme'), say_json(own_home, 'session', 'list', 'acme')):
        assert made['cookie_value'] not in seen.out + seen.err
    assert say(own_home, 'session', 'show', 'globex', made['reference']).code == NOT_SO
    assert not listed(own_home, 'globex')


def test_a_person_reads_the_cookie_first(own_home):
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'alice')
    first, second = said.out.splitlines()[:2]
    assert re.fullmatch(r'cookie +' + COOKIE.pattern, first)
    assert re.fullmatch(r'reference +0\.[a-z2-7]{26}', second)
    assert say(own_home, 'session', 'list', 'globex').out == 'no sessions\n'


def test_with_out_the_cookie_is_in_that_file_alone(own_home, tmp_path):
    path = tmp_path / 'cookie'
    path.write_text('what was there before, and is longer than what comes ' * 10)
    path.chmod(0o644)
    said = say_json(own_home, 'session', 'create', 'acme', '--sub', 'alice', '--out', str(path))
    assert said.code == DONE, said
    text = path.read_text()
    secret = COOKIE.fullmatch(text.strip()).group(1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in said.out + said.err and not COOKIE.search(said.out + said.err)
    assert listed(own_home, 'acme')[said.document['reference']]['standing'] == 'live'


@pytest.mark.parametrize('kind', ['symlink', 'fifo', 'directory', 'hard link'])
def test_an_out_that_is_no_plain_file_gets_no_credential(own_home, tmp_path, kind):
    path, other = tmp_path / 'cookie', tmp_path / 'other'
    other.write_text('untouched')
    {'symlink': lambda: path.symlink_to(other), 'fifo': lambda: os.mkfifo(path), 'directory': path.mkdir,
     'hard link': lambda: path.hardlink_to(other)}[kind]()
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'alice', '--out', str(path))
    assert said.code == UNAVAILABLE and str(path) in said.why, said
    assert not COOKIE.search(said.out + said.err) and other.read_text() == 'untouched'
    assert not listed(own_home, 'acme')


def test_a_full_disk_under_out_ends_the_session_that_nobody_can_have(own_home):
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'alice', '--out', '/dev/full')
    assert said.code == UNAVAILABLE and not COOKIE.search(said.out + said.err), said
    assert not live(own_home, 'acme')


@pytest.mark.parametrize('ttl', ['0', '-1', '1.5', '1h', '4294967296', '18446744073709551616', '9' * 40, ' 60', '+60'])
def test_a_life_that_is_no_number_of_seconds_is_a_mistake(own_home, ttl):
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'alice', f'--ttl={ttl}')
    assert said.code == USAGE and 'seconds' in said.why, said
    assert not listed(own_home, 'acme') and not listed(own_home, 'globex')


def test_no_session_outlives_its_tier(own_home):
    premium, free = 14 * 24 * 3600, 8 * 3600
    for tenant, most in (('acme', premium), ('globex', free)):
        assert say(own_home, 'session', 'create', tenant, '--ttl', str(most)).code == DONE
        for more in (most + 1, 2 ** 32 - 1):
            said = say(own_home, 'session', 'create', tenant, '--ttl', str(more))
            assert said.code == REFUSED and str(most) in said.why, said
        assert len(listed(own_home, tenant)) == 1


def test_ends_after_2038_are_64_bits_wide(own_home, tmp_path):
    policy = tmp_path / 'long.yaml'
    policy.write_text('tiers:\n  ages:\n    idle: 1h\n    absolute: 365d\n')
    assert say(own_home, 'apply', str(policy)).code == DONE
    assert say(own_home, 'tenant', 'add', 'eternal', '--tier', 'ages').code == DONE
    year_s = 365 * 86400
    made = create(own_home, 'eternal', '--sub', 'a', '--ttl', str(year_s))
    session = say_json(own_home, 'session', 'show', 'eternal', made['reference']).document
    assert session['absolute_end_ms'] - session['created_ms'] == year_s * 1000
    assert session['absolute_end_ms'] > 2 ** 32 and session['standing'] == 'live'


@pytest.mark.parametrize('option', ['--sub', '--role', '--scope'])
def test_what_could_end_a_header_is_in_no_session(own_home, option):
    """Nor what folds, quotes or lists in one."""
    for wrong in ('a\r\nX-Tenant-ID: globex', 'a\nb', 'a\rb', 'a b', 'a\tb', 'a\x7f', 'a\x1b[2J', '\u00e9', 'a\x85', 'a"b', 'a,b', 'a\\b',
                  'x' * 256, ''):
        who = [] if option == '--sub' else ['--sub', 'alice']
        said = say(own_home, 'session', 'create', 'acme', *who, f'{option}={wrong}')
        assert said.code == USAGE and not said.out and len(said.err.splitlines()) == 1, (wrong, said)
    for tenant in ('acme', 'globex'):
        assert not say_json(own_home, 'session', 'list', tenant).document['sessions']


def test_one_session_is_revoked(own_home):
    first, second = create(own_home, 'acme', '--sub', 'alice'), create(own_home, 'acme', '--sub', 'alice')
    other = create(own_home, 'globex', '--sub', 'alice')
    asked = say(own_home, 'session', 'revoke', 'acme', first['reference'])
    assert asked.code == REFUSED and len(live(own_home, 'acme')) == 2
    said = say_json(own_home, 'session', 'revoke', 'acme', first['reference'], '--yes')
    assert said.code == DONE and said.document['of'] == first['reference'], said
    assert live(own_home, 'acme') == {second['reference']} and live(own_home, 'globex') == {other['reference']}
    assert say(own_home, 'session', 'revoke', 'acme', other['reference'], '--yes').code == NOT_SO
    assert live(own_home, 'globex') == {other['reference']}


def test_revoking_twice_is_told_and_changes_nothing(own_home):
    made = create(own_home, 'acme', '--sub', 'alice')
    other = create(own_home, 'globex', '--sub', 'bob')
    assert say(own_home, 'session', 'revoke', 'acme', made['reference'], '--yes').code == DONE
    assert say(own_home, 'session', 'revoke', 'acme', made['reference'], '--yes').code in (DONE, NOT_SO)
    assert not live(own_home, 'acme') and live(own_home, 'globex') == {other['reference']}


def test_all_sessions_of_a_user_are_revoked(own_home):
    for sub in ('alice', 'alice', 'bob'):
        create(own_home, 'acme', '--sub', sub)
    create(own_home, 'globex', '--sub', 'alice')
    assert len(listed(own_home, 'acme', '--sub', 'alice')) == 2
    said = say_json(own_home, 'session', 'revoke', 'acme', '--sub', 'alice', '--yes')
    assert said.code == DONE and said.document['revoked'] == '2 sessions', said
    assert [listed(own_home, 'acme')[reference]['sub'] for reference in live(own_home, 'acme')] == ['bob']
    assert len(live(own_home, 'globex')) == 1
    # A new sign-in lives.
    create(own_home, 'acme', '--sub', 'alice')
    assert len(live(own_home, 'acme')) == 2


def test_all_sessions_of_a_tenant_are_revoked_after_a_yes(own_home):
    for tenant in ('acme', 'acme', 'globex'):
        create(own_home, tenant, '--sub', 'alice')
    asked = say_on_terminal(own_home, 'session', 'revoke', 'acme', '--all', answer='no')
    assert asked.code == REFUSED and len(live(own_home, 'acme')) == 2
    assert say_on_terminal(own_home, 'session', 'revoke', 'acme', '--all', answer='y').code == DONE
    assert not live(own_home, 'acme') and len(live(own_home, 'globex')) == 1


@pytest.mark.parametrize('reference', ['XX', '0.', '0.' + 'a' * 25, '0.' + 'A' * 26, '1.' + 'a' * 26, '0.' + 'a' * 27,
                                       '00.' + 'a' * 26, '0.' + '1' * 26])
def test_a_reference_that_is_none_finds_nothing(own_home, reference):
    create(own_home, 'acme', '--sub', 'alice')
    create(own_home, 'globex', '--sub', 'alice')
    for verb in ('show', 'revoke'):
        said = say(own_home, 'session', verb, 'acme', reference, '--yes')
        assert said.code in (USAGE, NOT_SO) and not said.out and len(said.err.splitlines()) == 1, said
    assert len(live(own_home, 'acme')) == len(live(own_home, 'globex')) == 1


@pytest.mark.parametrize('state,code', [('{"cart": [1, 2]}', DONE), ('', USAGE), ('[1]', USAGE), ('{"a":1,"a":2}', USAGE),
                                        ('{"a":', USAGE), ('{"a":"' + 'x' * (70 * 1024) + '"}', None)])
def test_state_is_one_small_json_object(own_home, state, code):
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'alice', '--state', '-', text=state)
    assert said.code == code if code is not None else said.code in (USAGE, REFUSED, UNAVAILABLE), said
    assert len(listed(own_home, 'acme')) == (1 if code == DONE else 0)
    assert 'cart' not in say(own_home, 'session', 'list', 'acme').out


def test_keys_are_listed_and_rotated_without_logging_out(own_home):
    made = create(own_home, 'acme', '--sub', 'alice')
    said = say_json(own_home, 'key', 'rotate', 'acme')
    assert said.code == DONE and 'audit key_rotated tenant=acme' in said.err, said
    states = {key['key']: key['state'] for key in say_json(own_home, 'key', 'list', 'acme').document['keys']}
    assert states == {'1': 'decrypt-only', '2': 'active'}
    others = say_json(own_home, 'key', 'list', 'globex').document['keys']
    assert [(key['key'], key['state']) for key in others] == [('1', 'active')]
    assert live(own_home, 'acme') == {made['reference']}
    assert say_json(own_home, 'session', 'show', 'acme', made['reference']).document['sub'] == 'alice'
    new = create(own_home, 'acme', '--sub', 'alice')
    assert say_json(own_home, 'session', 'show', 'acme', new['reference']).document['key'] == 2


def test_all_keys_and_the_nodes_are_rotated(own_home):
    assert say(own_home, 'key', 'rotate', '--all').code == DONE
    for tenant in ('acme', 'globex'):
        assert len(say_json(own_home, 'key', 'list', tenant).document['keys']) == 2
    assert say(own_home, 'key', 'rotate', '--node').code == DONE
    nodes = [key for key in say_json(own_home, 'key', 'list').document['keys'] if key['kind'] == 'node']
    assert len(nodes) == 2 and len({key['key'] for key in nodes}) == 2
    assert say(own_home, 'key', 'rotate', 'initech').code == NOT_SO
    assert say(own_home, 'key', 'list', 'initech').code == NOT_SO


def files_that_hold(home, text):
    """The names of the files of a home in which these bytes lie."""
    found = set()
    for folder, _, names in os.walk(home.path):
        for name in names:
            with open(os.path.join(folder, name), 'rb') as file:
                if text in file.read():
                    found.add(name)
    return found


def test_no_credential_lies_in_the_home(own_home):
    """What a reader of the store finds can neither be presented nor turned into what can."""
    for tenant in ('acme', 'globex'):
        value = create(own_home, tenant, '--sub', 'alice')['cookie_value']
        raw = base64.urlsafe_b64decode(value + '=' * (-len(value) % 4))
        # version, key id, bucket (4 bytes), lease id, secret, MAC (16 each)
        lease_id, secret, mac = raw[4:20], raw[20:36], raw[36:52]
        assert files_that_hold(own_home, lease_id) == {'data.mdb'}
        for part in (secret, secret.hex().encode(), mac, value.encode(), raw):
            assert not files_that_hold(own_home, part)
