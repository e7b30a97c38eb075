"""Golden data folders, one for each released version: what it wrote has to open for ever.

`python -m tests.support.golden` writes `golden/{version}/` with the code of this moment. Do that once, just
before a release, commit it with `git add -f` (a project's own `.gitignore` keeps its secrets and keys out
otherwise), and never write it again: the test reads them all.

In each: a project with one of everything, fields of a made-up newer version in all its JSON files, two
versions, a secret under the key below, an API key; and a project with an execution that has ended.
`expected.json` says what they meant.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from cloutagent_ext import __version__
from cloutagent_ext.auth.keys import Keys
from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.jupyter.kernels import LocalKernels
from cloutagent_ext.schema.execution import ExecuteRequest
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.services import Services, build
from cloutagent_ext.settings import Settings
from cloutagent_ext.store.keyring import KeyRing
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import Secrets

from .definitions import whole

FOLDER = Path(__file__).parent / "golden"
KEY = "0123456789abcdef" * 4
"""Opens the golden secrets. Of no use for anything else."""
SECRET = "a golden value"
UNKNOWN = {"from_a_newer_version": {"kept": [1, None, "ü"]}}


def services(data_dir: Path) -> Services:
    """All services on `data_dir`, with the golden key."""
    settings = Settings.from_environment(
        {}, data_dir=data_dir, root_dir=data_dir, encryption_key=KEY, simulated_pace=0.0
    )
    return build(settings, kernels=LocalKernels())


def strange(project: Path) -> list[str]:
    """Put fields that this version does not know into each JSON file of the definition; their paths."""
    found = [
        path
        for path in sorted(project.rglob("*.json"))
        if path.relative_to(project).parts[0] in (".ui", "subagents", "hooks", "mcps")
        or (path.parent == project and path.name in ("metadata.json", "agent.config.json"))
    ]
    for path in found:
        raw = json.loads(path.read_text())
        path.write_text(json.dumps({**raw, **UNKNOWN}, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return [str(path.relative_to(project)) for path in found]


async def _project(data_dir: Path) -> dict[str, Any]:
    store = ProjectStore(data_dir)
    await store.open()
    first = await store.create(
        whole(), files={"data/sales.csv": b"a,b\n1,2\n", "run.sh": b"#!/bin/sh\n"}, executable=["run.sh"]
    )
    pid = str(first.project.id)
    await store.save(pid, whole(description="The second one"), author="ann")
    await store.make_version(pid, label="Golden", author="ann")
    paths = await asyncio.to_thread(strange, data_dir / "projects" / pid)
    secrets = Secrets(data_dir / "projects", KeyRing(KEY, data_dir.parent / "none.keys"))
    await secrets.set(pid, "TOKEN", SECRET)
    keys = Keys(data_dir / "projects")
    key = await keys.create(pid, "Golden")
    await keys.close()
    project = (await store.read(pid)).project
    return {
        "id": pid,
        "definition": project.model_dump(
            mode="json", exclude={"id", "version", "published_version", "trusted", "updated_at"}
        ),
        "version": project.version,
        "strange": paths,
        "api_key": key.api_key,
    }


async def _execution(data_dir: Path) -> dict[str, Any]:
    found = services(data_dir)
    await found.start(recover=False)
    definition = Definition.model_validate(
        {"name": "Ran", "agent": {"task": "Say something.", "system_prompt": "You speak.", "simulate": True}}
    )
    pid = str((await found.store.create(definition)).project.id)
    principal = Principal(kind="user", name="ann")
    accepted = await found.executions.accept(pid, ExecuteRequest(), principal=principal, origin="cli")
    state = await found.executions.wait(accepted.execution_id)
    await found.stop()
    return {"id": accepted.execution_id, "project": pid, "status": state.status}


def make(version: str = __version__) -> None:
    """Write the golden folder of `version`."""
    target = FOLDER / version
    if target.exists():
        raise SystemExit(f"{target} is there: what a release wrote never changes.")
    data_dir = target / "data"
    data_dir.mkdir(parents=True)
    expected = {
        "project": asyncio.run(_project(data_dir)),
        "execution": asyncio.run(_execution(data_dir)),
    }
    for litter in (*data_dir.rglob("*.lock"), *data_dir.glob("temp")):
        shutil.rmtree(litter) if litter.is_dir() else litter.unlink()
    for folder in (data_dir / "projects/.locks", data_dir / "projects/.counters", data_dir / "backups"):
        shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(expected, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (target / "expected.json").write_text(text)


if __name__ == "__main__":
    make()
