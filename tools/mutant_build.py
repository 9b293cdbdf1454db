"""Where mistakes are tried: one build of a copy of the tree, under the sanitizers, which counts lines.

Each test runs once without a mistake; from then on it is known which tests come to which line, and
only those are asked about a mistake that is made there. A mistake costs its own file compiled, and
per test a link in which that object stands before the library: nothing else is built again.
"""
import concurrent.futures
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

import source_tree

SUITES = ('unit', 'contract')
# A mistake may make a test wait for ever: what takes this long, and ten times what it took before, is noticed.
TEST_SECONDS = 60
TEST_TIMES = 10
BUILD_SECONDS = 1800
OPTIONS = ('-Dnginx=false', '-Doptimization=0', '-Dwerror=false', '-Db_sanitize=address,undefined', '-Db_lundef=false')
# What a trial runs counts nothing, and says nothing about it.
UNCOUNTED = {'GCOV_PREFIX': '/dev/null', 'GCOV_ERROR_FILE': '/dev/null'}


def run_to_the_end(command, seconds, **options):
    """The exit code of a command, or None if it and its children had to be ended for the time."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True, **options)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end_session(process)


def end_session(process):
    """Ends what a test left behind as well: a child that a mistake keeps busy would outlive it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Workplace:
    """A copy of the tree and its build."""

    def __init__(self, root, jobs, options=()):
        self.root = root
        self.jobs = jobs
        folder = os.path.join(root, 'build-mutate')
        self.tree = os.path.join(folder, 'tree')
        self.build = os.path.join(folder, 'build')
        self.counts = os.path.join(folder, 'counts')
        shutil.rmtree(folder, ignore_errors=True)
        for path in source_tree.walk(root):
            to = os.path.join(self.tree, os.path.relpath(path, root))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(path, to)
        self.call('meson', 'setup', self.build, self.tree, *OPTIONS, *options)
        listed = json.loads(self.call('meson', 'introspect', self.build, '--tests'))
        suites = {f'leasehold:{suite}' for suite in SUITES}
        self.tests = [t for t in listed if suites & set(t['suite']) and t['cmd'][0].startswith(self.build)]

    def call(self, *command):
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_SECONDS,
                              cwd=self.build if os.path.isdir(self.build) else None).stdout

    def make(self, programs):
        """Builds programs, named from the build's folder. False if they do not compile."""
        done = subprocess.run(['ninja', '-C', self.build, f'-j{self.jobs}', *programs], check=False,
                              capture_output=True, timeout=BUILD_SECONDS)
        return done.returncode == 0

    def write(self, path, text):
        with open(os.path.join(self.tree, path), 'w', encoding='utf-8', errors='surrogateescape') as file:
            file.write(text)


class Bench(Workplace):
    """A workplace in which mistakes are tried, several at once."""

    def __init__(self, root, jobs):
        super().__init__(root, jobs, ('-Db_coverage=true',))
        self.took = {}
        self.comes_to = {}
        self.links = {}
        compiled = json.loads(self.call('ninja', '-t', 'compdb'))
        self.compiles = {os.path.relpath(os.path.join(self.build, c['file']), self.tree): c for c in compiled
                         if c['output'].startswith('src' + os.sep) and c['output'].endswith('.o')}

    def prove(self, paths):
        """Runs every test without a mistake: all must pass, or nothing that follows means anything. Notes
        which of them come to which line of the files at `paths`, and how long each takes."""
        if not self.make([os.path.relpath(t['cmd'][0], self.build) for t in self.tests]):
            raise SystemExit('leasehold: the tests do not compile')
        with tempfile.TemporaryDirectory(prefix='lh-mutate-') as scratch:
            for path in paths:
                if not self.compile(path, source_tree.read(os.path.join(self.tree, path)), scratch,
                                    os.path.join(scratch, 'right.o')):
                    raise SystemExit(f'leasehold: {path} does not compile before a mistake is made')
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            failed = [name for name in pool.map(lambda t: self.prove_one(t, paths), self.tests) if name]
        if failed:
            raise SystemExit('leasehold: tests fail before a mistake is made: ' + ', '.join(failed))

    def prove_one(self, test, paths):
        counts = os.path.join(self.counts, test['name'])
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix='lh-mutate-') as scratch:
            code = run_to_the_end(test['cmd'], BUILD_SECONDS, cwd=self.build,
                                  env={**os.environ, **test['env'], 'GCOV_PREFIX': counts, 'TMPDIR': scratch})
        self.took[test['name']] = time.monotonic() - began
        if code != 0:
            return test['name']
        self.note_lines(test, counts, paths)
        shutil.rmtree(counts, ignore_errors=True)
        return None

    def note_lines(self, test, counts, paths):
        """Reads which lines of the files a test came to: {path: {line: tests}}; a line of no code is not in it."""
        for path in paths:
            notes = os.path.splitext(os.path.join(self.build, self.compiles[path]['output']))[0]
            counted = counts + notes + '.gcda'
            if not os.path.exists(counted):
                continue
            shutil.copy(notes + '.gcno', os.path.dirname(counted))
            told = json.loads(self.call('gcov', '--json-format', '--stdout', counted))
            lines = self.comes_to.setdefault(path, {})
            for file in told['files']:
                if os.path.relpath(os.path.join(self.build, file['file']), self.tree) == path:
                    for line in file['lines']:
                        tests = lines.setdefault(line['line_number'], set())
                        if line['count'] > 0:
                            tests.add(test['name'])

    def tests_of(self, mistake):
        """The tests that come to the line of a mistake: those of its room first, the quick ones first."""
        lines = self.comes_to.get(mistake.path, {})
        at = max((line for line in lines if line <= mistake.line), default=None)
        names = lines.get(at, ())
        found = [t for t in self.tests if t['name'] in names]
        return sorted(found, key=lambda t: (not t['name'].startswith(mistake.room + '-'), self.took[t['name']]))

    def try_mistake(self, mistake):
        """'killed', 'survived', 'unseen' if no test comes there, or 'stillborn' if it does not compile."""
        with tempfile.TemporaryDirectory(prefix='lh-mutate-') as scratch:
            mistaken = os.path.join(scratch, 'mistaken.o')
            if not self.compile(mistake.path, mistake.mutated, scratch, mistaken):
                return 'stillborn'
            tests = self.tests_of(mistake)
            if not tests:
                return 'unseen'
            return 'survived' if all(self.passes(test, scratch, mistaken) for test in tests) else 'killed'

    def compile(self, path, text, scratch, made):
        """Compiles what would stand in the file at `path` to an object of no counts. False if it does not compile."""
        source = os.path.join(scratch, os.path.basename(path))
        with open(source, 'w', encoding='utf-8', errors='surrogateescape') as file:
            file.write(text)
        words = shlex.split(self.compiles[path]['command'])
        for word in ('-MD', '--coverage', '-fprofile-arcs', '-ftest-coverage'):
            words = [w for w in words if w != word]
        for word in ('-MQ', '-MF', '-o', '-c'):
            at = words.index(word)
            del words[at:at + 2]
        words += ['-o', made, '-c', source]
        return run_to_the_end(words, BUILD_SECONDS, cwd=self.build) == 0

    def passes(self, test, scratch, mistaken):
        """Links a test with the mistake and runs it, from beside the test: some look for what lies there."""
        program = os.path.relpath(test['cmd'][0], self.build)
        if program not in self.links:
            self.links[program] = shlex.split(self.call('ninja', '-t', 'commands', '-s', program))
        words = list(self.links[program])
        at = words.index('-o')
        made = f'{program}.{os.path.basename(scratch)}'
        words[at:at + 2] = ['-o', made, mistaken]
        try:
            if run_to_the_end(words, BUILD_SECONDS, cwd=self.build) != 0:
                raise SystemExit(f'leasehold: cannot link {program}')
            patience = max(TEST_SECONDS, TEST_TIMES * self.took[test['name']])
            command = [os.path.join(self.build, made), *test['cmd'][1:]]
            return run_to_the_end(command, patience, cwd=self.build,
                                  env={**os.environ, **test['env'], **UNCOUNTED, 'TMPDIR': scratch}) == 0
        finally:
            if os.path.exists(os.path.join(self.build, made)):
                os.remove(os.path.join(self.build, made))
