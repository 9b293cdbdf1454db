"""A home belongs to one user, whoever runs the command; what is wrong with it is said in one line."""
import glob
import os
import pwd
import random
import shutil
import stat
import subprocess
import time

import pytest

from harness.cli import DONE, NOT_SO, REFUSED, UNAVAILABLE, USAGE, command, environment, say, say_json
from harness.gateway import make_folder
from harness.home import worker_user

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can be somebody else')


def everything(path):
    yield path
    for folder, folders, names in os.walk(path):
        yield from (os.path.join(folder, name) for name in folders + names)


def assert_owned(home):
    owner = pwd.getpwnam(home.user).pw_uid
    for path in everything(home.path):
        entry = os.lstat(path)
        allowed = 0o700 if stat.S_ISDIR(entry.st_mode) else 0o600
        assert entry.st_uid == owner and stat.S_IMODE(entry.st_mode) & ~allowed in (0, 0o044), (path, entry)


def one_line(said, code, *words, lines=1):
    assert said.code == code and not said.out and len(said.err.splitlines()) <= lines, said
    assert all(word in said.err for word in words), said


@pytest.fixture
def folder():
    made = make_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_every_command_leaves_the_home_to_its_owner(own_home, tmp_path):
    policy = tmp_path / 'policy.yaml'
    policy.write_text('tenants: {initech: {tier: free}}\n')
    made = own_home.session('acme')
    for act in (['apply', str(policy)], ['key', 'rotate', '--all'], ['key', 'rotate', '--node'], ['tenant', 'list'],
                ['session', 'list', 'acme'], ['session', 'revoke', 'acme', made.reference, '--yes'],
                ['tenant', 'rename', 'globex', 'globex-two', '--yes'], ['tenant', 'remove', 'initech', '--yes']):
        assert say(own_home, *act).code == DONE, act
        assert_owned(own_home)
    with open(os.path.join(own_home.path, 'keyring', 'kek'), 'rb') as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


def test_init_never_touches_an_existing_home(own_home):
    before = {path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) for path in everything(own_home.path)
              if 'keyring' in path or path.endswith('.conf')}
    one_line(say(own_home, 'init', '--user', own_home.user), REFUSED, 'a home already')
    after = {path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) for path in before}
    assert before == after
    assert [tenant['id'] for tenant in say_json(own_home, 'tenant', 'list').document['tenants']] == ['acme', 'globex']


def test_init_does_not_move_in_with_others(folder):
    path = os.path.join(folder, 'home')
    os.mkdir(path, 0o755)
    with open(os.path.join(path, 'diary'), 'w', encoding='ascii') as file:
        file.write('mine')
    said = say(path, 'init', '--user', worker_user())
    assert said.code not in (DONE,) and len(said.err.splitlines()) == 1, said
    assert os.listdir(path) == ['diary']


def test_a_killed_init_is_completed_by_the_next(folder):
    """Kept to its steps: a folder that was made and given away, with nothing in it yet."""
    path = os.path.join(folder, 'home')
    os.mkdir(path, 0o700)
    assert say(path, 'init', '--user', worker_user()).code == DONE
    assert say(path, 'tenant', 'add', 'acme').code == DONE and say(path, 'tenant', 'add', 'globex').code == DONE


def test_init_killed_at_any_moment_is_completed_by_the_next(folder):
    for number in range(20):
        path = os.path.join(folder, f'home{number}')
        process = subprocess.Popen(command(path, 'init', '--user', worker_user()), env=environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() / 50)
        process.kill()
        process.wait()
        said = say(path, 'tenant', 'list')
        assert said.code in (DONE, UNAVAILABLE), said
        if 'unfinished' in said.why:
            one_line(said, UNAVAILABLE, 'unfinished', f'--home {path} init')
        again = say(path, 'init', '--user', worker_user())
        assert again.code == (REFUSED if said.code == DONE else DONE), again
        for tenant in ('acme', 'globex'):
            assert say(path, 'tenant', 'add', tenant).code == DONE


def test_a_home_that_is_not_there(folder):
    path = os.path.join(folder, 'nowhere')
    for act in (['tenant', 'list'], ['session', 'list', 'acme'], ['key', 'rotate', '--all']):
        one_line(say(path, *act), UNAVAILABLE, path)
    assert not os.path.exists(path)


def test_the_home_is_named_by_option_or_environment(own_home, folder):
    def ask(**more):
        return say(None, 'tenant', 'list', env=environment(**more))
    assert 'acme' in ask(LEASEHOLD_HOME=own_home.path).out
    assert 'acme' in say(own_home, 'tenant', 'list', env=environment(LEASEHOLD_HOME=folder)).out
    relative = say(os.path.basename(own_home.path), 'tenant', 'list', cwd=os.path.dirname(own_home.path))
    assert 'globex' in relative.out, relative
    assert say('', 'tenant', 'list').code == USAGE


DIRECTORIES = ['keyring', 'keyring/tenants', 'registry', 'sessions', 'node', 'public', 'run', '.']
FILES = ['keyring/kek', 'keyring/tenants/*', 'registry/data.mdb', 'registry/lock.mdb', 'sessions/data.mdb',
         'sessions/lock.mdb', 'node/*', 'public/jwks.json', 'run/changes', 'run/changes.lock', 'run/boot',
         'run/clock', 'run/recovered']


@pytest.mark.parametrize('bit', [0o020, 0o002], ids=['group', 'others'])
@pytest.mark.parametrize('part', DIRECTORIES + FILES)
def test_modes_that_let_others_write_are_refused(own_home, part, bit):
    for path in sorted(glob.glob(os.path.normpath(os.path.join(own_home.path, part))))[:1]:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, mode | bit)
        refused = [say(own_home, 'session', 'create', tenant, '--sub', 'alice') for tenant in ('acme', 'globex')]
        # A tenant's own key file is that tenant's trouble.
        hit = [said for said in refused if said.code != DONE]
        assert len(hit) == (1 if 'tenants/' in part else 2), refused
        for said in hit:
            one_line(said, UNAVAILABLE, path)
        os.chmod(path, mode)
        assert say(own_home, 'session', 'create', 'acme', '--sub', 'alice').code == DONE
        break
    else:
        raise AssertionError(part)


@needs_root
def test_a_file_of_roots_in_the_home_is_refused(own_home):
    path = os.path.join(own_home.path, 'keyring', 'kek')
    os.chown(path, 0, 0)
    said = say(own_home, 'session', 'create', 'acme', '--sub', 'alice')
    one_line(said, UNAVAILABLE, path)


@needs_root
def test_another_user_is_refused_in_one_line(own_home):
    said = say(own_home, 'tenant', 'list', user='nobody', group='nogroup', extra_groups=[])
    one_line(said, UNAVAILABLE, own_home.path)


@needs_root
def test_a_home_that_its_owner_cannot_reach_is_named(folder):
    os.chmod(folder, 0o700)
    path = os.path.join(folder, 'home')
    one_line(say(path, 'init', '--user', 'www-data'), UNAVAILABLE, 'www-data', folder)
    assert not os.path.exists(path)
    os.chmod(folder, 0o755)
    assert say(path, 'init', '--user', 'www-data').code == DONE
    os.chmod(folder, 0o700)
    one_line(say(path, 'tenant', 'list'), UNAVAILABLE, 'www-data', folder)


@needs_root
def test_init_for_a_user_that_is_not_there(folder):
    one_line(say(os.path.join(folder, 'home'), 'init', '--user', 'nemo-nobody'), NOT_SO, 'nemo-nobody')
    assert not os.listdir(folder)


@needs_root
def test_nobody_makes_a_home_for_another(folder):
    os.chmod(folder, 0o777)
    said = say(os.path.join(folder, 'home'), 'init', '--user', 'www-data', user='nobody', group='nogroup', extra_groups=[])
    one_line(said, REFUSED, 'only root')
    assert not os.listdir(folder)
