"""Somebody writes to the stores and the keyring behind everybody's back: records, keys and files change
places between two tenants. Nobody is admitted as somebody else, and nothing that was revoked comes back."""
import base64
import os
import shutil

import pytest

from harness.gateway import wait_until
from harness.rows import Rows

ON = 'leasehold on; location / { proxy_pass $upstream; }'

SUBJECTS = {'acme': 'alice', 'globex': 'bob'}


@pytest.fixture
def store(own_home):
    return Rows(os.path.join(own_home.path, 'sessions'))


@pytest.fixture
def sessions(own_home):
    return own_home.session('acme', sub='alice'), own_home.session('globex', sub='bob')


def place(home, session, of=None):
    """The key of a session's row; of: as if it were that tenant's."""
    bucket, lease = session.reference.split('.')
    padded = lease.upper() + '=' * (-len(lease) % 8)
    return (b's' + bytes.fromhex(home.tenant(of or session.tenant)['uid']) + int(bucket).to_bytes(4, 'big')
            + base64.b32decode(padded))


def statuses(gateway, *sessions):
    return [gateway.ask(tenant=session.tenant, session=session).status for session in sessions]


def assert_nobody_comes_in(gateway, echo, *sessions):
    """Nor on a second look."""
    echo.forget()
    for _ in range(2):
        assert all(status in (401, 503) for status in statuses(gateway, *sessions))
    assert not echo.taken()


def test_records_that_change_places_between_tenants_open_for_nobody(start, echo, own_home, store, sessions):
    acme, globex = sessions
    untouched = own_home.session('acme', sub='carol'), own_home.session('globex', sub='dave')
    rows = store.all()
    ours, theirs = place(own_home, acme), place(own_home, globex)
    store.write({ours: rows[theirs], theirs: rows[ours]})
    gateway = start(ON, on=own_home)
    assert_nobody_comes_in(gateway, echo, acme, globex)
    gateway.expect_audit('cross_tenant_leak_detected')
    assert statuses(gateway, *untouched) == [200, 200]
    assert [(seen.one('X-Tenant-ID'), seen.one('X-Session-Subject')) for seen in echo.taken()] \
        == [('acme', 'carol'), ('globex', 'dave')]


def test_records_that_change_places_within_a_tenant_open_for_nobody(start, echo, own_home, store, sessions):
    acme, globex = sessions
    second = own_home.session('acme', '--role', 'admin', sub='root')
    rows = store.all()
    store.write({place(own_home, acme): rows[place(own_home, second)], place(own_home, second): rows[place(own_home, acme)]})
    gateway = start(ON, on=own_home)
    assert_nobody_comes_in(gateway, echo, acme, second)
    gateway.expected_events |= {'integrity', 'cross_tenant_leak_detected'}
    assert statuses(gateway, globex) == [200]


def test_a_record_copied_to_another_tenant_is_found_by_nobody(start, echo, own_home, store, sessions):
    acme, globex = sessions
    store.write({place(own_home, acme, of='globex'): store.all()[place(own_home, acme)]})
    gateway = start(ON, on=own_home)
    for headers in ([('Cookie', acme.cookie)], [('Cookie', f'{globex.name}={acme.value}')], [('Cookie', acme.plain)]):
        assert gateway.ask(tenant='globex', headers=headers).status == 401
        assert gateway.ask_host('globex', headers=headers).status == 401
    assert not echo.taken()
    assert statuses(gateway, acme, globex) == [200, 200]


def revoke_one(home, session):
    home.revoke(session)


def revoke_user(home, session):
    home.run('session', 'revoke', session.tenant, '--sub', SUBJECTS[session.tenant], '--yes')


def revoke_all(home, session):
    home.run('session', 'revoke', session.tenant, '--all', '--yes')


@pytest.mark.parametrize('end', [revoke_one, revoke_user, revoke_all])
@pytest.mark.parametrize('is_warm', [False, True], ids=['cold', 'warm'])
def test_a_revoked_record_put_back_stays_revoked(start, echo, own_home, store, sessions, end, is_warm):
    """Its tombstone is taken away and the live record lies there again, as from a backup."""
    acme, globex = sessions
    before = store.all()
    gateway = start(ON, on=own_home) if is_warm else None
    if is_warm:
        assert statuses(gateway, acme, globex) == [200, 200]
    end(own_home, acme)
    store.write({place(own_home, acme): before[place(own_home, acme)]})
    gateway = gateway or start(ON, on=own_home)
    assert_nobody_comes_in(gateway, echo, acme)
    assert statuses(gateway, globex) == [200]
    store.write({place(own_home, acme): None})
    assert_nobody_comes_in(gateway, echo, acme)


def test_a_row_with_any_part_altered_is_never_somebody_else(start, echo, own_home, store, sessions):
    """Each ninth byte of it in turn. What lies outside the seal is the last touch alone."""
    acme, globex = sessions
    row = store.all()[place(own_home, acme)]
    gateway = start(ON, on=own_home)
    gateway.expected_events |= {'integrity', 'cross_tenant_leak_detected'}
    passed = []
    for at in range(0, len(row), 9):
        altered = bytearray(row)
        altered[at] ^= 0x21
        store.write({place(own_home, acme): bytes(altered)})
        answer = gateway.ask(tenant='acme', session=acme)
        assert answer.status in (200, 401, 503)
        if answer.status == 200:
            passed.append(at)
            # It would be remembered for a second; a change of the tenant ends that.
            own_home.revoke(own_home.session('acme'))
    assert len(passed) <= 3, passed
    assert {(seen.one('X-Tenant-ID'), seen.one('X-Session-Subject')) for seen in echo.taken()} <= {('acme', 'alice')}
    store.write({place(own_home, acme): row})
    assert statuses(gateway, globex) == [200]


def test_rows_cut_to_any_length_are_survived(start, echo, own_home, store, sessions):
    acme, globex = sessions
    row = store.all()[place(own_home, acme)]
    gateway = start(ON, on=own_home)
    gateway.expected_events |= {'integrity', 'cross_tenant_leak_detected'}
    for size in (*range(0, len(row), 23), len(row) - 1):
        store.write({place(own_home, acme): row[:size]})
        assert gateway.ask(tenant='acme', session=acme).status in (401, 503), size
    for added in (b'\0', row, bytes(4096)):
        store.write({place(own_home, acme): row + added})
        assert gateway.ask(tenant='acme', session=acme).status in (401, 503)
    assert not echo.taken()
    store.write({place(own_home, acme): row})
    assert statuses(gateway, acme, globex) == [200, 200]


def swap_wrapped_keys(home):
    """In the registry: each tenant's data key lies where the other's was."""
    deks = Rows(os.path.join(home.path, 'registry'), 'deks')
    (first, second), rows = sorted(deks.all()), deks.all()
    deks.write({first: rows[second], second: rows[first]})
    return lambda: deks.write(rows)


def tenant_files(home):
    folder = os.path.join(home.path, 'keyring', 'tenants')
    return [os.path.join(folder, home.tenant(name)['uid'] + '.tkek') for name in ('acme', 'globex')]


def swap_tenant_keys(home):
    ours, theirs = tenant_files(home)

    def swap():
        os.rename(ours, ours + '.away')
        os.rename(theirs, ours)
        os.rename(ours + '.away', theirs)

    swap()
    return swap


def swap_both(home):
    backs = [swap_wrapped_keys(home), swap_tenant_keys(home)]
    return lambda: [back() for back in backs]


@pytest.mark.parametrize('swap', [swap_wrapped_keys, swap_tenant_keys, swap_both])
def test_keys_that_change_places_open_nothing(start, echo, own_home, sessions, swap):
    """Each is bound to its tenant: not even both levels together make one tenant's keys the other's."""
    acme, globex = sessions
    put_back = swap(own_home)
    gateway = start(ON, on=own_home)
    gateway.expected_events |= {'integrity'}
    assert_nobody_comes_in(gateway, echo, acme, globex)
    assert gateway.ask(tenant='acme', session=globex).status in (401, 503)
    put_back()
    wait_until(lambda: statuses(gateway, acme, globex) == [200, 200], 'the keys are where they were')


def make_readable(path):
    os.chmod(path, 0o644)
    return lambda: os.chmod(path, 0o600)


def replace(path, make):
    os.rename(path, path + '.away')
    make(path)

    def put_back():
        (shutil.rmtree if os.path.isdir(path) and not os.path.islink(path) else os.remove)(path)
        os.rename(path + '.away', path)

    return put_back


def write_like(path, content):
    with open(path, 'wb') as file:
        file.write(content)
    owner = os.stat(path + '.away')
    os.chmod(path, 0o600)
    os.chown(path, owner.st_uid, owner.st_gid)


HARMS = {
    'readable by others': make_readable,
    'a symbolic link': lambda path: replace(path, lambda new: os.symlink(path + '.away', new)),
    'cut': lambda path: replace(path, lambda new: write_like(new, open(path + '.away', 'rb').read()[:-1])),
    'a directory': lambda path: replace(path, os.mkdir),
    'a pipe': lambda path: replace(path, os.mkfifo),
    'another key': lambda path: replace(path, lambda new: write_like(
        new, open(path + '.away', 'rb').read()[:-8] + os.urandom(8))),
}


@pytest.mark.parametrize('harm', HARMS.values(), ids=HARMS.keys())
@pytest.mark.parametrize('part', ['kek', 'tenant'])
def test_a_keyring_file_that_is_none_opens_nothing_and_harms_nobody_else(start, echo, own_home, sessions, harm, part):
    """What a worker has opened it goes on using; who comes new waits until the file is right again."""
    acme, globex = sessions
    gateway = start(ON, on=own_home)
    assert statuses(gateway, globex) == [200]
    path = tenant_files(own_home)[0] if part == 'tenant' else os.path.join(own_home.path, 'keyring', 'kek')
    put_back = harm(path)
    gateway.expected_events |= {'integrity'}
    assert_nobody_comes_in(gateway, echo, acme)
    assert statuses(gateway, globex) == [200]
    put_back()
    wait_until(lambda: statuses(gateway, acme, globex) == [200, 200], 'the file is right again')
