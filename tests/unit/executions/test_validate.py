"""The dry check says what an execution would be refused for, folders on the disk included."""

from __future__ import annotations

from pathlib import Path

from cloutagent_ext.errors import InvalidRequest
from cloutagent_ext.schema.project import Definition

from .conftest import Opens, agent, bash


async def test_folders_that_are_not_there_are_found_each_at_its_place(
    open_office: Opens, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    (root / "there").mkdir(parents=True)
    (root / "file").write_text("x")
    office = await open_office(root_dir=root)
    folders = [{"path": name, "mode": "read"} for name in ("there", "gone", "file", "../out")]
    definition = Definition(name="Sales", agent=agent(folders=folders, system_prompt="You help."))
    found = await office.executions.validate(definition)
    assert not found.ok
    assert [(problem.code, problem.path) for problem in found.problems] == [
        ("FOLDER_MISSING", "agent.folders.1.path"),
        ("FOLDER_MISSING", "agent.folders.2.path"),
        ("FOLDER_OUTSIDE", "agent.folders.3.path"),
    ]


async def test_what_is_refused_was_found_and_nothing_else_is(open_office: Opens, tmp_path: Path) -> None:
    office = await open_office(root_dir=tmp_path)
    for folders in ([], [{"path": "gone", "mode": "read"}]):
        definition = agent(folders=folders)
        project = await office.project(bash("true"), agent=definition)
        ok = (await office.executions.validate(Definition(name="Sales", agent=definition), project)).ok
        try:
            accepted = await office.accept(project)
        except InvalidRequest:
            assert not ok
        else:
            assert ok
            await office.executions.wait(accepted.execution_id)
