"""Who asks without a valid session learns nothing from the time that the answer takes about which tenants
there are."""
import statistics
import time

from harness.strangers import raw_answer, raw_request, strangers  # a fixture among them

SERVER = 'leasehold on; location / { proxy_pass $upstream; }'

# What can be told apart over a network with some thousands of requests is well above this.
BOUND_US = 50
SAMPLES = 2000


def measure(connection, requests):
    """Microseconds of each request, in turn, so that what else the machine does falls on all alike."""
    times = {name: [] for name in requests}
    for _ in range(SAMPLES):
        for name, request in requests.items():
            began = time.perf_counter_ns()
            connection.send(request)
            raw_answer(connection)
            times[name].append((time.perf_counter_ns() - began) / 1000)
    return times


def test_strangers_wait_equally_long(start, echo, own_home, strangers):
    gateway = start(SERVER, on=own_home)
    times = measure(gateway.connect(), {name: raw_request(tenant, value, False)
                                        for name, (tenant, value) in strangers.items()})
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    assert max(medians.values()) - min(medians.values()) < BOUND_US, medians
