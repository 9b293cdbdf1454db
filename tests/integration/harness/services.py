"""Services that speak FastCGI, SCGI and gRPC: each answers 200 to everything and remembers what it was
told, as the one of uwsgi.py does."""
import socket
import struct
import threading

import h2.config
import h2.connection
import h2.events

from harness.uwsgi import Told

# FastCGI 1.0, section 8: types of records.
END_REQUEST, PARAMS, STDIN, STDOUT = 3, 4, 5, 6


class Service:
    """Listens on 127.0.0.1. What is left to a protocol: serve(connection), which returns a Told."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []
        self.faults = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        assert not self.faults, self.faults

    def taken(self):
        return list(self.requests)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                try:
                    self.serve(connection)
                except (OSError, ValueError, struct.error) as fault:
                    self.faults.append(repr(fault))

    def serve(self, connection):
        raise NotImplementedError

    def note(self, variables, body):
        told = Told(variables)
        told.body = body
        self.requests.append(told)


def exactly(stream, size):
    read = stream.read(size)
    if len(read) != size:
        raise ValueError(f'{len(read)} of {size} bytes')
    return read


class FastCgi(Service):
    """FastCGI 1.0, responder, one request to a connection."""

    @staticmethod
    def _record(kind, content):
        return struct.pack('>BBHHBB', 1, kind, 1, len(content), 0, 0) + content

    @staticmethod
    def _length(content, at):
        if content[at] < 0x80:
            return content[at], at + 1
        return struct.unpack_from('>I', content, at)[0] & 0x7fffffff, at + 4

    def _variables(self, content):
        variables, at = [], 0
        while at < len(content):
            name, at = self._length(content, at)
            value, at = self._length(content, at)
            variables.append((content[at:at + name].decode('latin-1'),
                              content[at + name:at + name + value].decode('latin-1')))
            at += name + value
        return variables

    def serve(self, connection):
        streams, is_ended = {PARAMS: b'', STDIN: b''}, set()
        with connection.makefile('rb') as stream:
            while is_ended != {PARAMS, STDIN}:
                _, kind, _, size, padding, _ = struct.unpack('>BBHHBB', exactly(stream, 8))
                content = exactly(stream, size)
                exactly(stream, padding)
                if kind in streams:
                    streams[kind] += content
                    is_ended |= set() if content else {kind}
        self.note(self._variables(streams[PARAMS]), streams[STDIN])
        connection.sendall(self._record(STDOUT, b'Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nfine')
                           + self._record(STDOUT, b'') + self._record(END_REQUEST, bytes(8)))


class Scgi(Service):
    """A netstring of variables, then the body."""

    def serve(self, connection):
        with connection.makefile('rb') as stream:
            digits = b''
            while (digit := exactly(stream, 1)) != b':':
                digits += digit
            parts = exactly(stream, int(digits)).split(b'\0')[:-1]
            exactly(stream, 1)
            variables = [(name.decode('latin-1'), value.decode('latin-1')) for name, value in zip(parts[::2], parts[1::2])]
            body = exactly(stream, int(dict(variables)['CONTENT_LENGTH'] or 0))
        self.note(variables, body)
        connection.sendall(b'Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nfine')


class Grpc(Service):
    """HTTP/2; the variables are the header fields, named as CGI would name them."""

    def serve(self, connection):
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding='latin-1'))
        protocol.initiate_connection()
        connection.sendall(protocol.data_to_send())
        fields, body = None, b''
        while received := connection.recv(65536):
            for event in protocol.receive_data(received):
                if isinstance(event, h2.events.RequestReceived):
                    fields = event.headers
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    self.note([(self._name(name), value) for name, value in fields], body)
                    protocol.send_headers(event.stream_id, [(':status', '200'), ('content-type', 'application/grpc')])
                    protocol.send_data(event.stream_id, b'fine')
                    protocol.send_headers(event.stream_id, [('grpc-status', '0')], end_stream=True)
            connection.sendall(protocol.data_to_send())

    @staticmethod
    def _name(name):
        return name if name.startswith(':') else 'HTTP_' + name.upper().replace('-', '_')
