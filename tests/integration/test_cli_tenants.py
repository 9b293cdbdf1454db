"""Tenants on the command line: each command, twice, in the wrong order, for people and for scripts."""
import pytest

from harness.cli import DONE, NOT_SO, REFUSED, USAGE, say, say_json, say_on_terminal


def names(home):
    return [tenant['id'] for tenant in say_json(home, 'tenant', 'list').document['tenants']]


def test_a_tenant_is_added_and_shown(own_home):
    said = say_json(own_home, 'tenant', 'add', 'initech', '--tier', 'free', '--domain', 'Initech.Example',
                    '--domain', 'www.initech.example', '--alias', 'initech-inc')
    assert said.code == DONE, said
    made = said.document
    assert made['id'] == 'initech' and made['tier'] == 'free' and made['state'] == 'active'
    assert made['domains'] == ['initech.example', 'www.initech.example']
    assert made['aliases'] == ['initech-inc']
    assert (made['idle_s'], made['absolute_s']) == (1800, 8 * 3600)
    assert made['cookie'] == f"__Host-lh-{made['uid'][:8]}"
    assert say_json(own_home, 'tenant', 'show', 'initech').document == made
    assert names(own_home) == ['acme', 'globex', 'initech']


def test_a_person_reads_a_record_and_a_table(own_home):
    record = say(own_home, 'tenant', 'show', 'acme')
    assert record.code == DONE and not record.err
    rows = dict(line.split(None, 1) for line in record.out.splitlines() if not line.startswith('active key'))
    assert rows['id'] == 'acme' and rows['tier'] == 'premium' and rows['absolute'] == '14 d'
    table = say(own_home, 'tenant', 'list').out.splitlines()
    assert table[0].split() == ['ID', 'STATE', 'TIER', 'DOMAINS', 'UID', 'CREATED']
    assert [line.split()[:3] for line in table[1:]] == [['acme', 'active', 'premium'],
                                                       ['globex', 'active', 'free']]


@pytest.mark.parametrize('wrong', ['abc', 'x' * 37, 'ac_me', '-acme', 'acme-', 'xn--acme', 'ac me',
                                   'acm\u00e9', 'ac\nme', '', '*', '.', '..', '_system'])
def test_a_name_that_is_none_is_a_mistake(own_home, wrong):
    said = say(own_home, 'tenant', 'add', '--', wrong)
    assert said.code == USAGE and not said.out, said
    assert len(said.err.splitlines()) == 1
    assert names(own_home) == ['acme', 'globex']


@pytest.mark.parametrize('word', ['default', 'ADMIN', 'system', 'Null'])
def test_a_reserved_word_is_refused_as_a_name_and_as_another(own_home, word):
    for act in (['tenant', 'add', word], ['tenant', 'rename', 'acme', word, '--yes']):
        said = say(own_home, *act)
        assert said.code == REFUSED and not said.out and word.lower() in said.why, said
    assert names(own_home) == ['acme', 'globex']


def test_what_another_tenant_has_is_refused(own_home):
    assert say(own_home, 'tenant', 'add', 'acme').code == REFUSED
    assert say(own_home, 'tenant', 'add', 'initech', '--domain', 'a.example', '--alias', 'init-two').code == DONE
    for taken in (('--alias', 'globex'), ('--alias', 'init-two'), ('--domain', 'A.example')):
        said = say(own_home, 'tenant', 'add', 'hooli', *taken)
        assert said.code == REFUSED and 'in use' in said.why, said
    assert names(own_home) == ['acme', 'globex', 'initech']


def test_an_unknown_tier_is_named_with_the_nearest(own_home):
    said = say(own_home, 'tenant', 'add', 'initech', '--tier', 'premum')
    assert said.code == NOT_SO
    assert 'did you mean "premium"?' in said.why
    assert names(own_home) == ['acme', 'globex']


@pytest.mark.parametrize('verb', ['show', 'disable', 'enable', 'remove'])
def test_a_tenant_that_is_not_there_is_not_found(own_home, verb):
    said = say(own_home, 'tenant', verb, 'initech', '--yes')
    assert said.code == NOT_SO and '"initech"' in said.why and not said.out, said
    document = say_json(own_home, 'tenant', verb, 'initech', '--yes').document
    assert list(document) == ['error'] and 'initech' in document['error']['message']


def test_disabling_and_enabling_twice_is_no_mistake(own_home):
    for verb, state in (('disable', 'disabled'), ('disable', 'disabled'), ('enable', 'active'), ('enable', 'active')):
        said = say_json(own_home, 'tenant', verb, 'acme', '--yes')
        assert said.code == DONE and said.document['state'] == state, said
        assert say_json(own_home, 'tenant', 'show', 'globex').document['state'] == 'active'


def test_a_disabled_tenant_gets_no_session(own_home):
    say(own_home, 'tenant', 'disable', 'acme', '--yes')
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'alice')
    assert said.code == REFUSED and '__Host-lh' not in said.out + said.err, said
    assert say(own_home, 'session', 'create', 'globex', '--sub', 'bob').code == DONE


def test_a_renamed_tenant_keeps_itself_and_its_old_name(own_home):
    before = say_json(own_home, 'tenant', 'show', 'acme').document
    reference = own_home.session('acme').reference
    after = say_json(own_home, 'tenant', 'rename', 'acme', 'acme-two', '--yes')
    assert after.code == DONE and after.document['uid'] == before['uid'], after
    assert say(own_home, 'tenant', 'show', 'acme').code == NOT_SO
    assert say(own_home, 'session', 'show', 'acme-two', reference).code == DONE
    assert say(own_home, 'tenant', 'add', 'acme').code == REFUSED
    assert say(own_home, 'tenant', 'rename', 'globex', 'acme', '--yes').code == REFUSED
    assert say(own_home, 'tenant', 'rename', 'globex', 'acme-two', '--yes').code == REFUSED
    # It is reserved for its own tenant, who may have it back.
    assert say(own_home, 'tenant', 'rename', 'acme-two', 'acme', '--yes').code == DONE
    assert names(own_home) == ['acme', 'globex']


def test_a_removed_tenants_names_stay_reserved(own_home):
    say(own_home, 'tenant', 'add', 'initech', '--domain', 'initech.example', '--alias', 'init-two')
    uid = say_json(own_home, 'tenant', 'show', 'initech').document['uid']
    said = say_json(own_home, 'tenant', 'remove', 'initech', '--yes')
    assert said.code == DONE and said.document == {'id': 'initech', 'state': 'removed'}, said
    for name in ('initech', 'init-two'):
        refused = say(own_home, 'tenant', 'add', name)
        assert refused.code == REFUSED and '--reclaim' in refused.why, refused
    assert say(own_home, 'tenant', 'add', 'hooli', '--domain', 'initech.example').code == REFUSED
    assert say(own_home, 'tenant', 'rename', 'globex', 'initech', '--yes').code == REFUSED
    again = say_json(own_home, 'tenant', 'add', 'initech', '--reclaim')
    assert again.code == DONE and again.document['uid'] != uid, again
    assert 'audit name_reclaimed' in again.err


@pytest.mark.parametrize('verb,rest', [('disable', []), ('remove', []), ('rename', ['acme-two'])])
def test_what_destroys_asks(own_home, verb, rest):
    said = say(own_home, 'tenant', verb, 'acme', *rest)
    assert said.code == REFUSED and '--yes' in said.why
    for answer in ('n', '', 'nonsense'):
        asked = say_on_terminal(own_home, 'tenant', verb, 'acme', *rest, answer=answer)
        assert asked.code == REFUSED and 'acme' in asked.out and 'nothing was done' in asked.out, asked
    assert say_json(own_home, 'tenant', 'show', 'acme').document['state'] == 'active'
    assert say_on_terminal(own_home, 'tenant', verb, 'acme', *rest, answer='y').code == DONE
    shown = say_json(own_home, 'tenant', 'show', 'acme')
    assert shown.code == NOT_SO or shown.document['state'] in ('disabled', 'removed')
    assert say_json(own_home, 'tenant', 'show', 'globex').document['state'] == 'active'


@pytest.mark.parametrize('typed,meant', [(['tenant', 'lst'], 'tenant list'), (['tennant', 'list'], 'tenant'),
                                         (['tenant', 'list', '--jsn'], '--json'),
                                         (['sesion', 'create'], 'session')])
def test_a_slip_of_the_finger_gets_a_suggestion(own_home, typed, meant):
    said = say(own_home, *typed)
    assert said.code == USAGE and f'did you mean' in said.why and meant in said.why, said
    assert not said.out


@pytest.mark.parametrize('typed', [['tenant'], ['tenant', 'show'], ['tenant', 'list', 'acme'], ['tenant', 'rename', 'acme'],
                                   ['tenant', 'add', 'initech', '--sub', 'x'], ['tenant', 'add', 'initech', '--tier'],
                                   ['tenant', 'add', 'initech', '--tier='], ['tenant', 'list', '--yes=1'],
                                   ['tenant', 'add', 'initech', '--tier', 'free', '--tier', 'free'],
                                   ['tenant', 'list', '-x'], [], ['key', 'rotate'], ['key', 'rotate', 'acme', '--all'],
                                   ['session', 'revoke', 'acme', '--yes'],
                                   ['session', 'revoke', 'acme', '--yes', '--all', '--sub', 'x']])
def test_a_wrong_command_line_changes_nothing(own_home, typed):
    said = say(own_home, *typed)
    assert said.code == USAGE and said.why.startswith('leasehold: ') and not said.out, said
    assert said.why == said.why.rstrip()
    assert names(own_home) == ['acme', 'globex']


def test_help_names_every_command(own_home):
    said = say(None, '--help')
    assert said.code == DONE and not said.err
    for line in [line.split('  ')[1] for line in said.out.splitlines() if line.startswith('  ')]:
        explained = say(None, 'help', *line.split())
        assert explained.code == DONE and f'leasehold {line}' in explained.out, explained
        assert say(None, *line.split(), '--help').out == explained.out
    assert say(None, 'help', 'tennant').code == USAGE
