"""`view`, `file_create`, `str_replace`: one file at a time."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

import pytest

from cloutagent_ext.engine.tools import beneath

from .conftest import Box

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_lines_are_shown_with_their_numbers(box: Box) -> None:
    (box.workspace / "a.txt").write_text("one\ntwo\n\nfour")
    assert await box.text("view", path="a.txt") == "     1\tone\n     2\ttwo\n     3\t\n     4\tfour"
    assert await box.text("view", path="a.txt", view_range=[2, 3]) == "     2\ttwo\n     3\t"
    assert await box.text("view", path="a.txt", view_range=[4, -1]) == "     4\tfour"
    assert await box.text("view", path="a.txt", view_range=[3, 99]) == "     3\t\n     4\tfour"


@pytest.mark.parametrize("view_range", [[0, 2], [5, 9], [3, 2], [-3, -1]])
async def test_a_range_that_does_not_fit_says_how_long_the_file_is(box: Box, view_range: list[int]) -> None:
    (box.workspace / "a.txt").write_text("one\ntwo\nthree\n")
    assert "3 lines" in await box.error("view", path="a.txt", view_range=view_range)


async def test_a_long_file_is_cut_at_a_line_and_says_how_to_go_on(box: Box) -> None:
    (box.workspace / "long.txt").write_text("".join(f"line {n}\n" for n in range(1, 100_001)))
    text = await box.text("view", path="long.txt")
    assert len(text.encode()) <= 32 * 1024
    last = text.rsplit("\n", 1)[1]
    assert last.startswith("[lines 1 to ")
    assert "of 100,000; `view_range` shows the others]" in last


async def test_an_endless_line_is_cut(box: Box) -> None:
    (box.workspace / "wide.txt").write_text("x" * 10_000_000)
    assert len(await box.text("view", path="wide.txt")) < 3000


async def test_odd_bytes_are_shown_as_text_and_controls_are_not(box: Box) -> None:
    (box.workspace / "odd.txt").write_bytes(
        b"caf\xe9 \x1b[31mred\x1b[0m \xe2\x80\xaeback\n\xe2\x80\xa8same line\n"
    )
    assert await box.text("view", path="odd.txt") == "     1\tcaf\ufffd red back\n     2\t\u2028same line"


async def test_a_picture_is_seen_as_one(box: Box) -> None:
    (box.workspace / "dot.png").write_bytes(PNG)
    (part,) = await box.run("view", path="dot.png")
    assert (part.type, part.media_type, part.path) == ("image", "image/png", "dot.png")


async def test_a_picture_of_a_named_folder_is_copied_into_the_workspace(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "dot.png").write_bytes(PNG)
    box.context.folders = {folder: "read"}
    (part,) = await box.run("view", path=f"{folder}/dot.png")
    assert (box.workspace / part.path).read_bytes() == PNG


async def test_folders_are_listed_and_binary_files_named(box: Box) -> None:
    (box.workspace / "b").mkdir()
    (box.workspace / "a.bin").write_bytes(b"\0\1\2")
    assert await box.text("view", path=".") == "a.bin\nb/"
    assert await box.text("view", path="b") == "[an empty folder]"
    assert "binary file of 3 bytes" in await box.error("view", path="a.bin")


async def test_what_is_not_there_is_a_sentence(box: Box) -> None:
    assert await box.error("view", path="missing.txt") == "missing.txt: there is no such file or folder."
    assert await box.error("str_replace", path="a/b", old_str="x") == "a/b: there is no such file or folder."


async def test_a_file_larger_than_memory_allows_is_refused_unread(box: Box) -> None:
    with (box.workspace / "sparse").open("wb") as file:
        file.truncate(1024**4)
    assert "1,099,511,627,776 bytes" in await box.error("view", path="sparse")
    assert "1,099,511,627,776 bytes" in await box.error("str_replace", path="sparse", old_str="x")
    assert "[no line matches]" in await box.text("grep", pattern="x")


async def test_a_new_file_comes_with_its_folders_and_replaces_an_old_one(box: Box) -> None:
    assert (
        await box.text("file_create", path="a/b/c.txt", content="x\ny")
        == "Created a/b/c.txt (2 lines, 3 bytes)."
    )
    assert "Replaced" in await box.text("file_create", path="a/b/c.txt", content="")
    assert (box.workspace / "a/b/c.txt").read_bytes() == b""


async def test_replacing_keeps_the_mode_and_leaves_no_temporary_file(box: Box) -> None:
    script = box.workspace / "run.sh"
    script.write_text("echo old\n")
    script.chmod(0o750)
    await box.run("str_replace", path="run.sh", old_str="old", new_str="new")
    assert script.stat().st_mode & 0o777 == 0o750
    assert os.listdir(box.workspace) == ["run.sh"]


async def test_a_full_disk_leaves_the_old_file_and_no_rest(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    (box.workspace / "a.txt").write_text("old")

    def full(descriptor: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(beneath.os, "write", full)
    error = await box.error("file_create", path="a.txt", content="new")
    monkeypatch.undo()
    assert error == "a.txt: the disk is full."
    assert (box.workspace / "a.txt").read_text() == "old"
    assert os.listdir(box.workspace) == ["a.txt"]


@pytest.mark.parametrize(
    ("old", "says"), [("seven", "does not occur"), ("two", "occurs 2 times"), ("One", "does not occur")]
)
async def test_a_passage_that_is_not_there_exactly_once_changes_nothing(
    box: Box, old: str, says: str
) -> None:
    (box.workspace / "a.txt").write_text("one\ntwo\ntwo\n")
    assert says in await box.error("str_replace", path="a.txt", old_str=old, new_str="x")
    assert (box.workspace / "a.txt").read_text() == "one\ntwo\ntwo\n"


async def test_a_replacement_touches_nothing_but_its_passage(box: Box) -> None:
    (box.workspace / "a.txt").write_bytes(b"\xff\xfe raw\r\nold\r\n\x00rest")
    text = await box.text("str_replace", path="a.txt", old_str="old", new_str="new")
    assert (box.workspace / "a.txt").read_bytes() == b"\xff\xfe raw\r\nnew\r\n\x00rest"
    assert "     2\tnew" in text


async def test_half_a_surrogate_pair_is_refused_before_it_is_written(box: Box) -> None:
    assert "not valid Unicode" in await box.error("file_create", path="a.txt", content="x\ud800")
    assert os.listdir(box.workspace) == []


async def test_changes_of_one_file_at_once_lose_none(box: Box) -> None:
    numbers = [f"<{n}>" for n in range(40)]
    await box.run("file_create", path="a.txt", content=" ".join(numbers))
    await asyncio.gather(
        *(
            box.run("str_replace", path=("./" if n % 2 else "") + "a.txt", old_str=f"<{n}>", new_str=f"[{n}]")
            for n in range(40)
        )
    )
    assert (box.workspace / "a.txt").read_text() == " ".join(f"[{n}]" for n in range(40))


def test_spellings_of_one_path_share_a_lock(box: Box) -> None:
    tool = box.toolbox.tools["str_replace"]
    assert tool.lock({"path": "a/../b.txt"}) == tool.lock({"path": "./b.txt"}) == "file:b.txt"
    assert box.toolbox.tools["python"].lock({}) == "kernel"
    assert box.toolbox.tools["bash"].lock({}) is None
