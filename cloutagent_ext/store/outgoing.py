"""What we give as an archive, judged as our own import will judge it. Not here: packing (`store.archive`)."""

from __future__ import annotations

import io

from ..errors import BadArchive
from .unpack import FREE_BYTES, MAX_BYTES, MAX_ENTRIES, MAX_RATIO, Member, Names, bad, passed_over


class Outgoing:
    """What goes into an archive of ours, judged as `unpack` will judge it: what we give, we take again."""

    def __init__(self) -> None:
        self._names = Names()
        self._entries = 0
        self._bytes = 0

    def take(self, path: str, size: int) -> None:
        """One more file. Raises `BadArchive`, which names it. Logs of executions count for nothing."""
        if passed_over(path):
            return
        self._entries += 1
        self._bytes += size
        try:
            self._names.take(Member(path, False, False, io.BytesIO(), size))
            if self._entries > MAX_ENTRIES:
                raise bad(f"there are more than {MAX_ENTRIES:,} files")
            if self._bytes > MAX_BYTES:
                raise bad(f"the files are more than {MAX_BYTES // 1024 // 1024} MB together")
        except BadArchive as error:
            reason = error.details["reason"]
            raise BadArchive(
                f"Nothing was exported: no import would take the archive, because {reason} ({path[:200]!a}). "
                "Rename or remove that file, then export again. "
                "Backups hold it as it is.",
                reason=reason,
                file=path[:200],
            ) from None

    def too_dense(self, packed: int) -> bool:
        """Whether all of it in `packed` bytes would look like a bomb."""
        return self._bytes > max(FREE_BYTES, packed * MAX_RATIO)
