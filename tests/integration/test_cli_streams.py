"""Who reads what the command line says: pipes that close, disks that are full, kills, and two at once."""
import json
import os
import random
import resource
import signal
import subprocess
import time

import pytest

from harness.build import PATIENCE_S
from harness.cli import DONE, UNAVAILABLE, Said, command, environment, say, say_json


def run_onto(home, stdout, *arguments):
    done = subprocess.run(command(home, *arguments), stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                          env=environment(), text=True, timeout=3 * PATIENCE_S, check=False)
    return Said(done.returncode, '', done.stderr)


COMMANDS = [['tenant', 'list'], ['tenant', 'show', 'acme'], ['session', 'list', 'acme'], ['key', 'list'], ['help'],
            ['--version'], ['--json', 'tenant', 'list'], ['--json', 'session', 'create', 'acme', '--sub', 'alice']]


@pytest.mark.parametrize('arguments', COMMANDS, ids=' '.join)
def test_output_onto_a_full_disk_is_no_success(own_home, arguments):
    own_home.session('acme')
    with open('/dev/full', 'w', encoding='ascii') as full:
        said = run_onto(own_home, full, *arguments)
    assert said.code == UNAVAILABLE and 'output' in said.why and '__Host-lh' not in said.err, said


@pytest.mark.parametrize('arguments', COMMANDS, ids=' '.join)
def test_a_reader_that_left_is_no_success(own_home, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    said = run_onto(own_home, writer, *arguments)
    os.close(writer)
    assert said.code == UNAVAILABLE and '__Host-lh' not in said.err, said


def test_with_a_closed_stdout_no_credential_lands_in_another_file(own_home):
    for streams in ('>&-', '>&- 2>&-', '<&- >&- 2>&-'):
        shell = ' '.join(command(own_home, 'session', 'create', 'acme', '--sub', 'alice')) + ' ' + streams
        assert subprocess.run(['sh', '-c', shell], env=environment(), check=False).returncode not in (DONE, None)
        for folder, _, names in os.walk(own_home.path):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as file:
                    assert b'__Host-lh-' not in file.read(), name
    assert say(own_home, 'tenant', 'list').code == DONE
    assert own_home.show(own_home.session('globex'))['standing'] == 'live'


def limited(home, max_bytes, *arguments):
    """A command that may write no file beyond so many bytes."""
    return say(home, *arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes)))


@pytest.mark.parametrize('arguments', [['session', 'create', 'acme', '--sub', 'alice'], ['key', 'rotate', 'acme'],
                                       ['tenant', 'add', 'initech'], ['tenant', 'disable', 'acme', '--yes']], ids=' '.join)
def test_a_limit_on_file_sizes_is_like_a_full_disk(own_home, arguments):
    kept = own_home.session('acme'), own_home.session('globex')
    for max_bytes in (0, 1, 4096, 20000):
        said = limited(own_home, max_bytes, *arguments)
        assert said.code == UNAVAILABLE and said.why.startswith('leasehold: ') and not said.out, (max_bytes, said)
        assert [own_home.show(session)['standing'] for session in kept] == ['live', 'live']
    assert say(own_home, *arguments).code == DONE


def test_json_is_one_document_and_errors_go_to_stderr_too(own_home):
    for arguments in (['tenant', 'list'], ['tenant', 'show', 'acme'], ['key', 'list'], ['session', 'list', 'globex'],
                      ['key', 'rotate', 'acme'], ['tenant', 'disable', 'globex', '--yes']):
        said = say_json(own_home, *arguments)
        assert said.code == DONE and isinstance(said.document, dict), said
        assert all(line.startswith('leasehold: audit ') for line in said.err.splitlines())
    for arguments in (['tenant', 'show', 'initech'], ['session', 'list', 'initech'], ['tenant', 'lst'],
                      ['session', 'revoke', 'acme', '--all'], ['apply', '/nothing.yaml']):
        said = say_json(own_home, *arguments)
        document = said.document
        assert said.code != DONE and document['error']['message'] in said.err, said
        assert 'tenants' not in document


def test_what_is_typed_moves_no_cursor_of_a_terminal(own_home):
    for arguments in (['\x1b[31mred'], ['tenant', 'add', 'initech', '--tier', 'pre\x1b[7m'], ['--\x1b]0;title\x07'],
                      ['apply', '/no\x1b[2Jthing.yaml']):
        said = say(own_home, *arguments)
        assert said.code != DONE and '\x1b' not in said.err and '?' in said.why, said
    said = say(own_home, 'apply', '-', text='tenants: {acme: {tier: "a\\e[31mb"}}')
    assert said.code != DONE and '\x1b' not in said.err and 'a?[31mb' in said.why, said


def test_a_killed_command_leaves_a_usable_home(own_home):
    kept = own_home.session('globex')
    acts = [['session', 'create', 'acme', '--sub', 'alice'], ['key', 'rotate', 'acme'], ['session', 'revoke', 'acme', '--all', '--yes'],
            ['tenant', 'disable', 'acme', '--yes'], ['tenant', 'enable', 'acme'], ['tenant', 'add', 'initech', '--reclaim'],
            ['tenant', 'remove', 'initech', '--yes']]
    for number in range(28):
        process = subprocess.Popen(command(own_home, *acts[number % len(acts)]), env=environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() / 30)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert own_home.show(kept)['standing'] == 'live'
    assert say(own_home, 'tenant', 'enable', 'acme').code == DONE
    assert own_home.show(own_home.session('acme'))['standing'] == 'live'
    assert say(own_home, 'key', 'rotate', '--all').code == DONE


def test_two_at_once_both_succeed(own_home):
    def begin(tenant, sub):
        return subprocess.Popen(command(own_home, '--json', 'session', 'create', tenant, '--sub', sub), env=environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    running = [begin(tenant, f'user{number}') for number in range(6) for tenant in ('acme', 'globex')]
    made = [json.loads(process.communicate(timeout=3 * PATIENCE_S)[0])['reference'] for process in running]
    assert len(set(made)) == 12 and all(process.returncode == DONE for process in running)
    for tenant in ('acme', 'globex'):
        assert len(say_json(own_home, 'session', 'list', tenant).document['sessions']) == 6
    rivals = [subprocess.Popen(command(own_home, 'tenant', 'add', 'initech'), env=environment(), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL) for _ in range(4)]
    codes = sorted(process.wait(timeout=3 * PATIENCE_S) for process in rivals)
    assert codes == [0, 4, 4, 4]
