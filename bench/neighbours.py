#!/usr/bin/env python3
"""What one tenant's flood costs another: pairs of runs in which globex, of the tier "free", asks at twenty
times its rate or not at all, while acme asks at a steady pace. Prints acme's p99 and the ratio of each pair."""
import argparse
import itertools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import bench
import gateways
import homes

ROOT = bench.ROOT
LIMIT_PER_S = 200
TIMES = 20
SESSIONS = 1000
# A connection asks once in PAUSE_MS and what the answer takes: somewhat less often than once in it.
PAUSE_MS = 5
FLOOD_CONNECTIONS = LIMIT_PER_S * TIMES * (PAUSE_MS + 1) // 1000
QUIET_CONNECTIONS = 16


class Home(homes.Home):
    """A home with a second tenant, whose rate is limited."""

    def __init__(self, build, folder, user):
        super().__init__(build, folder, user, SESSIONS)
        self.run('tenant', 'add', 'globex', '--tier', 'free')
        self.noisy = os.path.join(folder, 'cookies-noisy')
        command = [os.path.join(build, 'bench', 'fill_sessions'), self.path, 'globex', '100']
        with open(self.noisy, 'w', encoding='ascii') as file:
            subprocess.run(command, stdout=file, check=True, user=user if os.getuid() == 0 else None)


class Load:
    """wrk at a steady pace, as one tenant."""

    def __init__(self, port, tenant, cookies, connections, seconds, cpu):
        environment = {**os.environ, 'LH_CREDENTIALS': cookies, 'LH_TENANT': tenant, 'LH_PAUSE_MS': str(PAUSE_MS)}
        self.begin(port, 'credentials.lua', environment, connections, seconds, cpu)

    def begin(self, port, script, environment, connections, seconds, cpu, niceness=0):
        command = ['nice', '-n', str(niceness), 'taskset', '-c', cpu, 'wrk', '-t1', f'-c{connections}', f'-d{seconds}s', '-s',
                   os.path.join(ROOT, 'bench', script), f'http://127.0.0.1:{port}/']
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def end(self):
        """Requests a second, the share that was refused, p99 in microseconds, requests."""
        said = self.process.communicate()[0]
        result = re.search(r'^RESULT (\d+) (\d+) (\d+) (\d+)', said, re.M)
        if self.process.returncode != 0 or not result:
            sys.exit(f'neighbours: wrk failed: {said}')
        made, duration_us, refused, p99_us = (int(number) for number in result.groups())
        return made / (duration_us / 1e6), refused / made, p99_us, made


def run(options, home, port, is_flooded):
    flood = None
    if is_flooded:
        flood = Load(port, 'globex', home.noisy, FLOOD_CONNECTIONS, options.seconds + 1, options.load_cpu)
    acme = unrefused(Load(port, 'acme', home.cookies, QUIET_CONNECTIONS, options.seconds, options.load_cpu).end())
    return acme, flood.end() if flood else None


def unrefused(result):
    if result[1] > 0:
        sys.exit(f'neighbours: {result[1]:.2%} of acme\'s own requests were refused')
    return result


def measure(options, folder):
    ports = itertools.count(options.port)
    upstream = gateways.start_upstream(folder, next(ports), options.load_cpu)
    home = Home(options.build, folder, options.user)
    starter = gateways.Starter(folder, options.user, options.module, home.path, upstream.port, options.gate_cpu)
    try:
        server = starter.gate('gate', next(ports))
        run(options, home, server.port, True)
        return [(run(options, home, server.port, False), run(options, home, server.port, True))
                for _ in range(options.pairs)]
    finally:
        starter.stop()
        upstream.stop()


def print_pairs(pairs):
    print('| acme/s | p99 µs alone | p99 µs beside the flood | ratio | flood/s | of it refused |')
    print('|---|---|---|---|---|---|')
    for (alone, _), (beside, flood) in pairs:
        print(f'| {beside[0]:,.0f} | {alone[2]:,} | {beside[2]:,} | {beside[2] / alone[2]:.2f} '
              f'| {flood[0]:,.0f} | {flood[1]:.0%} |')
    ratio = statistics.median(beside[2] / alone[2] for (alone, _), (beside, _) in pairs)
    print(f'\nmedian ratio of {len(pairs)} pairs: {ratio:.2f}')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', default=os.path.join(ROOT, 'build'))
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--port', type=int, default=19700)
    options = bench.complete(parser.parse_args())
    folder = tempfile.mkdtemp(prefix='leasehold-bench-', dir=os.environ.get('BENCH_DIR', '/var/tmp'))
    os.chmod(folder, 0o755)
    try:
        print_pairs(measure(options, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
