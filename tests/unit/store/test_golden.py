"""What each released version wrote opens for ever: read, run from, changed, with nothing of it lost."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext import __version__
from cloutagent_ext.schema.events import EVENT
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.services import Services
from cloutagent_ext.store import migrations
from tests.support.golden import FOLDER, SECRET, UNKNOWN, services

RELEASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


@dataclass
class Golden:
    services: Services
    project: dict[str, Any]
    execution: dict[str, Any]
    folder: Path

    @property
    def pid(self) -> str:
        return str(self.project["id"])

    @property
    def definition(self) -> Definition:
        return Definition.model_validate(self.project["definition"])


@pytest.fixture(params=RELEASES)
async def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Golden:
    source = FOLDER / request.param
    await asyncio.to_thread(shutil.copytree, source / "data", tmp_path / "data")
    expected = json.loads((source / "expected.json").read_text())
    found = services(tmp_path / "data")
    await found.store.open()
    pid = expected["project"]["id"]
    return Golden(found, expected["project"], expected["execution"], tmp_path / "data/projects" / pid)


def test_this_version_and_every_format_have_one() -> None:
    assert __version__ in RELEASES, "python -m tests.support.golden, once, before the release"
    formats = {
        json.loads(path.read_text())["schema_version"]
        for path in FOLDER.glob("*/data/projects/*/metadata.json")
    }
    assert formats == set(range(1, migrations.current() + 1))


async def test_it_is_listed_and_means_what_it_meant(golden: Golden) -> None:
    rows = {str(row.id): row for row in (await golden.services.store.list()).items}
    assert rows[golden.pid].unreadable is None
    project = (await golden.services.store.read(golden.pid)).project
    known = {name: getattr(project, name) for name in Definition.model_fields}
    assert Definition(**known) == golden.definition
    assert project.version == golden.project["version"]


async def test_its_versions_files_secrets_and_keys_are_there(golden: Golden) -> None:
    store = golden.services.store
    rows = (await store.list_versions(golden.pid)).items
    assert [(row.version, row.label, row.unreadable) for row in rows[:1]] == [(3, "Golden", None)]
    for row in rows:
        held = await store.read_version(golden.pid, row.version)
        assert held.files == ["data/sales.csv", "run.sh"]
    assert (await store.read_file(golden.pid, "data/sales.csv"))[0] == b"a,b\n1,2\n"
    assert await golden.services.secrets.get(golden.pid, "TOKEN") == SECRET
    key = await golden.services.keys.verify(golden.project["api_key"])
    assert key.project_id == golden.pid
    await golden.services.keys.close()


async def test_a_save_keeps_every_field_of_a_newer_version(golden: Golden) -> None:
    changed = golden.definition.model_copy(deep=True)
    changed.description = "Changed"
    changed.agent.task = "Another task"
    changed.ui.nodes[0].position.x += 1
    for part in (*changed.subagents, *changed.hooks, *changed.mcps):
        part.name = f"{part.name}!"
    await golden.services.store.save(golden.pid, changed)
    assert len(golden.project["strange"]) >= 8
    for path in golden.project["strange"]:
        raw = json.loads((golden.folder / path).read_text())
        assert raw["from_a_newer_version"] == UNKNOWN["from_a_newer_version"], path
    project = (await golden.services.store.read(golden.pid)).project
    assert Definition(**{name: getattr(project, name) for name in Definition.model_fields}) == changed


async def test_an_old_version_comes_back(golden: Golden) -> None:
    first = (await golden.services.store.read_version(golden.pid, 1)).definition
    project = (await golden.services.store.restore(golden.pid, 1)).project
    assert project.description == first.description
    assert project.version > golden.project["version"]


async def test_its_execution_is_still_told_event_by_event(golden: Golden) -> None:
    executions = golden.services.executions
    state = await executions.wait(golden.execution["id"])
    assert (state.status, state.project_id) == (golden.execution["status"], golden.execution["project"])
    log = await executions.log(golden.execution["id"])
    events = [EVENT.validate_json(line) async for line in log.cursor()]
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == "complete"
