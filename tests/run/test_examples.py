"""The examples that ship do what they say."""
import json
import os
import pwd
import shutil
import subprocess
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEASEHOLD = os.path.join(os.environ.get('BUILD', os.path.join(ROOT, 'build')), 'cli', 'leasehold')
POLICIES = os.path.join(ROOT, 'examples', 'policies', 'tenants.yaml')


@pytest.fixture
def lease():
    folder = tempfile.mkdtemp(prefix='leasehold-example-')
    os.chmod(folder, 0o755)
    home = os.path.join(folder, 'home')

    def run(*arguments):
        done = subprocess.run([LEASEHOLD, '--home', home, '--json', *arguments], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    user = 'www-data' if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    run('init', '--user', user)
    yield run
    shutil.rmtree(folder, ignore_errors=True)


def test_examples__policies_apply_once_and_then_change_nothing(lease):
    planned = lease('apply', POLICIES, '--dry-run')
    assert lease('tenant', 'list')['tenants'] == []
    assert lease('apply', POLICIES)['changes'] == planned['changes'] != []
    acme = lease('tenant', 'show', 'acme')
    assert acme['tier'] == 'premium' and acme['domains'] == ['app.acme.example'] and acme['aliases'] == ['acme-corp']
    assert lease('tenant', 'show', 'globex')['tier'] == 'business'
    assert lease('apply', POLICIES)['changes'] == []


def test_examples__roles_of_the_policies_are_taken(lease):
    lease('apply', POLICIES)
    made = lease('session', 'create', 'acme', '--sub', 'alice', '--role', 'admin')
    shown = lease('session', 'show', 'acme', made['reference'])
    assert shown['standing'] == 'live' and shown['roles'] == ['admin']
