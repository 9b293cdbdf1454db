#!/usr/bin/env python3
"""Each check passes a small good tree and fails on each mistake that it is there for."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def write_tree(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        if text.startswith('#!'):
            os.chmod(path, 0o755)


def run_check(name, files, *arguments):
    """Exit code and output of a check over a tree that holds just these files."""
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, files)
        filled = [a.replace('ROOT', root) for a in arguments]
        done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools', name), '--root', root, *filled],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


class CheckCase(unittest.TestCase):
    def assert_passes(self, name, files, *arguments):
        code, said = run_check(name, files, *arguments)
        self.assertEqual((code, said), (0, ''))

    def assert_fails(self, name, files, expected, *arguments):
        code, said = run_check(name, files, *arguments)
        self.assertEqual(code, 1, said)
        self.assertIn(expected, said)


class IncludesTest(CheckCase):
    GOOD = ('#include "store/store.h"\n\n#include "base/buf.h"\n\n#include <leasehold/host.h>\n\n'
            '#include <lmdb.h>\n\n#include "base/banned.h"\n')

    def test_good(self):
        self.assert_passes('check_includes', {
            'src/store/store.c': self.GOOD,
            'src/store/drivers/lmdb.c': '#include "store/store.h"\n#include "base/banned.h"\n',
            'src/gate/gate.h': '#include "session/session.h"\n',
            'include/leasehold/gate.h': '#include <leasehold/types.h>\n#include <stdint.h>\n',
            'cli/main.c': '#include "admin/admin.h"\n#include <leasehold/types.h>\n#include "commands.h"\n',
        })

    def test_bad(self):
        for path, text, expected in [
                ('src/store/a.h', '#include "gate/gate.h"\n', 'not below it'),
                ('src/store/a.h', '#include "keys/keys.h"\n', 'not below it'),
                ('src/crypto/a.h', '#include "codec/json.h"\n', 'not below it'),
                ('src/store/a.h', '#include "store_key.h"\n', 'does not name its room'),
                ('src/store/a.h', '#include <ngx_core.h>\n', 'header of a host'),
                ('src/store/a.h', '#include <event2/event.h>\n', 'header of a host'),
                ('src/cellar/a.h', '', 'no room'),
                ('src/store/a.c', '#include "base/buf.h"\n', 'banned.h'),
                ('src/store/a.c', '#include "base/banned.h"\n#include <stdio.h>\n', 'banned.h'),
                ('src/store/a.c', '#include <stdio.h>\n#include "base/buf.h"\n#include "base/banned.h"\n',
                 'order of includes'),
                ('src/store/a.c', '#include "base/buf.h"\n#include "store/a.h"\n#include "base/banned.h"\n',
                 'order of includes'),
                ('include/leasehold/a.h', '#include <lmdb.h>\n', 'public header'),
                ('include/leasehold/a.h', '#include "base/buf.h"\n', 'public header'),
                ('adapters/nginx/a.c', '#include "session/session.h"\n', 'adapters includes room'),
                ('cli/a.c', '#include "gate/gate.h"\n', 'cli includes room')]:
            with self.subTest(path=path, text=text):
                self.assert_fails('check_includes', {path: text}, expected)


class BannedTest(CheckCase):
    def test_good(self):
        self.assert_passes('check_banned', {
            'src/base/a.c': 'void f(void)\n{\n    /* no sprintf() here */\n    g("goto atoi(");\n    lh_exit(p->exit(1));\n}\n',
            'src/base/bug.c': 'void f(void)\n{\n    fprintf(stderr, "x");\n}\n',
            'cli/main.c': 'void f(void)\n{\n    fprintf(stderr, "http://x");\n    exit(1);\n}\n',
            'tests/unit/a.c': 'void f(void)\n{\n    memcmp(a, b, 1);\n    fork();\n}\n',
        })

    def test_bad(self):
        for path, body, expected in [
                ('src/base/a.c', 'strcpy(a, b);', 'strcpy()'), ('cli/a.c', 'sprintf(a, b);', 'sprintf()'),
                ('src/base/a.c', 'fork();', 'fork()'), ('src/base/a.c', 'usleep(1);', 'usleep()'),
                ('src/base/a.c', 'exit(1);', 'exit()'), ('src/base/a.c', 'fprintf(f, x);', 'fprintf()'),
                ('src/base/a.c', 'pthread_create(a, b, c, d);', 'pthread_create()'),
                ('adapters/nginx/a.c', 'memcmp(a, b, 1);', 'memcmp()'),
                ('cli/a.c', 'if (memcmp (a, b, 1)) { }', 'memcmp()'),
                ('src/base/a.c', 'goto end;', 'goto'), ('cli/a.c', 'goto end;', 'goto'),
                ('src/base/a.c', '// why\n', '// comment'), ('tests/unit/a.c', 'atoi(a);', 'atoi()')]:
            with self.subTest(path=path, body=body):
                self.assert_fails('check_banned', {path: f'void f(void)\n{{\n    {body}\n}}\n'}, expected)


class PrototypesTest(CheckCase):
    def test_good(self):
        self.assert_passes('check_prototypes', {'src/base/a.h': '''
/* A file. */
#ifdef __cplusplus
extern "C" {
#endif
struct lh_a {
    int (*call)(void *self);
};
/* Makes an a. */
LH_MUST_USE lh_status lh_a_new(struct lh_a **out_a) __attribute__((nonnull(1)));
/* lh_a_ref and lh_a_unref count. */
void lh_a_ref(struct lh_a *a);
void lh_a_unref(struct lh_a *a);
static inline int lh_a_size(const struct lh_a *a)
{
    return a->size;
}
typedef int (*lh_a_fn)(int);
LH_A_ROWS(LH_A_DECLARE)
/* After a macro. */
void lh_a_more(void);
'''})

    def test_bad(self):
        for text, expected in [
                ('void lh_a(void);\n', 'lh_a has no comment'),
                ('/* Far away. */\n\nvoid lh_a(void);\n', 'lh_a has no comment'),
                ('/* Makes. */\nvoid lh_a(void);\nvoid lh_b(void);\n', 'lh_b has no comment'),
                ('/* Both: lh_a, lh_b. */\nvoid lh_a(void);\n\nvoid lh_b(void);\n', 'lh_b has no comment'),
                ('static inline int lh_a(int b)\n{\n    b++;\n    return b;\n}\n', 'lh_a has no comment'),
                ('extern "C" {\nLH_MUST_USE int\nlh_a(int a);\n}\n', 'lh_a has no comment'),
                ('struct x {\n    int a;\n};\nint lh_a(int (*call)(int));\n', 'lh_a has no comment')]:
            with self.subTest(text=text):
                self.assert_fails('check_prototypes', {'src/base/a.h': text}, expected)


class MagicTest(CheckCase):
    def test_good(self):
        self.assert_passes('check_magic', {'src/a.c': '#define A_MAGIC 0x1U /* "A" */\n',
                                           'src/b.c': '#define B_MAGIC UINT64_C(0x2)\n'})

    def test_bad(self):
        self.assert_fails('check_magic', {'src/a.c': '#define A_MAGIC 0x10U\n', 'src/b.h': '#define B_MAGIC 16\n'},
                          'same number')
        self.assert_fails('check_magic', {'src/a.c': '#define A_MAGIC OTHER\n'}, 'no plain number')
        self.assert_fails('check_magic', {'src/a.c': '#define A_MAGIC 0\n'}, 'zero')


class WordsTest(CheckCase):
    def test_good(self):
        self.assert_passes('check_words', {
            'src/base/a.c': '/* data */\nint database = value.mv_data + p->data + LH_LOG_INFO; /* info */\n',
            'src/crypto/a.c': 'int lh_hkdf(int info);\n', 'tools/x.py': 'data = 1\n',
            'README.md': 'Data is information. See /etc/nginx and /tmp/x.\n'})

    def test_bad(self):
        here = '/wo' + 'rk/'
        for path, text, expected in [
                ('src/base/a.c', 'int user_data;\n', 'user_data'), ('src/base/a.c', 'int sessionInfo;\n', 'sessionInfo'),
                ('src/base/a.h', '#define LH_COMMON 1\n', 'LH_COMMON'), ('cli/a.c', 'void do_it(void);\n', 'do_it'),
                ('src/base/a.c', 'void lh_open_ex(void);\n', 'lh_open_ex'), ('src/base/a.c', 'int f_2;\n', 'f_2'),
                ('src/base/a.c', 'int f(int info);\n', 'info'), ('src/base/utils.c', '', 'name says nothing'),
                ('tools/x.py', 'def handle_data(): pass\n', 'handle_data'),
                ('docs/a.md', f'Look at {here}main.\n', 'one machine'), ('Makefile', f'D = {here}x\n', 'one machine'),
                ('docs/a.md', 'Co-autho' + 'red-by: x\n', 'workplace')]:
            with self.subTest(path=path, text=text):
                self.assert_fails('check_words', {path: text}, expected)


class SizeTest(CheckCase):
    def test_good(self):
        body = '    f();\n' * 57
        self.assert_passes('check_size', {'src/base/a.c': f'int f(void)\n{{\n{body}}}\n',
                                          'tests/a.c': 'int main(void)\n{\n' + '    f();\n' * 100 + '}\n'})

    def test_bad(self):
        long_body = '    f();\n' * 58
        self.assert_fails('check_size', {'src/base/a.c': f'int f(void)\n{{\n{long_body}}}\n'}, 'f has 61 lines')
        self.assert_fails('check_size', {'src/base/a.h': '\n' * 501}, '501 lines')
        self.assert_fails('check_size', {'src/base/a.h': f"/* {'x' * 95} */\n"}, '101 columns')
        self.assert_fails('check_size', {'tools/a.py': 'def f():\n' + '    g()\n' * 60}, 'f has 61 lines')


class TestsTest(CheckCase):
    GOOD_C = ('static void test_a__holds(void **state)\n{\n}\nint main(void)\n{\n'
              '    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a__holds)};\n}\n')

    def build(self, sources, command):
        targets = [{'filename': ['/b/test_a'], 'target_sources': [{'sources': sources}, {'linker': []}]}]
        return {'build/meson-info/intro-targets.json': json.dumps(targets),
                'build/meson-info/intro-tests.json': json.dumps([{'cmd': [command]}])}

    def run_with_build(self, text, command, listed=True):
        with tempfile.TemporaryDirectory() as root:
            path = os.path.join(root, 'tests/unit/test_a.c')
            write_tree(root, {'tests/unit/test_a.c': text, **self.build([path] if listed else [], command)})
            done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/check_tests'), '--root', root,
                                   '--build', os.path.join(root, 'build')], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def run_python_with_build(self, command):
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {'tests/integration/test_a.py': 'def test_a():\n    pass\n',
                              **self.build([], os.path.join(root, command))})
            return subprocess.run([sys.executable, os.path.join(ROOT, 'tools/check_tests'), '--root', root,
                                   '--build', os.path.join(root, 'build')], capture_output=True, check=False).returncode

    def test_good(self):
        self.assertEqual(self.run_with_build(self.GOOD_C, '/b/test_a'), (0, ''))
        self.assert_passes('check_tests', {'tests/integration/test_a.py': 'def test_a():\n    pass\n'})

    def test_bad(self):
        for text, command, listed in [(self.GOOD_C, '/b/other', True), (self.GOOD_C, '/b/test_a', False)]:
            code, said = self.run_with_build(text, command, listed)
            self.assertEqual(code, 1)
            self.assertIn('no test that Meson runs', said)
        for command, expected in [('tests/integration', 0), ('tests/integration/test_a.py', 0), ('tests', 1)]:
            self.assertEqual(self.run_python_with_build(command), expected)
        unlisted = self.GOOD_C + 'static void test_b__is_lost(void **state)\n{\n}\n'
        self.assert_fails('check_tests', {'tests/unit/test_a.c': unlisted}, 'test_b__is_lost is in no list')
        commented = unlisted + '/* test_b__is_lost */\n'
        self.assert_fails('check_tests', {'tests/unit/test_a.c': commented}, 'test_b__is_lost is in no list')
        self.assert_fails('check_tests', {'tests/unit/test_a.c': self.GOOD_C.replace('a__holds', 'holds')}, 'named')
        double = 'def test_a():\n    pass\n\n\ndef test_a():\n    pass\n'
        self.assert_fails('check_tests', {'tests/integration/test_a.py': double}, 'hides')
        self.assert_fails('check_tests', {'tests/integration/a.py': 'def test_a():\n    pass\n'}, 'looks only into')
        lost = 'class Lost:\n    def test_a(self):\n        pass\n'
        self.assert_fails('check_tests', {'tests/integration/test_a.py': lost}, 'not named Test')


class LinksTest(CheckCase):
    def test_good(self):
        self.assert_passes('check_links', {
            'README.md': '# A b\n[x](docs/a.md#some-part) [y](https://x.example) [z](#a-b) `docs/a.md` `make test`\n'
                         '<!-- later -->`docs/b.md`<!-- /later -->\n```\n[n](nowhere)\n```\n',
            'docs/a.md': '## Some part\n', 'Makefile': 'test: all\n'})

    def test_bad(self):
        for text, expected in [('[x](docs/b.md)\n', 'leads nowhere'), ('[x](#b)\n', 'names no heading'),
                               ('`docs/b.md`\n', 'does not exist'), ('`make rest`\n', 'make rest')]:
            with self.subTest(text=text):
                self.assert_fails('check_links', {'README.md': '# A\n' + text, 'Makefile': 'test:\n'}, expected)


class ScriptsTest(CheckCase):
    def test_good(self):
        self.assert_passes('check_scripts', {'tools/a': '#!/bin/sh\ntrue\n', 'tools/b': '#!/usr/bin/env python3\nx = 1\n'})

    def test_bad(self):
        self.assert_fails('check_scripts', {'tools/a': '#!/usr/bin/env bash\nif true\n'}, 'does not parse')
        self.assert_fails('check_scripts', {'tools/a.py': 'def\n'}, 'does not parse')
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {'a': '#!/bin/sh\n'})
            os.chmod(os.path.join(root, 'a'), 0o644)
            done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/check_scripts'), '--root', root],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn('not executable', done.stdout)


class CasesTest(CheckCase):
    """Over the real ledger, with one row changed at a time."""

    def setUp(self):
        with open(os.path.join(ROOT, 'docs/security-cases.md'), encoding='utf-8') as file:
            self.rows = [line for line in file.read().split('\n') if line[:2] == '| ' and line[2:3].isupper()
                         and line[3:5].isdigit()]
        self.parts = '| the moon | `moon` |\n| the sun | `sun.md` with the text `shines` |\n'

    def ledger(self, first_row, **more):
        rows = [first_row] + [f'{row[:5]} | a case | holds | open | waits for the moon |' for row in self.rows[1:]]
        return {'docs/security-cases.md': self.parts + '\n'.join(row for row in rows if row) + '\n',
                'tests/a.c': 'static void test_a__b(void **state)\n{\n}\n', **more}

    def test_good(self):
        for row in ['| T01 | a | b | open | waits for the sun |', '| T01 | a \\| c | b | tested | `test_a__b` |',
                    '| T01 | a | b | half-open | `test_a__b`; waits for the moon |',
                    '| T01 | a | b | excluded | There is no code that could even try to do this. |']:
            with self.subTest(row=row):
                self.assert_passes('check_cases', self.ledger(row, **{'sun.md': 'is dark'}))

    def test_bad(self):
        for row, expected in [
                ('', 'T01 is missing'), ('| T01 | a | b | tested | by hand |', 'names no test'),
                ('| T01 | a | b | tested | `test_a__c` |', 'test_a__c, which does not exist'),
                ('| T01 | a | b | half-open | `test_a__b` |', 'which known part'),
                ('| T01 | a | b | open | waits for better days |', 'which known part'),
                ('| T01 | a | b | open | waits for the sun |', 'the sun is there'),
                ('| T01 | a | b | excluded | because |', 'without a reason'),
                ('| T01 | a | b | fine | `test_a__b` |', 'unknown status'), ('| T01 | a | b |', 'columns'),
                ('| T02 | a | b | open | waits for the moon |', 'stands in line')]:
            with self.subTest(row=row):
                self.assert_fails('check_cases', self.ledger(row, **{'sun.md': 'it shines'}), expected)


@unittest.skipIf(subprocess.run([sys.executable, os.path.join(ROOT, 'tools/check_format'), '--root', '/nonexistent'],
                                capture_output=True, check=False).returncode == 77, 'no clang-format')
class FormatTest(CheckCase):
    def test_both(self):
        style = {'.clang-format': 'BasedOnStyle: LLVM\nIndentWidth: 4\n'}
        self.assert_passes('check_format', {'src/a.c': 'int a;\n', **style})
        self.assert_fails('check_format', {'src/a.c': 'int  a;\n', **style}, 'not formatted')


class DocsTest(unittest.TestCase):
    """Over a tree whose documents are made from small tables; then one table is changed at a time."""
    TABLES = {'directives': [{'name': 'leasehold_a', 'where': 'HTTP', 'syntax': 'A', 'default': '', 'meaning': 'What it is.'}],
              'reasons': [{'name': 'ok', 'status': 0, 'text': 'session is live'}],
              'settings': [{'name': 'size', 'is_choice': False, 'default': '1', 'least': '1', 'most': '2', 'unit': '',
                            'manual': 'How large.'}]}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for kept in ('adapters/nginx/variables.c', 'examples/policies/tenants.yaml', *self.policy_files()):
            with open(os.path.join(ROOT, kept), encoding='utf-8') as file:
                write_tree(self.root, {kept: file.read()})
        self.build(self.TABLES)
        self.assertEqual(self.run_docs(), (0, ''))

    def policy_files(self):
        return [f'src/admin/{name}' for name in os.listdir(os.path.join(ROOT, 'src/admin')) if name.startswith('policy_')]

    def build(self, tables, manual='.TH LEASEHOLD 1'):
        write_tree(self.root, {'build/tools/print_manual': f"#!/bin/sh\ncat <<'E'\n{json.dumps(tables)}\nE\n",
                               'build/cli/leasehold': f"#!/bin/sh\ncat <<'E'\n{manual}\nE\n"})

    def run_docs(self, *options):
        done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/gen_docs'), '--root', self.root, '--build',
                               os.path.join(self.root, 'build'), *options], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_check_says(self, expected):
        code, said = self.run_docs('--check')
        self.assertEqual(code, 1, said)
        self.assertIn(expected, said)

    def change(self, path, old, new):
        with open(os.path.join(self.root, path), encoding='utf-8') as file:
            text = file.read()
        self.assertIn(old, text)
        write_tree(self.root, {path: text.replace(old, new, 1)})

    def test_good(self):
        self.assertEqual(self.run_docs('--check'), (0, ''))

    def test_new_row(self):
        for table, row in self.TABLES.items():
            with self.subTest(table=table):
                self.build({**self.TABLES, table: row + [{**row[0], 'name': 'leasehold_b'}]})
                self.assert_check_says('docs/configuration.md is not up to date')

    def test_new_command(self):
        self.build(self.TABLES, '.TH LEASEHOLD 1\n.SH NEW')
        self.assert_check_says('man/leasehold.1 is not up to date')

    @unittest.skipUnless(shutil.which('groff'), 'no groff')
    def test_bad_page(self):
        self.build(self.TABLES, '.TH LEASEHOLD 1\n.unheard\n')
        self.assert_check_says('man/leasehold.1: ')

    def test_new_variable(self):
        self.change('adapters/nginx/variables.c', '"leasehold_reason"', '"leasehold_reason"), x("leasehold_new"')
        self.assert_check_says('$leasehold_new: not described')

    def test_lost_variable(self):
        self.change('adapters/nginx/variables.c', '"leasehold_reason"', '"reason"')
        self.assert_check_says('$leasehold_reason: not described, or not defined')

    def test_new_policy_key(self):
        self.change('src/admin/policy_tenant.c', '{"rbac", ', '{"new", read_new}, {"rbac", ')
        self.assert_check_says('the policy key new: not described')


@unittest.skipUnless(shutil.which('clang'), 'no clang')
class ClangTest(unittest.TestCase):
    def run_on(self, code):
        with tempfile.TemporaryDirectory() as root:
            row = {'directory': root, 'file': 'a.c', 'command': 'cc -Wall -Werror -MD -MQ a.o -MF a.d -o a.o -c a.c'}
            write_tree(root, {'a.c': code, 'compile_commands.json': json.dumps([row])})
            done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/check_clang'), '--build', root],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(sorted(os.listdir(root)), ['a.c', 'compile_commands.json'])
            return done.returncode, done.stdout

    def test_good(self):
        self.assertEqual(self.run_on('int f(int i);\nint f(int i)\n{\n    return i;\n}\n'), (0, ''))

    def test_bad(self):
        # gcc has no such warning for C.
        code, said = self.run_on('int f(int i);\nint f(int i)\n{\n    i = i;\n    return i;\n}\n')
        self.assertEqual(code, 1)
        self.assertIn('-Wself-assign', said)


class GlobalsTest(unittest.TestCase):
    def run_on(self, code):
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {'a.c': code})
            built = os.path.join(root, 'a.o')
            subprocess.run(['cc', '-c', '-fPIC', '-o', built, os.path.join(root, 'a.c')], check=True)
            done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/check_globals'), built],
                                  capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def test_good(self):
        code = 'int f(int);\nstatic const char *const names[] = {"a", "b"};\nint f(int i)\n{\n    return names[i][0];\n}\n'
        self.assertEqual(self.run_on(code), (0, ''))

    def test_bad(self):
        for declaration in ['static int calls;', 'static int calls = 1;', 'static const char *calls = "x";',
                            'int calls;', 'static _Thread_local int calls;']:
            with self.subTest(declaration=declaration):
                returned, said = self.run_on(f'{declaration}\nlong f(void);\nlong f(void)\n{{\n    return (long)calls++;\n}}\n')
                self.assertEqual(returned, 1)
                self.assertIn('calls is mutable', said)
        returned, said = self.run_on('int f(void);\nint f(void)\n{\n    static int calls;\n    return calls++;\n}\n')
        self.assertEqual(returned, 1)


class ExportsTest(unittest.TestCase):
    NEEDED = 'int ngx_modules;\nint ngx_module_names;\nint ngx_module_order;\n'

    def run_on(self, code):
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {'a.c': code})
            built = os.path.join(root, 'a.so')
            subprocess.run(['cc', '-shared', '-fPIC', '-o', built, os.path.join(root, 'a.c')], check=True)
            done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/check_exports'), built],
                                  capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def test_both(self):
        self.assertEqual(self.run_on(self.NEEDED), (0, ''))
        self.assertEqual(self.run_on(self.NEEDED + 'int lh_gate_new;\n')[0], 1)
        self.assertEqual(self.run_on('int ngx_modules;\n')[0], 1)


if __name__ == '__main__':
    unittest.main()
