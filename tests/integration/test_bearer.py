"""Bearer tokens through nginx: who passes, what the upstream learns, and what does not reach it."""
BEARER = 'leasehold_tenant_from claim header; leasehold_audience orders;'
ALONE = 'leasehold_credential bearer; leasehold_mode stateless;'
STATELESS = f'''
    leasehold on;
    location / {{ {BEARER} {ALONE} proxy_pass $upstream; }}
    location /standard {{ leasehold_tenant_from claim; {ALONE} proxy_pass $upstream; }}
    location /kept {{ {BEARER} {ALONE} leasehold_pass_authorization on; proxy_pass $upstream; }}
    location /off {{ leasehold off; proxy_pass $upstream; }}
    location /live {{ {BEARER} leasehold_credential bearer; proxy_pass $upstream; }}
    location /both {{ {BEARER} leasehold_credential cookie bearer; proxy_pass $upstream; }}
'''


def bearer(token):
    return [('Authorization', f'Bearer {token}')]


def test_a_token_names_its_tenant_and_is_not_passed_on(start, echo, own_home):
    gateway = start(STATELESS, on=own_home)
    for tenant in ('acme', 'globex'):
        token = own_home.token(tenant, sub='alice', aud='orders')
        for path in (f'/{tenant}/1', f'/{tenant}/2'):
            assert gateway.ask(path, headers=bearer(token)).status == 200
        assert len(echo.taken(f'/{tenant}/')) == 2
        for seen in echo.taken(f'/{tenant}/'):
            assert seen.one('X-Tenant-ID') == tenant and seen.one('X-Session-Subject') == 'alice'
            assert seen.one('X-Session-Ref') is None and seen.one('Authorization') is None
        assert gateway.ask(f'/kept/{tenant}', headers=bearer(token)).status == 200
        assert gateway.ask(f'/off/{tenant}', headers=bearer(token)).status == 200
        assert [echo.taken(f'{path}/{tenant}')[0].one('Authorization') for path in ('/kept', '/off')] == [f'Bearer {token}'] * 2
    assert token not in gateway.log_text()


def test_a_token_proves_nothing_for_another_tenant_or_place(start, echo, own_home):
    gateway = start(STATELESS, on=own_home)
    acme = own_home.token('acme', sub='alice', aud='orders')
    other = own_home.token('acme', sub='alice', aud='billing')
    forged = acme[:-4] + ('AAAA' if acme[-4:] != 'AAAA' else 'BBBB')
    service = own_home.token('acme', '--service', sub='job', aud='orders')
    assert gateway.ask('/', tenant='globex', headers=bearer(acme)).status == 401
    assert gateway.ask('/', tenant='acme', headers=bearer(acme)).status == 200
    refused = [gateway.ask('/', headers=bearer(token)) for token in (other, forged, 'x', 'a.b.c')]
    assert {answer.status for answer in refused} == {401}
    assert {answer.one('WWW-Authenticate') for answer in refused} == {'Bearer realm="leasehold"'}
    assert len({answer.body for answer in refused}) == 1
    assert gateway.ask('/').status == 401
    assert gateway.ask(f'/?access_token={acme}').status == 401
    assert gateway.ask('/', headers=bearer(acme) + bearer(acme)).status == 400
    assert gateway.ask('/', headers=bearer(f'{acme}, Bearer {acme}')).status == 400
    assert gateway.ask('/', headers=bearer(service)).status == 403
    assert len(echo.taken()) == 1


def test_a_token_is_for_any_place_unless_one_is_named(start, own_home):
    gateway = start(STATELESS, on=own_home)
    assert gateway.ask('/standard', headers=bearer(own_home.token('acme', sub='alice'))).status == 200
    assert gateway.ask('/standard', headers=bearer(own_home.token('acme', sub='alice', aud='orders'))).status == 401


def test_a_stateful_token_ends_with_its_session(start, echo, own_home):
    gateway = start(STATELESS, on=own_home)
    session = own_home.session('acme', sub='alice')
    other = own_home.session('acme', sub='alice')
    token = own_home.token('acme', '--sid', session.reference, sub='alice', aud='orders')
    bystander = own_home.token('globex', sub='alice', aud='orders')
    assert gateway.ask('/live', headers=bearer(token)).status == 200
    assert gateway.ask('/live', headers=bearer(bystander)).status == 401
    assert gateway.ask('/both', tenant='acme', session=session, headers=bearer(token)).status == 200
    assert gateway.ask('/both', tenant='acme', session=other, headers=bearer(token)).status == 401
    assert echo.taken()[0].one('X-Session-Ref') == session.reference
    assert gateway.ask('/', headers=bearer(bystander)).status == 200
    own_home.revoke(session)
    assert gateway.ask('/live', headers=bearer(token)).status == 401
    own_home.run('session', 'revoke', 'acme', '--sub', 'alice', '--yes')
    assert gateway.ask('/', headers=bearer(token)).status == 401
    assert gateway.ask('/', headers=bearer(bystander)).status == 200


def test_the_last_token_of_a_session_is_its_only_one(start, echo, own_home):
    gateway = start(STATELESS, on=own_home)
    session, other = (own_home.session('acme', sub='alice') for _ in range(2))
    globex = own_home.session('globex', sub='alice')
    tokens = [own_home.token(of.tenant, '--sid', of.reference, sub='alice', aud='orders') for of in (session, other, globex)]
    first = tokens[0]
    for _ in range(3):
        assert [gateway.ask('/live', headers=bearer(token)).status for token in tokens] == [200] * 3
    second = own_home.token('acme', '--sid', session.reference, sub='alice', aud='orders')
    for _ in range(3):
        refused = gateway.ask('/live', headers=bearer(first))
        assert refused.status == 401 and refused.one('WWW-Authenticate') == 'Bearer realm="leasehold"'
        assert refused.body == gateway.ask('/live', headers=bearer('x')).body
        assert gateway.ask('/both', tenant='acme', session=session, headers=bearer(first)).status == 401
        assert gateway.ask('/both', tenant='acme', session=session, headers=bearer(second)).status == 200
        assert [gateway.ask('/live', headers=bearer(token)).status for token in (second, *tokens[1:])] == [200] * 3
    assert gateway.ask('/', headers=bearer(first)).status == 200
    assert gateway.ask('/both', tenant='acme', session=session).status == 200
    assert 'token_replaced' in gateway.log_text()
    own_home.run('session', 'rotate', 'acme', session.reference)
    assert gateway.ask('/live', headers=bearer(second)).status == 200
    assert gateway.ask('/live', headers=bearer(first)).status == 401
