"""What services behind other protocols than HTTP are told: names folded as CGI folds them, and a host
that is the one of which the tenant was read."""
import pytest

from harness import http1
from harness.gateway import BASE_DOMAIN
from harness.uwsgi import Service

HOST = f'acme.{BASE_DOMAIN}'
OTHER_HOST = f'globex.{BASE_DOMAIN}'

LENIENT = '''leasehold on; ignore_invalid_headers off; underscores_in_headers on;
    location / { uwsgi_pass 127.0.0.1:%d; }
    location /off { leasehold off; uwsgi_pass 127.0.0.1:%d; }
    location /http { proxy_pass $upstream; proxy_set_header Host $http_host; }'''


@pytest.fixture
def service():
    service = Service()
    yield service
    service.close()


@pytest.fixture
def gateway(start, service):
    return start(LENIENT % (service.port, service.port))


def ask(gateway, target, session, *lines, host=HOST):
    connection = gateway.connect()
    connection.send(http1.request(target, host=host, headers=[('Cookie', session.plain), *lines]))
    return connection.read()


@pytest.mark.parametrize('port', ['', ':81'])
def test_an_absolute_target_is_the_host_that_services_see(gateway, service, echo, acme, globex, port):
    """The Host header names the other tenant; whoever looks at it would serve globex's session as acme."""
    for session, status in ((globex, 200), (acme, 401)):
        for path in ('/x', '/http'):
            assert ask(gateway, f'http://{OTHER_HOST}{port}{path}', session).status == status
    assert ask(gateway, f'http://{OTHER_HOST}{port}/off', globex).status == 200
    decided, plain = service.taken()
    assert decided.all('HTTP_X_TENANT_ID') == ['globex']
    assert decided.all('HTTP_HOST') == plain.all('HTTP_HOST') == [OTHER_HOST + port]
    seen, = echo.taken()
    assert seen.one('X-Tenant-ID') == 'globex' and seen.one('Host') == OTHER_HOST + port


def test_a_relative_target_leaves_the_host_as_it_came(gateway, service, acme, globex):
    for session, host in ((acme, HOST.upper() + ':81'), (globex, OTHER_HOST + '.')):
        assert ask(gateway, '/x', session, host=host).status == 200
    assert [seen.all('HTTP_HOST') for seen in service.taken()] == [[HOST.upper() + ':81'], [OTHER_HOST + '.']]


# Each folds to HTTP_X_TENANT_ID or to another of ours, by the rules of one gateway interface or another.
FOLDING = ['X_Tenant_ID', 'x_tenant-id', 'X-TENANT_UID', 'X_Session_Subject', 'x-session_scope', 'X_Tenant_Context',
           'X-Session_Mode', 'X_User_ID', 'X_Groups', 'X_Request_ID', 'TRACEPARENT', 'X.Session.Subject',
           'X[Session[Subject', 'X!Tenant!UID', 'X~Tenant~ID', 'X-Session-Subject[']


OURS = ('HTTP_X_TENANT', 'HTTP_X_SESSION', 'HTTP_X_USER_ID', 'HTTP_X_GROUPS', 'HTTP_X_REQUEST_ID', 'HTTP_TRACEPARENT')


@pytest.mark.parametrize('name', FOLDING)
def test_no_folded_name_is_the_clients_own(gateway, service, acme, globex, name):
    expected = []
    # Where it is a source, another spelling of X-Tenant-ID is a malformed one.
    is_tenant = name.lower().replace('_', '-').replace('~', '-') == 'x-tenant-id'
    for session, host in ((acme, HOST), (globex, OTHER_HOST)):
        assert ask(gateway, '/x', session, (name, 'forged'), host=host).status == (400 if is_tenant else 200)
        assert ask(gateway, '/off', session, (name, 'forged'), host=host).status == 200
        expected += [None] if is_tenant else [[session.tenant], None]
    for seen in service.taken():
        ours = {key: values for key, values in seen.folded().items() if key.startswith(OURS)}
        assert all(values != ['forged'] and len(values) == 1 for values in ours.values()), seen
    assert [seen.folded().get('HTTP_X_TENANT_ID') for seen in service.taken()] == expected
