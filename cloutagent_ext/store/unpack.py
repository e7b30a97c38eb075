"""Unpacking an archive that a stranger made, into a folder that is still nothing.

Trust model: names, sizes, types and counts in the archive are claims. Each member is judged by us
before a byte of it is written, and its bytes are counted while they come; `zipfile` and `tarfile`
are never asked to extract. Memory is bounded whatever the archive says: the directory of a zip is
walked before `zipfile` sees it, and headers of a tar are read here, so that no header can ask for
more than `_MAX_HEADER` bytes. Links, devices, sparse files and encrypted members are refused;
set-uid bits and owners are never taken over; an archive inside the archive is just a file.

Logs of executions, which an export may have, are passed over: none of their bytes is written, and they
have limits of their own, so that a project comes back however much it has run.

Not here: what the files mean (`store.archive`, `store.claude_code`). Everything blocks.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from .. import durable
from ..errors import BadArchive, InvalidRequest
from .files import path_parts

MAX_ENTRIES = 10_000
MAX_BYTES = 200 * 1024 * 1024
"""Largest sum of all members, unpacked; also the largest archive that is taken."""
MAX_RATIO = 100
"""Most unpacked bytes for one of the archive."""
MAX_DEPTH = 20
"""Most names in a path."""

PASSED_OVER = "executions"
"""Folder of an archive of ours of which nothing is taken."""
MAX_PASSED_ENTRIES, MAX_PASSED_BYTES = 50_000, 2 * 1024 * 1024 * 1024
"""What passing over may cost: a tar.gz tells what is in it only to who reads it all."""

FREE_BYTES = 1024 * 1024
"""Below this the ratio says nothing: a small honest archive may hold mostly blanks."""
_MAX_HEADER = 64 * 1024
"""Longest extended header of a tar member; an honest one holds a path."""
_MAX_DIRECTORY = 8 * 1024 * 1024
"""Largest directory of a zip; 10,000 entries with long paths fit."""
_CHUNK = 256 * 1024
_BLOCK = 512
_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_EXECUTABLE = 0o111


def bad(reason: str, name: str | None = None) -> BadArchive:
    """The error for an archive that is not taken; nothing of it has been kept."""
    shown = "" if name is None else f" ({name[:200]!a})"
    return BadArchive(f"This archive is not taken: {reason}{shown}. Nothing was imported.", reason=reason)


def passed_over(path: str) -> bool:
    """Whether a file of this path in an archive of ours belongs to an execution."""
    return path.removeprefix("./").startswith(f"{PASSED_OVER}/")


def unpack(source: BinaryIO, size: int, target: Path) -> int:
    """Unpack the zip or tar.gz of `size` bytes in the seekable `source` into the empty folder `target`.

    Returns how many files there are. Raises `BadArchive`; `target` then holds litter for the caller
    to remove.
    """
    if size > MAX_BYTES:
        raise bad(f"it is larger than {MAX_BYTES // 1024 // 1024} MB; export it without its executions")
    source.seek(0)
    magic = source.read(4)
    source.seek(0)
    meter = _Meter(size)
    try:
        if magic[:2] == b"PK":
            return _write(_zip_members(source, size, meter), target, meter)
        if magic[:2] == b"\x1f\x8b":
            return _write(_tar_members(source, meter), target, meter)
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise bad(f"it is damaged ({error})") from None
    except (struct.error, NotImplementedError, RuntimeError, UnicodeError, ValueError) as error:
        raise bad(f"it cannot be read ({type(error).__name__})") from None
    raise bad("it is neither a zip nor a tar.gz")


class _Meter:
    """Counts what comes out."""

    def __init__(self, packed: int) -> None:
        self._most = min(MAX_BYTES, max(FREE_BYTES, packed * MAX_RATIO))
        self._bytes = self._entries = 0
        self._passed_bytes = self._passed_entries = 0

    def entry(self, name: str) -> None:
        if passed_over(name):
            self._passed_entries += 1
        else:
            self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise bad(f"it has more than {MAX_ENTRIES:,} entries")
        if self._passed_entries > MAX_PASSED_ENTRIES:
            raise bad(f"it has more than {MAX_PASSED_ENTRIES:,} files of executions; export it without them")

    def pass_over(self, count: int) -> None:
        self._passed_bytes += count
        if self._passed_bytes > MAX_PASSED_BYTES:
            raise bad("its executions unpack to more than 2 GB; export it without them")

    def add(self, count: int) -> None:
        self.check(self._bytes + count)
        self._bytes += count

    def check(self, total: int) -> None:
        if total > MAX_BYTES:
            raise bad(f"it unpacks to more than {MAX_BYTES // 1024 // 1024} MB")
        if total > self._most:
            raise bad(f"it unpacks to more than {MAX_RATIO} times its size")


class _Reader(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True)
class Member:
    name: str
    folder: bool
    executable: bool
    data: _Reader
    size: int


class _Exactly:
    """Reads a member, and makes sure that it has the size its header says."""

    def __init__(self, member: Member, meter: _Meter) -> None:
        self._member = member
        self._left = member.size
        self._meter = meter

    def read(self, size: int = _CHUNK) -> bytes:
        # Asking for one byte more than promised finds members that are longer than they say.
        data = self._member.data.read(min(size, _CHUNK, self._left + 1))
        self._left -= len(data)
        if self._left < 0 or (not data and self._left):
            raise bad("a member has not the size it says", self._member.name)
        self._meter.add(len(data))
        return data


class Names:
    """All paths so far: no two mean the same file anywhere, no file is also a folder."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, bool, bool]] = {}

    def take(self, member: Member) -> str:
        """The plain path of `member`. Raises `BadArchive`."""
        name = member.name
        while name.startswith("./"):
            name = name[2:]
        name = name.removesuffix("/") if member.folder else name
        try:
            parts = path_parts(name)
        except InvalidRequest as error:
            raise bad(error.message.rpartition(": ")[2].rstrip("."), member.name) from None
        if len(parts) > MAX_DEPTH:
            raise bad(f"a path has more than {MAX_DEPTH} levels", member.name)
        path = ""
        for index, part in enumerate(parts, 1):
            path = f"{path}/{part}" if path else part
            last = index == len(parts)
            self._note(path, folder=not last or member.folder, stated=last)
        return path

    def note_folder(self, path: str) -> None:
        """There is this folder. Raises `BadArchive` where it is a file."""
        self._note(path, folder=True, stated=False)

    def _note(self, path: str, *, folder: bool, stated: bool) -> None:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        known = self._known.get(key)
        if known is None:
            self._known[key] = (path, folder, stated)
            return
        spelling, was_folder, was_stated = known
        if spelling != path:
            raise bad("two paths differ only in case or in how letters are encoded", path)
        if folder != was_folder:
            raise bad("a path is both a file and a folder", path)
        if stated and was_stated:
            raise bad("a path is in it twice", path)
        self._known[key] = (path, folder, stated or was_stated)


def _write(members: Iterator[Member], target: Path, meter: _Meter) -> int:
    names, count = Names(), 0
    for member in members:
        if member.folder and member.name.strip("./") == "":
            continue  # the folder itself, as `tar c .` has it
        if passed_over(member.name) and not member.folder:
            while data := member.data.read(_CHUNK):
                meter.pass_over(len(data))
            names.note_folder(PASSED_OVER)
            durable.scratch_folder(target / PASSED_OVER)  # which the import says
            continue
        path = names.take(member)
        place = target / path
        if member.folder:
            durable.scratch_folder(place)
            continue
        durable.scratch_folder(place.parent)
        mode = 0o755 if member.executable else 0o644
        durable.scratch_write(place, cast(BinaryIO, _Exactly(member, meter)), mode)
        count += 1
    return count


# ---------------------------------------------------------------- zip


def _zip_members(source: BinaryIO, size: int, meter: _Meter) -> Iterator[Member]:
    start = _walk_directory(source, size, meter)
    with zipfile.ZipFile(source) as archive:
        infos = archive.infolist()
        meter.check(sum(info.file_size for info in infos if not passed_over(info.filename)))
        _must_not_overlap(infos, start)
        for info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            folder = info.filename.endswith("/")
            if kind not in (0, stat.S_IFDIR if folder else stat.S_IFREG):
                raise bad("only regular files and folders may be in it", info.filename)
            if info.filename != info.orig_filename:
                raise bad("a name has a zero byte in it", info.filename)
            if info.flag_bits & 0x1:
                raise bad("it is encrypted", info.filename)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise bad("it is packed in a way other than store or deflate", info.filename)
            if folder:
                if info.file_size:
                    raise bad("a folder holds bytes", info.filename)
                yield Member(info.filename, True, False, io.BytesIO(), 0)
                continue
            if passed_over(info.filename):
                yield Member(info.filename, False, False, io.BytesIO(), 0)
                continue
            executable, size = bool(info.external_attr >> 16 & _EXECUTABLE), info.file_size
            info.file_size += 1  # or `zipfile` stops at the size that is claimed, whatever follows
            with archive.open(info) as data:
                yield Member(info.filename, False, executable, data, size)


def _walk_directory(source: BinaryIO, size: int, meter: _Meter) -> int:
    """Count the entries before `zipfile` makes an object of each; where the directory starts.

    A zip64 directory is refused: nothing that may be imported needs one.
    """
    tail_size = min(size, _END.size + 0xFFFF)
    source.seek(size - tail_size)
    tail = source.read(tail_size)
    plain = tail[-_END.size :]
    at = tail_size - _END.size
    if not (plain[:4] == b"PK\x05\x06" and plain[-2:] == b"\0\0"):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > tail_size:
        raise bad("it is damaged (no directory at its end)")
    fields = _END.unpack_from(tail, at)
    disk, first, here, count, length, offset = map(int, fields[1:7])
    end = size - tail_size + at
    source.seek(max(0, end - 20))
    if source.read(4) == b"PK\x06\x07" or 0xFFFF in (here, count) or 0xFFFFFFFF in (length, offset):
        raise bad("it is a zip64, which nothing needs that is small enough without its executions")
    if disk or first or here != count or length > end or length > _MAX_DIRECTORY:
        raise bad("its directory is damaged or too large")
    source.seek(end - length)
    directory, position, found = source.read(length), 0, 0
    while position < length:
        if length - position < _ENTRY.size or directory[position : position + 4] != b"PK\x01\x02":
            raise bad("its directory is damaged")
        lengths = [int(each) for each in _ENTRY.unpack_from(directory, position)[12:15]]
        position += _ENTRY.size
        name = directory[position : position + lengths[0]]
        position += sum(lengths)
        found += 1
        meter.entry(name.decode("utf-8", "replace"))
    if found != count:
        raise bad("its directory counts wrongly")
    source.seek(0)
    return end - length


def _must_not_overlap(infos: list[zipfile.ZipInfo], start: int) -> None:
    """Members that share bytes are how a small zip becomes a huge one."""
    end = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        if info.header_offset < end:
            raise bad("members overlap", info.filename)
        end = info.header_offset + 30 + info.compress_size
    if end > start:
        raise bad("members overlap its directory")


# ---------------------------------------------------------------- tar.gz


def _tar_members(source: BinaryIO, meter: _Meter) -> Iterator[Member]:
    with gzip.GzipFile(fileobj=source) as stream:
        long_name: str | None = None
        headers = 0
        while (block := _block(stream)).strip(b"\0"):
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            meter.entry(info.name)
            if info.size < 0:
                raise bad("a member has a negative size", info.name)
            if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
                headers += 1
                if info.size > _MAX_HEADER or headers > MAX_ENTRIES:
                    raise bad("a header is too long")
                found = _extended(info, _padded(stream, info.size))
                long_name = long_name if found is None else found
                continue
            name = info.name if long_name is None else long_name
            long_name = None
            folder = info.type == tarfile.DIRTYPE
            if not folder and info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise bad("only regular files and folders may be in it", name)
            if folder and info.size:
                raise bad("a folder holds bytes", name)
            data = _Part(stream, info.size)
            yield Member(name, folder, bool(info.mode & _EXECUTABLE), data, info.size)
            _read(stream, -info.size % _BLOCK)
        rest = 0
        while data_left := stream.read(_CHUNK):  # to the end, where the checksum is
            rest += len(data_left)
            meter.add(len(data_left))
            if data_left.strip(b"\0"):
                raise bad("something follows its end")


class _Part:
    """The next `size` bytes of a stream, and not one more."""

    def __init__(self, stream: _Reader, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int = _CHUNK, /) -> bytes:
        data = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data


def _block(stream: _Reader) -> bytes:
    return _read(stream, _BLOCK)


def _read(stream: _Reader, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = stream.read(size - len(data))
        if not piece:
            raise EOFError("it ends too early")
        data += piece
    return data


def _padded(stream: _Reader, size: int) -> bytes:
    return _read(stream, size + -size % _BLOCK)[:size]


def _extended(info: tarfile.TarInfo, data: bytes) -> str | None:
    """The path that an extended header gives to the next member."""
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return data.rstrip(b"\0").decode("utf-8", "surrogateescape")
    name = None
    while data:
        length, blank, _ = data.partition(b" ")
        if not blank or not length.isdigit() or not len(length) + 2 < int(length) <= len(data):
            raise bad("a header is damaged")
        record = data[len(length) + 1 : int(length)]
        key, _, value = record.removesuffix(b"\n").partition(b"=")
        data = data[int(length) :]
        if key == b"size" or key.startswith(b"GNU.sparse"):
            raise bad("only plain regular files may be in it")
        if key == b"path":
            if info.type == tarfile.XGLTYPE:
                raise bad("a global header names a path")
            name = value.decode("utf-8", "surrogateescape")
    return name
