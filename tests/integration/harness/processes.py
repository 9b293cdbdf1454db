"""Processes as /proc tells of them."""
import ctypes
import os

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From now on processes whose parent ends are children of this one, who then can wait for them."""
    assert ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def _fields(pid):
    """State and parent; None of a process that is gone. A name may hold any byte, so from its end on."""
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
            state, parent = file.read().rpartition(')')[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return state, int(parent)


def is_running(pid):
    """Whether it is there, and not only waiting to be waited for."""
    fields = _fields(pid)
    return fields is not None and fields[0] not in 'ZX'


def children(pid):
    """The children of a process. Its own list of them (task/N/children) leaves some out while others
    end: proc(5)."""
    numbers = [int(name) for name in os.listdir('/proc') if name.isdigit()]
    return sorted(number for number in numbers if (fields := _fields(number)) and fields[1] == pid)


def title(pid):
    try:
        with open(f'/proc/{pid}/cmdline', encoding='utf-8', errors='replace') as file:
            return file.read().replace('\0', ' ')
    except (FileNotFoundError, ProcessLookupError):
        return ''


def status_kib(pid, field):
    """A size that the kernel accounts for, as VmRSS or VmLck."""
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        for line in file:
            name, _, value = line.partition(':')
            if name == field:
                return int(value.split()[0])
    raise KeyError(field)


def open_files(pid):
    """What its file descriptors lead to."""
    folder = f'/proc/{pid}/fd'
    targets = []
    for name in os.listdir(folder):
        try:
            targets.append(os.readlink(os.path.join(folder, name)))
        except FileNotFoundError:
            pass  # closed meanwhile
    return targets
