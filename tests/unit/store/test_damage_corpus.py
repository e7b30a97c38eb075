"""Sixty kinds of broken definition file, each tried on every file: named, kept, and protected from us."""

# ruff: noqa: E501  (the table reads best in few lines)

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.errors import CloutError, UnreadableFile
from cloutagent_ext.schema.canvas import UiPatch
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole

from .test_damage import DAMAGE, FILES

TEXTS = {
    "prompts/main-prompt.txt": "prompts/main-prompt.txt",
    "prompts/subagent-prompts/writer.txt": "prompts/subagent-prompts/writer.txt",
}

Damage = Callable[[Path], object]


def _bytes(data: bytes) -> Damage:
    return lambda path: path.write_bytes(data)


def _change(change: Callable[[bytes], bytes]) -> Damage:
    return lambda path: path.write_bytes(change(path.read_bytes()))


JSON: dict[str, Damage] = {
    **DAMAGE,
    **{f"first {n} bytes": _change(lambda data, n=n: data[:n]) for n in (1, 2, 3, 5, 8)},  # type: ignore[misc]
    **{f"without the last {n}": _change(lambda data, n=n: data.rstrip()[:-n]) for n in (1, 3, 7, 15)},  # type: ignore[misc]
    **{
        f"holds {data[:14]!r}": _bytes(data)
        for data in (
            b"null", b"true", b"0", b"-1", b'""', b'"{}"', b"[{}]", b"{", b"}", b"{}{}", b"{}x", b"{,}", b"[", b"{]",
            b"NaN", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b"{'a': 1}", b"{a: 1}", b"{} // no", b"# no\n{}",
            b'{"a": 1,}', b'{"a" 1}', b'{"a": 01}', b'{"a": .5}', b'{"a": "\n"}', b'{"a": "\\x"}', b'{"a": 1, "a": 2}',
            b'{"a":' * 70 + b"1" + b"}" * 70, b'{"a": ' + b"[" * 9000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff\xfe{\0}\0",
            b"\x00", b"\xc3\x28", b"\xed\xa0\x80", b'{"a": "\xff"}', b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"\x89PNG\r\n",
            b"<?xml version='1.0'?>", b"<html>", b"a: 1\n", b"version https://git-lfs.github.com/spec/v1\n", b"{}\n<<<<<<< HEAD",
            b" " * 5000, b"\n\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf{}",
        )
    },
    "two of them": _change(lambda data: data + data),
    "UTF-16": _change(lambda data: data.decode().encode("utf-16")),
    "zeros at the end": _change(lambda data: data + bytes(64)),
    "a zero in the middle": _change(lambda data: data[: len(data) // 2] + b"\0" + data[len(data) // 2 :]),
    "17 MB of it": _change(lambda data: data + b" " * (17 << 20)),
    "no rights to read what is no file": lambda path: (path.unlink(), path.symlink_to(path.parent)),
}  # fmt: skip

PROMPTS = {
    name: JSON[name]
    for name in ("garbage", "sparse terabyte", "folder", "symlink", "dangling link", "fifo", "17 MB of it")
} | {
    "not UTF-8": _bytes(b"\xc3\x28"),
    "UTF-16": _bytes("Ü".encode("utf-16")),
    "surrogate": _bytes(b"\xed\xa0\x80"),
}


def test_the_corpus_has_at_least_sixty_kinds() -> None:
    assert len(JSON) >= 60


@pytest.mark.parametrize("file", [*FILES, *TEXTS])
async def test_each_kind_is_named_kept_and_left_alone(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path, file: str
) -> None:
    other = str((await store.create(whole(name="Other"))).project.id)
    path = folder / file
    good = path.read_bytes()
    for kind, damage in (PROMPTS if file in TEXTS else JSON).items():
        damage(path)
        before = os.lstat(path)
        for attempt in (
            store.read(pid),
            store.save(pid, whole(description="no")),
            store.save(pid, whole(description="no"), draft=True),
            store.patch_ui(pid, UiPatch(snap=False)),
            store.freeze(pid),
        ):
            with pytest.raises(UnreadableFile) as caught:
                await attempt
            assert caught.value.details["file"] == file, kind
            assert file in caught.value.message, kind
        after = os.lstat(path)
        assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
            before.st_ino,
            before.st_size,
            before.st_mtime_ns,
        ), kind
        rows = {str(row.id): row.unreadable for row in (await store.list()).items}
        assert rows[other] is None, kind
        assert file in (rows[pid] or ""), kind
        await ProjectStore(data_dir).open()
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        path.write_bytes(good)
        assert (await store.read(pid)).project.name == "Sales analyst", kind


@pytest.mark.parametrize(
    ("text", "line"),
    [(b'{\n "name": "x",\n}', 3), (b'{\n "a": 1,\n "b": 2,\n "a": 3\n}', 4), (b"{\n\n\xff", 3), (b"[]", 1)],
)
async def test_the_line_is_told(store: ProjectStore, pid: str, folder: Path, text: bytes, line: int) -> None:
    for file in FILES:
        good = (folder / file).read_bytes()
        (folder / file).write_bytes(text)
        with pytest.raises(UnreadableFile, match=f"line {line}") as caught:
            await store.read(pid)
        assert (caught.value.details["file"], caught.value.details["line"]) == (file, line)
        (folder / file).write_bytes(good)


async def test_every_truncation_of_a_definition_file_is_told(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    """At each byte: a shorter file either says so or means the same (only spaces are gone)."""
    for file in ("metadata.json", ".ui/ui-config.json"):
        good = (folder / file).read_bytes()
        whole_thing = (await store.read(pid)).project
        for size in range(len(good)):
            (folder / file).write_bytes(good[:size])
            if good[:size].rstrip() == good.rstrip():
                assert (await store.read(pid)).project == whole_thing
                continue
            with pytest.raises(UnreadableFile):
                await store.read(pid)
        (folder / file).write_bytes(good)


async def test_a_broken_version_record_stops_that_version_alone(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await store.save(pid, whole(description="two"))
    for text in (b"", b"{", b"[]", b"null", b'{"version": "x"}', b"\xff"):
        (folder / "versions/v1/version.json").write_bytes(text)
        with pytest.raises(CloutError):
            await store.freeze(pid, version=1)
        assert (await store.freeze(pid, version=2))[1] == 2
        assert (await store.read(pid)).project.description == "two"


async def test_a_project_whose_every_file_is_gone_is_reported_and_not_made_anew(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await asyncio.to_thread(shutil.rmtree, folder)
    folder.mkdir()
    with pytest.raises(UnreadableFile, match="is missing"):
        await store.save(pid, whole())
    assert list(folder.iterdir()) == []
