"""What nginx -t accepts, what it says about the rest, and what a location inherits."""
import os
import pwd
import shutil

import pytest

from harness.gateway import Gateway, make_folder
from harness.home import Home


def refused(gateway, *texts):
    accepted, said = gateway.check_conf()
    assert not accepted, said
    for text in texts:
        assert text in said, said


def listing(folder):
    """Everything below a folder with owner, mode, size and times."""
    found = {}
    for path, names, files in os.walk(folder):
        for name in names + files:
            status = os.lstat(os.path.join(path, name))
            found[os.path.join(path, name)] = (status.st_uid, status.st_mode, status.st_size, status.st_mtime_ns)
    return found


@pytest.mark.parametrize('directive, text', [
    ('leasehold maybe;', 'invalid value'),
    ('leasehold on; leasehold off;', 'is duplicate'),
    ('leasehold_credential token;', 'unknown credential: "token"'),
    ('leasehold_mode neither;', 'invalid value "neither"'),
    ('leasehold_pass_authorization yes;', 'invalid value "yes"'),
    ('leasehold_credential password;', 'unknown credential'),
    ('leasehold_budget 5;', 'needs a unit'),
    ('leasehold_budget 0ms;', 'not a time between'),
    ('leasehold_budget 11s;', 'not a time between'),
    ('leasehold_budget soon;', 'not a time between'),
    ('leasehold_cold_budget 250;', 'needs a unit'),
    ('leasehold_cold_budget 1h;', 'not a time between'),
    ('leasehold_state some;', 'invalid value'),
    ('leasehold_require admin;', 'neither role= nor scope='),
    ('leasehold_require role=;', 'not a name'),
    ('leasehold_require "scope=a b";', 'not a name'),
    ('leasehold_audience "a\\"b";', 'not a name'),
    ('leasehold_origin https://app.example/path;', 'not an origin'),
    ('leasehold_origin app.example;', 'not an origin'),
    ('leasehold_origin https://app.example:0;', 'not an origin'),
    ('leasehold_origin https://app.example:99999;', 'not an origin'),
    ('leasehold_origin "null";', 'not an origin'),
    ('leasehold_origin *;', 'not an origin'),
    ('leasehold_preflight https://;', 'not an origin'),
    ('leasehold_signin //evil.example/;', 'neither a path nor an https URL'),
    ('leasehold_signin /\\evil.example/;', 'neither a path nor an https URL'),
    ('leasehold_signin http://plain.example/;', 'neither a path nor an https URL'),
    ('leasehold_signin "";', 'neither a path nor an https URL'),
    ('leasehold_optional_stale maybe;', 'invalid value'),
    ('leasehold_longlived often;', 'invalid value'),
    ('leasehold_cache_control public;', 'invalid value'),
    ('leasehold_scrub maybe;', 'invalid value'),
    ('leasehold on; leasehold_scrub off;', 'could name its own tenant'),
    ('leasehold optional; leasehold_scrub off;', 'could name its own tenant'),
    ('leasehold on; leasehold_tenant_from claim;', 'takes no bearer token'),
    ('leasehold optional; leasehold_tenant_from claim host; leasehold_credential cookie;', 'takes no bearer token'),
    ('leasehold_passes_authorization on;', 'unknown directive'),
])
def test_a_bad_value_is_an_error_with_its_place(configure, directive, text):
    gateway = configure(f'location / {{ {directive} return 204; }}')
    refused(gateway, text, 'nginx.conf:')


@pytest.mark.parametrize('sources, text', [
    ('claims', 'unknown source'),
    ('cookie', 'unknown source'),
    ('subdomain', 'a base domain must follow'),
    ('header subdomain', 'a base domain must follow'),
    ('subdomain a_b.example', 'not a domain name'),
    ('subdomain .example', 'not a domain name'),
    ('subdomain example.', 'not a domain name'),
    ('subdomain a..example', 'not a domain name'),
    ('subdomain -a.example', 'not a domain name'),
    ('subdomain a-.example', 'not a domain name'),
    ('subdomain a/b.example', 'not a domain name'),
])
def test_a_bad_source_of_the_tenant_is_an_error(configure, sources, text):
    refused(configure(f'location / {{ leasehold_tenant_from {sources}; }}'), text)


def test_all_directives_are_accepted_where_they_belong(configure):
    accepted, said = configure('''leasehold optional; leasehold_credential cookie; leasehold_state full;
        leasehold_require role=a role=b scope=c; leasehold_audience one two; leasehold_budget 5ms;
        leasehold_cold_budget 250ms; leasehold_signin /signin; leasehold_origin https://a.example http://b.example:8080;
        leasehold_preflight https://a.example; leasehold_optional_stale pass; leasehold_longlived keep;
        leasehold_cache_control keep; leasehold_scrub on;
        location / { leasehold on; leasehold_tenant_from subdomain A.example subdomain b.example host header;
            leasehold_require none; leasehold_preflight none; leasehold_signin none; leasehold_origin off; }
        location /raw { leasehold off; leasehold_scrub off; }
        location /nested { leasehold off; location /nested/on { leasehold on; leasehold_origin same; } }
        ''').check_conf()
    assert accepted, said


@pytest.mark.parametrize('directive', ['leasehold on;', 'leasehold_scrub on;', 'leasehold_budget 5ms;'])
def test_without_a_home_no_directive_means_anything(configure, directive):
    gateway = configure(f'location / {{ {directive} }}', is_home_set=False)
    refused(gateway, 'without "leasehold_home"', 'nginx.conf:')


def test_a_home_alone_decides_nothing_and_scrubs(start, echo, acme, globex):
    gateway = start('location / { proxy_pass $upstream; }')
    assert gateway.ask(headers=[('X-Tenant-UID', 'forged')]).status == 200
    assert echo.taken()[0].one('X-Tenant-UID') is None


def test_without_the_module_in_use_nothing_changes(start, echo, acme, globex):
    gateway = start('location / { proxy_pass $upstream; }', is_home_set=False)
    assert gateway.ask(headers=[('X-Tenant-UID', 'mine')]).status == 200
    assert echo.taken()[0].one('X-Tenant-UID') == 'mine'


def test_a_home_that_is_not_there_is_an_error(configure, own_home):
    shutil.rmtree(own_home.path)
    refused(configure('leasehold on;', on=own_home), 'cannot use home', own_home.path)


@pytest.mark.skipif(os.geteuid() != 0, reason='only root starts workers as somebody else')
def test_a_home_that_the_workers_cannot_reach_is_an_error(configure, own_home):
    """Root could read it; the workers' user cannot, and it is he who is asked about."""
    os.chmod(os.path.dirname(own_home.path), 0o700)
    refused(configure('leasehold on;', on=own_home), 'user www-data cannot use home')


@pytest.mark.skipif(os.geteuid() != 0, reason='only root starts workers as somebody else')
def test_a_home_of_another_user_is_an_error(configure, own_home):
    os.chown(os.path.join(own_home.path, 'keyring'), 1, 1)
    refused(configure('leasehold on;', on=own_home), 'user www-data cannot use home')


def test_checking_a_configuration_changes_nothing(configure, own_home):
    before = listing(own_home.path)
    accepted, said = configure('leasehold on;', on=own_home).check_conf()
    assert accepted, said
    assert listing(own_home.path) == before


def test_each_directive_is_inherited_by_itself(start, echo, acme, globex):
    """A location that sets one thing keeps the rest of its parents' policy."""
    gateway = start('''leasehold on; leasehold_origin off; leasehold_require role=admin; leasehold_signin /signin;
        location /state { leasehold_state none; proxy_pass $upstream; }
        location /require { leasehold_require none; proxy_pass $upstream; }
        location /audience { leasehold_audience other;
            location /audience/deep { leasehold_budget 1s; proxy_pass $upstream; } }
        location /off { leasehold off; proxy_pass $upstream; }''')
    navigation = [('Sec-Fetch-Mode', 'navigate'), ('Sec-Fetch-Dest', 'document')]
    for path in ('/state', '/audience/deep'):
        assert gateway.ask(path, tenant='globex', session=globex).status == 403
        assert gateway.ask(path, method='POST', tenant='acme', session=acme).status == 200
        assert gateway.ask(path, headers=navigation, tenant='acme').status == 302
    assert gateway.ask('/require', method='POST', tenant='globex', session=globex).status == 200
    assert gateway.ask('/off').status == 200
    assert echo.taken('/state')[0].one('X-Tenant-Context') is None
    assert echo.taken('/audience')[0].one('X-Tenant-Context')
    assert [seen.one('X-Tenant-ID') for seen in echo.taken('/require')] == ['globex']


def test_if_and_limit_except_keep_the_policy_of_their_location(start, echo, acme, globex):
    gateway = start('''leasehold on; leasehold_origin off;
        location /if { if ($args) { proxy_pass $upstream; } proxy_pass $upstream; }
        location /limit { limit_except GET { allow all; } proxy_pass $upstream; }''')
    for path, method in (('/if', 'GET'), ('/if?x', 'GET'), ('/limit', 'GET'), ('/limit', 'DELETE')):
        assert gateway.ask(path, method=method, tenant='acme', session=globex).status == 401
        assert gateway.ask(path, method=method, tenant='acme', session=acme).status == 200
    assert len(echo.taken()) == 4


def test_a_second_server_inherits_from_http_alone(start, echo, acme, globex):
    gateway = start('leasehold off; location / { proxy_pass $upstream; }', http='''leasehold on;
        server { listen 127.0.0.1:$second_port; leasehold_tenant_from header;
                 location / { proxy_pass $upstream; } }''')
    assert gateway.ask().status == 200
    with gateway.connect(gateway.second_port) as connection:
        connection.send(b'GET / HTTP/1.1\r\nHost: x\r\nX-Tenant-ID: acme\r\n\r\n')
        assert connection.read().status == 401
    assert len(echo.taken()) == 1


def test_one_process_alone_decides_too(echo):
    """master_process off, for who looks for mistakes: whoever starts nginx owns the home then. It cannot
    be reloaded, but nginx by itself cannot either."""
    folder, user = make_folder(), pwd.getpwuid(os.geteuid()).pw_name
    home = Home(os.path.join(folder, 'home'), user)
    home.init()
    for tenant in ('acme', 'globex'):
        home.run('tenant', 'add', tenant)
    acme, globex = home.session('acme'), home.session('globex')
    gateway = Gateway(home, echo, 'leasehold on; location / { proxy_pass $upstream; }', main='master_process off;', user=user)
    gateway.workers = 0
    gateway.start()
    assert gateway.ask(tenant='acme', session=globex).status == 401
    assert gateway.ask(tenant='acme', session=acme).status == 200
    assert gateway.ask(tenant='globex', session=globex).status == 200
    home.revoke(acme)
    assert gateway.ask(tenant='acme', session=acme).status == 401
    gateway.finish()
    shutil.rmtree(folder)
    assert len(echo.taken()) == 2
