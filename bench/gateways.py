"""The servers that are measured: each has one pinned worker and a folder of its own."""
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import tokens


MAIN = '''{modules}
{user}
worker_processes 1;
worker_cpu_affinity {mask};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
daemon off;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    keepalive_requests 1000000;
{http}
    server {{
        listen 127.0.0.1:{port};
{server}
    }}
}}
'''
PROXY = '''            proxy_pass http://upstream_service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
'''
UPSTREAM = '''    upstream upstream_service {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 1000000; }}
'''
# An eighth is one tenant's: enough for a million requests a minute.
NONCES = '    leasehold_nonces 64m;\n'
# What its manual recommends for a bearer token: signature, algorithm, end, and the claim that names the tenant.
HAPROXY = '''global
    nbthread 1
    maxconn 1000
    tune.bufsize 16384
defaults
    mode http
    timeout connect 2s
    timeout client 300s
    timeout server 300s
    http-reuse always
frontend gateway
    bind 127.0.0.1:{port}
    http-request del-header X-Session-Tenant
    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str {algorithm} }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(txn.alg,"{pem}") -m int 1 }}
    http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request set-var(txn.tenant) var(txn.token),jwt_payload_query('$.tenant_id')
    http-request deny deny_status 403 unless {{ var(txn.tenant) -m str acme }}
    http-request set-header X-Session-Tenant %[var(txn.tenant)]
    default_backend service
backend service
    server upstream 127.0.0.1:{upstream} pool-max-conn 64
'''


class Server:
    """A running nginx, ready to answer."""
    stop_signal = signal.SIGQUIT

    def __init__(self, folder, name, port, text):
        self.port = port
        self.folder = os.path.join(folder, f'{name}-{port}')
        self.times = os.path.join(self.folder, 'times.log')
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o755)
        conf = os.path.join(self.folder, 'conf')
        with open(conf, 'w', encoding='utf-8') as file:
            file.write(text.replace('@FOLDER@', self.folder))
        self.process = subprocess.Popen(self.command(conf))
        self.wait()
        self.began = time.time()
        self.worker = self.find_worker()

    def command(self, conf):
        return ['nginx', '-p', self.folder, '-c', conf, '-e', os.path.join(self.folder, 'error.log')]

    def find_worker(self):
        with open(f'/proc/{self.process.pid}/task/{self.process.pid}/children', encoding='ascii') as file:
            return int(file.read().split()[0])

    def wait(self):
        for _ in range(100):
            try:
                urllib.request.urlopen(f'http://127.0.0.1:{self.port}/', timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f'bench: no answer on port {self.port}, see {self.folder}/error.log')

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.terminate()
                self.process.wait()


class HAProxy(Server):
    """A running HAProxy with one thread, which is its worker."""
    stop_signal = signal.SIGTERM

    def __init__(self, folder, name, port, text, cpu):
        self.cpu = cpu
        super().__init__(folder, name, port, text)

    def command(self, conf):
        return ['taskset', '-c', self.cpu, 'haproxy', '-db', '-q', '-f', conf]

    def find_worker(self):
        return self.process.pid


def cpu_mask(cpu):
    return bin(1 << int(cpu.split(',', maxsplit=1)[0]))[2:]


def text_of(port, cpu, server, http='', modules='', user=''):
    return MAIN.format(modules=modules, user=f'user {user};' if user and os.getuid() == 0 else '', mask=cpu_mask(cpu),
                       folder='@FOLDER@', http=http, port=port, server=server)


def start_upstream(folder, port, cpu):
    """The service behind everything: a small answer, and 204 for whoever asks about authorisation."""
    server = '        location / { default_type text/plain; return 200 "hello from the service\\n"; }\n' \
             '        location /auth { return 204; }\n'
    return Server(folder, 'upstream', port, text_of(port, cpu, server))


class Starter:
    """Starts the forms over one home, and stops them all."""

    def __init__(self, folder, user, module, home, upstream_port, cpu):
        self.folder, self.user, self.module, self.home = folder, user, module, home
        self.upstream_port = upstream_port
        self.http = UPSTREAM.format(port=upstream_port)
        self.cpu = cpu
        self.servers = []

    def start(self, name, port, server, http='', modules=''):
        self.servers.append(Server(self.folder, name, port,
                                   text_of(port, self.cpu, server, self.http + http, modules, self.user)))
        return self.servers[-1]

    def bare(self, port):
        return self.start('bare', port, f'        location / {{\n{PROXY}        }}\n')

    def auth_request(self, port):
        server = f'''        location / {{
            auth_request /_auth;
{PROXY}        }}
        location = /_auth {{
            internal;
            proxy_pass http://upstream_service/auth;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }}
'''
        return self.start('auth', port, server)

    def haproxy(self, port, algorithm, pem):
        """None where it is not installed."""
        if shutil.which('haproxy') is None:
            return None
        text = HAPROXY.format(port=port, algorithm=algorithm, pem=pem, upstream=self.upstream_port)
        self.servers.append(HAProxy(self.folder, 'haproxy', port, text, self.cpu))
        return self.servers[-1]

    def token_gate(self, name, port, state):
        """A gate that takes bearer tokens, which speak for themselves."""
        return self.gate(name, port, state, options=f'''
        leasehold_credential bearer;
        leasehold_mode stateless;
        leasehold_audience {tokens.AUDIENCE};
''')

    def sealed_gate(self, name, port, state):
        return self.gate(name, port, state, options='\n        leasehold_cookie sealed;')

    def signed_gate(self, name, port):
        """A gate that takes signed requests."""
        return self.gate(name, port, 'none', options='\n        leasehold_credential signature;', http=NONCES)

    def gate(self, name, port, state='claims', logs_time=False, options='', http=''):
        server = f'''        leasehold on;
        leasehold_tenant_from header;
        leasehold_state {state};{options}
        location / {{
{PROXY}        }}
'''
        http += f'    leasehold_home {self.home};\n'
        if logs_time:
            http += '    log_format times "$leasehold_time_us";\n'
            server += '        access_log @FOLDER@/times.log times buffer=64k;\n'
        return self.start(name, port, server, http, f'load_module {self.module};')

    def stop(self):
        for server in self.servers:
            server.stop()
