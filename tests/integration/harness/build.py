"""What was built, and how to run it under the sanitizers."""
import glob
import os
import shutil
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get('LEASEHOLD_BUILD', os.path.join(TOP, 'build')))
MODULE = os.environ.get('LEASEHOLD_MODULE') or os.path.join(BUILD, 'adapters', 'nginx',
                                                            'ngx_http_leasehold_module.so')
CLI = os.path.join(BUILD, 'cli', 'leasehold')
NGINX = os.environ.get('LEASEHOLD_NGINX') or shutil.which('nginx') or '/usr/sbin/nginx'

# Meson says so for builds with -Db_sanitize.
SANITIZED = os.environ.get('LEASEHOLD_SANITIZED') == '1'

# Under ASan everything takes its time.
PATIENCE_S = 30 if SANITIZED else 10

# nginx's own, found in every run of it: its connections, what a configured regex compiles into, and
# its environment. What the module and the library take does not come through these.
LEAKS_OF_NGINX = 'leak:ngx_alloc\nleak:ngx_regex_malloc\nleak:ngx_set_environment\n'


def runtime_libraries():
    """The sanitizers' runtimes, for a program that was not linked with them."""
    names = ['libasan.so', 'libubsan.so']
    return [subprocess.check_output(['gcc', f'-print-file-name={name}'], text=True).strip()
            for name in names]


def preload(library):
    """What LD_PRELOAD must be, so that a program has the library too."""
    return ' '.join((runtime_libraries() if SANITIZED else []) + [library])


def nginx_environment(folder, more=None):
    """The environment of an nginx that loads the module; reports of sanitizers go to the folder. more:
    variables beside."""
    environment = {key: value for key, value in os.environ.items() if not key.endswith('SAN_OPTIONS')}
    if not SANITIZED:
        return {**environment, **(more or {})}
    # Workers are another user than the master, and both report.
    reports = os.path.join(folder, 'reports')
    os.makedirs(reports, exist_ok=True)
    os.chmod(reports, 0o1777)
    suppressions = os.path.join(folder, 'lsan.supp')
    with open(suppressions, 'w', encoding='ascii') as file:
        file.write(LEAKS_OF_NGINX)
    # nginx and the module both have ngx_modules.
    environment['ASAN_OPTIONS'] = f'detect_odr_violation=0:detect_leaks=1:log_path={reports}/sanitizer'
    environment['UBSAN_OPTIONS'] = f'print_stacktrace=1:halt_on_error=1:log_path={reports}/sanitizer'
    # nginx has no frame pointers.
    environment['LSAN_OPTIONS'] = f'suppressions={suppressions}:fast_unwind_on_malloc=0:print_suppressions=0'
    environment['LD_PRELOAD'] = ' '.join(runtime_libraries())
    return {**environment, **(more or {})}


def sanitizer_reports(folder):
    """What the sanitizers found, as text; empty if nothing."""
    reports = []
    for path in sorted(glob.glob(os.path.join(folder, 'reports', 'sanitizer.*'))):
        with open(path, encoding='utf-8', errors='replace') as file:
            reports.append(file.read())
    return '\n'.join(report for report in reports if report.strip())
