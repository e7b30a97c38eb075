"""Looking after projects from a shell and from Python: at a real server, and the shell without one too.

The same sentences are said to both desks: what a script relies on must not depend on whether a server
happens to run. Runs of executions are in `test_command_line`.
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.cli import main, targets
from cloutagent_ext.client import connect
from cloutagent_ext.errors import BadArchive, InvalidRequest, NotFound, PreconditionFailed
from cloutagent_ext.store.projects import ProjectStore
from tests.support.live_server import LiveServer, live_server


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON value and nothing else."""
        return json.loads(self.out)


@dataclass
class Shell:
    """`jupyter cloutagent …` at one desk."""

    options: list[str]
    delete: Callable[[str], object]
    """Delete a project, as the panel does."""
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, stdin: str = "") -> Said:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        self.capsys.readouterr()
        try:
            code = main([*arguments, *self.options])
        except SystemExit as refusal:  # argparse
            code = int(refusal.code or 0)
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return Said(code, out, err)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("shell")) as server:
        yield server


@pytest.fixture(params=["at a server", "in a folder"])
def shell(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name in ("ENCRYPTION_KEY", "CLOUTAGENT_ENCRYPTION_KEY_FILE", "CLOUTAGENT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "in a folder":
        folder = tmp_path / "data"
        store = ProjectStore(folder)
        return Shell(
            ["--data-dir", str(folder)], lambda pid: asyncio.run(store.delete(pid)), capsys, monkeypatch
        )
    server: LiveServer = request.getfixturevalue("server")
    options = ["--url", f"{server.url}?token={server.token}"]
    return Shell(options, lambda pid: server.request("DELETE", f"projects/{pid}"), capsys, monkeypatch)


@pytest.fixture
def project(shell: Shell, request: pytest.FixtureRequest) -> str:
    """Name of a project of this test's own."""
    name = request.node.name[:60].strip()
    assert shell("projects", "create", name).code == 0
    return name


def id_of(shell: Shell, name: str) -> str:
    (row,) = [row for row in shell("projects", "--json").json if row["name"] == name]
    return str(row["id"])


def test_projects_are_made_and_listed(shell: Shell) -> None:
    made = shell("projects", "create", "From a template", "--template", "sales-analyst", "--json")
    assert made.code == 0, made.err
    assert made.json["api_key"].startswith("ca_")
    listed = shell("projects", "list")
    assert listed.code == 0
    assert f"{made.json['id']}  v1" in listed.out
    assert "From a template" in listed.out
    assert made.json["api_key"] not in listed.out
    refused = shell("projects", "create", "x", "--template", "no-such", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "NOT_FOUND")


def test_validate_says_by_its_exit_code_whether_it_would_run(shell: Shell, project: str) -> None:
    shell("projects", "create", f"{project} sound", "--template", "sales-analyst")
    for name in (project, f"{project} sound"):
        said = shell("validate", name, "--json")
        assert said.json["ok"] is (said.code == 0)
        assert said.code in (0, 1)
        plain = shell("validate", name)
        assert plain.code == said.code
        assert ("It would run" in plain.out) is said.json["ok"]
    assert shell("validate", f"{project} sound").code == 0
    assert shell("validate", "no such project").code == 2


def test_a_hook_is_tried_on_what_past_runs_did(shell: Shell, project: str) -> None:
    name = f"{project} reviewed"
    shell("projects", "create", name, "--template", "code-reviewer")
    assert shell("hooks", "backtest", name, "guard", "--json").json["seen"] == 0
    assert shell("run", name).code == 0
    found = shell("hooks", "backtest", name, "guard", "--last", "1", "--json")
    assert found.code == 0, found.err
    assert found.json["executions"] == 1
    assert found.json["seen"] == len(found.json["rows"]) > 0
    said = shell("hooks", "backtest", name, "guard")
    assert f"{found.json['seen']} seen in 1 executions: {found.json['denied']} blocked" in said.out
    assert shell("hooks", "backtest", name, "nobody").code == 2
    assert shell("hooks", "backtest", name, "guard", "--last", "501").code == 2


def test_a_project_goes_out_and_comes_in(shell: Shell, project: str, tmp_path: Path) -> None:
    for name, options in {"a.zip": [], "a.tar.gz": ["--no-ui"], "b.zip": ["--format", "claude"]}.items():
        said = shell("export", project, name, *options, "--json")
        assert said.code == 0, said.err
        assert said.json["size"] == (tmp_path / name).stat().st_size
        came = shell("import", name, "--json")
        assert came.code == 0, came.err
        assert came.json["api_key"].startswith("ca_")
        assert came.json["id"] != id_of(shell, project)
        assert isinstance(came.json["warnings"], list)
    before = (tmp_path / "a.zip").read_bytes()
    again = shell("export", project, "a.zip")
    assert (again.code, (tmp_path / "a.zip").read_bytes()) == (2, before)
    assert shell("export", project, "a.zip", "--force").code == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
    assert shell("export", "no such project", "c.zip").code == 2
    assert not (tmp_path / "c.zip").exists()


def test_what_is_no_archive_exits_2_and_makes_no_project(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 not really")
    before = shell("projects", "--json").json
    refused = shell("import", "bad.zip", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "BAD_ARCHIVE")
    assert refused.json["error"]["message"] in refused.err
    assert shell("import", "missing.zip").code == 2
    assert shell("projects", "--json").json == before


def test_what_strangers_called_a_project_is_not_obeyed_by_the_terminal(
    shell: Shell, project: str, tmp_path: Path
) -> None:
    """A name may hold what a terminal takes for orders; an import's and a list's rows are its owner's."""
    shell("export", project, "p.zip")
    name = "Good\x1b[2J\n00000000-0000-0000-0000-000000000000  v1   Forged\u202e"
    with zipfile.ZipFile("p.zip") as archive, zipfile.ZipFile("evil.zip", "w") as evil:
        for entry in archive.namelist():
            data = archive.read(entry)
            if entry.endswith("metadata.json"):
                data = json.dumps(json.loads(data) | {"name": name}).encode()
            evil.writestr(entry, data)
    taken = shell("import", "evil.zip")
    assert taken.code == 0, taken.err
    assert taken.out.splitlines()[0].endswith("Good[2J 00000000-0000-0000-0000-000000000000 v1 Forged")
    listed = shell("projects")
    assert len([row for row in listed.out.splitlines() if "Forged" in row]) == 1
    again = shell("import", "evil.zip")
    assert again.code == 0
    unknown = shell("validate", "No\x1b[2J")
    assert unknown.code == 2
    for said in (taken, listed, again, unknown):
        assert not {"\x1b", "\u202e"} & set(said.out + said.err)


def test_a_file_is_neither_taken_in_without_end_nor_put_over_another(
    shell: Shell, project: str, tmp_path: Path
) -> None:
    for command in (("import", "/dev/zero"), ("cassette", "upload", project, "/dev/zero")):
        endless = shell(*command)
        assert (endless.code, "longer than" in endless.err) == (2, True), endless.err
    for command in (("import", "."), ("cassette", "upload", project, "nobody.gz")):
        assert shell(*command).code == 2
    target = tmp_path / "p.zip"
    assert shell("export", project, str(target)).code == 0
    first = target.read_bytes()
    refused = shell("export", project, str(target))
    assert (refused.code, "--force" in refused.err, target.read_bytes()) == (2, True, first)
    with pytest.raises(InvalidRequest, match="--force"):  # it came to be there while the command worked
        asyncio.run(targets.write(target, b"other"))
    assert target.read_bytes() == first
    assert shell("export", project, str(target), "--force").code == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_keys_are_made_listed_and_revoked(shell: Shell, project: str) -> None:
    made = shell("keys", "create", project, "CI", "--json")
    assert made.code == 0, made.err
    listed = shell("keys", "list", project, "--json")
    assert made.json["id"] in [row["id"] for row in listed.json]
    assert made.json["api_key"] not in listed.out
    assert shell("keys", "revoke", project, made.json["id"], "--json").json == {"revoked": made.json["id"]}
    assert made.json["id"] not in shell("keys", "list", project).out
    assert shell("keys", "revoke", project, made.json["id"]).code == 2


def test_secrets_are_kept_and_never_shown(shell: Shell, project: str) -> None:
    value = "a value with ünicode"
    said = [
        shell("secrets", "set", project, "TOKEN", stdin=f"{value}\n"),
        shell("secrets", "set", project, "TOKEN", "--json", stdin=value),
        shell("secrets", "list", project),
        shell("secrets", "list", project, "--json"),
    ]
    assert [each.code for each in said] == [0, 0, 0, 0], said
    assert [row["name"] for row in said[-1].json] == ["TOKEN"]
    assert not any(value in each.out + each.err for each in said)
    short = shell("secrets", "set", project, "PIN", stdin="4711")
    assert short.code == 2
    assert "6 characters" in short.err
    assert "4711" not in short.err
    assert shell("secrets", "delete", project, "TOKEN", "--json").json == {"deleted": "TOKEN"}
    assert shell("secrets", "delete", project, "TOKEN").code == 2


def test_rotation_is_for_a_folder_alone(shell: Shell, project: str) -> None:
    shell("secrets", "set", project, "TOKEN", stdin="some value")
    said = shell("secrets", "rotate", "--new-key", "--json")
    if "--url" in shell.options:
        assert (said.code, said.json["error"]["code"]) == (2, "INVALID_REQUEST")
        return
    assert said.code == 0, said.err
    assert len(said.json["rewrapped"]) == 1
    assert shell("secrets", "rotate", "--json").json["rewrapped"] == []


def test_a_backup_brings_back_what_was_replaced_and_what_was_deleted(shell: Shell, project: str) -> None:
    pid = id_of(shell, project)
    made = shell("backup", "--json")
    assert made.code == 0, made.err
    name = made.json["name"]
    assert name in [row["name"] for row in shell("backup", "--list", "--json").json]
    assert name in shell("backup", "--list").out
    done = shell("restore", name, "--project", project, "--json")
    assert done.code == 0, done.err
    assert done.json["restored"] == [pid]
    assert [each.startswith(f"replaced-{pid}-") for each in done.json["kept"]] == [True]
    shell.delete(pid)
    assert shell("restore", name, "--project", project).code == 2, "a deleted one is named by its id"
    back = shell("restore", name, "--project", pid)
    assert back.code == 0, back.err
    assert id_of(shell, project) == pid
    assert pid in shell("restore", name, "--all", "--json").json["restored"]
    assert shell("restore", name).code == 2, "one or all has to be said"
    assert shell("restore", "backup-2001-01-01.zip", "--all").code == 2
    assert shell("restore", "../../etc/passwd", "--all").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("projects",),
        ("export", "x", "x.zip"),
        ("backup",),
        ("restore", "backup-2001-01-01.zip", "--all"),
        ("keys", "list", "x"),
        ("secrets", "list", "x"),
        ("validate", "x"),
    ],
)
def test_a_server_that_is_not_there_exits_3_whatever_was_asked(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--url", "http://127.0.0.1:9"]) == 3
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_without_an_address_the_running_server_is_found(server: LiveServer, tmp_path: Path) -> None:
    """The real program, as a person has it: `import` and `backup` at the server that runs."""
    kept = server.create_project("To be found", None)

    def program(*arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "cloutagent_ext", *arguments, "--json"],
            env=server.env, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    program("export", "To be found", "found.zip")
    assert program("import", "found.zip")["name"] == "To be found (2)"
    name = program("backup")["name"]
    assert name in [row["name"] for row in server.request("GET", "backups")[1]["items"]]
    assert kept["id"] in program("restore", name, "--project", "To be found")["restored"]


# ---------------------------------------------------------------- from Python, without await


def test_the_plain_client_does_everything_with_a_project_and_its_copies(
    server: LiveServer, tmp_path: Path
) -> None:
    with connect(server.url, token=server.token) as client:
        project = client.create_project("Plain")
        project.write_file("bin/run.sh", "#!/bin/sh\n")
        definition = project.definition()
        definition.description = "as a draft"
        assert project.save(definition, draft=True).version == 1
        assert [row.version for row in project.versions()] == [1]
        definition.description = "saved"
        assert project.save(definition).version == 2
        stale = client["Plain"]
        stale.definition()
        definition.description = "newer"
        project.save(definition)
        with pytest.raises(PreconditionFailed):
            stale.save(definition.model_copy(update={"description": "stale"}))

        archive = project.export("tar.gz", ui=False)
        (tmp_path / "plain.tar.gz").write_bytes(archive)
        for given in (archive, tmp_path / "plain.tar.gz", str(tmp_path / "plain.tar.gz")):
            came = client.import_project(given)
            assert came.name.startswith("Plain (")
            assert came.warnings == []
            assert came.definition().description == "newer"
            assert came.read_file("bin/run.sh") == b"#!/bin/sh\n"
            with connect(server.url, api_key=came.api_key) as program:
                assert program.project().id == came.id
        with pytest.raises(BadArchive):
            client.import_project(b"nothing of the kind")
        assert client["Plain"].duplicate().name == "Plain (copy)"

        row = client.make_backup()
        assert row.name in [each.name for each in client.backups()]
        with zipfile.ZipFile(io.BytesIO(client.download_backup(row.name))) as backup:
            assert backup.testzip() is None
        project.delete_file("bin/run.sh")
        assert project.files() == []
        with pytest.raises(NotFound):
            project.delete_file("bin/run.sh")
        done = client.restore(row.name, project.id)
        assert (done.restored, len(done.kept)) == ([project.id], 1)
        assert [each.path for each in project.files()] == ["bin/run.sh"]

        key = project.create_key("reader", scopes=["read"])
        assert key.scopes == ["read"]
        project.set_secret("TOKEN", "a value of it")
        assert [each.name for each in project.secrets()] == ["TOKEN"]
        project.publish(1)
        assert project.definition().published_version == 1
        project.delete()
        with pytest.raises(NotFound):
            client.project(project.id)
