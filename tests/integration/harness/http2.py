"""HTTP/2 with prior knowledge: many streams at once through the h2 library, and frames by hand for
what that library would never send."""
import socket

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hpack
import hyperframe.frame as frames

from harness.build import PATIENCE_S
from harness.http1 import Answer


class Connection:
    """A well-behaved client; on: a connection that stands already, as one of TLS."""

    def __init__(self, port, seen=None, on=None):
        self.socket = on or socket.create_connection(('127.0.0.1', port), timeout=PATIENCE_S)
        config = h2.config.H2Configuration(client_side=True, header_encoding='latin-1',
                                           validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.protocol = h2.connection.H2Connection(config)
        self.protocol.initiate_connection()
        self.protocol.increment_flow_control_window(1 << 24)
        self.seen = seen if seen is not None else []
        self.open = {}
        self.done = {}
        self.flush()

    def close(self):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.protocol.data_to_send())

    def request(self, path='/', authority='127.0.0.1', method='GET', headers=(), body=b'', is_whole=True):
        """Begins a stream; returns its number. Bodies up to the initial window; is_whole False: one follows
        by upload."""
        stream = self.protocol.get_next_available_stream_id()
        fields = [(':method', method), (':scheme', 'http'), (':authority', authority), (':path', path)]
        self.protocol.send_headers(stream, fields + list(headers), end_stream=is_whole and not body)
        if body:
            self.protocol.send_data(stream, body, end_stream=True)
        self.open[stream] = [None, [], b'']
        return stream

    def upload(self, stream, body):
        """Sends a body as the other side makes room for it; the rest of it is not sent to an answer that
        comes before its end."""
        view, at = memoryview(body), 0
        while at < len(view) and stream in self.open:
            room = min(self.protocol.local_flow_control_window(stream), self.protocol.max_outbound_frame_size)
            if room == 0:
                self._receive()
                continue
            self.protocol.send_data(stream, bytes(view[at:at + room]), end_stream=at + room >= len(view))
            self.flush()
            at += room
        if at < len(view):
            self._give_up(stream)

    def _give_up(self, stream):
        try:
            self.protocol.reset_stream(stream, error_code=8)
        except h2.exceptions.StreamClosedError:
            return  # the other side has done it
        self.flush()

    def reset(self, stream):
        self.protocol.reset_stream(stream, error_code=8)
        self.open.pop(stream, None)
        self.flush()

    def wait(self, stream):
        """The answer of a stream."""
        self.flush()
        while stream not in self.done:
            self._receive()
        return self.done.pop(stream)

    def _receive(self):
        received = self.socket.recv(65536)
        if not received:
            raise ConnectionError('closed')
        for event in self.protocol.receive_data(received):
            self._take(event)
        self.flush()

    def _take(self, event):
        stream = getattr(event, 'stream_id', None)
        if stream not in self.open:
            return
        collected = self.open[stream]
        if isinstance(event, h2.events.ResponseReceived):
            collected[0] = int(dict(event.headers)[':status'])
            collected[1] = [(name, value) for name, value in event.headers if not name.startswith(':')]
        elif isinstance(event, h2.events.DataReceived):
            collected[2] += event.data
            self.protocol.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            self._finish(stream, Answer(*self.open.pop(stream)))
        elif isinstance(event, h2.events.StreamReset):
            self.open.pop(stream)
            self._finish(stream, Answer(0, [('reset', str(int(event.error_code)))], b''))

    def _finish(self, stream, answer):
        self.done[stream] = answer
        self.seen.append(answer)


class Raw:
    """Frames as they are given: no library stands between the test and the wire."""

    PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

    def __init__(self, port, seen=None):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=PATIENCE_S)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.seen = seen if seen is not None else []
        self.rest = b''
        self.socket.sendall(self.PREFACE)
        self.send(frames.SettingsFrame(0))

    def close(self):
        self.socket.close()

    def send(self, frame):
        self.socket.sendall(frame.serialize())

    def headers(self, stream, fields, end_stream=True):
        """A HEADERS frame with exactly these fields, in order, repeated ones too."""
        frame = frames.HeadersFrame(stream, self.encoder.encode(fields))
        frame.flags |= {'END_HEADERS', 'END_STREAM'} if end_stream else {'END_HEADERS'}
        self.send(frame)

    def body(self, stream, content, end_stream=True):
        frame = frames.DataFrame(stream, content)
        if end_stream:
            frame.flags.add('END_STREAM')
        self.send(frame)

    def _frame(self):
        while True:
            if len(self.rest) >= 9:
                frame, length = frames.Frame.parse_frame_header(memoryview(self.rest[:9]))
                if len(self.rest) >= 9 + length:
                    frame.parse_body(memoryview(self.rest[9:9 + length]))
                    self.rest = self.rest[9 + length:]
                    return frame
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError('closed')
            self.rest += received

    def answer(self, stream):
        """The status of a stream's answer; 0 if the stream or the connection was reset instead."""
        while True:
            try:
                frame = self._frame()
            except ConnectionError:
                return 0
            if isinstance(frame, frames.GoAwayFrame):
                return 0
            if isinstance(frame, frames.RstStreamFrame) and frame.stream_id == stream:
                return 0
            if isinstance(frame, frames.HeadersFrame):
                fields = self.decoder.decode(frame.data)
                if frame.stream_id == stream:
                    status = int(dict(fields)[':status'])
                    self.seen.append(Answer(status, fields, b''))
                    return status

    def answers(self, streams):
        """The statuses, as text, of answers that come in any order."""
        found = {}
        while set(found) < set(streams):
            frame = self._frame()
            assert not isinstance(frame, frames.GoAwayFrame), frame
            # Behind an answer it says that the rest of the body is not wanted.
            assert not isinstance(frame, frames.RstStreamFrame) or frame.stream_id not in set(streams) - set(found), frame
            if isinstance(frame, frames.HeadersFrame):
                found[frame.stream_id] = dict(self.decoder.decode(frame.data))[':status']
        return found
