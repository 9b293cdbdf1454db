"""Requests whose length can be read in more than one way, and what must become of them. Every entry
follows RFC 9112; the bytes are ours."""

# What a framing comes to: refused and the connection closed, or these bodies, one for each request.
REFUSED = None

# Stands behind or inside the odd request. It has no credential: should it ever reach an upstream,
# nobody decided it.
SMUGGLED = b'GET /smuggled HTTP/1.1\r\nHost: acme.localtest.example\r\n\r\n'

CHUNKED = b'Transfer-Encoding: chunked'


class Framing:
    """lines: raw header lines behind those of a whole request; body: what follows the head."""

    def __init__(self, name, lines=(), body=b'', becomes=REFUSED, start=b'POST /framed HTTP/1.1', before=b''):
        self.name = name
        self.lines = list(lines)
        self.body = body
        self.becomes = becomes
        self.start = start
        self.before = before

    def request(self, host, headers):
        """The bytes; headers are those of a request that is in order otherwise."""
        lines = [self.start, b'Host: ' + host.encode()]
        lines += [f'{name}: {value}'.encode() for name, value in headers]
        return self.before + b'\r\n'.join(lines + self.lines) + b'\r\n\r\n' + self.body


def chunk(content):
    return b'%x\r\n%s\r\n' % (len(content), content)


def length(value):
    return b'Content-Length: ' + value


END = b'0\r\n\r\n'
HIDDEN = chunk(SMUGGLED) + END

# Two ways to say how long the body is.
DISAGREEING = [
    Framing('length, then chunked', [length(b'5'), CHUNKED], END + SMUGGLED),
    Framing('chunked, then length', [CHUNKED, length(b'5')], END + SMUGGLED),
    Framing('length of all, chunked ends before', [length(b'%d' % len(END + SMUGGLED)), CHUNKED], END + SMUGGLED),
    Framing('chunked and an obfuscated second coding', [CHUNKED, b'Transfer-Encoding: x'], END + SMUGGLED),
    Framing('an obfuscated coding, then chunked', [b'Transfer-Encoding: x', CHUNKED], END + SMUGGLED),
    Framing('chunked twice in one line', [b'Transfer-Encoding: chunked, chunked'], END + SMUGGLED),
    Framing('a coding before chunked', [b'Transfer-Encoding: gzip, chunked'], END + SMUGGLED),
    Framing('a coding behind chunked', [b'Transfer-Encoding: chunked, gzip'], END + SMUGGLED),
    Framing('identity and a length', [b'Transfer-Encoding: identity', length(b'3')], b'abc' + SMUGGLED),
    Framing('no such coding', [b'Transfer-Encoding: xchunked'], END + SMUGGLED),
    Framing('coding in quotes', [b'Transfer-Encoding: "chunked"'], END + SMUGGLED),
    Framing('vertical tab before chunked', [b'Transfer-Encoding: \x0bchunked'], END + SMUGGLED),
    Framing('NUL behind chunked', [b'Transfer-Encoding: chunked\x00'], END + SMUGGLED),
    Framing('space before the colon', [b'Transfer-Encoding : chunked'], END + SMUGGLED),
    Framing('tab before the colon', [b'Transfer-Encoding\t: chunked'], END + SMUGGLED),
    Framing('coding behind a bare CR', [b'X-Any: a\rTransfer-Encoding: chunked'], END + SMUGGLED),
    Framing('folded coding', [b'Transfer-Encoding:\r\n chunked'], END + SMUGGLED),
    Framing('coding in version 1.0', [CHUNKED], HIDDEN, start=b'POST /framed HTTP/1.0'),
]

# One length, badly written.
LENGTHS = [
    Framing('length twice, equal', [length(b'3'), length(b'3')], b'abc' + SMUGGLED),
    Framing('length twice, longer first', [length(b'%d' % len(SMUGGLED)), length(b'0')], SMUGGLED),
    Framing('length twice, shorter first', [length(b'0'), length(b'%d' % len(SMUGGLED))], SMUGGLED),
    Framing('length as a list', [length(b'3, 3')], b'abc' + SMUGGLED),
    Framing('length with a sign', [length(b'+3')], b'abc' + SMUGGLED),
    Framing('negative length', [length(b'-1')], b'abc' + SMUGGLED),
    Framing('empty length', [length(b'')], SMUGGLED),
    Framing('length in hexadecimal', [length(b'0x3')], b'abc' + SMUGGLED),
    Framing('length with a point', [length(b'3.0')], b'abc' + SMUGGLED),
    Framing('length with an exponent', [length(b'1e1')], b'abcdefghij' + SMUGGLED),
    Framing('length of two numbers', [length(b'3 3')], b'abc' + SMUGGLED),
    Framing('length beyond 64 bits', [length(b'18446744073709551619')], b'abc' + SMUGGLED),
    Framing('NUL behind the length', [length(b'3\x00')], b'abc' + SMUGGLED),
    Framing('length with a space before the colon', [b'Content-Length : 3'], b'abc' + SMUGGLED),
    Framing('folded length', [b'Content-Length:\r\n 3'], b'abc' + SMUGGLED),
    Framing('folded empty length', [b'Content-Length: 3\r\n 0'], b'abc' + SMUGGLED),
]

# Chunks that are none.
CHUNKS = [
    Framing('no hexadecimal digit', [CHUNKED], b'g\r\nabc\r\n' + END + SMUGGLED),
    Framing('negative chunk', [CHUNKED], b'-1\r\nabc\r\n' + END + SMUGGLED),
    Framing('chunk with a prefix', [CHUNKED], b'0x3\r\nabc\r\n' + END + SMUGGLED),
    Framing('chunk beyond 64 bits', [CHUNKED], b'fffffffffffffffff\r\nabc\r\n' + END + SMUGGLED),
    Framing('no size', [CHUNKED], b'\r\nabc\r\n' + END + SMUGGLED),
    Framing('more than the size says', [CHUNKED], b'3\r\nabcd\r\n' + END + SMUGGLED),
    Framing('no line end behind the content', [CHUNKED], b'3\r\nabc' + END + SMUGGLED),
]

# Heads that a lenient reader splits elsewhere.
HEADS = [
    Framing('NUL in a value', [b'X-Any: a\x00b'], SMUGGLED),
    Framing('NUL in a name', [b'X-A\x00ny: a'], SMUGGLED),
    Framing('bare CR in a value', [b'X-Any: a\rX-Other: b'], SMUGGLED),
    Framing('space in a name', [b'X Any: a'], SMUGGLED),
    Framing('no such protocol', start=b'POST /framed HTTX/1.1', body=SMUGGLED),
    Framing('version 2.0 in a line', start=b'POST /framed HTTP/2.0', body=SMUGGLED),
    Framing('version without digits', start=b'POST /framed HTTP/', body=SMUGGLED),
    Framing('lower-case method', start=b'post /framed HTTP/1.1', body=SMUGGLED),
    Framing('NUL in the target', start=b'POST /fra\x00med HTTP/1.1', body=SMUGGLED),
    Framing('control character in the target', start=b'POST /fra\x01med HTTP/1.1', body=SMUGGLED),
    Framing('relative target', start=b'POST framed HTTP/1.1', body=SMUGGLED),
]

# What is in order, or odd and yet of one meaning.
SOUND = [
    Framing('no body', becomes=[b'']),
    Framing('length nought', [length(b'0')], becomes=[b'']),
    Framing('length', [length(b'3')], b'abc', [b'abc']),
    Framing('length with noughts before', [length(b'0003')], b'abc', [b'abc']),
    Framing('length among spaces', [b'Content-Length:   3  '], b'abc', [b'abc']),
    Framing('a request as the body', [length(b'%d' % len(SMUGGLED))], SMUGGLED, [SMUGGLED]),
    Framing('a request as the body of a GET', [length(b'%d' % len(SMUGGLED))], SMUGGLED, [SMUGGLED],
            start=b'GET /framed HTTP/1.1'),
    Framing('chunked', [CHUNKED], chunk(b'abc') + chunk(b'de') + END, [b'abcde']),
    Framing('chunked in capitals', [b'transfer-encoding: CHUNKED'], chunk(b'abc') + END, [b'abc']),
    Framing('a request as a chunk', [CHUNKED], HIDDEN, [SMUGGLED]),
    Framing('a request as a chunk of a GET', [CHUNKED], HIDDEN, [SMUGGLED], start=b'GET /framed HTTP/1.1'),
    Framing('size with noughts before', [CHUNKED], b'0000003\r\nabc\r\n' + END, [b'abc']),
    Framing('extensions', [CHUNKED], b'3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n', [b'abc']),
    Framing('a request in the extension', [CHUNKED], b'3;GET /smuggled HTTP/1.1\r\nabc\r\n' + END, [b'abc']),
    Framing('two sizes, of which nginx reads the first', [CHUNKED], b'3 9\r\nabc\r\n' + END, [b'abc']),
    Framing('trailers', [CHUNKED], chunk(b'abc') + b'0\r\nContent-Length: 90\r\nHost: globex.x\r\n\r\n', [b'abc']),
    Framing('bare line feeds in the head', [b'X-Any: a\nX-Other: b'], becomes=[b'']),
    Framing('empty lines before', before=b'\r\n\r\n', becomes=[b'']),
    Framing('a line without a colon', [b'X-Any'], becomes=[b'']),
    Framing('fragment in the target', start=b'GET /framed#/smuggled HTTP/1.1', becomes=[b'']),
]

# The body is another request: the gate decides it alone.
FOLLOWED = [
    Framing('length nought before a request', [length(b'0')], SMUGGLED, [b'']),
    Framing('no length before a request', (), SMUGGLED, [b'']),
    Framing('last chunk before a request', [CHUNKED], END + SMUGGLED, [b'']),
    Framing('length before a request', [length(b'3')], b'abc' + SMUGGLED, [b'abc']),
    Framing('longer last chunk before a request', [CHUNKED], b'000000\r\n\r\n' + SMUGGLED, [b'']),
]
