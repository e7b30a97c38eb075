"""`jupyter cloutagent validate --connect`: servers are tried, and never those that nobody agreed to."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from cloutagent_ext.cli import main
from cloutagent_ext.schema.project import Agent, Definition, McpServer
from cloutagent_ext.store.projects import ProjectStore
from tests.support.mcp_bench import HOSTILE


@pytest.fixture(autouse=True)
def _no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep a server from its sentinel, and the sentinel's absence would prove nothing."""
    monkeypatch.setenv("CLOUTAGENT_ISOLATION", "off")


def server(how: str, argument: str = "", **more: object) -> McpServer:
    args = [str(HOSTILE), how, argument]
    return McpServer.model_validate({"id": how, "name": how, "command": sys.executable, "args": args, **more})


def make(data_dir: Path, *servers: McpServer) -> str:
    """Id of a project with these servers; its folder is `projects/<id>`."""

    async def create() -> str:
        store = ProjectStore(data_dir)
        await store.open()
        agent = Agent(task="Go.", simulate=True)
        stored = await store.create(Definition(name="Sales", agent=agent, mcps=list(servers)))
        return str(stored.project.id)

    return asyncio.run(create())


def shell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["validate", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_servers_are_tried_only_where_that_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentinel = tmp_path / "sentinel"
    make(tmp_path, server("sentinel", str(sentinel)), server("silent-exit"))
    code, out, _ = shell(capsys, "Sales", "--data-dir", str(tmp_path))
    assert code == 0
    assert not sentinel.exists()
    code, out, _ = shell(capsys, "Sales", "--data-dir", str(tmp_path), "--connect")
    assert code == 0
    assert "warning: mcp:silent-exit.mcps.1: silent-exit cannot be reached: it ended with exit code 0" in out
    assert sentinel.read_text() == "started\n"


def test_an_essential_server_that_is_missing_is_told_by_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, server("silent-exit", essential=True))
    assert shell(capsys, "Sales", "--data-dir", str(tmp_path))[0] == 0
    code, out, _ = shell(capsys, "Sales", "--data-dir", str(tmp_path), "--connect")
    assert code == 1
    assert "MCP_CONNECTION_FAILED" in out


def test_a_folder_and_an_untrusted_project_start_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentinel = tmp_path / "sentinel"
    project = make(tmp_path, server("sentinel", str(sentinel)))
    folder = tmp_path / "projects" / project
    code, _, err = shell(capsys, f"{folder}/", "--connect")
    assert code == 2
    assert "nobody has agreed" in err
    config = folder / "mcps/mcp-config.json"
    config.write_text(config.read_text().replace('"sentinel",', '"sentinel", "x",', 1))
    code, _, err = shell(capsys, "Sales", "--data-dir", str(tmp_path), "--connect")
    assert code == 2
    assert "nobody here has agreed" in err
    assert not sentinel.exists()
