"""Who asks without a valid session learns nothing from the answer about which tenants there are."""
import re

import pytest

from harness.strangers import raw_answer, raw_request, strangers  # a fixture among them

SERVER = 'leasehold on; location / { proxy_pass $upstream; }'


@pytest.mark.parametrize('by_header', [False, True], ids=['host', 'header'])
def test_strangers_get_the_same_bytes(start, echo, own_home, strangers, by_header):
    gateway = start(SERVER, on=own_home)
    connection = gateway.connect()
    answers = {}
    for name, (tenant, value) in strangers.items():
        connection.send(raw_request(tenant, value, by_header))
        answers[name] = re.sub(rb'\r\nDate: [^\r]*', b'', raw_answer(connection))
    assert answers['no cookie'].startswith(b'HTTP/1.1 401 ')
    assert len(set(answers.values())) == 1, answers
    assert not echo.taken()
