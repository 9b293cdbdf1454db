"""What the command line has acknowledged, and what may therefore be answered. A command that was killed
acknowledged nothing: its session may or may not be revoked, until somebody has seen it refused."""
import threading

LIVE, IN_DOUBT, REVOKED = 'live', 'in doubt', 'revoked'


class Entry:
    """One acknowledged session."""

    def __init__(self, session, sub):
        self.session = session
        self.sub = sub
        self.state = LIVE
        self.was_refused = False


class Ledger:
    """Of all tenants; used by several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = []
        self.violations = []

    def blame(self, what):
        with self.lock:
            self.violations.append(what)

    def created(self, session, sub):
        with self.lock:
            self.entries.append(Entry(session, sub))

    def count(self, *states):
        with self.lock:
            return sum(entry.state in states for entry in self.entries)

    def pick(self, rng, *states):
        """Some session in one of these states, or None."""
        with self.lock:
            found = [entry for entry in self.entries if entry.state in states]
            return rng.choice(found) if found else None

    def begin_revoke(self, rng):
        """Some live session, which from now on may be refused; None while half of them would not live on."""
        with self.lock:
            found = [entry for entry in self.entries if entry.state == LIVE]
            if 2 * (len(found) - 1) < len(self.entries):
                return None
            entry = rng.choice(found)
            entry.state = IN_DOUBT
            return entry

    def revoked(self, entry):
        with self.lock:
            entry.state = REVOKED

    def judge(self, entry, before, answer):
        """One answer to a request of this session at its own tenant. before: its state and whether it
        had been refused when the request was sent; what changed meanwhile excuses nothing but itself."""
        state, was_refused = before
        who = f'{entry.session.tenant} {entry.session.reference} ({state})'
        if answer.status == 200:
            headers = {name.lower(): value for name, value in answer.json()['headers'].items()}
            if state == REVOKED or was_refused:
                self.blame(f'{who}: accepted after it was revoked')
            elif (headers['x-tenant-id'], headers['x-session-subject']) != (entry.session.tenant, entry.sub):
                self.blame(f'{who}: accepted as {headers}')
        elif answer.status == 401:
            with self.lock:
                entry.was_refused = True
                is_lost = entry.state == LIVE
            if is_lost:
                self.blame(f'{who}: lost')
        elif answer.status != 503:
            self.blame(f'{who}: answered with {answer.status}')
