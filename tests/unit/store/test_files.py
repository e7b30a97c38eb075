"""Paths from outside never lead out, over whatever lies on the disk."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from cloutagent_ext import filelocks
from cloutagent_ext.errors import Conflict, InvalidRequest, NotFound
from cloutagent_ext.store.files import open_beneath, path_parts, safe_join
from tests.support.traversal import SECRET, names


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a sibling of the same prefix and one that holds a secret."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub/file.txt").write_text("inside")
    for name in ("outside", "root-other", "rootx"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret.txt").write_text(SECRET)
    return root


def test_no_name_of_the_corpus_leads_out(root: Path, tmp_path: Path) -> None:
    refused = 0
    for name in names(root, tmp_path / "outside"):
        try:
            path = safe_join(root, name)
        except InvalidRequest:
            refused += 1
            with pytest.raises(InvalidRequest):
                open_beneath(root, name)
            continue
        assert Path(os.path.realpath(path)).is_relative_to(root)
        with pytest.raises(NotFound):
            open_beneath(root, name)
    assert refused > 40


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/", "//", "a//b", "a/", "/a", "a/./b", "a\\b", "C:/x", "C:", "a\0b", "a\nb", "\x7f",
     "\x9b", "\ud800", "é" * 128, "/".join(["a" * 200] * 6)],
)  # fmt: skip
def test_a_path_that_is_not_plain_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be used"):
        path_parts(name)


@pytest.mark.parametrize(
    "name", ["a", "a/b.txt", "Ünïcode ✓.csv", "~", "-rf", "...", "a:b", "%2e%2e", " ", "é" * 127]
)
def test_odd_but_honest_names_are_taken(root: Path, name: str) -> None:
    assert safe_join(root, name) == root / name


def test_links_are_not_followed_wherever_they_stand(root: Path, tmp_path: Path) -> None:
    (root / "leaf").symlink_to(tmp_path / "outside/secret.txt")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "chain").symlink_to("folder")
    (root / "magic").symlink_to("/proc/self/root")
    (root / "inner").symlink_to("sub")
    for name in (
        "leaf",
        "folder/secret.txt",
        "chain/secret.txt",
        "magic/etc/passwd",
        "inner/file.txt",
        "folder/new",
    ):
        with pytest.raises(InvalidRequest, match="symbolic link"):
            safe_join(root, name)
        with pytest.raises(NotFound):
            open_beneath(root, name)


def test_only_regular_files_open(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)  # a socket's path has at most 108 bytes
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        for name in ("fifo", "socket", "sub", "missing", "sub/file.txt/x"):
            with pytest.raises(NotFound):
                open_beneath(root, name)
    descriptor = open_beneath(root, "sub/file.txt")
    assert os.read(descriptor, 10) == b"inside"
    os.close(descriptor)


def test_a_folder_swapped_for_a_link_in_between_leads_nowhere(root: Path, tmp_path: Path) -> None:
    """A racing swap: whatever is opened is inside, or nothing is."""
    (tmp_path / "outside/file.txt").write_text(SECRET)
    (root / "swap").symlink_to(tmp_path / "outside")
    for _ in range(500):
        os.rename(root / "sub", root / "parked")
        os.rename(root / "swap", root / "sub")
        with pytest.raises(NotFound):
            open_beneath(root, "sub/file.txt")
        os.rename(root / "sub", root / "swap")
        os.rename(root / "parked", root / "sub")
        os.close(open_beneath(root, "sub/file.txt"))


def test_a_lock_that_somebody_holds_is_a_conflict_not_a_broken_disk(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with filelocks.locked(path), pytest.raises(Conflict), filelocks.locked(path, timeout_s=0):
        raise AssertionError("two at once")
