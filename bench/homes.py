"""A home of its own for measuring: one tenant, many sessions, an issuer of tokens, and keys of services."""
import json
import os
import random
import re
import subprocess
import sys
import time

# A list that wrk's Lua can hold, and far more than a worker remembers.
COOKIES_MAX = 200_000
SEALED_COOKIES = 8192


def say(text):
    print(text, file=sys.stderr, flush=True)


def forge(cookie):
    """The same cookie with another secret: well-formed, and its MAC does not hold."""
    name, value = cookie.split('=', 1)
    middle = 40
    return f'{name}={value[:middle]}{"A" if value[middle] != "A" else "B"}{value[middle + 1:]}'


class Home:
    """What the workers of one installation share; acme is the tenant."""

    def __init__(self, build, folder, user, sessions):
        self.build = build
        self.user = user
        self.path = os.path.join(folder, f'home-{sessions}')
        self.cookies = os.path.join(folder, f'cookies-{sessions}')
        self.run('init', '--user', user)
        self.run('tenant', 'add', 'acme', '--tier', 'premium')
        self.lift_limits()
        began = time.monotonic()
        self.fill(sessions)
        say(f'made {sessions:,} sessions in {time.monotonic() - began:.0f} s')

    def run(self, *arguments):
        done = subprocess.run([os.path.join(self.build, 'cli', 'leasehold'), '--home', self.path, *arguments],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f'bench: leasehold {arguments[0]}: {done.stderr.strip()}')
        return done.stdout

    def make_cookies(self, path, *arguments):
        command = [os.path.join(self.build, 'bench', 'fill_sessions'), self.path, 'acme', *arguments]
        with open(path, 'w', encoding='ascii') as file:
            subprocess.run(command, stdout=file, check=True, user=self.user if os.getuid() == 0 else None)

    def seal(self):
        """Makes cookies that hold their sessions. returns: the files of all, and of a few."""
        path = self.cookies + '.sealed'
        self.make_cookies(path, str(SEALED_COOKIES), 'sealed')
        self.make_cookies(path + '.few', '100', 'sealed')
        return path, path + '.few'

    def fill(self, sessions):
        self.make_cookies(self.cookies + '.all', str(sessions))
        with open(self.cookies + '.all', encoding='ascii') as file:
            lines = file.read().splitlines()
        random.seed(20260101)
        self.write(self.cookies, random.sample(lines, min(len(lines), COOKIES_MAX)))
        self.write(self.cookies + '.few', lines[:100])
        self.write(self.cookies + '.forged', [forge(line) for line in lines[:1000]])
        os.remove(self.cookies + '.all')

    def write(self, path, lines):
        with open(path, 'w', encoding='ascii') as file:
            file.write('\n'.join(lines) + '\n')

    def lift_limits(self):
        """Load comes from one client, and each token may be a new one; premium tenants have no limit anyway."""
        with open(os.path.join(self.path, 'leasehold.conf'), 'a', encoding='utf-8') as file:
            file.write('unproved_rate = 0\nsignature_share = 0\nsignature_share_proved = 0\n')

    def add_key(self, *arguments):
        """Makes a key of acme's for signed requests. returns: what is said of it."""
        return json.loads(self.run('--json', 'key', 'add', 'acme', *arguments))

    def trust(self, issuer):
        """Takes the tokens of an issuer as acme's."""
        path = self.path + '-policy.yaml'
        with open(path, 'w', encoding='utf-8') as file:
            file.write(issuer.policy())
        self.run('apply', path)

    def remember(self, sessions, contexts, tokens=16):
        """How many of them a worker that starts from now on keeps."""
        path = os.path.join(self.path, 'leasehold.conf')
        with open(path, encoding='utf-8') as file:
            text = re.sub(r'(?m)^(session|context|token)_cache_entries.*\n', '', file.read())
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text + f'session_cache_entries = {sessions}\ncontext_cache_entries = {contexts}\n'
                       f'token_cache_entries = {tokens}\n')
