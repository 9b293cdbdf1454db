"""After an unclean boot. The boot is faked where the product looks for it: in run/boot of a home that
nobody has open. Nothing else of it is special."""
import os
import shutil
import signal
import subprocess
import threading

import pytest

from harness import build
from harness.gateway import make_folder, wait_until
from harness.home import Home, Refused, worker_user

OTHER_BOOT = '00000000-0000-4000-8000-000000000000'
SERVER = 'leasehold on; location / { proxy_pass $upstream; }'


def in_home(home, *names):
    return os.path.join(home.path, *names)


def crash_machine(home):
    """What a power loss leaves: the mark of another boot, and not a clean one. Keeps the owner."""
    with open(in_home(home, 'run', 'boot'), 'r+', encoding='ascii') as file:
        file.write(f'{OTHER_BOOT} open \n')


def set_aside(home):
    return sorted(name for name in os.listdir(home.path) if name.startswith('sessions.'))


@pytest.fixture(name='home')
def fixture_home():
    """A home of each test's own."""
    folder = make_folder()
    home = Home(os.path.join(folder, 'home'), worker_user())
    home.init()
    home.run('tenant', 'add', 'acme', '--tier', 'premium')
    home.run('tenant', 'add', 'globex', '--tier', 'free')
    yield home
    shutil.rmtree(folder, ignore_errors=True)


def answers(gateway, *sessions):
    return [gateway.ask(tenant=session.tenant, session=session).status for session in sessions]


def test_a_clean_stop_needs_no_recovery(home, start, acme, globex):
    gateway = start(SERVER)
    assert answers(gateway, acme, globex) == [200, 200]
    gateway.stop(signal.SIGQUIT)
    with open(in_home(home, 'run', 'boot'), encoding='ascii') as file:
        assert file.read().endswith(' clean\n')
    assert home.run('recover')['needed'] is False
    assert set_aside(home) == []


def test_workers_that_stop_together_leave_it_clean(home, start, acme, globex):
    for _ in range(8):
        gateway = start(SERVER, workers=4)
        assert answers(gateway, acme, globex) == [200, 200]
        gateway.stop(signal.SIGQUIT)
        with open(in_home(home, 'run', 'boot'), encoding='ascii') as file:
            assert file.read().endswith(' clean\n')


def test_killed_processes_alone_need_no_recovery(home, start, acme, globex):
    gateway = start(SERVER)
    assert answers(gateway, acme, globex) == [200, 200]
    os.kill(gateway.process.pid, signal.SIGKILL)
    for pid in gateway.worker_pids() or gateway.pids:
        os.kill(pid, signal.SIGKILL)
    gateway.process.wait()
    gateway.process = None
    with open(in_home(home, 'run', 'boot'), encoding='ascii') as file:
        assert file.read().endswith(' open \n')
    assert home.run('recover')['needed'] is False
    assert home.show(acme)['standing'] == 'live'
    assert answers(start(SERVER), acme, globex) == [200, 200]


def test_unknown_until_imported_and_then_live_or_gone(home, start, acme, globex):
    revoked = home.session('acme')
    late = home.session('globex')
    others = home.session('globex', sub='carol')
    home.revoke(revoked)
    crash_machine(home)
    gateway = start(SERVER)
    before = gateway.ask(tenant='acme', session=acme)
    assert before.status == 503 and before.one('Retry-After')
    assert answers(gateway, globex, revoked, late) == [503, 503, 503]
    # What is made now is known, and what is revoked now stays so.
    fresh = home.session('acme')
    home.revoke(late)
    with pytest.raises(Refused) as unknown:
        home.run('session', 'revoke', 'globex', '--sub', 'carol', '--yes')
    assert unknown.value.code == 3 and 'revoked in the registry' in unknown.value.said
    with pytest.raises(Refused) as unknown:
        home.show(acme)
    assert unknown.value.code == 3 and 'leasehold recover' in unknown.value.said
    assert answers(gateway, fresh, late) == [200, 401]
    assert set_aside(home) == ['sessions.unclean.1']

    done = home.run('recover')
    assert (done['imported'], done['ended'], done['damaged_stores']) == (2, 2, 0), done
    assert answers(gateway, acme, globex, fresh) == [200, 200, 200]
    wait_until(lambda: 'have been dealt with' in gateway.log_text(), 'said by the worker')
    assert answers(gateway, revoked, late, others) == [401, 401, 401]
    assert gateway.ask(tenant='globex', session=acme).status == 401
    assert set_aside(home) == []
    assert home.run('recover')['needed'] is False


def damage_pages(path):
    """Leaves heads of pages and lets everything in them point behind the end of the file."""
    with open(path, 'r+b') as file:
        for page in range(2, os.path.getsize(path) // 4096):
            file.seek(page * 4096 + 16)
            file.write(b'\xfe' * (4096 - 16))


def test_damaged_pages_kill_the_child_that_reads_them_and_nobody_else(home, start, acme, globex):
    crash_machine(home)
    gateway = start(SERVER)
    assert answers(gateway, acme, globex) == [503, 503]
    damage_pages(in_home(home, 'sessions.unclean.1', 'data.mdb'))
    done = subprocess.run([build.CLI, '--home', home.path, '--json', 'recover'], capture_output=True,
                          text=True, check=False, timeout=3 * build.PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert 'reading it killed the import' in done.stderr
    assert '"damaged_stores":1' in done.stdout and '"imported":0' in done.stdout
    assert set_aside(home) == ['sessions.damaged']
    wait_until(lambda: answers(gateway, acme) == [401], 'the workers noticed')
    assert answers(gateway, globex) == [401]
    assert home.tenant('acme')['id'] == 'acme'
    assert answers(gateway, home.session('acme'), home.session('globex')) == [200, 200]


@pytest.mark.parametrize('content', [b'', b'\0' * 100, b'no store at all' * 4096],
                         ids=['empty', 'short', 'nonsense'])
def test_what_is_no_store_is_kept_and_ends_the_import(home, start, acme, globex, content):
    crash_machine(home)
    gateway = start(SERVER)
    assert answers(gateway, acme, globex) == [503, 503]
    with open(in_home(home, 'sessions.unclean.1', 'data.mdb'), 'wb') as file:
        file.write(content)
    assert home.run('recover')['damaged_stores'] == 1
    assert set_aside(home) == ['sessions.damaged']
    wait_until(lambda: answers(gateway, acme, globex) == [401, 401], 'the workers noticed')


def test_a_full_disk_stops_the_import_and_loses_nothing(home, start, acme, globex):
    crash_machine(home)
    gateway = start(SERVER)
    assert answers(gateway, acme, globex) == [503, 503]
    # Python ignores SIGXFSZ, and hands that on: what is too large fails as on a full disk.
    done = subprocess.run(['prlimit', '--fsize=12288', build.CLI, '--home', home.path, 'recover'],
                          capture_output=True, text=True, check=False, restore_signals=False,
                          timeout=3 * build.PATIENCE_S)
    assert done.returncode == 3 and 'free some space' in done.stderr, done
    assert set_aside(home) == ['sessions.unclean.1']
    assert answers(gateway, acme, globex) == [503, 503]
    assert home.run('recover')['imported'] == 2
    wait_until(lambda: answers(gateway, acme, globex) == [200, 200], 'both are back')


def test_a_second_unclean_boot_before_the_import_loses_nothing(home, start, acme, globex):
    crash_machine(home)
    between = home.session('acme')
    crash_machine(home)
    gateway = start(SERVER)
    assert answers(gateway, acme, globex, between) == [503, 503, 503]
    assert set_aside(home) == ['sessions.unclean.1', 'sessions.unclean.2']
    assert home.run('recover')['imported'] == 3
    wait_until(lambda: answers(gateway, acme, globex, between) == [200] * 3, 'all are back')


def test_a_ninth_unclean_boot_gives_up_the_earliest_store_and_says_so(home, start, acme, globex):
    later = []
    for _ in range(8):
        crash_machine(home)
        later.append(home.session('globex', sub='later'))
    assert len(set_aside(home)) == 8
    crash_machine(home)
    gateway = start(SERVER)
    wait_until(lambda: 'the earliest is given up' in gateway.log_text(), 'said by the worker')
    assert set_aside(home) == [f'sessions.unclean.{number}' for number in range(1, 9)]
    assert home.run('recover')['imported'] == 8
    wait_until(lambda: answers(gateway, acme, globex) == [401, 401], 'the earliest are gone')
    assert answers(gateway, *later) == [200] * 8


def test_two_who_open_and_two_who_import_at_once(home, start, acme, globex):
    crash_machine(home)
    done = []
    threads = [threading.Thread(target=lambda: done.append(home.run('recover'))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one['imported'] for one in done) == [0, 0, 0, 2], done
    assert [one['needed'] for one in done].count(True) == 1
    assert set_aside(home) == []
    assert answers(start(SERVER), acme, globex) == [200, 200]


def test_a_killed_import_is_run_again(home, start, acme, globex):
    sessions = [home.session('acme', sub=f'user{i}') for i in range(8)]
    crash_machine(home)
    gateway = start(SERVER, workers=2)
    assert answers(gateway, acme, globex) == [503, 503]
    # A lock that the import waits for gives the time to kill it surely before its end.
    with open(in_home(home, 'run', 'import.lock'), 'w', encoding='ascii') as lock:
        shutil.chown(lock.name, home.user) if os.geteuid() == 0 else None
        subprocess.run(['flock', '-x', str(lock.fileno())], pass_fds=[lock.fileno()], check=True)
        command = [build.CLI, '--home', home.path, 'recover']
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            children = f'/proc/{running.pid}/task/{running.pid}/children'
            wait_until(lambda: open(children, encoding='ascii').read().strip(), 'a child')
            os.kill(int(open(children, encoding='ascii').read()), signal.SIGKILL)
            _, said = running.communicate(timeout=build.PATIENCE_S)
        assert running.returncode == 3 and b'run it again' in said, said
    assert answers(gateway, acme, globex) == [503, 503]
    assert home.run('recover')['imported'] == 10
    wait_until(lambda: answers(gateway, acme, globex, *sessions) == [200] * 10, 'all are back')
