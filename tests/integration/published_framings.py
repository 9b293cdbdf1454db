#!/usr/bin/python3
"""Sends published HTTP/1 framing cases, which are not part of this tree, through a real gateway: make
vectors VECTORS=DIR. DIR/http1-llhttp/llhttp-cases.json is a list of objects with title, meta and
raw_as_written, where a line feed stands for CR LF unless the text spells its line ends out.

Whatever a case does to a parser, each request that reaches the upstream was accepted by the gate, and
carries the gate's own headers once."""
import json
import os
import shutil
import sys

from harness import http1
from harness.echo import Echo
from harness.gateway import Gateway, make_folder
from harness.home import Home, worker_user

HOST = 'acme.localtest.example'
QUIET_S = 0.05


def is_request(case):
    return case['kind'] == 'http' and '"request' in case['meta']


def raw_of(case, session):
    """The bytes; the first request becomes one of a session, so that it would pass."""
    text = case['raw_as_written'].replace('\n', '\r\n').replace('\\r', '\r').replace('\\n', '\n').replace('\\t', '\t')
    first, _, rest = text.partition('\r\n')
    lines = [line for line in rest.split('\r\n') if not line.lower().startswith('host:')]
    ours = [f'Host: {HOST}', f'Cookie: {session.plain}', 'Sec-Fetch-Site: same-origin']
    return '\r\n'.join([first] + ours + lines).encode('utf-8')


def send(gateway, raw):
    with http1.Connection(gateway.port) as connection:
        connection.socket.settimeout(QUIET_S)
        try:
            connection.send(raw)
            while connection.socket.recv(65536):
                pass
        except OSError:
            pass  # it closed, or has no more to say


def mistakes_of(gateway, echo):
    """What reached the upstream otherwise than it may have."""
    taken = echo.taken()
    passed = sum(line['decision'] == 'pass' for line in gateway.decisions(0))
    bare = [seen for seen in taken if seen.all('X-Tenant-ID') != ['acme'] or len(seen.all('X-Tenant-Context')) != 1]
    return bare + ([f'{len(taken)} upstream, {passed} passed'] if len(taken) > passed else [])


def run(cases, gateway, echo, session):
    failed = 0
    for case in cases:
        send(gateway, raw_of(case, session))
        gateway.ask_host('acme')
        mistakes = mistakes_of(gateway, echo)
        if mistakes:
            failed += 1
            print(f'leasehold: {case["file"]}: {case["title"]}: {mistakes}', file=sys.stderr)
    print(f'http1-llhttp: {len(cases)} cases, {len(echo.taken())} requests upstream, {failed} failed')
    return failed


def main(folder):
    path = os.path.join(folder, 'http1-llhttp', 'llhttp-cases.json')
    if not os.path.exists(path):
        return 0
    with open(path, encoding='utf-8') as file:
        cases = [case for case in json.load(file) if is_request(case)]
    place = make_folder()
    home, echo = Home(os.path.join(place, 'home'), worker_user()), Echo()
    home.init()
    home.run('tenant', 'add', 'acme')
    gateway = Gateway(home, echo, 'leasehold on; location / { proxy_pass $upstream; }', user=home.user).start()
    try:
        failed = run(cases, gateway, echo, home.session('acme'))
    finally:
        gateway.finish()
        echo.close()
        shutil.rmtree(place, ignore_errors=True)
    return 1 if failed or not cases else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
