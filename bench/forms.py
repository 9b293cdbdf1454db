"""What is compared: each form is a server, its load and what it must answer; a field is all of them over one home."""
import os
import re
import subprocess
import sys

import signed
import tokens

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TICKS = os.sysconf('SC_CLK_TCK')
RAW_MS = 100
DECISIONS = 10_000


def cpu_seconds(pid):
    """User and system time of a process and of its threads that live or have ended."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Form:
    """base: the form that it is compared with, or None if it is one; refuses: whether that is what it must answer."""
    header = 'Cookie'
    script = 'credentials.lua'

    def __init__(self, name, server, credentials, base=None, refuses=False):
        self.name = name
        self.server = server
        self.credentials = credentials
        self.base = base
        self.refuses = refuses
        self.rates = []
        self.costs = []
        self.latencies = []

    def measure(self, seconds, load_cpu, keep=True):
        before = cpu_seconds(self.server.worker)
        command = ['taskset', '-c', load_cpu, 'wrk', '-t1', '-c32', f'-d{seconds}s', '-s',
                   os.path.join(ROOT, 'bench', self.script), f'http://127.0.0.1:{self.server.port}/']
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              env={**os.environ, **self.environment()})
        result = re.search(r'^RESULT (\d+) (\d+) (\d+) (\d+)', done.stdout, re.M)
        if not result:
            sys.exit(f'bench: wrk said nothing about {self.name}: {done.stdout}{done.stderr}')
        made, duration_us, refused, p99_us = (int(number) for number in result.groups())
        self.check(made, refused)
        if keep:
            self.rates.append(made / (duration_us / 1e6))
            self.costs.append((cpu_seconds(self.server.worker) - before) / made * 1e6)
            self.latencies.append(p99_us)

    def environment(self):
        return {'LH_CREDENTIALS': self.credentials, 'LH_HEADER': self.header}

    def check(self, made, refused):
        """A figure of requests that were answered otherwise than meant is no figure."""
        expected = made if self.refuses else 0
        if abs(refused - expected) > made * 0.01:
            sys.exit(f'bench: {self.name}: {refused} of {made} answers were refusals')


class TokenForm(Form):
    """The same with a bearer token."""
    header = 'Authorization'


class SignedForm(Form):
    """The same with signed requests, none of them sent twice."""
    script = 'headers.lua'

    def __init__(self, name, server, signer, folder, base=None):
        super().__init__(name, server, os.path.join(folder, f'requests-{server.port}'), base)
        self.signer = signer

    def environment(self):
        return {'LH_HEADERS': self.credentials}

    def measure(self, seconds, load_cpu, keep=True):
        self.signer.write(self.credentials, self.server, seconds)
        super().measure(seconds, load_cpu, keep)


class Signatures:
    """What a signature costs on the core where the gate is measured, in microseconds by algorithm: OpenSSL alone, a
    decision that verifies one, and a decision with a token that is remembered."""

    def __init__(self, options, field):
        self.pinned = ['taskset', '-c', options.gate_cpu]
        self.folder = os.path.join(options.build, 'bench')
        self.user = options.user if os.getuid() == 0 else None
        self.home = field.home
        self.issuer = field.issuer
        self.alone = {algorithm: [] for algorithm in tokens.ALGORITHMS}
        self.decided = {algorithm: [] for algorithm in tokens.ALGORITHMS}
        self.remembered = {algorithm: [] for algorithm in tokens.ALGORITHMS}

    def run(self, *command):
        return subprocess.run([*self.pinned, *command], capture_output=True, text=True, check=True, user=self.user).stdout

    def measure(self):
        said = self.run(os.path.join(self.folder, 'raw_verify'), str(RAW_MS))
        for algorithm, cost_ns in (line.split() for line in said.splitlines()):
            self.alone[algorithm].append(int(cost_ns) / 1000)
        # Room for the few that are asked for again and again, and for hardly any of all.
        self.home.remember(16, 16, tokens=512)
        for algorithm in tokens.ALGORITHMS:
            said = self.run(os.path.join(self.folder, 'decide'), self.home.path, 'acme', self.issuer.all_of(algorithm),
                            str(DECISIONS))
            costs = dict(re.findall(r'^(.*\S) +(\d+) ns +0 refused$', said, re.M))
            self.remembered[algorithm].append(int(costs['remembered, none']) / 1000)
            self.decided[algorithm].append(int(costs['verified, none']) / 1000)


BARE = 'bare `proxy_pass`'
LOOKED_UP = 'gate, cookie from LMDB'
TOKEN_KEPT = 'gate, token remembered'


def verified(algorithm):
    return f'gate, {algorithm} verified each time'


class Field:
    """One home and the forms that run over it; each server has one worker, pinned, idle while others are measured."""

    def __init__(self, home, sessions, starter):
        self.home = home
        self.sessions = sessions
        self.starter = starter
        self.forms = []
        self.token_forms = []
        self.sealed_forms = []
        self.signed_forms = []
        self.issuer = None
        self.times = {}

    def add_lookup(self, ports, base):
        self.home.remember(16, 16)
        server = self.starter.gate('lmdb', next(ports), state='none')
        self.forms.append(Form(LOOKED_UP, server, self.home.cookies, base))

    def add_cookies(self, ports):
        """What does not depend on the number of sessions as well."""
        start, cookies = self.starter, self.home.cookies
        bare = Form(BARE, start.bare(next(ports)), cookies)
        self.forms += [bare, Form('`auth_request` to 204', start.auth_request(next(ports)), cookies, bare)]
        self.add_lookup(ports, bare)
        signing = start.gate('signing', next(ports))
        self.home.remember(16, 32768)
        returning = start.gate('returning', next(ports))
        self.home.remember(4096, 8192)
        warm = start.gate('cache', next(ports))
        self.forms += [Form('gate, cookie from LMDB, context signed each time', signing, cookies, bare),
                       Form('gate, cookie from LMDB, context remembered', returning, cookies, bare),
                       Form('gate, cookie and context remembered', warm, cookies + '.few', bare),
                       Form('gate, forged cookie', warm, cookies + '.forged', bare, refuses=True)]

    def add_tokens(self, ports, issuer):
        """Beside them HAProxy, which verifies each token, where it is installed."""
        start, few = self.starter, issuer.few_of('RS256')
        self.issuer = issuer
        self.home.trust(issuer)
        bare = TokenForm(BARE, self.forms[0].server, few)
        self.home.remember(16, 8192, tokens=4096)
        with_context = start.token_gate('token-context', next(ports), 'claims')
        kept = start.token_gate('token-kept', next(ports), 'none')
        self.home.remember(16, 16)
        each = start.token_gate('token-each', next(ports), 'none')
        self.token_forms = [bare, TokenForm('gate, token and context remembered', with_context, few, bare),
                            TokenForm(TOKEN_KEPT, kept, few, bare)]
        for algorithm in tokens.ALGORITHMS:
            self.token_forms.append(TokenForm(verified(algorithm), each, issuer.all_of(algorithm), bare))
            haproxy = start.haproxy(next(ports), algorithm, issuer.pem_of(algorithm))
            if haproxy is not None:
                name = f'HAProxy, {algorithm} verified each time'
                self.token_forms.append(TokenForm(name, haproxy, issuer.all_of(algorithm), bare))

    def add_sealed(self, ports):
        """Cookies that hold their sessions: as many as cookies that do not, and longer."""
        start, cookies, few = self.starter, *self.home.seal()
        bare = Form(BARE, self.forms[0].server, cookies)
        self.home.remember(16, 16)
        opened = start.sealed_gate('sealed', next(ports), 'none')
        self.home.remember(16, 8192)
        with_context = start.sealed_gate('sealed-context', next(ports), 'claims')
        self.sealed_forms = [bare, Form('gate, sealed cookie', opened, cookies, bare),
                             Form('gate, sealed cookie, context remembered', with_context, few, bare)]

    def add_signed(self, ports, folder):
        self.home.remember(16, 16)
        server = self.starter.signed_gate('signed', next(ports))
        signers = [signed.Signer(self.home, folder, algorithm) for algorithm in signed.PER_S]
        bare = SignedForm(BARE, self.forms[0].server, signers[0], folder)
        self.signed_forms = [bare] + [SignedForm(f'gate, request signed with {signer.algorithm}', server, signer, folder, bare)
                                      for signer in signers]

    def all_forms(self):
        return self.forms + self.token_forms + self.sealed_forms + self.signed_forms

    def form(self, name):
        return next(form for form in self.all_forms() if form.name == name)

    def time_decisions(self, options, port):
        """What the gate itself says that its decisions took, from an access log."""
        self.home.remember(16, 16)
        server = self.starter.gate('timed', port, state='none', logs_time=True)
        timed = Form('decision', server, self.home.cookies)
        timed.measure(3, options.load_cpu, keep=False)
        open(server.times, 'w', encoding='ascii').close()
        timed.measure(options.seconds * 2, options.load_cpu)
        server.stop()
        with open(server.times, encoding='ascii') as file:
            times = sorted(int(line) for line in file if line.strip().isdigit())
        if not times:
            sys.exit(f'bench: no decision was logged in {server.times}')
        self.times = {name: times[int(len(times) * share)] for name, share in
                      (('p50', 0.5), ('p99', 0.99), ('p99.9', 0.999))}
