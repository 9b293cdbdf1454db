#!/usr/bin/env python3
"""Requests and CPU per request of the gate, beside bare nginx, auth_request and HAProxy, in interleaved runs.

The method stands in docs/performance.md. Environment: BENCH_SESSIONS (numbers of sessions to measure with),
BENCH_ROUNDS, BENCH_SECONDS, BENCH_PORT (the first of forty ports), BENCH_DIR (where homes are made), BENCH_AWAKE=1
(cores do not sleep meanwhile).
"""
import argparse
import contextlib
import json
import os
import pwd
import shutil
import signal
import struct
import sys
import tempfile
import time

import forms
import gateways
import tables
import tokens
from homes import Home, say

ROOT = forms.ROOT


@contextlib.contextmanager
def awake(is_wanted):
    """Keeps idle cores from sleeping (Linux: PM QoS), where that is wanted and may be."""
    if not is_wanted:
        yield
        return
    with open('/dev/cpu_dma_latency', 'wb', buffering=0) as wish:
        wish.write(struct.pack('i', 0))
        yield


def run_rounds(fields, signatures, options):
    measured = [form for field in fields for form in field.all_forms()]
    for form in measured:
        form.measure(options.seconds + 3, options.load_cpu, keep=False)
    for number in range(options.rounds):
        say(f'round {number + 1} of {options.rounds}')
        for form in measured:
            form.measure(options.seconds, options.load_cpu)
        signatures.measure()


def prepare_fields(options, folder, ports, upstream):
    fields = []
    for sessions in (int(number) for number in options.sessions.split()):
        home = Home(options.build, folder, options.user, sessions)
        starter = gateways.Starter(folder, options.user, options.module, home.path, upstream.port, options.gate_cpu)
        fields.append(forms.Field(home, sessions, starter))
    first = fields[0]
    first.add_cookies(ports)
    first.add_tokens(ports, tokens.Issuer(folder))
    first.add_sealed(ports)
    first.add_signed(ports, folder)
    for field in fields[1:]:
        field.add_lookup(ports, first.forms[0])
    return fields


def measure(options, folder):
    """Everything, with nothing left running."""
    ports = iter(range(options.port, options.port + 40))
    upstream = gateways.start_upstream(folder, next(ports), options.load_cpu)
    fields = []
    try:
        fields = prepare_fields(options, folder, ports, upstream)
        signatures = forms.Signatures(options, fields[0])
        with awake(options.awake):
            run_rounds(fields, signatures, options)
            for field in fields:
                field.time_decisions(options, next(ports))
    finally:
        for field in fields:
            field.starter.stop()
        upstream.stop()
    return fields, signatures


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


def figures_of(forms_measured):
    return {form.name: {'rps': form.rates, 'cpu_us': form.costs} for form in forms_measured}


def write_figures(path, fields, signatures):
    results = [{'sessions': field.sessions, 'decision_us': field.times, 'forms': figures_of(field.forms),
                'token_forms': figures_of(field.token_forms), 'sealed_forms': figures_of(field.sealed_forms),
                'signed_forms': figures_of(field.signed_forms)} for field in fields]
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'at': time.strftime('%Y-%m-%d'), 'results': results, 'openssl_us': signatures.alone,
                   'decision_us': {'remembered': signatures.remembered, 'verified': signatures.decided}}, file, indent=1)


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix='leasehold-bench-', dir=os.environ.get('BENCH_DIR', '/var/tmp'))
    os.chmod(folder, 0o755)
    began = time.monotonic()
    try:
        fields, signatures = measure(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.awake:
        print('\ncores kept awake')
    tables.print_all(fields, signatures)
    say(f'\ntook {time.monotonic() - began:.0f} s')
    if options.json:
        write_figures(options.json, fields, signatures)


if __name__ == '__main__':
    main()
