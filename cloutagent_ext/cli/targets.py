"""Files that commands write for people, never over another by accident, never half; and what they take in."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from ..errors import InvalidRequest


async def check_free(target: Path, *, force: bool = False) -> None:
    """Raises InvalidRequest where `target` is there already and may not be replaced."""
    if not force and await asyncio.to_thread(target.exists):
        raise _there(target)


def _there(target: Path) -> InvalidRequest:
    return InvalidRequest(f"{target} is there already; name another file, or add --force.")


async def write(target: Path, data: bytes, *, force: bool = False) -> None:
    """All of it under its name, or nothing. Raises InvalidRequest, also where it has come to be there."""
    await asyncio.to_thread(_put, target, data, force)


def _put(target: Path, data: bytes, force: bool) -> None:
    # Under a name of its own until it is whole: two that write the same file do not mix.
    staged = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        try:
            with staged.open("xb") as file:
                file.write(data)
            if force:
                staged.replace(target)
            else:
                _name(staged, target)
        finally:
            staged.unlink(missing_ok=True)
    except FileExistsError:
        raise _there(target) from None
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written: {error.strerror}.") from error


def _name(staged: Path, target: Path) -> None:
    try:
        target.hardlink_to(staged)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError from None
        staged.replace(target)


async def read(source: Path, most: int) -> bytes:
    """What somebody wants taken in. Raises InvalidRequest: nobody takes more than `most` bytes."""
    return await asyncio.to_thread(_get, source, most)


def _get(source: Path, most: int) -> bytes:
    try:
        with source.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InvalidRequest(f"{source} cannot be read: {error.strerror}.") from error
    if len(data) > most:
        raise InvalidRequest(f"{source} is longer than {most // 1024 // 1024} MB, the most that is taken.")
    return data
