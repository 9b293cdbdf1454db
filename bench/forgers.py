#!/usr/bin/env python3
"""What forged tokens at one tenant cost another: pairs of runs in which 20,000 forged ES256 tokens a second come to
globex from a thousand clients, or none, while acme's own tokens come at a steady pace. Each forged token is well-formed,
names globex's issuer and key, and is met once only. Prints acme's p99 and the ratio of each pair; and the ratio beside
as many requests that nginx refuses by itself, which is what the machine and the clients on it cost."""
import argparse
import base64
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

import bench
import gateways
import homes
import neighbours
from forms import cpu_seconds

ROOT = bench.ROOT
PER_S = 20_000
PAUSE_MS = 5
# More than are sent while a refusal is remembered (2 s), so that none is refused from memory.
FORGED = 60_000
CLIENTS = 1000
TOKENS = 50


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def forged(token, count):
    """Tokens with the header and the claims of one that is valid, each with a jti and a signature of its own."""
    header, claims = token.split('.')[:2]
    said = json.loads(base64.urlsafe_b64decode(claims + '=='))
    for number in range(count):
        said['jti'] = f'forged-{number}'
        yield f'{header}.{part(json.dumps(said, separators=(",", ":")).encode())}.{part(random.randbytes(64))}'


class Home(homes.Home):
    """Two tenants with signing keys, and the limits that a new home has."""

    def __init__(self, build, folder, user):
        super().__init__(build, folder, user, 1)
        self.run('tenant', 'add', 'globex', '--tier', 'free')
        self.quiet, self.noisy = (os.path.join(folder, name) for name in ('tokens', 'tokens-forged'))
        self.write(self.quiet, [self.line('acme', self.mint('acme', f'user-{n}')) for n in range(TOKENS)])
        random.seed(20260101)
        made = forged(self.mint('globex', 'mallory'), FORGED)
        self.write(self.noisy, [self.line('globex', token) + f'\tX-Real-IP: 10.0.{n % CLIENTS // 250}.{n % 250 + 1}'
                                for n, token in enumerate(made)])

    def lift_limits(self):
        pass

    def mint(self, tenant, subject):
        command = [os.path.join(self.build, 'cli', 'leasehold'), '--home', self.path, '--json', 'token', 'mint', tenant,
                   '--sub', subject, '--audience', 'bench']
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f'forgers: token mint: {done.stderr.strip()}')
        return json.loads(done.stdout)['token']

    @staticmethod
    def line(tenant, token):
        return f'X-Tenant-ID: {tenant}\tAuthorization: Bearer {token}'


def gate(starter, home, port):
    server = f'''        leasehold on;
        leasehold_tenant_from header;
        leasehold_credential bearer;
        leasehold_mode stateless;
        leasehold_audience bench;
        location / {{
{gateways.PROXY}        }}
        location /plain {{
            leasehold off;
            return 429;
        }}
        access_log @FOLDER@/reasons.log reasons buffer=64k;
'''
    http = f'    leasehold_home {home.path};\n    set_real_ip_from 127.0.0.1;\n    real_ip_header X-Real-IP;\n' \
           '    log_format reasons "$leasehold_reason";\n'
    return starter.start('gate', port, server, http, f'load_module {starter.module};')


class Load(neighbours.Load):
    """wrk at a steady pace, with headers of a list."""

    def __init__(self, port, headers, connections, options):  # pylint: disable=super-init-not-called
        environment = {**os.environ, 'LH_HEADERS': headers, 'LH_PAUSE_MS': str(PAUSE_MS)}
        self.begin(port, 'headers.lua', environment, connections, options.seconds, options.load_cpu)


class Flood(neighbours.Load):
    """Forged tokens. They come from other machines than acme's requests, and may not take their processor."""

    def __init__(self, port, home, path, options):  # pylint: disable=super-init-not-called
        environment = {**os.environ, 'LH_HEADERS': home.noisy, 'LH_PAUSE_MS': str(PAUSE_MS), 'LH_PATH': path}
        connections = options.rate * (PAUSE_MS + 1) // 1000
        self.begin(port, 'headers.lua', environment, connections, options.seconds + 1, options.load_cpu, niceness=10)


def run(options, home, server, path=None):
    """What acme and the flood to a path, if any, have seen, and the worker's CPU in seconds."""
    began = cpu_seconds(server.worker)
    flood = Flood(server.port, home, path, options) if path else None
    acme = Load(server.port, home.quiet, neighbours.QUIET_CONNECTIONS, options).end()
    neighbours.unrefused(acme)
    return acme, flood.end() if flood else None, cpu_seconds(server.worker) - began


def cpu_us(alone, beside):
    """What one request of the flood has cost the worker."""
    return (beside[2] - alone[2]) / beside[1][3] * 1e6


def print_rounds(rounds):
    neighbours.print_pairs([(alone[:2], beside[:2]) for alone, beside, _ in rounds])
    plain = statistics.median(beside[0][2] / alone[0][2] for alone, _, beside in rounds)
    print(f'beside as many requests that nginx refuses: {plain:.2f}')
    print(f'CPU of a forged token: {statistics.median(cpu_us(alone, beside) for alone, beside, _ in rounds):.1f} µs; of a '
          f'request that nginx refuses: {statistics.median(cpu_us(alone, beside) for alone, _, beside in rounds):.1f} µs')


def count_reasons(server):
    """How many requests were decided for each reason since the last call."""
    path = os.path.join(server.folder, 'reasons.log')
    with open(path, 'r+', encoding='ascii') as file:
        lines = file.read().split()
        file.truncate(0)
    return {reason: lines.count(reason) for reason in sorted(set(lines))}


def measure(options, folder):
    ports = itertools.count(options.port)
    upstream = gateways.start_upstream(folder, next(ports), options.load_cpu)
    home = Home(options.build, folder, options.user)
    starter = gateways.Starter(folder, options.user, options.module, home.path, upstream.port, options.gate_cpu)
    try:
        server = gate(starter, home, next(ports))
        run(options, home, server, '/')
        count_reasons(server)
        rounds = [[run(options, home, server, path) for path in (None, '/', '/plain')] for _ in range(options.pairs)]
        return rounds, count_reasons(server)
    finally:
        starter.stop()
        upstream.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', default=os.path.join(ROOT, 'build'))
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--rate', type=int, default=PER_S)
    parser.add_argument('--port', type=int, default=19800)
    options = bench.complete(parser.parse_args())
    folder = tempfile.mkdtemp(prefix='leasehold-bench-', dir=os.environ.get('BENCH_DIR', '/var/tmp'))
    os.chmod(folder, 0o755)
    try:
        rounds, reasons = measure(options, folder)
        print_rounds(rounds)
        print('decided: ' + ', '.join(f'{count:,} {reason}' for reason, count in reasons.items()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
