"""Ways by which nginx reaches a location without asking: none of them walks around the gate, and each
location's own policy counts."""
import os

from harness.echo import answer

SECRET = 'the protected page'


def public_file(gateway, name, text):
    """A file that nginx can serve."""
    path = os.path.join(gateway.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, 0o644)


def test_return_in_a_location_is_decided(start, echo, acme, globex):
    gateway = start(f'leasehold on; location / {{ return 200 "{SECRET}"; }}')
    assert gateway.ask(tenant='acme').status == 401
    assert gateway.ask(tenant='acme', session=globex).status == 401
    assert gateway.ask(tenant='acme', session=acme).body.decode() == SECRET


def test_if_and_rewrite_in_a_location_are_decided(start, echo, acme, globex):
    gateway = start(f'''leasehold on;
        location /if {{ if ($request_method = GET) {{ return 200 "{SECRET}"; }} }}
        location /old {{ rewrite ^/old(.*)$ /new$1 last; }}
        location /new {{ leasehold off; return 200 "{SECRET}"; }}''')
    for path in ('/if', '/old/x'):
        assert gateway.ask(path, tenant='acme', session=globex).status == 401
        assert gateway.ask(path, tenant='acme', session=acme).body.decode() == SECRET
    assert gateway.ask('/new/x').body.decode() == SECRET


def test_rewrite_into_a_stricter_location_asks_again(start, echo, acme, globex):
    gateway = start('''leasehold on;
        location /open { leasehold off; rewrite ^/open(.*)$ /admin$1 last; }
        location /admin { leasehold_require role=admin; proxy_pass $upstream; }''')
    assert gateway.ask('/open/x', tenant='globex', session=globex).status == 403
    assert gateway.ask('/open/x', tenant='acme').status == 401
    assert gateway.ask('/open/x', tenant='acme', session=acme).status == 200
    seen, = echo.taken()
    assert seen.one('X-Tenant-ID') == 'acme' and seen.path == '/admin/x'


def test_set_in_a_location_does_not_change_the_decision(start, echo, acme, globex):
    gateway = start('''leasehold on; location / { set $leasehold_uid_copy $leasehold_uid;
        set $http_x_tenant_id_copy $http_x_tenant_id; proxy_set_header X-Copy $leasehold_uid_copy;
        proxy_pass $upstream; }''')
    assert gateway.ask(tenant='acme', session=acme).status == 200
    seen, = echo.taken()
    assert seen.one('X-Copy') == seen.one('X-Tenant-UID')


def test_satisfy_any_does_not_let_anyone_in(start, echo, acme, globex):
    gateway = start('''leasehold on; location / { satisfy any; allow 127.0.0.1; deny all;
        proxy_pass $upstream; }''')
    assert gateway.ask(tenant='acme', session=globex).status == 401
    assert gateway.ask(tenant='acme').status == 401
    assert not echo.taken()
    assert gateway.ask(tenant='acme', session=acme).status == 200


def test_server_side_includes_do_not_reach_around(start, echo, acme, globex):
    gateway = start('''root $folder/www;
        location = /page.html { leasehold off; ssi on; }
        location /inner { leasehold on; proxy_pass $upstream; }''')
    public_file(gateway, 'www/page.html', '<<!--# include virtual="/inner/x" -->>')
    bare = gateway.ask('/page.html', tenant='acme', session=globex)
    assert bare.status == 200 and b'401' in bare.body and b'acme' not in bare.body
    assert not echo.taken()
    passed = gateway.ask('/page.html', tenant='acme', session=acme)
    assert b'"X-Tenant-ID": "acme"' in passed.body
    assert echo.taken()[0].one('X-Session-Subject') == 'alice@acme.example'


def test_a_subrequest_to_an_off_location_carries_no_identity(start, echo, acme, globex):
    gateway = start('''root $folder/www;
        location = /page.html { leasehold on; ssi on; }
        location /inner { leasehold off; proxy_pass $upstream; }''')
    public_file(gateway, 'www/page.html', '<!--# include virtual="/inner/x" -->')
    headers = [('X-Session-Subject', 'forged'), ('X-Tenant-ID', 'acme'), ('Cookie', acme.cookie)]
    assert gateway.ask('/page.html', headers=headers).status == 200
    seen, = echo.taken()
    folded = seen.folded()
    assert 'x-tenant-id' not in folded and 'x-session-subject' not in folded and 'cookie' not in folded


def test_two_subrequests_under_different_policies(start, echo, acme, globex):
    gateway = start('''leasehold on; root $folder/www;
        location = /page.html { ssi on; }
        location /a { leasehold_require role=admin; proxy_pass $upstream; }
        location /b { leasehold_state none; proxy_pass $upstream; }
        location /c { leasehold off; proxy_pass $upstream; }''')
    public_file(gateway, 'www/page.html', ''.join(
        f'<!--# include virtual="/{name}/{i}" -->' for i in range(5) for name in 'abc'))
    assert gateway.ask('/page.html', tenant='acme', session=acme).status == 200
    assert len(echo.taken()) == 15
    for seen in echo.taken('/a'):
        assert seen.one('X-Session-Subject') == 'alice@acme.example'
    for seen in echo.taken('/b'):
        assert seen.one('X-Tenant-ID') == 'acme' and seen.one('X-Session-Subject') is None
    for seen in echo.taken('/c'):
        assert seen.one('X-Tenant-ID') is None
    echo.forget()
    refused = gateway.ask('/page.html', tenant='globex', session=globex)
    assert refused.status == 200 and not echo.taken('/a') and len(echo.taken('/b')) == 5


def test_error_page_neither_skips_nor_keeps_the_decision(start, echo, acme, globex):
    gateway = start('''leasehold on; error_page 401 = @public; error_page 403 /denied.html;
        location / { proxy_pass $upstream; }
        location /admin { leasehold_require role=admin; proxy_pass $upstream; }
        location @public { leasehold off; proxy_pass $upstream; }
        location = /denied.html { leasehold off; return 200 "denied"; }''')
    answer_to_nobody = gateway.ask('/x', tenant='acme', session=globex,
                                   headers=[('X-Session-Subject', 'forged')])
    assert answer_to_nobody.status == 200 and answer_to_nobody.one('Cache-Control') == 'private, no-store'
    seen, = echo.taken()
    assert 'x-session-subject' not in seen.folded() and 'x-tenant-id' not in seen.folded()
    assert 'cookie' not in seen.folded()
    denied = gateway.ask('/admin', tenant='globex', session=globex)
    assert denied.status == 403 and denied.body == b'denied'
    assert len(echo.taken()) == 1
    assert gateway.reasons(2) == ['no_credential', 'role']


def test_error_page_into_a_protected_location_is_refused_again(start, echo, acme, globex):
    gateway = start('''leasehold on; error_page 401 /login;
        location / { proxy_pass $upstream; }''')
    answer = gateway.ask('/x', tenant='acme')
    assert answer.status == 401 and answer.json()['status'] == 401
    assert answer.one('WWW-Authenticate')
    assert not echo.taken()


def test_error_page_keeps_the_challenge(start, echo, acme, globex):
    gateway = start('''leasehold on; error_page 401 /login;
        location / { proxy_pass $upstream; }
        location = /login { leasehold off; return 200 "please sign in"; }''')
    answer = gateway.ask('/x', tenant='acme')
    assert answer.status == 401 and answer.one('WWW-Authenticate')


def test_error_page_of_an_upstream_keeps_the_identity(start, echo, acme, globex):
    echo.routes['/fails'] = lambda seen: answer(502)
    gateway = start('''leasehold on; proxy_intercept_errors on; error_page 502 = @other;
        location / { proxy_pass $upstream; }
        location @other { rewrite ^ /other break; proxy_pass $upstream; }''')
    assert gateway.ask('/fails', tenant='acme', session=acme).status == 200
    first, second = echo.taken()
    for seen in (first, second):
        assert seen.one('X-Tenant-ID') == 'acme' and seen.one('X-Session-Ref') == acme.reference
    assert first.one('X-Tenant-Context') == second.one('X-Tenant-Context')
    assert gateway.decisions()[0]['tenant'] == 'acme'


def test_a_request_that_cannot_be_parsed_is_scrubbed_for_its_error_page(start, echo, acme, globex):
    gateway = start('''error_page 400 @broken; large_client_header_buffers 2 1k;
        location / { leasehold on; proxy_pass $upstream; }
        location @broken { proxy_pass $upstream; }''')
    gateway.ask('/x', headers=[('X-Session-Subject', 'forged'), ('X-Tenant-ID', 'acme'),
                               ('X-Long', 'x' * 4000)])
    for seen in echo.taken():
        assert 'x-session-subject' not in seen.folded() and 'x-tenant-id' not in seen.folded()


def test_accel_redirect_asks_the_new_location(start, echo, acme, globex):
    echo.routes['/to-admin'] = lambda seen: answer(headers=[('X-Accel-Redirect', '/admin/x')])
    echo.routes['/to-file'] = lambda seen: answer(headers=[('X-Accel-Redirect', '/files/secret.txt')])
    gateway = start('''leasehold on; root $folder/www;
        location / { proxy_pass $upstream; }
        location /public/ { leasehold off; proxy_pass $upstream/; }
        location /admin { internal; leasehold_require role=admin; proxy_pass $upstream; }
        location /files { internal; }''')
    public_file(gateway, 'www/files/secret.txt', SECRET)
    assert gateway.ask('/to-admin', tenant='globex', session=globex).status == 403
    assert gateway.ask('/to-admin', tenant='acme', session=acme).status == 200
    assert gateway.ask('/public/to-file', tenant='acme').status == 401
    assert gateway.ask('/public/to-file', tenant='globex', session=acme).status == 401
    passed = gateway.ask('/to-file', tenant='globex', session=globex)
    assert passed.body.decode() == SECRET and passed.one('Cache-Control') == 'private, no-store'
    admin, = echo.taken('/admin')
    assert admin.one('X-Session-Subject') == 'alice@acme.example'


def test_accel_redirect_to_an_off_location_stays_private(start, echo, acme, globex):
    echo.routes['/to-off'] = lambda seen: answer(headers=[('X-Accel-Redirect', '/plain/x')])
    gateway = start('''leasehold on; location / { proxy_pass $upstream; }
        location /plain { internal; leasehold off; proxy_pass $upstream;
                          proxy_set_header X-Log $leasehold_sub; }''')
    passed = gateway.ask('/to-off', tenant='acme', session=acme)
    assert passed.status == 200 and passed.one('Cache-Control') == 'private, no-store'
    seen, = echo.taken('/plain')
    assert seen.one('X-Tenant-ID') is None and seen.one('X-Log') == 'alice@acme.example'
    assert gateway.decisions()[0]['tenant'] == 'acme'


def test_named_location_and_try_files(start, echo, acme, globex):
    gateway = start('''leasehold on; root $folder/www;
        location / { leasehold off; try_files $uri @app; }
        location @app { proxy_pass $upstream; }
        location /kept { try_files $uri @kept; }
        location @kept { proxy_pass $upstream; }''')
    public_file(gateway, 'www/there.txt', 'there')
    assert gateway.ask('/there.txt').body == b'there'
    assert gateway.ask('/missing', tenant='acme', session=globex).status == 401
    assert gateway.ask('/kept/x', tenant='acme', session=globex).status == 401
    assert not echo.taken()
    assert gateway.ask('/missing', tenant='acme', session=acme).status == 200
    assert gateway.ask('/kept/x', tenant='acme', session=acme).status == 200
    assert all(seen.one('X-Session-Ref') == acme.reference for seen in echo.taken())


def test_index_is_an_internal_redirect_too(start, echo, acme, globex):
    gateway = start('''root $folder/www; index index.html;
        location / { leasehold off; }
        location = /index.html { leasehold on; }''')
    public_file(gateway, 'www/index.html', SECRET)
    assert gateway.ask('/', tenant='acme', session=globex).status == 401
    assert gateway.ask('/', tenant='acme', session=acme).body.decode() == SECRET


def test_a_mirror_gets_what_its_location_says(start, echo, acme, globex):
    gateway = start('''leasehold on;
        location / { mirror /mirror-off; mirror /mirror-on; proxy_pass $upstream; }
        location /mirror-off { internal; leasehold off; proxy_pass $upstream/mirror-off; }
        location /mirror-on { internal; proxy_pass $upstream/mirror-on; }''')
    forged = [('X-Groups', 'forged')]
    assert gateway.ask('/x', tenant='acme', session=acme, headers=forged).status == 200
    assert gateway.ask('/x', tenant='acme', session=globex, headers=forged).status == 401
    from harness.gateway import wait_until
    wait_until(lambda: len(echo.taken()) == 3, 'mirrored')
    main, = echo.taken('/x')
    off, = echo.taken('/mirror-off')
    on, = echo.taken('/mirror-on')
    assert main.one('X-Tenant-ID') == 'acme' and on.one('X-Tenant-ID') == 'acme'
    assert not set(off.folded()) & {'x-tenant-id', 'x-tenant-context', 'x-session-ref', 'x-groups', 'cookie'}
    assert on.one('Cookie') is None and 'x-groups' not in on.folded()


def test_auth_request_does_not_take_the_identity_away(start, echo, acme, globex):
    gateway = start('''leasehold on;
        location / { auth_request /ask; proxy_pass $upstream; }
        location /ask { internal; leasehold off; proxy_pass $upstream/asked; proxy_pass_request_body off;
                        proxy_set_header Content-Length ""; }''')
    assert gateway.ask('/x', tenant='acme', session=acme).status == 200
    assert gateway.ask('/x', tenant='globex', session=acme).status == 401
    main, = echo.taken('/x')
    asked, = echo.taken('/asked')
    assert main.one('X-Tenant-ID') == 'acme' and asked.one('X-Tenant-ID') is None


def test_auth_request_to_a_protected_location(start, echo, acme, globex):
    gateway = start('''location / { leasehold off; auth_request /ask; proxy_pass $upstream; }
        location = /ask { internal; leasehold on; return 204; }''')
    assert gateway.ask('/x', tenant='acme', session=acme).status == 200
    refused = gateway.ask('/x', tenant='acme', session=globex)
    assert refused.status == 401 and refused.one('WWW-Authenticate')
    assert len(echo.taken()) == 1
    assert 'x-tenant-id' not in echo.taken()[0].folded()


def test_satisfy_any_and_an_auth_request_that_says_yes_let_nobody_in(start, echo, acme, globex):
    gateway = start('''leasehold on;
        location / { satisfy any; deny all; auth_request /yes; proxy_pass $upstream; }
        location = /yes { internal; leasehold off; return 204; }
        location /no { satisfy all; auth_request /never; proxy_pass $upstream; }
        location = /never { internal; leasehold off; return 403; }''')
    for path in ('/x', '/no'):
        assert gateway.ask(path, tenant='acme').status == 401
        assert gateway.ask(path, tenant='acme', session=globex).status == 401
    assert gateway.ask('/no', tenant='acme', session=acme).status == 403
    assert not echo.taken()
    assert gateway.ask('/x', tenant='acme', session=acme).status == 200


def test_limits_know_the_tenant(start, echo, acme, globex):
    """limit_req runs in the same phase, after the gate: an empty key would limit nobody."""
    gateway = start('''leasehold on; location / { limit_req zone=per_tenant; proxy_pass $upstream; }''',
                    http='limit_req_zone $leasehold_uid zone=per_tenant:1m rate=1r/m;', workers=1)
    assert gateway.ask(tenant='acme', session=acme).status == 200
    assert gateway.ask(tenant='acme', session=acme).status == 503
    assert gateway.ask(tenant='globex', session=globex).status == 200


def test_conditional_and_range_requests_are_decided_first(start, echo, acme, globex):
    gateway = start('leasehold on; root $folder/www; location / { }')
    public_file(gateway, 'www/file.txt', SECRET)
    whole = gateway.ask('/file.txt', tenant='acme', session=acme)
    etag, modified = whole.one('ETag'), whole.one('Last-Modified')
    for extra in ([('If-None-Match', etag)], [('Range', 'bytes=0-3')], [('If-Modified-Since', modified)]):
        assert gateway.ask('/file.txt', tenant='acme', session=globex, headers=extra).status == 401
        passed = gateway.ask('/file.txt', tenant='acme', session=acme, headers=extra)
        assert passed.status in (206, 304) and passed.one('Cache-Control') == 'private, no-store'
    assert gateway.ask('/file.txt', method='HEAD', tenant='acme', session=globex).status == 401


def test_each_server_has_its_own_policy(start, echo, acme, globex):
    gateway = start('leasehold on; location / { proxy_pass $upstream; }',
                    http='''server { listen 127.0.0.1:$second_port; leasehold_tenant_from header;
                                     leasehold optional; location / { proxy_pass $upstream; } }''')
    assert gateway.ask(tenant='acme').status == 401
    with gateway.connect(gateway.second_port) as connection:
        from harness import http1
        connection.send(http1.request(headers=[('X-Tenant-ID', 'acme')]))
        assert connection.read().status == 200
    assert echo.taken()[0].one('X-Session-Mode') == 'anonymous'
