"""HTTP/1.x by hand: the client sends the bytes it is given and reads answers as they come."""
import json
import socket

from harness.build import PATIENCE_S


class Answer:
    """One response."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name):
        """The value of a header that is there at most once; None if it is not there."""
        values = self.all(name)
        assert len(values) <= 1, f'{name} came {len(values)} times: {values}'
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.headers} {self.body[:200]!r}>'


class Connection:
    """One connection to a gateway. Every answer goes to seen, for the test's oracles; on: a
    connection that stands already, as one of TLS."""

    def __init__(self, port, seen=None, on=None):
        self.socket = on or socket.create_connection(('127.0.0.1', port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b''
        self.seen = seen if seen is not None else []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, raw):
        self.socket.sendall(raw)

    def _more(self):
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError(f'closed after {self.rest[:200]!r}')
        self.rest += part

    def _until(self, end):
        while end not in self.rest:
            self._more()
        found, self.rest = self.rest.split(end, 1)
        return found

    def _exactly(self, count):
        while len(self.rest) < count:
            self._more()
        found, self.rest = self.rest[:count], self.rest[count:]
        return found

    def _chunks(self):
        body = b''
        while size := int(self._until(b'\r\n').split(b';')[0], 16):
            body += self._exactly(size)
            self._until(b'\r\n')
        while self._until(b'\r\n'):
            pass
        return body

    def _to_end(self):
        try:
            while True:
                self._more()
        except ConnectionError:
            body, self.rest = self.rest, b''
            return body

    def _body(self, method, status, headers):
        fields = {name.lower(): value for name, value in headers}
        if method == 'HEAD' or status in (101, 204, 304):
            return b''
        if fields.get('transfer-encoding', '').lower() == 'chunked':
            return self._chunks()
        if 'content-length' in fields:
            return self._exactly(int(fields['content-length']))
        return self._to_end()

    def read(self, method='GET'):
        """The next final answer to a request of this method."""
        while True:
            head = self._until(b'\r\n\r\n').decode('latin-1').split('\r\n')
            status = int(head[0].split(' ')[1])
            headers = [tuple(part.strip() for part in line.split(':', 1)) for line in head[1:]]
            if status == 100:
                continue
            answer = Answer(status, headers, self._body(method, status, headers))
            self.seen.append(answer)
            return answer

    def is_closed(self, within_s=PATIENCE_S):
        """Whether the other side closes, with nothing more to read."""
        self.socket.settimeout(within_s)
        try:
            part = self.socket.recv(65536)
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(PATIENCE_S)
        self.rest += part
        return part == b'' and not self.rest


def request(path='/', method='GET', host='127.0.0.1', headers=(), body=b'', version='1.1'):
    """The bytes of a request; headers are (name, value) pairs, or raw bytes of a whole line."""
    lines = [f'{method} {path} HTTP/{version}'.encode('latin-1')]
    if host is not None:
        lines.append(f'Host: {host}'.encode('latin-1'))
    for header in headers:
        if isinstance(header, bytes):
            lines.append(header)
        else:
            lines.append(f'{header[0]}: {header[1]}'.encode('latin-1'))
    if body:
        lines.append(f'Content-Length: {len(body)}'.encode('latin-1'))
    return b'\r\n'.join(lines) + b'\r\n\r\n' + body
