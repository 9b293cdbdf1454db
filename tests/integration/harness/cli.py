"""The command line as a person or a script uses it: what it says where, and how it ends."""
import json
import os
import pty
import select
import subprocess

from harness.build import CLI, PATIENCE_S

DONE, NOT_SO, USAGE, UNAVAILABLE, REFUSED = range(5)


class Said:
    """What one command answered."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def document(self):
        """The one JSON document of stdout; fails if there is anything else."""
        return json.loads(self.out)

    @property
    def why(self):
        """The last line of stderr, which says what is wrong."""
        return self.err.splitlines()[-1] if self.err else ''

    def __repr__(self):
        return f'exit {self.code}, stdout {self.out!r}, stderr {self.err!r}'


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if key != 'LEASEHOLD_HOME'}
    return {**kept, 'ASAN_OPTIONS': 'detect_leaks=1', 'UBSAN_OPTIONS': 'halt_on_error=1', **more}


def command(home, *arguments):
    """home: a Home, a path, or None to say nothing about it."""
    where = () if home is None else ('--home', getattr(home, 'path', home))
    return [CLI, *where, *arguments]


def say(home, *arguments, text=None, **options):
    """Runs a command to its end. text: what it finds on stdin."""
    options.setdefault('env', environment())
    done = subprocess.run(command(home, *arguments), input=text or '', capture_output=True, text=True,
                          timeout=3 * PATIENCE_S, check=False, **options)
    return Said(done.returncode, done.stdout, done.stderr)


def say_json(home, *arguments, **options):
    return say(home, '--json', *arguments, **options)


def say_on_terminal(home, *arguments, answer):
    """The same at a terminal, where a person types an answer once he is asked."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(CLI, command(home, *arguments), environment())
    said, is_answered = b'', False
    try:
        while select.select([terminal], [], [], 3 * PATIENCE_S)[0]:
            said += os.read(terminal, 4096)
            if not is_answered and b'[y/N]' in said:
                os.write(terminal, answer.encode() + b'\n')
                is_answered = True
    except OSError:
        pass  # its other end is closed: the command is at its end
    os.close(terminal)
    return Said(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode(), '')
