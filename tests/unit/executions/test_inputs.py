"""Inputs of an execution stay in its workspace, and come from nowhere but where they may."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydantic import ValidationError

from cloutagent_ext.engine.tools.beneath import Refused
from cloutagent_ext.errors import InvalidRequest
from cloutagent_ext.executions.inputs import Inputs
from cloutagent_ext.schema.execution import InputFile
from tests.support.traversal import SECRET, names, plant


def every_file(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


async def test_no_path_of_an_input_leads_out_of_the_workspace(tmp_path: Path) -> None:
    workspace, outside = tmp_path / "workspace", tmp_path / "outside"
    workspace.mkdir()
    plant(workspace, outside)
    inputs = Inputs(tmp_path / "data", None)
    upload = (await inputs.keep("p", io.BytesIO(b"planted by an input"), 19)).upload_id
    before = {name: data for name, data in every_file(tmp_path).items() if not name.startswith("workspace/")}
    for path in names(workspace, outside):
        try:
            files = [InputFile(path=path, upload_id=upload)]
            await inputs.gather(files, "p", "e", by_key=True)
            await inputs.place(files, "e", workspace)
        except (InvalidRequest, ValidationError, Refused, OSError, ValueError):
            continue
        finally:
            await inputs.drop("e")
    after = {name: data for name, data in every_file(tmp_path).items() if not name.startswith("workspace/")}
    assert after == before


async def test_no_path_of_a_server_file_leads_out_of_its_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    plant(root, outside)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    inputs = Inputs(tmp_path / "data", root)
    for number, path in enumerate(names(root, outside)):
        try:
            files = [InputFile(path=f"f{number}", contents_path=path)]
            await inputs.gather(files, "p", "e", by_key=False)
            await inputs.place(files, "e", workspace)
        except (InvalidRequest, ValidationError, ValueError):
            continue
        finally:
            await inputs.drop("e")
    assert not [data for data in every_file(workspace).values() if SECRET.encode() in data]


async def test_the_data_folder_is_no_place_to_copy_from(tmp_path: Path) -> None:
    data = tmp_path / "cloutagent"
    (data / "projects").mkdir(parents=True)
    (data / "projects" / "keys.json").write_text("secret")
    inputs = Inputs(data, tmp_path)
    files = [InputFile(path="a", contents_path="cloutagent/projects/keys.json")]
    with pytest.raises(InvalidRequest, match="own data"):
        await inputs.gather(files, "p", "e", by_key=False)


async def test_what_was_gathered_is_placed_once_and_a_second_time_harms_nothing(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path, None)
    upload = (await inputs.keep("p", io.BytesIO(b"data"), 4)).upload_id
    files = [InputFile(path="a/b.txt", upload_id=upload)]
    await inputs.gather(files, "p", "e", by_key=True)
    workspace = tmp_path / "w"
    workspace.mkdir()
    await inputs.place(files, "e", workspace)
    (workspace / "a/b.txt").write_text("changed by the run")
    await inputs.place(files, "e", workspace)
    assert (workspace / "a/b.txt").read_text() == "changed by the run"
