"""The figures as Markdown, as docs/performance.md has them: medians of the rounds."""
import statistics

import forms
import tokens


def print_forms(rows):
    """rows: (sessions or None, form)."""
    has_sessions = any(sessions for sessions, _ in rows)
    front = '| form | sessions ' if has_sessions else '| form '
    print(f'\n{front}| requests/s | ratio to bare | CPU µs per request | above bare | client p99 µs |')
    print('|---|---|---|---|---|---|---|' if has_sessions else '|---|---|---|---|---|---|')
    for sessions, form in rows:
        base = form.base or form
        ratio = statistics.median(rate / of_base for rate, of_base in zip(form.rates, base.rates))
        cost = statistics.median(form.costs)
        above = '' if form is base else f'{cost - statistics.median(base.costs):+.1f}'
        front = f'| {form.name} | {sessions:,} ' if has_sessions else f'| {form.name} '
        print(f'{front}| {statistics.median(form.rates):,.0f} | {ratio:.2f} | {cost:.1f} | {above} '
              f'| {statistics.median(form.latencies):,.0f} |')


def growth(fields):
    """What a request costs over the largest home, in what it costs over the smallest: medians of rounds."""
    small, large = (field.form(forms.LOOKED_UP) for field in (fields[0], fields[-1]))
    return statistics.median(more / less for more, less in zip(large.costs, small.costs))


def print_decisions(fields):
    print('\n| decision, cookie from LMDB | p50 µs | p99 µs | p99.9 µs |')
    print('|---|---|---|---|')
    for field in fields:
        print(f'| {field.sessions:,} sessions | ' + ' | '.join(str(time) for time in field.times.values()) + ' |')
    if len(fields) > 1:
        print(f'\nCPU per request, {fields[-1].sessions:,} sessions to {fields[0].sessions:,}: '
              f'{growth(fields):.2f}')


def print_signatures(field, signatures):
    """What verifying adds to a token that is remembered, beside what OpenSSL alone takes."""
    print('\n| signature | OpenSSL alone, CPU µs | decision, remembered | decision, verified | above | ratio '
          '| request above |')
    print('|---|---|---|---|---|---|---|')
    kept = field.form(forms.TOKEN_KEPT)
    for algorithm in tokens.ALGORITHMS:
        rounds = list(zip(signatures.alone[algorithm], signatures.remembered[algorithm], signatures.decided[algorithm],
                          field.form(forms.verified(algorithm)).costs, kept.costs))
        columns = [[alone, least, most, most - least] for alone, least, most, _, _ in rounds]
        figures = ' | '.join(f'{statistics.median(column):.1f}' for column in zip(*columns))
        ratio = statistics.median((most - least) / alone for alone, least, most, _, _ in rounds)
        request = statistics.median(more - less for _, _, _, more, less in rounds)
        print(f'| {algorithm} | {figures} | {ratio:.2f} | {request:.1f} |')


def print_all(fields, signatures):
    print(f'\n{len(fields[0].forms[0].rates)} interleaved rounds, medians')
    print_forms([(field.sessions, form) for field in fields for form in field.forms])
    print_decisions(fields)
    print(f'\nBearer tokens of {tokens.TOKEN_BYTES} bytes:')
    print_forms([(None, form) for form in fields[0].token_forms])
    print_signatures(fields[0], signatures)
    print('\nSealed cookies:')
    print_forms([(None, form) for form in fields[0].sealed_forms])
    print('\nSigned requests:')
    print_forms([(None, form) for form in fields[0].signed_forms])
