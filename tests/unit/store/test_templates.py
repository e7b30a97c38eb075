"""The starter projects that come with the package become projects."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cloutagent_ext.errors import NotFound, UnreadableFile
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.templates import Templates
from tests.support.traversal import names


async def test_shipped_templates_are_ordered_and_make_projects(store: ProjectStore) -> None:
    templates = Templates()
    rows = await asyncio.to_thread(templates.list)
    assert [row.id for row in rows] == [
        "sales-analyst", "literature-scout", "code-reviewer", "data-cleaner", "experiment-runner", "empty",
    ]  # fmt: skip
    for row in rows:
        definition, files = await templates.load(row.id)
        stored = await store.create(definition, files=files)
        assert stored.project.name == row.name
        assert [item.path for item in await store.list_files(str(stored.project.id))] == sorted(files)
        await store.scenario(str(stored.project.id))


async def test_unknown_and_hostile_ids_are_not_found(tmp_path: Path) -> None:
    for name in ["nope", "", "Sales", *names(tmp_path, tmp_path / "outside")]:
        with pytest.raises(NotFound):
            await Templates().load(name)


async def test_a_broken_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/template.json").write_text(json.dumps({"name": "Mine", "nome": 1}))
    with pytest.raises(UnreadableFile, match=r"mine/template.json, line 1: nome"):
        await Templates(tmp_path).load("mine")
