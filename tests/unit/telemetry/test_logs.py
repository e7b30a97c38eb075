"""Structured logs: whole lines of JSON whatever is said, off the loop, bounded in size, days and time."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.masking import Mask
from cloutagent_ext.settings import Settings
from cloutagent_ext.telemetry import context
from cloutagent_ext.telemetry.audit import Audit
from cloutagent_ext.telemetry.facade import Telemetry
from cloutagent_ext.telemetry.logfiles import DailyFile
from cloutagent_ext.telemetry.logs import Line, Logs

SECRET = "the-secret-of-this-server"
LOG = logging.getLogger("cloutagent.test")


class Desk:
    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.logs = Logs(folder, hide=Mask([SECRET]), **{"level": "INFO", "max_mb": 1.0, **options})

    def lines(self, name: str = "cloutagent") -> list[dict[str, Any]]:
        """What is in the newest file, read back."""
        self.logs.stop()
        paths = sorted((self.folder / "logs").glob(f"{name}-*.jsonl"))
        return [json.loads(line) for line in paths[-1].read_bytes().splitlines()] if paths else []


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    desk.logs.start()
    yield desk
    desk.logs.stop()


def test_a_line_says_when_how_loud_who_what_and_for_whom(desk: Desk) -> None:
    with context.within("019ab000-0000-7000-8000-000000000001"):
        LOG.warning("%d of %s", 3, "these", extra={"fields": {"project_id": "p"}})
    [line] = desk.lines()
    assert datetime.fromisoformat(line.pop("ts")).tzinfo is not None
    assert line == {
        "level": "WARNING", "logger": "cloutagent.test", "message": "3 of these", "project_id": "p",
        "execution_id": "019ab000-0000-7000-8000-000000000001",
        "trace_id": "019ab00000007000800000000000000001"[:8] + "000070008000000000000001",
    }  # fmt: skip


INJECTIONS = [
    'end\n{"level":"INFO","logger":"cloutagent.audit","message":"forged"}', "a\r\nb", "a\x1b[2Jb", "a\x00b",
    "a\u2028b\u2029c\x85d", "\ud800", '","level":"DEBUG","x":"', "é" * 3, "\x9b31m",
]  # fmt: skip


@pytest.mark.parametrize("said", INJECTIONS)
def test_nothing_that_is_said_ends_a_line_forges_one_or_moves_a_cursor(
    desk: Desk, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest would keep it for its own report, which cannot be sent between its processes.
    monkeypatch.setattr(logging.getLogger("cloutagent"), "propagate", False)
    LOG.info("Named %s", said, extra={"fields": {"name": said, "inner": {said: [said]}}})
    LOG.error("And %s", said)
    found = desk.lines()
    assert [line["message"] for line in found] == [f"Named {said}", f"And {said}"]
    assert found[0]["name"] == said
    raw = b"".join(path.read_bytes() for path in (desk.folder / "logs").iterdir())
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in raw)
    assert raw.count(b"\n") == 2


def test_secrets_and_what_looks_like_one_are_not_written(desk: Desk) -> None:
    key = f"ca_{'0' * 32}-{'1' * 8}_{'s' * 43}"
    LOG.info("%s %s sk-ant-abcdefghijkl http://x/?token=tokentoken&b=1", SECRET, key)
    LOG.info("x", extra={"fields": {"header": {"Authorization": "Authorization: token tokentoken"}}})
    try:
        raise ValueError(SECRET)
    except ValueError:
        LOG.exception("broken")
    text = json.dumps(desk.lines())
    for secret in (SECRET, "s" * 43, "sk-ant-abc", "tokentoken"):
        assert secret not in text
    assert f"ca_{'0' * 32}" in text, "which key it was may be told"
    assert "ValueError: [masked]" in text


async def test_what_the_server_knows_or_is_told_is_hidden_in_files_and_from_the_collector(
    tmp_path: Path,
) -> None:
    given = {"api_key": "the-models-own-key", "encryption_key": "ab" * 32}
    settings = Settings.from_environment({}, data_dir=tmp_path, **given)
    telemetry = Telemetry(settings, version="1", hide=Mask)
    taken: list[Line] = []
    telemetry._logs.also(taken.append)
    telemetry.confide("jupyters-own-token")
    telemetry.start()
    LOG.warning("%s %s jupyters-own-token", *given.values())
    await telemetry.stop()
    [path] = (tmp_path / "logs").iterdir()
    for text in (path.read_text(), taken[0].message):
        assert "[masked] [masked] [masked]" in text


def test_long_words_are_cut_and_wrong_arguments_break_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("cloutagent"), "propagate", False)  # pytest minds them
    LOG.info("x" * 100_000)
    LOG.info("%d", "no number")
    LOG.info("after")
    first, second, third = desk.lines()
    assert len(first["message"]) < 10_000
    assert "do not fit" in second["message"]
    assert third["message"] == "after"


@pytest.mark.parametrize("level", ["DEBUG", "WARNING"])
def test_the_level_is_the_settings_and_what_was_before_comes_back(tmp_path: Path, level: str) -> None:
    before = logging.getLogger("cloutagent").level
    desk = Desk(tmp_path, level=level)
    desk.logs.start()
    for say in (LOG.debug, LOG.info, LOG.warning):
        say("x")
    assert len(desk.lines()) == {"DEBUG": 3, "WARNING": 1}[level]
    assert logging.getLogger("cloutagent").level == before
    assert all(
        not isinstance(each, type(desk.logs._handler)) for each in logging.getLogger("cloutagent").handlers
    )


def test_files_are_the_owners_only(desk: Desk) -> None:
    LOG.info("x")
    desk.lines()
    for path in (desk.folder / "logs", *(desk.folder / "logs").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_audit_lines_have_files_of_their_own_at_any_level(tmp_path: Path) -> None:
    desk = Desk(tmp_path, level="CRITICAL")
    desk.logs.start()
    Audit().tell(
        "secret.set", who={"kind": "user", "name": "ada"}, address="127.0.0.1", outcome="ok", name="N"
    )
    [line] = desk.lines("audit")
    assert (line["stream"], line["action"], line["who"]["name"], line["name"]) == (
        "audit",
        "secret.set",
        "ada",
        "N",
    )
    assert desk.lines() == []


def test_looks_with_the_same_key_are_told_once_a_minute() -> None:
    now = [0.0]
    audit = Audit(lambda: now[0])
    assert audit.due("key", "address", "route")
    assert not audit.due("key", "address", "route")
    assert audit.due("key", "elsewhere", "route")
    now[0] = 61
    assert audit.due("key", "address", "route")


def days(file: DailyFile, count: int, line: bytes = b"{}\n") -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    for day in range(count):
        file.write(line, first + timedelta(days=day))


def test_a_new_day_is_a_new_file_and_seven_are_kept_of_ours_only(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    strangers = ["cloutagent-notes.jsonl", "cloutagent-2026-10-01.jsonl.gz", "audit-2026-10-01.jsonl"]
    for name in strangers:
        (folder / name).write_text("")
    file = DailyFile(folder, "cloutagent", keep=7, max_bytes=1000)
    days(file, 10)
    file.close()
    kept = sorted(path.name for path in folder.iterdir() if path.name not in strangers)
    assert kept == [f"cloutagent-2026-11-{day:02}.jsonl" for day in range(4, 11)]
    assert all((folder / name).exists() for name in strangers)


def test_a_full_day_takes_no_more_says_so_once_and_the_next_day_is_free(tmp_path: Path) -> None:
    file = DailyFile(tmp_path / "logs", "cloutagent", keep=7, max_bytes=1000)
    day = datetime(2026, 11, 1, tzinfo=UTC)
    for _ in range(1000):
        file.write(b'{"a":"%b"}\n' % (b"x" * 90), day)
    path = tmp_path / "logs" / "cloutagent-2026-11-01.jsonl"
    assert path.stat().st_size < 1200
    lines = path.read_text().splitlines()
    assert [("reached its size" in line) for line in lines].count(True) == 1
    assert file.left_out > 900
    file.write(b"{}\n", day + timedelta(days=1))
    file.close()
    assert (tmp_path / "logs" / "cloutagent-2026-11-02.jsonl").read_text() == "{}\n"


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    (folder / "cloutagent-2026-11-01.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        DailyFile(folder, "cloutagent", keep=7, max_bytes=1000).write(
            b"{}\n", datetime(2026, 11, 1, tzinfo=UTC)
        )
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_file_that_somebody_removes_comes_again(desk: Desk) -> None:
    LOG.info("one")
    desk.logs.settled()
    wait(lambda: any((desk.folder / "logs").glob("*.jsonl")) and files(desk)[0].stat().st_size > 0)
    files(desk)[0].unlink()
    LOG.info("two")
    assert [line["message"] for line in desk.lines()] == ["two"]


def files(desk: Desk) -> list[Path]:
    return sorted((desk.folder / "logs").glob("*.jsonl"))


def wait(until: Callable[[], bool]) -> None:
    for _ in range(500):
        if until():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came")


def test_a_folder_that_cannot_be_written_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    desk = Desk(tmp_path)
    desk.logs.start()
    for _ in range(3):
        LOG.info("lost")
    desk.logs.settled()
    wait(lambda: desk.logs._listener._broken == 3)
    (tmp_path / "logs").unlink()
    LOG.info("there is room")
    [line] = desk.lines()
    assert (line["message"], line["lines_lost_before"]) == ("there is room", 3)


def test_whoever_logs_never_waits_for_the_disk(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    stuck = threading.Event()
    desk.logs.also(lambda line: stuck.wait(20) and None)
    desk.logs.start()
    try:
        done = threading.Thread(target=lambda: [LOG.info("x") for _ in range(12_000)])
        done.start()
        done.join(15)
        assert not done.is_alive()
        assert desk.logs._handler.dropped >= 1_900, "what has no room is dropped and counted"
    finally:
        stuck.set()
        desk.logs.stop()


def test_without_logging_of_its_own_a_program_still_shows_our_warnings(tmp_path: Path) -> None:
    code = (
        "import logging, sys, pathlib\n"
        "from cloutagent_ext.telemetry.logs import Logs\n"
        "logs = Logs(pathlib.Path(sys.argv[1]), level='INFO', max_mb=1, hide=str)\n"
        "logs.start()\n"
        "log = logging.getLogger('cloutagent.x')\n"
        "log.info('quiet'); log.warning('loud')\n"
        "logs.stop()\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True,
        env=env,
    )  # fmt: skip
    assert done.stderr == "loud\n"
    [path] = (tmp_path / "logs").iterdir()
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == ["quiet", "loud"]


def test_what_people_see_among_jupyters_lines_is_one_line_without_escapes(desk: Desk) -> None:
    from cloutagent_ext.jupyter.logs import Visible

    written = io.StringIO()
    server = logging.Logger("ServerApp", logging.INFO)
    server.addHandler(logging.StreamHandler(written))
    show = Visible(server)
    for level in (logging.DEBUG, logging.WARNING):
        show(logging.LogRecord("cloutagent.x", level, "", 1, "of %s", ("a\nb\x1b[2J\u2028\ud800\tü",), None))
    assert written.getvalue() == "of a\\nb\\x1b[2J\\u2028\\ud800\tü\n"
