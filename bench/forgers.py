#!/usr/bin/env python3
"""What forged tokens at one tenant cost another: pairs of runs in which 20,000 forged ES256 tokens a second come to
globex from a thousand clients, or none, while acme's own tokens come at a steady pace. Each forged token is well-formed,
names globex's issuer and key, and is met once only. Prints acme's p99 and the ratio of each pair."""
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
import neighbours

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


class Home(bench.Home):
    """Two tenants with signing keys, and the limits that a new home has."""

    def __init__(self, build, folder, user):
        super().__init__(build, folder, user, 1)
        self.run('leasehold', '--home', self.path, 'tenant', 'add', 'globex', '--tier', 'free')
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
        access_log @FOLDER@/reasons.log reasons buffer=64k;
'''
    http = f'    leasehold_home {home.path};\n    set_real_ip_from 127.0.0.1;\n    real_ip_header X-Real-IP;\n' \
           '    log_format reasons "$leasehold_reason";\n'
    return starter.start('gate', port, server, http, f'load_module {starter.module};')


class Load(neighbours.Load):
    """wrk at a steady pace, with headers of a list."""

    def __init__(self, port, headers, connections, seconds, cpu):  # pylint: disable=super-init-not-called
        environment = {**os.environ, 'LH_HEADERS': headers, 'LH_PAUSE_MS': str(PAUSE_MS)}
        self.begin(port, 'headers.lua', environment, connections, seconds, cpu)


def run(options, home, server, is_flooded):
    """What acme and the flood have seen, and the worker's CPU in seconds."""
    began, flood, port = bench.cpu_seconds(server.worker), None, server.port
    if is_flooded:
        connections = options.rate * (PAUSE_MS + 1) // 1000
        flood = Load(port, home.noisy, connections, options.seconds + 1, options.load_cpu)
    acme = Load(port, home.quiet, neighbours.QUIET_CONNECTIONS, options.seconds, options.load_cpu).end()
    neighbours.unrefused(acme)
    return acme, flood.end() if flood else None, bench.cpu_seconds(server.worker) - began


def cpu_us(pair):
    """What one request of the flood has cost the worker."""
    alone, beside = pair
    return (beside[2] - alone[2]) / beside[1][3] * 1e6


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
        run(options, home, server, True)
        count_reasons(server)
        pairs = [(run(options, home, server, False), run(options, home, server, True))
                 for _ in range(options.pairs)]
        return pairs, count_reasons(server)
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
        pairs, reasons = measure(options, folder)
        neighbours.print_pairs([(alone[:2], beside[:2]) for alone, beside in pairs])
        print(f'CPU of a forged token: {statistics.median(map(cpu_us, pairs)):.1f} µs, median')
        print('decided: ' + ', '.join(f'{count:,} {reason}' for reason, count in reasons.items()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
