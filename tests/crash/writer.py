"""A process that saves one project again and again, for tests that kill it or run two of it.

`python -m tests.crash.writer <data folder> count <n>`: n times, read the number in the description and
save it plus one, trying again whenever somebody else was faster.
`python -m tests.crash.writer <data folder> endless`: save ever higher numbers, in several files at
once; after each acknowledged save its number is printed.
`python -m tests.crash.writer <data folder> race`: read the number and save it plus one, for ever; after
each acknowledged save its number is printed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cloutagent_ext.errors import PreconditionFailed
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore


def numbered(n: int) -> Definition:
    """A definition that says `n` in each of its files."""
    text = str(n)
    return Definition.model_validate(
        {
            "name": "Project",
            "description": text,
            "agent": {"system_prompt": text, "task": text},
            "subagents": [{"id": "helper", "name": text, "prompt": text}],
        }
    )


def number_of(definition: Definition) -> int:
    """The number that all files agree on."""
    helper = definition.subagents[0]
    found = {
        definition.description, definition.agent.system_prompt, definition.agent.task,
        helper.name, helper.prompt,
    }  # fmt: skip
    assert len(found) == 1, f"mixed: {found}"
    return int(found.pop())


async def count(store: ProjectStore, pid: str, times: int) -> None:
    for _ in range(times):
        while True:
            stored = await store.read(pid)
            try:
                await store.save(pid, numbered(number_of(stored.project) + 1), if_match=stored.etag)
                break
            except PreconditionFailed:
                continue


async def endless(store: ProjectStore, pid: str) -> None:
    n = number_of((await store.read(pid)).project)
    while True:
        n += 1
        await store.save(pid, numbered(n), draft=n % 3 == 0)
        await asyncio.to_thread(print, n, flush=True)


async def race(store: ProjectStore, pid: str) -> None:
    while True:
        stored = await store.read(pid)
        number = number_of(stored.project) + 1
        try:
            await store.save(pid, numbered(number), if_match=stored.etag)
        except PreconditionFailed:
            continue
        await asyncio.to_thread(print, number, flush=True)


async def main(data_dir: str, what: str, times: str = "0") -> None:
    store = ProjectStore(Path(data_dir))
    await store.open()
    (pid,) = await store.ids()
    if what == "count":
        await count(store, pid, int(times))
    elif what == "race":
        await race(store, pid)
    else:
        await endless(store, pid)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
