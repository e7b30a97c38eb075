"""Ids of revoked keys of a data folder: `revoked-keys.txt`, beside the projects and in no backup.

A row of `keys.json` comes back with a backup of its project, a revocation must not be undone by that:
so it is noted here first, and a key whose id is noted opens nothing, whatever its project's file says.
One line a key, `{key id} {when}`, on the disk before a revocation is acknowledged. A file that cannot
be read opens nothing for anybody, like a damaged `keys.json`.

Lines older than `KEPT_DAYS` go when a key is revoked: no backup that we keep is as old. Not here:
the keys (`auth.key_file`). Everything blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .. import durable, filelocks, smallfiles
from ..errors import UnreadableFile
from ..schema.base import timestamp
from ..smallfiles import Stamp

NAME = "revoked-keys.txt"
KEPT_DAYS = 1000
"""Far beyond the age of any backup that is kept by itself; whoever restores an older copy revokes again."""
MAX_BYTES = 16 * 1024 * 1024

_ID = r"[0-9a-f]{32}-[0-9a-f]{8}"
"""Ids of keys as we make them; a row with another one opens nothing anyway."""
_LINE = re.compile(rf"({_ID}) (\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z)")
_HEADER = "# Keys that were revoked: they stay revoked when a backup brings their project back.\n"


class Revoked:
    """The list of one data folder, which several servers may share."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / NAME
        self._lock = data_dir / f".{NAME}.lock"
        self._known: tuple[Stamp | None, frozenset[str]] | None = None

    def stamp(self) -> Stamp | None:
        """Something that differs whenever the list may have changed; None where there is none."""
        return smallfiles.stamp(self._path)

    def ids(self) -> frozenset[str]:
        """All of them, read anew only where the file changed. Raises `UnreadableFile`."""
        stamp = self.stamp()
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, frozenset(self._read()))
        return self._known[1]

    def add(self, ids: Iterable[str]) -> None:
        """Note them, on the disk when this returns; those that are noted already change nothing.

        Raises `UnreadableFile`, `DiskFull`, `Unavailable`.
        """
        with filelocks.locked(self._lock):
            known = self._read()
            new = {each: timestamp() for each in ids if each not in known and re.fullmatch(_ID, each)}
            if not new:
                return
            oldest = timestamp(datetime.now(UTC) - timedelta(days=KEPT_DAYS))
            kept = {each: moment for each, moment in known.items() if moment >= oldest} | new
            for litter in self._path.parent.glob(f".{NAME}.*.tmp"):  # of a writer that was killed
                durable.remove(litter)
            rows = "".join(f"{each} {moment}\n" for each, moment in kept.items())
            durable.atomic_write(self._path, (_HEADER + rows).encode("ascii"), 0o600)

    def _read(self) -> dict[str, str]:
        """Id → when, oldest first."""
        try:
            data = smallfiles.read(self._path, MAX_BYTES) or b""
        except smallfiles.Unusable as error:
            raise _unreadable(error.reason) from None
        found = {}
        for number, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            if (match := _LINE.fullmatch(line.strip())) is None:
                raise _unreadable("takes a key's id and a time", number)
            found[match[1]] = match[2]
        return found


def _unreadable(reason: str, line: int | None = None) -> UnreadableFile:
    where = f"{NAME}, line {line}" if line else NAME
    return UnreadableFile(
        f"{where}: {reason}. No key works until the file is mended or removed: without it, keys that a "
        "backup brought back would work again.",
        file=NAME,
        line=line,
        reason=reason,
    )
