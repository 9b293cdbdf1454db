"""The source tree as the checks read it: which files there are, and C split into its items.

No C parser: comments, literals and preprocessor lines are blanked out, braces are counted. That is
enough for the plain C that the checks ask for, and what they cannot read they report.
"""
import argparse
import os
import re
import sys

SKIPPED_FOLDERS = {'__pycache__', '.pytest_cache', 'node_modules'}
SKIPPED_AT_THE_TOP = re.compile(r'^(\.git|run|build.*)$')


class Report:
    """Collects what is wrong, prints it, and answers the exit code."""

    def __init__(self, root):
        self.root = root
        self.problems = []

    def add(self, path, line, what):
        self.problems.append((os.path.relpath(path, self.root), line, what))

    def finish(self):
        for path, line, what in sorted(set(self.problems)):
            print(f'{path}:{line}: {what}')
        return 1 if self.problems else 0


def arguments(description, *extra):
    """Parses --root and whatever else a check takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--root', default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                        help='the tree to look at (this one)')
    for name, options in extra:
        parser.add_argument(name, **options)
    return parser.parse_args()


def walk(root, *folders):
    """Every file below the folders (or the whole tree), sorted; what is built or run is left out."""
    found = []
    for folder in folders or ('.',):
        for path, names, files in os.walk(os.path.join(root, folder)):
            is_top = os.path.samefile(path, root)
            names[:] = [n for n in names if n not in SKIPPED_FOLDERS and not (is_top and SKIPPED_AT_THE_TOP.match(n))]
            found += [os.path.normpath(os.path.join(path, f)) for f in files if not f.endswith('.pyc')]
    return sorted(found)


def c_files(root, *folders):
    return [p for p in walk(root, *folders) if p.endswith(('.c', '.h'))]


def read(path):
    with open(path, encoding='utf-8', errors='surrogateescape') as file:
        return file.read()


def line_of(text, at):
    return text.count('\n', 0, at) + 1


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _spaces(text):
    return re.sub(r'[^\n]', ' ', text)


def split_comments(text):
    """The code with comments and literals blanked, and the comments as (start, end)."""
    comments = []

    def blank(match):
        if match.group().startswith('/'):
            comments.append(match.span())
        return _spaces(match.group())

    return TOKEN.sub(blank, text), comments


def without_preprocessor(code):
    """The code with every preprocessor line blanked, continuation lines too."""
    return re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', lambda m: _spaces(m.group()), code, flags=re.M)


def matching(code, at, opening, closing):
    """Index behind the bracket that closes the one at `at`."""
    depth = 0
    while at < len(code):
        if code[at] == opening:
            depth += 1
        elif code[at] == closing:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return len(code)


class Item:
    """One declaration or definition at file scope."""

    def __init__(self, code, start, end, body_start):
        self.start = start
        self.end = end
        self.body_start = body_start  # of a brace block, or None
        self.head = code[start:body_start if body_start is not None else end]
        self.body = code[body_start:end] if body_start is not None else ''
        self.function = _function_name(self.head)

    @property
    def is_definition(self):
        return self.function is not None and self.body_start is not None

    @property
    def is_prototype(self):
        return self.function is not None and self.body_start is None


def _function_name(head):
    while True:
        attribute = re.search(r'__attribute__\s*\(', head)
        if not attribute:
            break
        end = matching(head, attribute.end() - 1, '(', ')')
        head = head[:attribute.start()] + head[end:]
    if re.match(r'\s*(typedef|_Static_assert)\b', head) or '=' in head.split('(')[0]:
        return None
    named = re.match(r'[^(]*?\b([A-Za-z_]\w*)\s*\((?!\s*\*)', head)
    before = head[:named.start(1)] if named else ''
    return named.group(1) if named and re.search(r'\w', before) else None


LONE_MACRO = re.compile(r'[A-Z][A-Z0-9_]+\s*\(')
LINKAGE = re.compile(r'extern\s*\{')


def items(text):
    """The items of a C file in order; extern "C" blocks are looked into."""
    code = without_preprocessor(split_comments(text)[0])
    found = []
    at = 0
    while True:
        start = _next_start(code, at)
        if start >= len(code):
            return found
        linkage = LINKAGE.match(code, start)
        if linkage:
            at = linkage.end()
            continue
        item = _item_at(code, start)
        found.append(item)
        at = max(item.end, start + 1)


def _next_start(code, at):
    while at < len(code) and (code[at].isspace() or code[at] in ';}'):
        at += 1
    return at


def _item_at(code, start):
    macro = LONE_MACRO.match(code, start)
    if macro:
        end = matching(code, macro.end() - 1, '(', ')')
        if re.match(r'[ \t]*(\n|$)', code[end:]):
            return Item(code, start, end, None)
    at = start
    while at < len(code) and code[at] not in ';{':
        at = matching(code, at, '(', ')') if code[at] == '(' else at + 1
    if at >= len(code) or code[at] == ';':
        return Item(code, start, min(at + 1, len(code)), None)
    end = matching(code, at, '{', '}')
    item = Item(code, start, end, at)
    if item.function is None:
        semicolon = code.find(';', end)
        end = len(code) if semicolon < 0 else semicolon + 1
        item = Item(code, start, end, at)
        item.function = None
    return item


def main(check):
    sys.exit(check())
