"""A start on a file system whose locks do not work: what is refused, and what still works.

`python -m tests.crash.no_locks <folder> <project> <execution>`, for `test_locks`, below strace, which
makes every flock fail, or succeed without a lock. Prints why nothing is written.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from cloutagent_ext.errors import Unavailable
from cloutagent_ext.schema.project import Definition
from tests.unit.executions.conftest import Office


def everything(folder: Path) -> dict[str, bytes]:
    """All but the server's own log, which has one writer and says what is wrong."""
    files = (path for path in folder.rglob("*") if path.is_file() and folder / "logs" not in path.parents)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


async def main(folder: Path, project: str, execution: str) -> None:
    before = everything(folder)
    office = Office(folder)
    services = office.services
    await services.start()
    why = services.read_only
    assert why, "it would write"
    assert (await services.store.read(project)).project.name == "Sales"
    assert (await services.executions.state(execution)).status == "running"
    refused: dict[str, Awaitable[Any]] = {
        "save": services.store.save(project, Definition(name="Other")),
        "create": services.store.create(Definition(name="Other")),
        "key": services.keys.create(project, "CI"),
        "secret": services.secrets.set(project, "TOKEN", "a value"),
        "execute": office.accept(project),
        "cancel": services.executions.cancel(execution, by="ada"),
        "backup": services.backups.make(),
    }
    for name, attempt in refused.items():
        try:
            await attempt
        except Unavailable as error:
            if (error.error_code, error.message) != ("READ_ONLY", why):
                raise AssertionError((name, repr(error))) from error
        else:
            raise AssertionError(f"{name} was done")
    await services.stop(0)
    after = everything(folder)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    if changed:
        raise AssertionError(f"written all the same: {changed}")
    print(why)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
