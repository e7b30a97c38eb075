"""A process on a disk that fills up or turns read-only: what still works, and that it needs no restart.

`python -m tests.crash.full_disk <kind> <folder>`, for `test_real_disks`. `kind`: `tmpfs` (a small one is
mounted on the folder; in a mount namespace of its own), `read-only` (likewise, remounted) or `limit`
(RLIMIT_FSIZE: the first write beyond it is short, the next one fails). Prints `done` at the end.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

from cloutagent_ext.auth.keys import Keys
from cloutagent_ext.errors import CloutError, DiskFull, Unauthorized, Unavailable
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore


def definition(text: str, prompt: int = 0) -> Definition:
    return Definition.model_validate(
        {"name": "Project", "description": text, "agent": {"system_prompt": f"{text} " * (1 + prompt // 8)}}
    )


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


async def until_full(store: ProjectStore, pid: str) -> str:
    """Save until there is no room; the last description that was acknowledged."""
    last = "first"
    for number in range(1000):
        try:
            await store.write_file(pid, f"file-{number}", b"x" * 20_000)
            stored = await store.save(pid, definition(f"text {number}", 20_000))
        except DiskFull:
            return last
        last = stored.project.description
    raise AssertionError("the disk never filled up")


async def main(kind: str, folder: Path) -> None:
    if kind != "limit":
        mount("-t", "tmpfs", "-o", "size=2m", "none", str(folder))
    store, keys = ProjectStore(folder / "data"), Keys(folder / "data/projects")
    await store.open()
    pid = str((await store.create(definition("first"), files={"a.csv": b"1"})).project.id)
    key = await keys.create(pid, "CI")
    await keys.verify(key.api_key)
    last = "first"
    if kind == "tmpfs":
        last = await until_full(store, pid)
        assert last != "first"
    elif kind == "read-only":
        await keys.close()  # the last use has been written
        keys = Keys(folder / "data/projects")
        mount("-o", "remount,ro", str(folder))
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))

    # What cannot be done says why, as its own kind of error; nothing of it is seen afterwards.
    refusal = Unavailable if kind == "read-only" else DiskFull
    for attempt in (
        store.save(pid, definition("too much", 900_000)),
        store.write_file(pid, "b.csv", b"x" * 1_900_000),
        store.create(definition("another", 900_000)),
    ):
        try:
            await attempt
        except CloutError as error:
            if not isinstance(error, refusal):
                raise AssertionError(repr(error)) from error
        else:
            raise AssertionError("it was acknowledged")
    assert store.read_only is None, "a full disk is no broken one"

    # Reading goes on; a key can be revoked wherever a byte can be written at all.
    assert (await store.read(pid)).project.description == last
    assert (await store.read_file(pid, "a.csv"))[0] == b"1"
    assert len((await store.list()).items) == 1
    if kind != "read-only":
        await keys.revoke(pid, key.id)
        try:
            await keys.verify(key.api_key)
        except Unauthorized:
            pass
        else:
            raise AssertionError("the revoked key still opens")

    # Room again: no restart is needed.
    if kind == "tmpfs":
        mount("-o", "remount,size=64m", str(folder))
    elif kind == "read-only":
        mount("-o", "remount,rw", str(folder))
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (await store.save(pid, definition("later", 50_000))).project.description == "later"
    assert (await store.write_file(pid, "b.csv", b"2")).size == 1
    left = [path for path in (folder / "data").rglob("*") if ".tmp" in path.name or ".staging" in path.name]
    assert left == [], left
    await keys.close()
    print("done")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
