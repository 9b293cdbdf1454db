"""The module as nginx's own scripts build it (configure --add-dynamic-module), for those who build their
nginx themselves: it is loaded, and decides the same."""
import os
import subprocess
import sys

import pytest

from harness import build

SOURCE = os.environ.get('LEASEHOLD_NGINX_SRC', '/usr/share/nginx/src')
HERE = os.path.dirname(os.path.abspath(__file__))

BUILD_IT = '''set -e
NGX_CONF_FLAGS=(--with-compat --with-threads --with-http_ssl_module --with-http_v2_module)
[ ! -f conf_flags ] || . ./conf_flags
./configure "${NGX_CONF_FLAGS[@]}" --with-cc-opt='-g -O2 -fPIC' --with-ld-opt=-fPIC \\
    --add-dynamic-module="$1" --builddir="$2"
make -f "$2/Makefile" modules
'''


@pytest.fixture(scope='module')
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp('nginx')
    adapter = os.path.join(build.TOP, 'adapters', 'nginx')
    done = subprocess.run(['bash', '-c', BUILD_IT, 'build', adapter, str(folder)], cwd=SOURCE, check=False,
                          env={**os.environ, 'LEASEHOLD_BUILD': build.BUILD}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return os.path.join(str(folder), 'ngx_http_leasehold_module.so')


def test_it_shows_what_nginx_asks_for_and_nothing_of_the_library(module):
    symbols = subprocess.check_output(['nm', '-D', '--defined-only', module], text=True)
    names = {line.split()[-1] for line in symbols.splitlines()}
    assert {'ngx_modules', 'ngx_module_names', 'ngx_module_order'} <= names
    # nginx's flags hide nothing of the adapter's own files.
    assert not {name for name in names if name.startswith('lh_') and not name.startswith('lh_lanes_')}


@pytest.mark.parametrize('name', ['pass', 'phases', 'scrub', 'cache'])
def test_it_decides_the_same(module, name):
    done = subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider',
                           os.path.join(HERE, f'test_{name}.py')], check=False, capture_output=True, text=True,
                          env={**os.environ, 'LEASEHOLD_MODULE': module})
    assert done.returncode == 0, done.stdout[-4000:]
    assert ' passed' in done.stdout
