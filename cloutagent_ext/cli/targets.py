"""Files that commands write for people: never over another by accident, never half."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..errors import InvalidRequest


async def check_free(target: Path, *, force: bool = False) -> None:
    """Raises InvalidRequest where `target` is there already and may not be replaced."""
    if not force and await asyncio.to_thread(target.exists):
        raise InvalidRequest(f"{target} is there already; name another file, or add --force.")


async def write(target: Path, data: bytes) -> None:
    """All of it under its name, or nothing. Raises InvalidRequest."""
    await asyncio.to_thread(_replace, target, data)


def _replace(target: Path, data: bytes) -> None:
    staged = target.with_name(f".{target.name}.part")
    try:
        staged.write_bytes(data)
        staged.replace(target)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise InvalidRequest(f"{target} cannot be written: {error.strerror}.") from error
