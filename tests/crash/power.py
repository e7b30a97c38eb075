"""What a disk may hold after the power went: stands in for `os` inside `cloutagent_ext.durable`.

The durability model: each written byte is volatile until its file is fsynced, each name (made, renamed,
removed) until its folder is. At every operation the power may go; then any part of what is volatile may
have reached the disk, in any order:

- of names, any subset, the later ones without the earlier ones too. A rename inside a folder is one
  change. A rename between folders may leave both names; the old one is never gone without the new one,
  as on every file system with a journal;
- of data, any set of blocks of 512 or 4,096 bytes; where a file has got its length, what is missing
  reads as zeros or as something old. A file that was overwritten in place may be torn as well.

`Power` records; `Power.images` are whole trees to be laid down and recovered. Not here: the tests.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from cloutagent_ext import durable

BLOCKS = (512, 4096)
OUTSIDE = (".locks", ".lock")
"""Names of locks: they are not the store's data, and no durable operation makes them."""

Image = tuple[tuple[str, bytes | None, int], ...]
"""Path below the root, bytes (None: a folder), permissions; sorted."""


@dataclass(eq=False)
class Naming:
    """One change of names in one folder, whole or not at all: name → node, None where it goes."""

    names: dict[str, Node | None]
    when: int
    needs: Naming | None = None
    """What must be on the disk too where this is."""
    folder: Node | None = None


@dataclass(eq=False)
class Node:
    """A file or folder: what is on the disk for sure, and what may be."""

    folder: bool
    mode: int = 0o755
    kept: bytes = b""
    writes: list[tuple[int, bytes, int]] = field(default_factory=list)
    """Offset, bytes, when; since the last fsync."""
    names: dict[str, Node] = field(default_factory=dict)
    """Of a folder, as programs see it now."""
    kept_names: dict[str, Node] = field(default_factory=dict)
    namings: list[Naming] = field(default_factory=list)
    """Since the last fsync."""


class Power:
    """Records what is done below `root`; after each operation, `samples` images of what a crash may leave."""

    def __init__(self, root: Path, chance: random.Random, samples: int) -> None:
        self.root = root
        self.images: list[tuple[int, Image]] = []
        """With the number of acknowledged steps at that moment (`acknowledge`)."""
        self.points = 0
        self._chance = chance
        self._samples = samples
        self._when = 0
        self._acknowledged = 0
        self._top = self._scan(root, {})
        self._open: dict[int, tuple[Node, int]] = {}
        self._seen: set[tuple[int, int]] = set()

    def acknowledge(self) -> None:
        """A step has been answered: from now on its outcome has to be there."""
        self._acknowledged += 1
        self._point()

    # ------------------------------------------------------------ as `os`

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        descriptor = os.open(path, flags, mode, **more)
        if (where := self._place(path)) is not None:
            folder, name = where
            if new:
                self._name(folder, {name: Node(False, stat.S_IMODE(os.fstat(descriptor).st_mode))})
            node = folder.names[name] if name else folder
            self._open[descriptor] = (node, 0)
            if new:
                self._point()
        return descriptor

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        os.close(descriptor)

    def lseek(self, descriptor: int, offset: int, whence: int) -> int:
        assert whence == os.SEEK_SET
        node, _ = self._open[descriptor]
        self._open[descriptor] = (node, offset)
        return os.lseek(descriptor, offset, whence)

    def write(self, descriptor: int, data: Any) -> int:
        written = os.write(descriptor, data)
        if descriptor in self._open:
            node, offset = self._open[descriptor]
            node.writes.append((offset, bytes(data[:written]), self._tick()))
            self._open[descriptor] = (node, offset + written)
            self._point()
        return written

    def fsync(self, descriptor: int) -> None:
        if descriptor in self._open:
            node, _ = self._open[descriptor]
            self._settle(node)
            self._point()

    def rename(self, source: Any, target: Any) -> None:
        os.rename(source, target)
        left, right = self._place(source), self._place(target)
        assert left is not None, f"{source} lies outside"
        assert right is not None, f"{target} lies outside"
        (before, old), (after, new) = left, right
        node = before.names[old]
        if before is after:
            self._name(before, {old: None, new: node})
        else:
            made = self._name(after, {new: node})
            self._name(before, {old: None}, needs=made)
        self._point()

    def mkdir(self, path: Any, mode: int = 0o777) -> None:
        os.mkdir(path, mode)
        folder, name = self._known(path)
        self._name(folder, {name: Node(True, mode)})
        self._point()

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        missing = [each for each in (Path(path), *Path(path).parents) if not each.is_dir()]
        for each in reversed(missing):
            self.mkdir(each)

    def link(self, source: Any, target: Any, **more: Any) -> None:
        os.link(source, target, **more)
        (before, old), (after, new) = self._known(source), self._known(target)
        self._name(after, {new: before.names[old]})
        self._point()

    def unlink(self, path: Any) -> None:
        os.unlink(path)
        folder, name = self._known(path)
        self._name(folder, {name: None})
        self._point()

    def rmdir(self, path: Any) -> None:
        os.rmdir(path)
        folder, name = self._known(path)
        self._name(folder, {name: None})
        self._point()

    def rmtree(self, path: Any) -> None:
        """Name by name, since each may go or stay."""
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir(follow_symlinks=False):
                    self.rmtree(entry.path)
                else:
                    self.unlink(entry.path)
        self.rmdir(path)

    # ------------------------------------------------------------ the model

    def _tick(self) -> int:
        self._when += 1
        return self._when

    def _scan(self, path: Path, links: dict[int, Node]) -> Node:
        node = Node(True, stat.S_IMODE(path.stat().st_mode))
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                node.names[entry.name] = self._scan(Path(entry.path), links)
            else:
                found = entry.stat(follow_symlinks=False)
                if found.st_ino not in links:
                    data = Path(entry.path).read_bytes()
                    links[found.st_ino] = Node(False, stat.S_IMODE(found.st_mode), data)
                node.names[entry.name] = links[found.st_ino]
        node.kept_names = dict(node.names)
        return node

    def _place(self, path: Any) -> tuple[Node, str] | None:
        """Folder and last name of `path`; None outside the root. The root itself has no name."""
        try:
            parts = Path(path).relative_to(self.root).parts
        except (ValueError, TypeError):
            return None
        node = self._top
        for part in parts[:-1]:
            node = node.names[part]
        return (node, parts[-1]) if parts else (node, "")

    def _known(self, path: Any) -> tuple[Node, str]:
        where = self._place(path)
        assert where is not None, f"{path} lies outside"
        return where

    def _name(self, folder: Node, names: dict[str, Node | None], needs: Naming | None = None) -> Naming:
        for name, node in names.items():
            if node is None:
                folder.names.pop(name, None)
            else:
                folder.names[name] = node
        change = Naming(names, self._tick(), needs, folder)
        folder.namings.append(change)
        return change

    def _settle(self, node: Node) -> None:
        if not node.folder:
            node.kept = _over(node.kept, node.writes)
            node.writes = []
            return
        for change in node.namings:
            if change.needs is not None and change.needs.folder is not None:
                other = change.needs.folder
                if change.needs in other.namings:
                    _apply(other.kept_names, change.needs)
                    other.namings.remove(change.needs)
            _apply(node.kept_names, change)
        node.namings = []

    # ------------------------------------------------------------ what may be left

    def _point(self) -> None:
        self.points += 1
        extremes = [(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]
        for number in range(self._samples):
            until = None
            if number < len(extremes):
                names, data = extremes[number]
            elif number % 3 == 0:  # in order, up to a moment, as a journal does it
                names = data = 1.0
                until = self._chance.randint(0, self._when)
            else:
                names, data = self._chance.choice([0.2, 0.5, 0.8]), self._chance.choice([0.0, 0.5, 1.0])
            image = tuple(sorted(self._left(self._top, "", names, data, until, {}, {})))
            key = (self._acknowledged, hash(image))
            if key not in self._seen:
                self._seen.add(key)
                self.images.append((self._acknowledged, image))

    def _left(
        self,
        folder: Node,
        prefix: str,
        names: float,
        data: float,
        until: int | None,
        chosen: dict[int, bool],
        contents: dict[int, bytes],
    ) -> Iterator[tuple[str, bytes | None, int]]:
        found = dict(folder.kept_names)
        for change in folder.namings:
            if self._lasts(change, names, until, chosen):
                _apply(found, change)
        for name, node in found.items():
            path = f"{prefix}/{name}" if prefix else name
            if name in OUTSIDE or name.endswith(".lock"):
                continue
            if node.folder:
                yield path, None, node.mode
                yield from self._left(node, path, names, data, until, chosen, contents)
            else:
                if id(node) not in contents:
                    contents[id(node)] = self._torn(node, data, until)
                yield path, contents[id(node)], node.mode

    def _lasts(self, change: Naming, likely: float, until: int | None, chosen: dict[int, bool]) -> bool:
        if id(change) not in chosen:
            lasts = change.when <= until if until is not None else self._chance.random() < likely
            if lasts and change.needs is not None and change.needs.folder is not None:
                pending = change.needs in change.needs.folder.namings
                lasts = not pending or self._lasts(change.needs, likely, until, chosen)
            chosen[id(change)] = lasts
        return chosen[id(change)]

    def _torn(self, node: Node, likely: float, until: int | None) -> bytes:
        if not node.writes:
            return node.kept
        if until is not None:
            return _over(node.kept, [each for each in node.writes if each[2] <= until])
        if likely in (0.0, 1.0):
            return _over(node.kept, node.writes if likely else [])
        whole, block = _over(node.kept, node.writes), self._chance.choice(BLOCKS)
        if self._chance.random() < 0.4:  # it has not got its length
            return node.kept if len(node.kept) >= len(whole) else whole[: self._cut(len(whole), block)]
        stale = self._chance.choice([b"\0", b"\xff"])
        blocks = []
        for at in range(0, len(whole), block):
            old = node.kept[at : at + block].ljust(len(whole[at : at + block]), stale)
            blocks.append(whole[at : at + block] if self._chance.random() < likely else old)
        return b"".join(blocks)

    def _cut(self, size: int, block: int) -> int:
        return self._chance.randint(0, size // block) * block


def _apply(names: dict[str, Node], change: Naming) -> None:
    for name, node in change.names.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _over(data: bytes, writes: list[tuple[int, bytes, int]]) -> bytes:
    found = bytearray(data)
    for offset, written, _ in writes:
        found.extend(b"\0" * (offset - len(found)))
        found[offset : offset + len(written)] = written
    return bytes(found)


@contextmanager
def recorded(power: Power) -> Iterator[Power]:
    """Inside the block, everything durable is recorded."""
    with (
        patch.object(durable, "os", power),
        patch.object(durable, "shutil", SimpleNamespace(rmtree=power.rmtree)),
    ):
        yield power


def lay_down(image: Image, root: Path) -> None:
    """Make `root` (which is not there) what the image says."""
    root.mkdir(parents=True)
    for path, data, mode in image:
        place = root / path
        if data is None:
            place.mkdir(mode=mode | 0o700)
        else:
            place.write_bytes(data)
            place.chmod(mode)
