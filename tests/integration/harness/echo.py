"""The upstream: answers with what reached it, and remembers it. Paths can be given answers of their
own, so that a test plays an application that redirects, streams or upgrades."""
import json
import socket
import threading


class Seen:
    """One request as it reached the upstream."""

    def __init__(self, method, path, headers, body):
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name):
        values = self.all(name)
        assert len(values) <= 1, f'{name} came {len(values)} times: {values}'
        return values[0] if values else None

    def folded(self):
        """Names as a CGI-like service folds them, to lists of values."""
        folded = {}
        for name, value in self.headers:
            folded.setdefault(name.lower().replace('_', '-').replace('.', '-'), []).append(value)
        return folded

    def __repr__(self):
        return f'<{self.method} {self.path} {self.headers}>'


def answer(status=200, headers=(), body=b''):
    """The bytes of an answer."""
    lines = [f'HTTP/1.1 {status} Said']
    lines += [f'{name}: {value}' for name, value in headers]
    if status != 101:
        lines.append(f'Content-Length: {len(body)}')
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + body


def mirror(seen):
    """What interfaces call an echo: method, path and headers as JSON."""
    collected = {}
    for name, value in seen.headers:
        collected.setdefault(name, []).append(value)
    body = json.dumps({'method': seen.method, 'path': seen.path,
                       'headers': {name: values[0] if len(values) == 1 else values
                                   for name, values in collected.items()}})
    return answer(headers=[('Content-Type', 'application/json')], body=body.encode())


class Echo:
    """Listens on 127.0.0.1. routes: path prefix to a function of (seen) that returns the answer's
    bytes, or of (seen, connection) that speaks for itself until the connection ends."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.routes = {}
        self.streams = {}
        self.lock = threading.Lock()
        self.requests = []
        self.accepted = 0  # connections so far
        self.connections = set()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def close(self):
        # Closing alone leaves a thread that waits in accept where it is, on a number that is reused.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended meanwhile

    def forget(self):
        with self.lock:
            self.requests = []

    def taken(self, prefix='/'):
        """The requests so far whose path begins like this."""
        with self.lock:
            return [seen for seen in self.requests if seen.path.startswith(prefix)]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self.lock:
            self.connections.add(connection)
        try:
            with connection, connection.makefile('rb') as stream:
                while self._serve_one(connection, stream):
                    pass
        except (OSError, ValueError):
            pass  # a request that broke off is none
        finally:
            with self.lock:
                self.connections.discard(connection)

    def _serve_one(self, connection, stream):
        line = stream.readline()
        if not line.strip():
            return False
        method, path, _ = line.decode('latin-1').split(' ', 2)
        headers = []
        while (line := stream.readline().decode('latin-1').rstrip('\r\n')):
            name, _, value = line.partition(':')
            headers.append((name, value.strip(' \t')))
        seen = Seen(method, path, headers, self._read_body(headers, stream))
        with self.lock:
            self.requests.append(seen)
        return self._respond(connection, seen)

    @staticmethod
    def _read_body(headers, stream):
        fields = {name.lower(): value for name, value in headers}
        if fields.get('transfer-encoding', '').lower() == 'chunked':
            parts = []
            while size := int(stream.readline().split(b';')[0], 16):
                parts.append(Echo._exactly(stream, size))
                stream.readline()
            while stream.readline().strip():
                pass
            return b''.join(parts)
        return Echo._exactly(stream, int(fields.get('content-length', 0)))

    @staticmethod
    def _exactly(stream, size):
        body = stream.read(size)
        if len(body) != size:
            raise ValueError('broken off')
        return body

    def _respond(self, connection, seen):
        for prefix, speak in self.streams.items():
            if seen.path.startswith(prefix):
                speak(seen, connection)
                return False
        for prefix, respond in self.routes.items():
            if seen.path.startswith(prefix):
                connection.sendall(respond(seen))
                break
        else:
            connection.sendall(mirror(seen))
        is_last = any(value.lower() == 'close' for value in seen.all('connection'))
        return not is_last
