"""Rows of an LMDB environment, read and written behind everybody's back: what somebody can do who may
write to the home's stores."""
import contextlib
import ctypes
import os

LIBRARY = ctypes.CDLL('liblmdb.so.0')
NOT_FOUND = -30798
FIRST, NEXT = 0, 8


class Value(ctypes.Structure):
    _fields_ = [('size', ctypes.c_size_t), ('at', ctypes.c_void_p)]

    @classmethod
    def of(cls, content):
        kept = ctypes.create_string_buffer(content, len(content))
        value = cls(len(content), ctypes.cast(kept, ctypes.c_void_p))
        value.kept = kept
        return value

    def bytes(self):
        return ctypes.string_at(self.at, self.size)


def _call(name, *arguments):
    result = getattr(LIBRARY, name)(*arguments)
    assert result == 0, f'{name}: {ctypes.c_char_p(LIBRARY.mdb_strerror(result)).value}'


LIBRARY.mdb_strerror.restype = ctypes.c_void_p
LIBRARY.mdb_txn_abort.restype = None
LIBRARY.mdb_env_close.restype = None
LIBRARY.mdb_cursor_close.restype = None


class Rows:
    """One table (None: the unnamed one) of the environment in a folder, in one write transaction."""

    def __init__(self, folder, table=None):
        self.folder = folder
        self.table = table.encode() if table else None

    @contextlib.contextmanager
    def _transaction(self):
        owner = os.stat(os.path.join(self.folder, 'data.mdb'))
        env, txn, dbi = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint()
        _call('mdb_env_create', ctypes.byref(env))
        _call('mdb_env_set_maxdbs', env, 32)
        _call('mdb_env_open', env, self.folder.encode(), 0, 0o600)
        _call('mdb_txn_begin', env, None, 0, ctypes.byref(txn))
        _call('mdb_dbi_open', txn, self.table, 0, ctypes.byref(dbi))
        try:
            yield txn, dbi
        except BaseException:
            LIBRARY.mdb_txn_abort(txn)
            raise
        else:
            _call('mdb_txn_commit', txn)
        finally:
            LIBRARY.mdb_env_close(env)
            assert os.stat(os.path.join(self.folder, 'data.mdb')).st_uid == owner.st_uid

    def all(self):
        """Key to value."""
        found = {}
        with self._transaction() as (txn, dbi):
            cursor, key, value = ctypes.c_void_p(), Value(), Value()
            _call('mdb_cursor_open', txn, dbi, ctypes.byref(cursor))
            step = FIRST
            while (result := LIBRARY.mdb_cursor_get(cursor, ctypes.byref(key), ctypes.byref(value), step)) == 0:
                found[key.bytes()] = value.bytes()
                step = NEXT
            assert result == NOT_FOUND
            LIBRARY.mdb_cursor_close(cursor)
        return found

    def write(self, rows):
        """Puts these rows; None takes a row away."""
        with self._transaction() as (txn, dbi):
            for key, value in rows.items():
                name = Value.of(key)
                if value is None:
                    _call('mdb_del', txn, dbi, ctypes.byref(name), None)
                else:
                    content = Value.of(value)
                    _call('mdb_put', txn, dbi, ctypes.byref(name), ctypes.byref(content), 0)
