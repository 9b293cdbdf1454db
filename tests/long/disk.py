"""A disk that loses power: fed with what programs asked of it (record_writes.c), it knows what a sync
has covered, and makes images in which any part of the rest has arrived. A file's page may have arrived
as it was after any of its writes, or, torn, with some sectors of a write; names made, moved or removed
since the directory's sync may have arrived up to any point."""
import os
import shutil

PAGE = 4096
SECTOR = 512


class Event:
    """One entry of a record."""

    def __init__(self, kind, offset, content, path, second):
        self.kind = kind
        self.offset = offset
        self.content = content
        self.path = path
        self.second = second


def read_record(path, was_in, is_in):
    """Yields (begin, event, end): an event and its place in the record. Paths below the folder was_in
    are told as below is_in."""
    with open(path, 'rb') as file:
        raw = file.read()
    at = 0
    while at < len(raw):
        line_end = raw.index(b'\n', at)
        kind, offset, length, name, second = raw[at:line_end].decode().split(' ')
        end = line_end + 1 + int(length)
        assert end <= len(raw)
        name, second = (text.replace(was_in, is_in, 1) for text in (name, second))
        yield at, Event(kind, int(offset), raw[line_end + 1:end], name, second), end
        at = end


class File:
    """durable: what is on the disk for certain; pending: page to its writes since, in order."""

    def __init__(self, content=b''):
        self.durable = bytearray(content)
        self.pending = {}

    def write(self, offset, content):
        while content:
            page = offset // PAGE
            part = content[:PAGE - offset % PAGE]
            self.pending.setdefault(page, []).append((offset, part))
            offset, content = offset + len(part), content[len(part):]

    def sync(self, pages=None):
        for page in list(self.pending) if pages is None else pages:
            for offset, part in self.pending.pop(page, []):
                put(self.durable, offset, part)

    def choices(self):
        count = 1
        for writes in self.pending.values():
            count *= len(writes) + 1
        return count

    def chosen(self, number):
        """The image of this number among all without torn writes."""
        image = bytearray(self.durable)
        for page in sorted(self.pending):
            writes = self.pending[page]
            number, arrived = divmod(number, len(writes) + 1)
            for offset, part in writes[:arrived]:
                put(image, offset, part)
        return image

    def drawn(self, rng):
        """Any image."""
        image = bytearray(self.durable)
        bias, torn = rng.choice([0.1, 0.5, 0.9, 1]), rng.random() < 0.5
        for page in sorted(self.pending):
            writes = self.pending[page]
            arrived = len(writes) if rng.random() < bias else rng.randint(0, len(writes) - 1)
            for offset, part in writes[:arrived]:
                put(image, offset, part)
            if torn and arrived < len(writes):
                tear(image, *writes[arrived], rng)
        return image

    def whole(self):
        return self.chosen(self.choices() - 1)


def put(image, offset, part):
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset:offset + len(part)] = part


def tear(image, offset, part, rng):
    """Some sectors of a write. A write within one sector arrives whole or not at all."""
    at = 0
    while at < len(part):
        size = SECTOR - (offset + at) % SECTOR
        if rng.random() < 0.5:
            put(image, offset + at, part[at:at + size])
        at += size


class Disk:
    """Begins with a folder that is on the disk for certain."""

    def __init__(self, folder):
        self.folder = folder
        self.now = {}
        for directory, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(directory, name)
                if os.path.isfile(path) and name != 'lock.mdb':
                    with open(path, 'rb') as file:
                        self.now[path] = File(file.read())
        self.named = dict(self.now)
        self.renaming = []

    def take(self, event):
        """What was asked; a writesync has still to arrive (settle)."""
        if event.kind in ('write', 'writesync'):
            self.file_of(event.path).write(event.offset, event.content)
        elif event.kind == 'sync':
            self.sync(event.path)
        elif event.kind in ('link', 'rename', 'unlink'):
            self.name(event)
        else:
            raise AssertionError(f'{event.kind} of {event.path}: not known')

    def settle(self, event):
        if event.kind == 'writesync':
            last = event.offset + max(len(event.content), 1) - 1
            self.file_of(event.path).sync(range(event.offset // PAGE, last // PAGE + 1))

    def file_of(self, path):
        if path not in self.now:
            self.now[path] = File()
            self.renaming.append((path, self.now[path]))
        return self.now[path]

    def name(self, event):
        if event.kind != 'unlink':
            self.now[event.second] = self.now[event.path]
            self.renaming.append((event.second, self.now[event.path]))
        if event.kind != 'link':
            self.now.pop(event.path, None)
            self.renaming.append((event.path, None))

    def sync(self, path):
        if path in self.now:
            self.now[path].sync()
        else:
            here = [change for change in self.renaming if os.path.dirname(change[0]) == path]
            self.renaming = [change for change in self.renaming if change not in here]
            rename(self.named, here)

    def pending(self, part):
        """Files below this folder of the home that have something to lose."""
        return [file for path, file in self.now.items()
                if file.pending and os.path.relpath(path, self.folder).startswith(part)]

    def write_image(self, base, to, content_of, arrived):
        """Makes the folder `to`: a copy of `base` whose files are content_of(file) under the names that
        are certain and the first `arrived` changes of names since."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(base, to, symlinks=True)
        owner = os.stat(base)
        names = dict(self.named)
        rename(names, self.renaming[:arrived])
        for directory, _, files in os.walk(to):
            os.chown(directory, owner.st_uid, owner.st_gid)
            for name in files:
                path = os.path.join(directory, name)
                if os.path.join(self.folder, os.path.relpath(path, to)) not in names:
                    os.unlink(path)
        for path, file in names.items():
            target = os.path.join(to, os.path.relpath(path, self.folder))
            with open(target, 'wb') as out:
                out.write(content_of(path, file))
            os.chmod(target, 0o600)
            os.chown(target, owner.st_uid, owner.st_gid)


def rename(names, changes):
    for path, file in changes:
        if file is None:
            names.pop(path, None)
        else:
            names[path] = file
