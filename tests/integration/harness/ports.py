"""Free ports below the range from which the kernel takes those of clients."""
import os
import random
import socket

FIRST, LAST = (int(port) for port in os.environ.get('LEASEHOLD_TEST_PORTS', '21000-24999').split('-'))


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def free_port():
    for _ in range(200):
        port = random.randint(FIRST, LAST)
        if is_free(port):
            return port
    raise RuntimeError(f'no free port between {FIRST} and {LAST}')
