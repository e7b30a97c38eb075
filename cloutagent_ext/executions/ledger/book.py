"""The ledger's file: opened, its tables made, set aside where it is damaged. Blocking; any thread.

One connection, one thread at a time. Other servers on the same data folder have their
own: SQLite's write-ahead log lets all read while one writes. Not here: what is written.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ... import durable, filelocks
from ...errors import Unavailable
from ...schema.base import timestamp

if TYPE_CHECKING:
    import sqlite3

_log = logging.getLogger(__name__)

NAME = "ledger.sqlite"
_FORMAT = 1
"""Other formats are set aside and written again: nothing in them is found nowhere else."""
PATIENCE_S = 10.0
"""Longest wait for another server that writes."""
_SIDES = ("", "-wal", "-shm")

_TABLES = """
CREATE TABLE executions (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, project_name TEXT NOT NULL, status TEXT NOT NULL,
    free INTEGER NOT NULL, batch TEXT, idempotent INTEGER NOT NULL, created REAL NOT NULL, started REAL,
    ended REAL, duration_ms INTEGER, waited INTEGER NOT NULL, last_event_id INTEGER NOT NULL, gone TEXT,
    state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX executions_created ON executions (created);
CREATE INDEX executions_ended ON executions (ended) WHERE gone IS NULL;
CREATE TABLE spent (
    execution_id TEXT NOT NULL, slot INTEGER NOT NULL, agent TEXT NOT NULL, model TEXT NOT NULL,
    cost REAL NOT NULL, turns INTEGER NOT NULL, unpriced INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, cache_read_input_tokens INTEGER NOT NULL,
    cache_creation_input_tokens INTEGER NOT NULL, PRIMARY KEY (execution_id, slot, agent, model)
) WITHOUT ROWID;
CREATE INDEX spent_slot ON spent (slot);
CREATE TABLE tools (
    execution_id TEXT NOT NULL, slot INTEGER NOT NULL, tool TEXT NOT NULL, source TEXT NOT NULL,
    calls INTEGER NOT NULL, errors INTEGER NOT NULL, duration_ms INTEGER NOT NULL, returned INTEGER NOT NULL,
    PRIMARY KEY (execution_id, slot, tool, source)
) WITHOUT ROWID;
CREATE INDEX tools_slot ON tools (slot);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

T = TypeVar("T")


class Book:
    """The file, whether it exists or not. `path` None: kept in memory only."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.fresh = False
        """Set when the file was made (again): all that lies on disk has to be written into it."""
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._seen = False
        """Whether the data folder was there once."""
        self._lock = threading.Lock()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` in one transaction; once more on a new file where the old one proves damaged.

        Raises Unavailable (READ_ONLY) where it cannot be read or written now.
        """
        import sqlite3

        with self._lock:
            for last in (False, True):
                try:
                    connection = self._open()
                    with connection:
                        return work(connection)
                except sqlite3.OperationalError as error:  # locked, full, unreadable: not this file's damage
                    raise _unavailable(error) from error
                except sqlite3.DatabaseError as error:
                    if type(error) is not sqlite3.DatabaseError:
                        raise  # a mistake of ours, not of the file
                    self._set_aside(str(error))
                    if last:
                        raise _unavailable(error) from error
                except OSError as error:
                    raise _unavailable(error) from error
        raise AssertionError

    def close(self) -> None:
        """Let go of the file; it opens again when it is used."""
        with self._lock:
            self._disconnect()

    # ------------------------------------------------------------ opening

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        if self._connection is not None and self._inode == self._on_disk():
            return self._connection
        self._disconnect()  # another server has set aside the file that we had
        if self.path is None:
            self._connection = self._connect(":memory:")
            self._connection.executescript(f"BEGIN; {_TABLES} COMMIT;")
            self.fresh = True
            return self._connection
        if self._seen and not self.path.parents[1].is_dir():  # a mount has gone, say: not ours to make anew
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path.parents[1]))
        durable.make_folder(self.path.parent)
        self._seen = True
        with filelocks.locked(self.path.with_suffix(".lock")):
            self._inode = self._on_disk()
            if self.path.is_symlink() or not (self._inode is None or self.path.is_file()):
                raise sqlite3.DatabaseError("it is no regular file")
            self._connection = self._connect(str(self.path))
            self._check(self._connection)
            self._inode = self._on_disk()
        return self._connection

    def _connect(self, path: str) -> sqlite3.Connection:
        import sqlite3

        # Its own lock orders the threads; autocommit off is `with connection`.
        connection = sqlite3.connect(path, timeout=PATIENCE_S, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")  # derived: a power cut may cost the newest rows
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Make the tables in a new file. Raises DatabaseError for a damaged one, or one of another format."""
        import sqlite3

        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={_FORMAT}; COMMIT;")
            self.fresh = True
            return
        if found != _FORMAT:
            raise sqlite3.DatabaseError(f"its format is {found}, ours is {_FORMAT}")
        if (said := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(said)

    def _on_disk(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._inode = None

    # ------------------------------------------------------------ damage

    def _set_aside(self, reason: str) -> None:
        """Put the file out of the way, unless another server has done so; nothing of it is lost."""
        opened, self_path = self._inode, self.path
        self._disconnect()
        if self_path is None:
            return
        with filelocks.locked(self_path.with_suffix(".lock")):
            if opened is not None and opened != self._on_disk():
                return
            aside = f"{self_path.name}.corrupt-{timestamp().replace(':', '')}"
            _log.warning("The ledger is written again from the logs (%s); it is kept as %s", reason, aside)
            for side in _SIDES:
                with contextlib.suppress(FileNotFoundError):
                    self_path.with_name(f"{self_path.name}{side}").rename(self_path.with_name(aside + side))


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(
        f"The ledger of executions cannot be used now: {error}. Check the data folder, then try again.",
        code="READ_ONLY",
    )
