"""`jupyter cloutagent validate ./folder`: a checkout is judged as it lies there, by exit code and as JSON."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cloutagent_ext.cli import main
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.templates import Templates


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The folder of a sound project, as git would have it."""

    async def make() -> Path:
        store = ProjectStore(tmp_path / "data")
        await store.open()
        definition, files = await Templates().load("sales-analyst")
        stored = await store.create(definition, files=files)
        return tmp_path / "data/projects" / str(stored.project.id)

    return asyncio.run(make())


def shell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["validate", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_sound_folder_would_run_and_is_not_touched(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.stat().st_mtime_ns for p in checkout.rglob("*")}
    code, out, _ = shell(capsys, str(checkout))
    assert code == 0
    assert "It would run" in out
    assert {p: p.stat().st_mtime_ns for p in checkout.rglob("*")} == before


def test_the_folder_here_is_a_folder(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    code, out, _ = shell(capsys, ".", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


@pytest.mark.parametrize(
    ("file", "text", "code", "path"),
    [
        ("agent.config.json", '{\n "tools": ["nope"]\n}', "UNKNOWN_TOOL", "agent.tools.0"),
        ("agent.config.json", '{\n "tools": [\n}', "UNREADABLE_FILE", "agent.config.json"),
        ("metadata.json", '{"name": "x", "schema_version": 99}', "NEWER_FORMAT", "metadata.json"),
        ("files/scenario.json", "{", "UNREADABLE_FILE", "files/scenario.json"),
    ],
)
def test_what_is_broken_is_a_finding_and_the_exit_code_says_so(
    checkout: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, code: str, path: str
) -> None:
    (checkout / file).write_text(text)
    exit_code, out, _ = shell(capsys, str(checkout), "--json")
    found = json.loads(out)
    assert (exit_code, found["ok"]) == (1, False)
    assert (code, path) in [(problem["code"], problem["path"]) for problem in found["problems"]]
    exit_code, out, _ = shell(capsys, str(checkout))
    assert exit_code == 1
    assert code in out
    assert "It would not run" in out


def test_no_folder_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = shell(capsys, str(tmp_path / "nowhere"))
    assert code == 2
    assert "no folder" in err


def test_an_empty_folder_is_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = shell(capsys, f"{tmp_path}/")
    assert code == 1
    assert "metadata.json" in out
