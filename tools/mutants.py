"""Small mistakes in C: which ones can be made where, and what a file looks like with one of them."""
import os
import re

import source_tree

OPERATORS = (
    ('==', re.compile(r'(?<![=!<>])==(?!=)'), '!='),
    ('!=', re.compile(r'!=(?!=)'), '=='),
    ('<', re.compile(r'(?<= )<(?= )'), '<='),
    ('<=', re.compile(r'(?<= )<=(?= )'), '<'),
    ('>', re.compile(r'(?<= )>(?= )'), '>='),
    ('>=', re.compile(r'(?<= )>=(?= )'), '>'),
    ('&&', re.compile(r'&&'), '||'),
    ('||', re.compile(r'\|\|'), '&&'),
    ('!', re.compile(r'(?<=[\s(])!(?=[A-Za-z_(])'), ''),
    ('true', re.compile(r'\breturn true\b'), 'return false'),
    ('false', re.compile(r'\breturn false\b'), 'return true'),
)
CONDITION = re.compile(r'\b(?:if|while)\s*\(')
ENSURE = re.compile(r'\bLH_ENSURE\s*\(')
TRY = re.compile(r'\bLH_TRY\s*\(')
# What aborts on our own mistakes only, and what memory is asked for: not what a test can reach.
SPARED = re.compile(r'LH_BUG_IF|LH_MAGIC_CHECK|_Static_assert|NO_MEMORY|out_of_memory')


class Mistake:
    """One change of one file."""

    def __init__(self, path, text, start, end, new, what):
        self.path = path
        self.text = text
        self.start = start
        self.end = end
        self.new = new
        self.what = what
        self.line = source_tree.line_of(text, start)

    @property
    def mutated(self):
        return self.text[:self.start] + self.new + self.text[self.end:]

    @property
    def room(self):
        return self.path.split(os.sep)[1]

    def __str__(self):
        lines = self.text.splitlines()
        return f'{self.path}:{self.line}: {self.what}: {lines[self.line - 1].strip()}'


def mistakes_in_body(path, text, code, start, end):
    """Every mistake that can be made between two places of a file."""
    def make(at, until, new, what):
        return Mistake(path, text, at, until, new, what)

    for name, pattern, new in OPERATORS:
        for found in pattern.finditer(code, start, end):
            yield make(found.start(), found.end(), new, f'{name} for {new}' if new else f'no {name}')
    for found in CONDITION.finditer(code, start, end):
        close = source_tree.matching(code, found.end() - 1, '(', ')')
        condition = text[found.end():close - 1]
        word = found.group()[:-1].strip()
        yield make(found.end(), close - 1, f'(void)({condition}), false', f'{word}: never')
        if word == 'if':
            yield make(found.end(), close - 1, f'(void)({condition}), true', f'{word}: always')
    for found in ENSURE.finditer(code, start, end):
        close = source_tree.matching(code, found.end() - 1, '(', ')')
        yield make(found.start(), close, '(void)0', 'not ensured')
    for found in TRY.finditer(code, start, end):
        close = source_tree.matching(code, found.end() - 1, '(', ')')
        call = text[found.end():close - 1]
        yield make(found.start(), close, f'do {{ lh_status unseen_ = ({call}); (void)unseen_; }} while (0)',
                   'failure unseen')


def mistakes_in_file(root, path):
    """Every mistake that can be made in a file; its path is said from the root of the tree."""
    text = source_tree.read(os.path.join(root, path))
    code = source_tree.without_preprocessor(source_tree.split_comments(text)[0])
    for item in source_tree.items(text):
        if item.is_definition:
            for mistake in mistakes_in_body(path, text, code, item.body_start, item.end):
                line = text.splitlines()[mistake.line - 1]
                if not SPARED.search(line):
                    yield mistake
