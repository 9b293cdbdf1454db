"""A real nginx with the module, on a home, in front of the echo upstream; and the oracles that hold
for every test: no worker died, no sanitizer spoke, nothing leaked into an answer."""
import json
import os
import re
import signal
import shutil
import subprocess
import tempfile
import time

from harness import build, http1, processes
from harness.ports import free_port

BASE_DOMAIN = 'localtest.example'

LOG_FORMAT = ('{"status":$status,"uri":"$request_uri","decision":"$leasehold_decision",'
              '"reason":"$leasehold_reason","tenant":"$leasehold_tenant","uid":"$leasehold_uid",'
              '"sub":"$leasehold_sub","session_ref":"$leasehold_session_ref","scope":"$leasehold_scope",'
              '"mode":"$leasehold_mode","cache_key":"$leasehold_cache_key","time_us":"$leasehold_time_us"}')

# Lines of the error log that are never all right, whatever a test does.
BAD_LINE = re.compile(r'\[(alert|emerg|crit)\]|exited with code [^0]|exited on signal|Sanitizer|'
                      r'runtime error|Can.t open file')
AUDIT_LINE = re.compile(r'leasehold: audit (\w+)(.*)')
# Events that only their own tests may cause.
GRAVE_EVENTS = {'cross_tenant_leak_detected', 'integrity'}


def wait_until(condition, what, within_s=build.PATIENCE_S):
    """Polls; fails if the condition does not come true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f'after {within_s} s: not {what}'
        time.sleep(0.01)


def text_of(path):
    """What a log holds; nothing if it is not there yet."""
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except FileNotFoundError:
        return ''


def make_folder():
    """A folder that the workers' user can reach."""
    folder = tempfile.mkdtemp(prefix='leasehold-')
    os.chmod(folder, 0o755)
    return folder


class Gateway:
    """server: what the one server block says; http, main: added to those blocks. In all of them
    $upstream is the echo service, $folder this gateway's own folder, $second_port another port. One
    worker writes its log in the order of requests; tests of several ask for them. environment:
    variables that nginx gets beside its own."""

    daemon = 'off'

    def __init__(self, home, echo, server=None, http='', main='', workers=1, listen='', user=None,
                 is_home_set=True, environment=None):
        self.home = home
        self.echo = echo
        self.port = free_port()
        self.second_port = free_port()
        self.folder = make_folder()
        self.error_log = os.path.join(self.folder, 'error.log')
        self.access_log = os.path.join(self.folder, 'access.log')
        self.seen = []
        self.connections = []
        self.expected_bad = []
        self.expected_events = set()
        self.may_set_cookies = False
        self.process = None
        self.pids = []
        self.workers = workers
        self.user = user
        self.is_home_set = is_home_set
        self.environment = environment
        self.listen = listen
        self.parts = (main, http, server)
        self.write_conf()

    # --- configuration -------------------------------------------------------------------------

    def write_conf(self, server=None):
        main, http, default_server = self.parts
        conf = self._conf_text(main, http, server if server is not None else default_server)
        self.conf = os.path.join(self.folder, 'nginx.conf')
        with open(self.conf, 'w', encoding='utf-8') as file:
            file.write(conf)

    def _conf_text(self, main, http, server):
        http, server = (self._fill(text) for text in (http, server or 'location / { proxy_pass $upstream; }'))
        temporary = '\n'.join(f'{name}_temp_path {self.folder}/tmp-{name};'
                              for name in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        user = f'user {self.user};' if self.user and os.geteuid() == 0 else ''
        # A busy machine is late now and then; what the budget does has a test of its own.
        home = (f'leasehold_home {self.home.path}; leasehold_budget 5s; leasehold_cold_budget 5s;'
                if self.is_home_set else '')
        log_format = LOG_FORMAT if self.is_home_set else '{"status":$status,"uri":"$request_uri"}'
        tenancy = f'leasehold_tenant_from subdomain {BASE_DOMAIN} header;' if self.is_home_set else ''
        return f'''
load_module {build.MODULE};
daemon {self.daemon}; {user} worker_processes {self.workers};
pid {self.folder}/nginx.pid; error_log {self.error_log} info;
{main}
events {{ worker_connections 512; }}
http {{
    {home}
    {temporary}
    log_format decided escape=json '{log_format}';
    access_log {self.access_log} decided;
    keepalive_requests 100000;
    {http}
    server {{
        listen 127.0.0.1:{self.port} {self.listen};
        {tenancy}
        {server}
    }}
}}
'''

    def _fill(self, text):
        places = {'$upstream': self.upstream, '$folder': self.folder, '$second_port': str(self.second_port)}
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    @property
    def upstream(self):
        return f'http://127.0.0.1:{self.echo.port}'

    def _run(self, *arguments):
        command = [build.NGINX, '-p', self.folder, '-c', self.conf, '-e', self.error_log, *arguments]
        return command, build.nginx_environment(self.folder, self.environment)

    def run_once(self, *arguments):
        """nginx as a command that reads the configuration and ends: (whether it succeeded, what it said)."""
        command, environment = self._run(*arguments)
        if 'ASAN_OPTIONS' in environment:
            # What a process that only reads a configuration leaves behind is nobody's concern.
            environment['ASAN_OPTIONS'] = environment['ASAN_OPTIONS'].replace('detect_leaks=1', 'detect_leaks=0')
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False,
                              timeout=build.PATIENCE_S)
        return done.returncode == 0, done.stdout + done.stderr

    def check_conf(self):
        """nginx -t: (whether it is accepted, what was said)."""
        return self.run_once('-t')

    # --- life ----------------------------------------------------------------------------------

    def start(self):
        command, environment = self._run()
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._is_up, f'started: {self.log_text()[-2000:]}')
        self.pids = self.worker_pids()
        return self

    def _is_up(self):
        assert self.process.poll() is None, f'nginx ended: {self.log_text()[-2000:]}'
        return len(self.worker_pids()) == self.workers and self._accepts()

    def _accepts(self):
        try:
            with http1.Connection(self.port):
                return True
        except OSError:
            return False

    def worker_pids(self):
        """Workers that are not on their way out."""
        titles = ((pid, processes.title(pid)) for pid in processes.children(self.process.pid))
        return [pid for pid, title in titles if 'worker process' in title and 'shutting down' not in title]

    def wait_for_new_workers(self, before):
        """Until there are as many as there should be, and none of before among them. One reading of the
        list answers both: a worker that starts is not called one yet when the old ones are none any more."""
        def are_new():
            self.pids = self.worker_pids()
            return len(self.pids) == self.workers and not set(self.pids) & set(before)

        wait_until(are_new, 'new workers')

    def reload(self):
        before = self.worker_pids()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_new_workers(before)

    def stop(self, how=signal.SIGTERM):
        """Ends nginx; returns the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(timeout=3 * build.PATIENCE_S)
        self.process, took = None, time.monotonic() - began
        return took

    def finish(self):
        """The oracles. Called once, at the end of every test."""
        for connection in self.connections:
            connection.close()
        if self.process is not None:
            pids = self.worker_pids()
            self.stop(signal.SIGQUIT)
            assert pids == self.pids, f'a worker died, {self.pids} became {pids}: {self.log_text()[-3000:]}'
        reports = build.sanitizer_reports(self.folder)
        log = self.log_text()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not reports, reports
        self._check_log(log)
        self._check_answers()

    def _check_log(self, log):
        for line in log.splitlines():
            if BAD_LINE.search(line) and not any(text in line for text in self.expected_bad):
                raise AssertionError(f'error log: {line}')
        grave = {event for event, _ in audit_events(log)} & GRAVE_EVENTS
        assert grave <= self.expected_events, f'unexpected {grave}'

    def _check_answers(self):
        for answer in self.seen:
            assert self.may_set_cookies or not answer.all('set-cookie'), answer

    # --- what it says --------------------------------------------------------------------------

    def log_text(self):
        return text_of(self.error_log)

    def access_text(self):
        return text_of(self.access_log)

    def audit(self):
        """The audit lines so far: (event, fields)."""
        return audit_events(self.log_text())

    def expect_audit(self, event):
        """Waits for a line of this event, and allows it."""
        self.expected_events.add(event)
        wait_until(lambda: any(name == event for name, _ in self.audit()), f'audited: {event}')

    def decisions(self, count=1):
        """The access log, once it has at least so many lines."""
        wait_until(lambda: len(self._access_lines()) >= count, f'{count} lines in the access log')
        return [json.loads(line) for line in self._access_lines()]

    def _access_lines(self):
        return [line for line in self.access_text().split('\n')[:-1] if line]

    def reasons(self, count=1):
        """Why, in the order of the requests; several workers would write in any order."""
        assert count == 1 or self.workers == 1
        return [line['reason'] for line in self.decisions(count)]

    # --- asking --------------------------------------------------------------------------------

    def connect(self, port=None):
        connection = http1.Connection(port or self.port, self.seen)
        self.connections.append(connection)
        return connection

    def ask(self, path='/', tenant=None, session=None, method='GET', headers=(), **rest):
        """One request on a connection of its own. tenant: named by X-Tenant-ID; session: whose
        cookie goes along."""
        headers = list(headers)
        if tenant is not None:
            headers.append(('X-Tenant-ID', tenant))
        if session is not None:
            headers.append(('Cookie', session.cookie))
        with http1.Connection(self.port, self.seen) as connection:
            connection.send(http1.request(path, method=method, headers=headers, **rest))
            return connection.read(method)

    def ask_host(self, tenant, path='/', session=None, **rest):
        """The same with the tenant in the host's name."""
        return self.ask(path, session=session, host=f'{tenant}.{BASE_DOMAIN}', **rest)


def audit_events(log):
    events = []
    for match in AUDIT_LINE.finditer(log):
        fields = dict(part.split('=', 1) for part in match.group(2).split() if '=' in part)
        events.append((match.group(1), fields))
    return events
