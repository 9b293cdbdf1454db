#!/usr/bin/env python3
"""Requests and CPU per request of the gate, beside bare nginx and auth_request, in interleaved runs.

The method stands in docs/performance.md. Environment: BENCH_SESSIONS (numbers of sessions to measure with),
BENCH_ROUNDS, BENCH_SECONDS, BENCH_PORT (the first of forty ports), BENCH_DIR (where homes are made), BENCH_AWAKE=1
(cores do not sleep meanwhile).
"""
import argparse
import contextlib
import json
import os
import pwd
import random
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import gateways

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# A list that wrk's Lua can hold, and far more than a worker remembers.
COOKIES_MAX = 200_000
TICKS = os.sysconf('SC_CLK_TCK')


def say(text):
    print(text, file=sys.stderr, flush=True)


class Home:
    """A home of its own with one tenant and many sessions."""

    def __init__(self, build, folder, user, sessions):
        self.build = build
        self.user = user
        self.path = os.path.join(folder, f'home-{sessions}')
        self.cookies = os.path.join(folder, f'cookies-{sessions}')
        self.run('leasehold', '--home', self.path, 'init', '--user', user)
        self.run('leasehold', '--home', self.path, 'tenant', 'add', 'acme', '--tier', 'premium')
        self.lift_limits()
        began = time.monotonic()
        self.fill(sessions)
        say(f'made {sessions:,} sessions in {time.monotonic() - began:.0f} s')

    def run(self, program, *arguments):
        done = subprocess.run([os.path.join(self.build, 'cli', program), *arguments], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit(f'bench: {program} {arguments[2]}: {done.stderr.strip()}')

    def fill(self, sessions):
        command = [os.path.join(self.build, 'bench', 'fill_sessions'), self.path, 'acme', str(sessions)]
        with open(self.cookies + '.all', 'w', encoding='ascii') as file:
            subprocess.run(command, stdout=file, check=True, user=self.user if os.getuid() == 0 else None)
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
        """Load comes from one client; premium tenants have no limit anyway."""
        with open(os.path.join(self.path, 'leasehold.conf'), 'a', encoding='utf-8') as file:
            file.write('unproved_rate = 0\n')

    def remember(self, sessions, contexts):
        """How many of them a worker that starts from now on keeps."""
        path = os.path.join(self.path, 'leasehold.conf')
        with open(path, encoding='utf-8') as file:
            text = re.sub(r'(?m)^(session|context)_cache_entries.*\n', '', file.read())
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text + f'session_cache_entries = {sessions}\ncontext_cache_entries = {contexts}\n')


def forge(cookie):
    """The same cookie with another secret: well-formed, and its MAC does not hold."""
    name, value = cookie.split('=', 1)
    middle = 40
    return f'{name}={value[:middle]}{"A" if value[middle] != "A" else "B"}{value[middle + 1:]}'


def cpu_seconds(pid):
    """User and system time of a process and of its threads that live or have ended."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Form:
    """One of the things that are compared: a server, its load, what it must answer."""

    def __init__(self, name, server, cookies, refuses=False):
        self.name = name
        self.server = server
        self.cookies = cookies
        self.refuses = refuses
        self.rates = []
        self.costs = []
        self.latencies = []

    def measure(self, seconds, load_cpu, keep=True):
        before = cpu_seconds(self.server.worker)
        command = ['taskset', '-c', load_cpu, 'wrk', '-t1', '-c32', f'-d{seconds}s', '-s',
                   os.path.join(ROOT, 'bench', 'cookies.lua'), f'http://127.0.0.1:{self.server.port}/']
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              env={**os.environ, 'LH_COOKIES': self.cookies})
        result = re.search(r'^RESULT (\d+) (\d+) (\d+) (\d+)', done.stdout, re.M)
        if not result:
            sys.exit(f'bench: wrk said nothing about {self.name}: {done.stdout}{done.stderr}')
        made, duration_us, refused, p99_us = (int(number) for number in result.groups())
        self.check(made, refused)
        if keep:
            self.rates.append(made / (duration_us / 1e6))
            self.costs.append((cpu_seconds(self.server.worker) - before) / made * 1e6)
            self.latencies.append(p99_us)

    def check(self, made, refused):
        """A figure of requests that were answered otherwise than meant is no figure."""
        expected = made if self.refuses else 0
        if abs(refused - expected) > made * 0.01:
            sys.exit(f'bench: {self.name}: {refused} of {made} answers were refusals')


LOOKED_UP = 'gate, cookie from LMDB'


class Field:
    """One home and the forms that run over it; each server has one worker, pinned, idle while others are measured."""

    def __init__(self, home, sessions, starter):
        self.home = home
        self.sessions = sessions
        self.starter = starter
        self.forms = []
        self.times = {}

    def add_lookup(self, ports):
        self.home.remember(16, 16)
        server = self.starter.gate('lmdb', next(ports), state='none')
        self.forms.append(Form(LOOKED_UP, server, self.home.cookies))

    def add_all(self, ports):
        """What does not depend on the number of sessions as well."""
        start, cookies = self.starter, self.home.cookies
        self.forms += [Form('bare `proxy_pass`', start.bare(next(ports)), cookies),
                       Form('`auth_request` to 204', start.auth_request(next(ports)), cookies)]
        self.add_lookup(ports)
        signing = start.gate('signing', next(ports))
        self.home.remember(16, 32768)
        returning = start.gate('returning', next(ports))
        self.home.remember(4096, 8192)
        warm = start.gate('cache', next(ports))
        self.forms += [Form('gate, cookie from LMDB, context signed each time', signing, cookies),
                       Form('gate, cookie from LMDB, context remembered', returning, cookies),
                       Form('gate, cookie and context remembered', warm, cookies + '.few'),
                       Form('gate, forged cookie', warm, cookies + '.forged', refuses=True)]

    def lookup(self):
        return next(form for form in self.forms if form.name == LOOKED_UP)

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


@contextlib.contextmanager
def awake(is_wanted):
    """Keeps idle cores from sleeping (Linux: PM QoS), where that is wanted and may be."""
    if not is_wanted:
        yield
        return
    with open('/dev/cpu_dma_latency', 'wb', buffering=0) as wish:
        wish.write(struct.pack('i', 0))
        yield


def run_rounds(fields, rounds, seconds, load_cpu):
    forms = [form for field in fields for form in field.forms]
    for form in forms:
        form.measure(seconds + 3, load_cpu, keep=False)
    for number in range(rounds):
        say(f'round {number + 1} of {rounds}')
        for form in forms:
            form.measure(seconds, load_cpu)


def print_forms(fields):
    bare = fields[0].forms[0]
    print(f'\n{len(bare.rates)} interleaved rounds, medians\n')
    print('| form | sessions | requests/s | ratio to bare | CPU µs per request | above bare | client p99 µs |')
    print('|---|---|---|---|---|---|---|')
    for field, form in ((field, form) for field in fields for form in field.forms):
        ratio = statistics.median(rate / base for rate, base in zip(form.rates, bare.rates))
        cost = statistics.median(form.costs)
        above = '' if form is bare else f'{cost - statistics.median(bare.costs):+.1f}'
        print(f'| {form.name} | {field.sessions:,} | {statistics.median(form.rates):,.0f} | {ratio:.2f} '
              f'| {cost:.1f} | {above} | {statistics.median(form.latencies):,.0f} |')


def growth(fields):
    """What a request costs over the largest home, in what it costs over the smallest: medians of rounds."""
    small, large = fields[0].lookup(), fields[-1].lookup()
    return statistics.median(more / less for more, less in zip(large.costs, small.costs))


def print_decisions(fields):
    print('\n| decision, cookie from LMDB | p50 µs | p99 µs | p99.9 µs |')
    print('|---|---|---|---|')
    for field in fields:
        print(f'| {field.sessions:,} sessions | ' + ' | '.join(str(time) for time in field.times.values()) + ' |')
    if len(fields) > 1:
        print(f'\nCPU per request, {fields[-1].sessions:,} sessions to {fields[0].sessions:,}: '
              f'{growth(fields):.2f}')


def prepare_fields(options, folder, ports, upstream):
    fields = []
    for sessions in (int(number) for number in options.sessions.split()):
        home = Home(options.build, folder, options.user, sessions)
        starter = gateways.Starter(folder, options.user, options.module, home.path, upstream.port, options.gate_cpu)
        fields.append(Field(home, sessions, starter))
    for number, field in enumerate(fields):
        if number == 0:
            field.add_all(ports)
        else:
            field.add_lookup(ports)
    return fields


def measure(options, folder):
    """Everything, with nothing left running."""
    ports = iter(range(options.port, options.port + 40))
    upstream = gateways.start_upstream(folder, next(ports), options.load_cpu)
    fields = []
    try:
        fields = prepare_fields(options, folder, ports, upstream)
        with awake(options.awake):
            run_rounds(fields, options.rounds, options.seconds, options.load_cpu)
            for field in fields:
                field.time_decisions(options, next(ports))
    finally:
        for field in fields:
            field.starter.stop()
        upstream.stop()
    return fields


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--build', default=os.path.join(ROOT, 'build'))
    parser.add_argument('--sessions', default=os.environ.get('BENCH_SESSIONS', '10000 1000000'))
    parser.add_argument('--rounds', type=int, default=int(os.environ.get('BENCH_ROUNDS', '7')))
    parser.add_argument('--seconds', type=int, default=int(os.environ.get('BENCH_SECONDS', '2')))
    parser.add_argument('--port', type=int, default=int(os.environ.get('BENCH_PORT', '19600')))
    parser.add_argument('--awake', action='store_true', default=os.environ.get('BENCH_AWAKE') == '1',
                        help='cores do not sleep while they are idle (needs root)')
    parser.add_argument('--json', help='a file for the raw figures')
    return complete(parser.parse_args())


def complete(options):
    """What follows from the options and from the machine."""
    options.build = os.path.abspath(options.build)
    options.module = os.path.join(options.build, 'adapters', 'nginx', 'ngx_http_leasehold_module.so')
    options.user = 'www-data' if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    cpus = sorted(os.sched_getaffinity(0))
    options.gate_cpu, options.load_cpu = str(cpus[0]), ','.join(map(str, cpus[1:] or cpus))
    return options


def write_figures(path, fields):
    results = [{'sessions': field.sessions, 'decision_us': field.times,
                'forms': {form.name: {'rps': form.rates, 'cpu_us': form.costs} for form in field.forms}}
               for field in fields]
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'at': time.strftime('%Y-%m-%d'), 'results': results}, file, indent=1)


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix='leasehold-bench-', dir=os.environ.get('BENCH_DIR', '/var/tmp'))
    os.chmod(folder, 0o755)
    began = time.monotonic()
    try:
        fields = measure(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.awake:
        print('\ncores kept awake')
    print_forms(fields)
    print_decisions(fields)
    say(f'\ntook {time.monotonic() - began:.0f} s')
    if options.json:
        write_figures(options.json, fields)


if __name__ == '__main__':
    main()
