#!/usr/bin/env python3
"""A service that answers with what reached it: method, path and headers as JSON.

    echo.py [PORT] [--port-file FILE]

Listens on 127.0.0.1 only. PORT 0 takes a free one; the file is told which.
"""
import argparse
import http.server
import json
import os
import signal
import sys


class Echo(http.server.BaseHTTPRequestHandler):
    """Any method, any path; the body is read and thrown away."""

    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def __getattr__(self, name):
        if name.startswith('do_'):
            return self.answer
        raise AttributeError(name)

    def version_string(self):
        return 'echo'

    def answer(self):
        self.read_body()
        body = json.dumps({'method': self.command, 'path': self.path, 'headers': self.collect_headers()},
                          indent=1).encode() + b'\n'
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def collect_headers(self):
        """Name to value, or to the list of values where a name came more than once."""
        collected = {}
        for name in {name.lower(): name for name in reversed(self.headers.keys())}.values():
            values = self.headers.get_all(name)
            collected[name] = values[0] if len(values) == 1 else values
        return collected

    def read_body(self):
        if 'chunked' in self.headers.get('Transfer-Encoding', '').lower():
            while size := int(self.rfile.readline().split(b';')[0], 16):
                self.rfile.read(size + 2)
            while self.rfile.readline().strip():
                pass
        else:
            self.rfile.read(int(self.headers.get('Content-Length', 0)))

    def log_message(self, format, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('port', nargs='?', type=int, default=9000)
    parser.add_argument('--port-file')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(('127.0.0.1', options.port), Echo) as server:
        if options.port_file:
            with open(options.port_file + '.new', 'w', encoding='ascii') as file:
                file.write(f'{server.server_address[1]}\n')
            os.replace(options.port_file + '.new', options.port_file)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == '__main__':
    main()
