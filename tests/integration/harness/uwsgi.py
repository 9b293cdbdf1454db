"""A service that speaks the uwsgi protocol: it gets each header as a variable, folded as CGI folds
names (RFC 3875 section 4.1.18), and repeated ones again and again."""
import socket
import struct
import threading


class Told:
    """The variables of one request, in order."""

    def __init__(self, variables):
        self.variables = variables
        self.body = b''

    def all(self, name):
        return [value for key, value in self.variables if key == name]

    def folded(self):
        """As a service folds them that leaves letters, digits and "_"."""
        folded = {}
        for name, value in self.variables:
            folded.setdefault(''.join(c if c.isalnum() else '_' for c in name.upper()), []).append(value)
        return folded

    def __repr__(self):
        return f'<{self.variables}>'


def _text(packet, at):
    size, = struct.unpack_from('<H', packet, at)
    return packet[at + 2:at + 2 + size].decode('latin-1'), at + 2 + size


def _variables(packet):
    variables, at = [], 0
    while at < len(packet):
        name, at = _text(packet, at)
        value, at = _text(packet, at)
        variables.append((name, value))
    return variables


class Service:
    """Listens on 127.0.0.1, answers 200 to everything, and remembers what it was told."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def taken(self):
        return list(self.requests)

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile('rb') as stream:
                _, size, _ = struct.unpack('<BHB', stream.read(4))
                told = Told(_variables(stream.read(size)))
                told.body = stream.read(int(dict(told.variables).get('CONTENT_LENGTH') or 0))
                self.requests.append(told)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
