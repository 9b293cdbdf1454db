"""Upstreams that are no HTTP/1 servers: FastCGI, SCGI, uwsgi and gRPC get what the gate decided, as the
variables or fields of their protocol, and nothing that a client made up."""
import pytest

from harness import services, uwsgi
from harness.gateway import BASE_DOMAIN, Gateway
from harness.home import worker_user
from harness.standing import acme, echo, file_echo, globex  # the file's own, for all its tests
from test_scrub import FORGED, MANAGED, spellings

PROTOCOLS = {'fastcgi': services.FastCgi, 'scgi': services.Scgi, 'uwsgi': uwsgi.Service, 'grpc': services.Grpc}

LENIENT = 'underscores_in_headers on; ignore_invalid_headers off;'

# What a service of CGI's kind is given beside the headers, as nginx's own examples of parameters do.
PARAMETERS = '''{name}_param CONTENT_LENGTH $content_length; {name}_param REQUEST_METHOD $request_method;
    {name}_param REQUEST_URI $request_uri; {name}_param HTTP_HOST $host;'''


@pytest.fixture(scope='module', params=PROTOCOLS)
def running(request, file_echo, shared_home):
    """(gateway, service) of one protocol, for all tests of it."""
    name = request.param
    service = PROTOCOLS[name]()
    parameters = '' if name == 'grpc' else PARAMETERS.format(name=name)
    to = f'leasehold_tenant_from subdomain {BASE_DOMAIN}; {name}_pass 127.0.0.1:{service.port};'
    gateway = Gateway(shared_home, file_echo, f'''leasehold on; {LENIENT} {parameters}
        location / {{ {to} }}
        location /off {{ leasehold off; {to} }}
        location /visitors {{ leasehold optional; {to} }}
        location /bare {{ leasehold_state none; {to} }}
        location /admin {{ leasehold_require role=admin; {to} }}
        location /named {{ leasehold off; try_files /nothing @named; }}
        location @named {{ {to} }}''', user=worker_user())
    yield gateway.start(), service
    service.close()
    gateway.finish()


@pytest.fixture
def gateway(running):
    return running[0]


@pytest.fixture
def service(running):
    running[1].requests.clear()
    return running[1]


def ask(gateway, tenant, session, path='/', headers=(), **rest):
    return gateway.ask_host(tenant, path, session, headers=[('Sec-Fetch-Site', 'same-origin'), *headers], **rest)


def ours(told):
    """What it was told under names of ours, each once."""
    found = {name: values for name, values in told.folded().items()
             if name.startswith(('HTTP_X_TENANT', 'HTTP_X_SESSION', 'HTTP_X_USER', 'HTTP_X_GROUPS', 'HTTP_COOKIE'))}
    assert all(len(values) == 1 for values in found.values()), told
    return {name: values[0] for name, values in found.items()}


def test_services__are_told_who_it_is(gateway, service, acme, globex):
    for tenant, session, subject in (('acme', acme, 'alice@acme.example'), ('globex', globex, 'bob@globex.example')):
        assert ask(gateway, tenant, session, headers=[('Cookie', 'theme=dark')]).status == 200
        told = ours(service.taken()[-1])
        assert told['HTTP_X_TENANT_ID'] == tenant and told['HTTP_X_SESSION_SUBJECT'] == subject
        assert told['HTTP_X_SESSION_REF'] == session.reference and told['HTTP_X_TENANT_CONTEXT'].count('.') == 2
        assert told['HTTP_X_SESSION_MODE'] == 'normal' and told['HTTP_COOKIE'] == 'theme=dark'


def test_services__see_nobody_who_is_refused(gateway, service, acme, globex):
    for path in ('/', '/named'):
        assert ask(gateway, 'acme', globex, path).status == 401
        assert ask(gateway, 'acme', None, path).status == 401
    assert ask(gateway, 'globex', globex, '/admin').status == 403
    assert not service.taken()
    assert ask(gateway, 'acme', acme, '/admin').status == 200
    assert ask(gateway, 'acme', acme, '/named').status == 200
    assert [told.all('HTTP_X_TENANT_ID') for told in service.taken()] == [['acme']] * 2


@pytest.mark.parametrize('name', MANAGED)
def test_services__get_no_variable_that_a_client_made_up(gateway, service, acme, globex, name):
    """A name in all its spellings at once; the tenant's own only once, for twice is refused."""
    forged = [(spelling, FORGED) for spelling in dict.fromkeys(spellings(name))
              if spelling == 'X-Tenant-ID' or spelling.lower() != 'x-tenant-id']
    assert ask(gateway, 'acme', acme, headers=[*forged, ('X-Other', 'stays')]).status == 200
    assert ask(gateway, 'acme', acme, '/bare', headers=forged).status == 200
    assert ask(gateway, 'globex', None, '/off', headers=forged).status == 200
    assert ask(gateway, 'globex', None, '/visitors', headers=forged).status == 200
    passed, bare, off, visitor = service.taken()
    assert all(FORGED not in values for told in service.taken() for values in told.folded().values()), service.taken()
    assert passed.all('HTTP_X_OTHER') == ['stays']
    assert ours(passed)['HTTP_X_TENANT_ID'] == 'acme' and ours(passed)['HTTP_X_SESSION_SUBJECT'] == 'alice@acme.example'
    assert ours(bare)['HTTP_X_TENANT_ID'] == 'acme' and 'HTTP_X_SESSION_SUBJECT' not in ours(bare)
    assert not ours(off)
    assert ours(visitor)['HTTP_X_SESSION_MODE'] == 'anonymous' and ours(visitor)['HTTP_X_TENANT_ID'] == 'globex'


def test_services__get_bodies_and_no_session_cookie(gateway, service, acme, globex):
    body = bytes(range(256)) * 1024
    for path in ('/', '/off'):
        assert ask(gateway, 'acme', acme, path, method='POST', body=body).status == 200
    assert ask(gateway, 'acme', globex, method='POST', body=body).status == 401
    assert len(service.taken()) == 2
    for told in service.taken():
        assert acme.value not in str(told.variables)
        assert told.body == body
