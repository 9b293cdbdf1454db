"""Who passes, who does not, and what the upstream learns."""
import re

from harness import http1
from harness.gateway import text_of, wait_until

UNAUTHENTICATED = {'type': 'urn:leasehold:problem:unauthenticated',
                   'title': 'A valid session is required', 'status': 401}


def test_a_live_session_passes_with_its_identity(gateway, echo, acme, globex):
    answer = gateway.ask('/a?b=c', tenant='acme', session=acme)
    assert answer.status == 200
    assert answer.one('Cache-Control') == 'private, no-store'
    seen, = echo.taken()
    assert seen.path == '/a?b=c'
    assert seen.one('X-Tenant-ID') == 'acme'
    assert seen.one('X-Session-Subject') == 'alice@acme.example'
    assert seen.one('X-Session-Scope') == 'reports:read'
    assert seen.one('X-Session-Mode') == 'normal'
    assert seen.one('X-Session-Ref') == acme.reference
    assert re.fullmatch('[0-9a-f]{32}', seen.one('X-Tenant-UID'))
    assert seen.one('X-Tenant-Context').count('.') == 2
    assert seen.one('Cookie') is None
    assert gateway.reasons() == ['ok']


def test_each_tenant_has_an_identity_of_its_own(gateway, echo, acme, globex):
    assert gateway.ask_host('acme', session=acme).status == 200
    assert gateway.ask_host('globex', session=globex).status == 200
    of_acme, of_globex = echo.taken()
    assert of_acme.one('X-Tenant-ID') == 'acme' and of_globex.one('X-Tenant-ID') == 'globex'
    assert of_acme.one('X-Tenant-UID') != of_globex.one('X-Tenant-UID')
    assert of_globex.one('X-Session-Subject') == 'bob@globex.example'


def test_on_a_host_that_names_the_tenant_the_plain_cookie_is_enough(gateway, echo, acme, globex):
    host = 'acme.localtest.example'
    assert gateway.ask(host=host, headers=[('Cookie', acme.plain)]).status == 200
    assert gateway.ask(host=host, headers=[('Cookie', globex.plain)]).status == 401
    assert gateway.ask(tenant='acme', headers=[('Cookie', acme.plain)]).status == 401
    assert len(echo.taken()) == 1


def test_without_a_credential_there_is_one_answer(gateway, echo, acme, globex):
    answer = gateway.ask(tenant='acme')
    assert answer.status == 401
    assert answer.json() == UNAUTHENTICATED
    assert answer.one('Content-Type') == 'application/problem+json'
    assert answer.one('WWW-Authenticate')
    assert answer.one('Cache-Control') == 'private, no-store'
    assert not echo.taken()


def test_all_causes_of_a_401_look_the_same(gateway, echo, home, acme, globex):
    revoked = home.session('acme')
    home.revoke(revoked)
    forged = acme.cookie[:-10] + ('A' if acme.cookie[-10] != 'A' else 'B') + acme.cookie[-9:]
    causes = {
        'no_credential': dict(tenant='acme'),
        'bad_mac': dict(tenant='acme', headers=[('Cookie', forged)]),
        'tenant_unknown': dict(tenant='nobody', session=acme),
        'session_revoked': dict(tenant='acme', session=revoked),
    }
    answers = {reason: gateway.ask(**cause) for reason, cause in causes.items()}
    ignored = {'date'}
    shown = {(answer.status, answer.body,
              tuple((name, value) for name, value in answer.headers if name.lower() not in ignored))
             for answer in answers.values()}
    assert len(shown) == 1, answers
    assert set(gateway.reasons(len(causes))) == set(causes)
    assert not echo.taken()


def test_a_session_of_another_tenant_is_nobody(gateway, echo, home, acme, globex):
    before = home.show(globex)
    assert gateway.ask(tenant='acme', session=globex).status == 401
    assert gateway.ask_host('acme', session=globex).status == 401
    assert gateway.ask_host('acme', headers=[('Cookie', globex.plain)]).status == 401
    assert not echo.taken()
    assert home.show(globex) == before


def test_sources_that_disagree_are_refused(gateway, echo, acme, globex):
    answer = gateway.ask_host('acme', headers=[('X-Tenant-ID', 'globex'), ('Cookie', acme.cookie)])
    assert answer.status == 400
    assert answer.one('Content-Type') == 'application/problem+json'
    assert gateway.reasons() == ['tenant_conflict']
    assert not echo.taken()


def test_no_tenant_is_400(gateway, echo, acme, globex):
    assert gateway.ask(session=acme).status == 400
    assert gateway.reasons() == ['tenant_missing']
    assert not echo.taken()


def test_a_host_that_is_a_tenants_domain_names_it(start, echo, acme, globex):
    gateway = start('leasehold on; location / { leasehold_tenant_from host; proxy_pass $upstream; }')
    assert gateway.ask(host='acme.example', session=acme).status == 200
    assert gateway.ask(host='acme.example', session=globex).status == 401
    assert gateway.ask(host='unknown.example', session=acme).status in (400, 401)
    assert [seen.one('X-Tenant-ID') for seen in echo.taken()] == ['acme']


def test_optional_lets_visitors_in_as_anonymous(start, echo, acme, globex):
    gateway = start('leasehold optional; location / { proxy_pass $upstream; }')
    assert gateway.ask_host('acme').status == 200
    assert gateway.ask_host('acme', session=acme).status == 200
    assert gateway.ask_host('acme', headers=[('Cookie', acme.name + '=garbage')]).status == 401
    visitor, member = echo.taken()
    assert visitor.one('X-Session-Mode') == 'anonymous'
    assert visitor.one('X-Tenant-ID') == 'acme'
    assert visitor.one('X-Session-Subject') is None and visitor.one('X-Tenant-Context') is None
    assert member.one('X-Session-Mode') == 'normal'
    assert gateway.reasons(3) == ['anonymous', 'ok', 'cookie_malformed']


def test_a_stale_cookie_is_deleted_where_that_is_wished(start, echo, home, acme, globex):
    gateway = start('leasehold optional; leasehold_optional_stale pass; location / { proxy_pass $upstream; }')
    gateway.may_set_cookies = True
    revoked = home.session('acme')
    home.revoke(revoked)
    answer = gateway.ask_host('acme', session=revoked)
    assert answer.status == 200
    assert re.fullmatch(re.escape(revoked.name) + '=; .*Max-Age=0.*', answer.one('Set-Cookie'))
    assert 'Secure' in answer.one('Set-Cookie') and 'Path=/' in answer.one('Set-Cookie')
    assert gateway.ask_host('acme', session=acme).all('Set-Cookie') == []
    assert echo.taken()[0].one('X-Session-Mode') == 'anonymous'
    assert echo.taken()[0].one('Cookie') is None


def test_require_asks_for_role_and_scope(start, echo, acme, globex):
    gateway = start('''leasehold on;
        location /admin { leasehold_require role=admin; proxy_pass $upstream; }
        location /write { leasehold_require scope=reports:write; proxy_pass $upstream; }
        location /read { leasehold_require role=admin scope=reports:read; proxy_pass $upstream; }''')
    assert gateway.ask('/admin', tenant='acme', session=acme).status == 200
    assert gateway.ask('/admin', tenant='globex', session=globex).status == 403
    assert gateway.ask('/write', tenant='acme', session=acme).status == 403
    assert gateway.ask('/read', tenant='acme', session=acme).status == 200
    assert [seen.path for seen in echo.taken()] == ['/admin', '/read']
    assert sorted(gateway.reasons(4)) == ['ok', 'ok', 'role', 'scope']


def test_other_cookies_stay_as_they_are(gateway, echo, acme, globex):
    mine = f'a=1; {acme.cookie}; b="x y"; {globex.cookie}; c'
    assert gateway.ask(tenant='acme', headers=[('Cookie', mine)]).status == 200
    assert echo.taken()[0].one('Cookie') == 'a=1; b="x y"; c'


def test_a_browser_navigation_is_sent_to_sign_in(start, echo, acme, globex):
    gateway = start('leasehold on; leasehold_signin /signin; location / { proxy_pass $upstream; }')
    navigation = [('Sec-Fetch-Mode', 'navigate'), ('Sec-Fetch-Dest', 'document'), ('Accept', 'text/html')]
    answer = gateway.ask_host('acme', '/page?x=1', headers=navigation)
    assert answer.status == 302
    assert answer.one('Location').startswith('/signin?') and 'page' in answer.one('Location')
    assert answer.body == b'' and answer.one('Cache-Control') == 'private, no-store'
    assert gateway.ask_host('acme', '/page').status == 401
    assert not echo.taken()


def test_origin_rule_holds_for_unsafe_methods(gateway, echo, acme, globex):
    same = [('Sec-Fetch-Site', 'same-origin')]
    other = [('Sec-Fetch-Site', 'cross-site')]
    post = dict(method='POST', tenant='acme', session=acme, body=b'x')
    assert gateway.ask(headers=same, **post).status == 200
    assert gateway.ask(headers=other, **post).status == 403
    assert gateway.ask(**post).status == 403
    assert gateway.ask(headers=other, tenant='acme', session=acme).status == 200
    assert gateway.reasons(4) == ['ok', 'origin', 'origin', 'ok']
    assert len(echo.taken()) == 2


def test_a_preflight_is_answered_here(start, echo, acme, globex):
    gateway = start('''leasehold on; leasehold_origin https://app.example;
        leasehold_preflight https://app.example; location / { proxy_pass $upstream; }''')
    preflight = [('Origin', 'https://app.example'), ('Access-Control-Request-Method', 'PUT')]
    answer = gateway.ask(method='OPTIONS', headers=preflight, tenant='acme')
    assert answer.status == 204 and answer.body == b''
    assert answer.one('Access-Control-Allow-Origin') == 'https://app.example'
    strange = [('Origin', 'https://evil.example'), ('Access-Control-Request-Method', 'PUT')]
    refused = gateway.ask(method='OPTIONS', headers=strange, tenant='acme')
    assert refused.status in (401, 403) and refused.one('Access-Control-Allow-Origin') is None
    assert not echo.taken()


def test_variables_tell_what_was_decided(gateway, acme, globex):
    gateway.ask(tenant='acme', session=acme)
    gateway.ask(tenant='globex', session=acme)
    passed, refused = gateway.decisions(2)
    assert passed['decision'] == 'pass' and passed['reason'] == 'ok'
    assert passed['tenant'] == 'acme' and passed['sub'] == 'alice@acme.example'
    assert passed['session_ref'] == acme.reference and passed['scope'] == 'reports:read'
    assert passed['mode'] == 'normal' and passed['cache_key'].startswith(passed['uid'])
    assert passed['time_us'].isdigit()
    assert refused['decision'] == 'refuse' and refused['reason'] == 'no_credential'
    assert refused['sub'] == '' and refused['session_ref'] == ''


def test_revoked_is_refused_from_the_next_request_on(start, echo, home, acme, globex):
    gateway = start('leasehold on; location / { proxy_pass $upstream; }', workers=4)
    connections = [gateway.connect() for _ in range(16)]
    asking = http1.request(headers=[('X-Tenant-ID', 'acme'), ('Cookie', acme.cookie)])
    for connection in connections:
        connection.send(asking)
        assert connection.read().status == 200
    home.revoke(acme)
    for connection in connections:
        connection.send(asking)
        assert connection.read().status == 401
    assert gateway.ask(tenant='globex', session=globex).status == 200


def logged_ids(gateway):
    return re.findall(r'reason=\S+ .*request=(\S*)', gateway.log_text())


def test_the_line_of_a_refusal_names_the_request(start, echo, acme, globex):
    """By an id of the gate's own, or by the id that the access log has."""
    gateway = start('leasehold on; location / { proxy_pass $upstream; }')
    for _ in range(2):
        assert gateway.ask(tenant='acme', session=globex).status == 401
    ids = logged_ids(gateway)
    assert len(set(ids)) == 2 and all(re.fullmatch('[0-9a-f]{32}', one) for one in ids)
    assert gateway.ask(tenant='acme', session=acme).status == 200
    named = start('leasehold on; access_log $folder/ids.log ids; location / { proxy_pass $upstream; }',
                  http="log_format ids '$request_id';")
    assert named.ask(tenant='globex', session=acme).status == 401
    id_log = f'{named.folder}/ids.log'
    wait_until(lambda: text_of(id_log).endswith('\n'), 'logged')
    assert logged_ids(named) == [text_of(id_log).strip()]
