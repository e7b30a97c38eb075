"""Archives that no honest program makes, each with what is wrong about it."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

METADATA = b'{"name": "Hostile", "schema_version": 1}\n'
AGENT = b"{}\n"
HONEST: list[tuple[str, bytes]] = [("metadata.json", METADATA), ("agent.config.json", AGENT)]

Make = Callable[[], bytes]
BAD_NAMES = {
    "parent": "../evil",
    "deep parent": "files/../../evil",
    "parent at the end": "files/..",
    "absolute": "/tmp/evil",
    "double slash": "files//evil",
    "dot inside": "files/./evil",
    "backslash": "files\\..\\..\\evil",
    "drive": "C:/evil",
    "control character": "files/e\x01vil",
    "newline": "files/e\nvil",
    "long name": "files/" + "x" * 256,
    "long path": "files/" + "/".join(["x" * 90] * 12),
    "too deep": "files/" + "/".join("x" * 20) + "/evil",
    "empty": "",
    "only a slash": "/",
}


def zipped(members: list[tuple[str, bytes]], honest: bool = True) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*(HONEST if honest else []), *members]:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return sink.getvalue()


def zip_of(info: zipfile.ZipInfo, data: bytes = b"x") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in HONEST:
            archive.writestr(name, content)
        archive.writestr(info, data)
    return sink.getvalue()


def tarred(*infos: tuple[tarfile.TarInfo, bytes], honest: bool = True) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in HONEST if honest else []:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info, data in infos:
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def special(mode: int) -> bytes:
    info = zipfile.ZipInfo("files/special")
    info.create_system = 3
    info.external_attr = (mode | 0o777) << 16
    return zip_of(info, b"/etc/passwd")


def patched(data: bytes, at: bytes, offset: int, value: bytes, *, last: bool = True) -> bytes:
    position = (data.rfind(at) if last else data.find(at)) + offset
    return data[:position] + value + data[position + len(value) :]


def _directory(offset: int, value: bytes) -> bytes:
    """An honest zip whose last directory entry says something else."""
    return patched(zipped([("files/a", b"a" * 100)]), b"PK\x01\x02", offset, value)


def _end(offset: int, value: bytes) -> bytes:
    return patched(zipped([("files/a", b"a" * 100)]), b"PK\x05\x06", offset, value)


def _twice() -> bytes:
    data = zipped([("files/a", b"1"), ("files/b", b"2")])
    for last in (True, False):
        data = patched(data, b"files/b", 0, b"files/a", last=last)
    return data


def _overlapping() -> bytes:
    """Two entries over the same bytes, as in the bombs that overlap."""
    data = zipped([("files/a", b"0" * 4000), ("files/b", b"0" * 4000)])
    first = data.find(b"PK\x03\x04files") if b"PK\x03\x04files" in data else data.find(b"files/a") - 30
    return patched(data, b"PK\x01\x02", 42, struct.pack("<L", first))


def _bomb_tar(size: int) -> bytes:
    sink = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, sink) as packed:
        packed.write(entry("files/zeros", size=size).tobuf())
        for _ in range(size // (1024 * 1024)):
            packed.write(bytes(1024 * 1024))
        packed.write(bytes(1024))
    return sink.getvalue()


def _raw_tar(blocks: bytes) -> bytes:
    return gzip.compress(blocks)


def _huge_pax() -> bytes:
    return _raw_tar(entry("h", tarfile.XHDTYPE, size=100 * 1024 * 1024).tobuf() + bytes(100 * 1024 * 1024))


def _pax(record: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    head = entry("h", kind, size=len(record)).tobuf() + record + bytes(-len(record) % 512)
    return _raw_tar(head + entry("files/a", size=1).tobuf() + b"x" + bytes(511) + bytes(1024))


def _negative() -> bytes:
    block = bytearray(entry("files/a").tobuf())
    block[124:136] = b"\xff" * 11 + b"\x00"
    block[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(block))[0]
    return _raw_tar(bytes(block) + bytes(1024))


def _many_zip(count: int) -> bytes:
    return zipped([(f"files/{number}", b"") for number in range(count)])


def _many_tar(count: int) -> bytes:
    blocks = b"".join(entry(f"files/{number}").tobuf() for number in range(count))
    return _raw_tar(blocks + bytes(1024))


def _zip64() -> bytes:
    data = zipped([])
    at = data.rfind(b"PK\x05\x06")
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 1)
    return data[:at] + locator + data[at:]


def _count_lies() -> bytes:
    return _end(8, struct.pack("<HH", 1, 1))


def _swollen() -> bytes:
    """A member that unpacks to more than it says, with everything else right."""
    data = zipped([("files/a", b"0" * 50_000)])
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        data = patched(data, magic, offset, struct.pack("<L", 10))
    return patched(
        patched(data, b"PK\x01\x02", 16, struct.pack("<L", zlib.crc32(b"0" * 10))),
        b"PK\x03\x04",
        14,
        struct.pack("<L", zlib.crc32(b"0" * 10)),
    )


def _bomb_zip(size: int) -> bytes:
    return zipped([("files/zeros", bytes(size))])


def _truncated(data: bytes, part: float) -> bytes:
    return data[: int(len(data) * part)]


def _noise(count: int) -> bytes:
    """Bytes that do not shrink, the same each time."""
    import random

    return random.Random(1).randbytes(count)


def _encrypted() -> bytes:
    return patched(_directory(8, b"\x01\x00"), b"PK\x03\x04", 6, b"\x01\x00")


def _method(number: int) -> bytes:
    value = struct.pack("<H", number)
    return patched(_directory(10, value), b"PK\x03\x04", 8, value)


HOSTILE: dict[str, Make] = {
    **{f"zip, name: {what}": (lambda name=name: zipped([(name, b"x")])) for what, name in BAD_NAMES.items()},
    **{
        f"tar, name: {what}": (lambda name=name: tarred((entry(name), b"")))
        for what, name in BAD_NAMES.items()
        if name not in ("", "/")
    },
    "zip, a file where the folder of executions is": lambda: zipped(
        [("executions", b"x"), ("executions/one/events.jsonl", b"x")]
    ),
    "zip, symbolic link": lambda: special(stat.S_IFLNK),
    "zip, device": lambda: special(stat.S_IFBLK),
    "zip, FIFO": lambda: special(stat.S_IFIFO),
    "zip, socket": lambda: special(stat.S_IFSOCK),
    "zip, folder bits on a file": lambda: special(stat.S_IFDIR),
    "zip, the same twice": _twice,
    "zip, case clash": lambda: zipped([("files/a", b"1"), ("files/A", b"2")]),
    "zip, case clash of folders": lambda: zipped([("files/a/x", b"1"), ("files/A/y", b"2")]),
    "zip, clash of composed letters": lambda: zipped([("files/\u00e9", b"1"), ("files/e\u0301", b"2")]),
    "zip, clash of sharp s": lambda: zipped([("files/stra\u00dfe", b"1"), ("files/STRASSE", b"2")]),
    "zip, file where a folder is needed": lambda: zipped([("files/a", b"1"), ("files/a/b", b"2")]),
    "zip, folder where a file is": lambda: zipped([("files/a/b", b"1"), ("files/a", b"2")]),
    "zip, a folder that holds bytes": lambda: zipped([("files/a/", b"bytes")]),
    "zip, 10,001 entries": lambda: _many_zip(10_001),
    "zip, 65,534 entries": lambda: _many_zip(65_532),
    "zip, bomb": lambda: _bomb_zip(100 * 1024 * 1024),
    "zip, more than 200 MB": lambda: _bomb_zip(201 * 1024 * 1024),
    "zip, overlapping members": _overlapping,
    "zip, encrypted": _encrypted,
    "zip, bzip2": lambda: _method(12),
    "zip, lzma": lambda: _method(14),
    "zip, unknown method": lambda: _method(99),
    "zip, longer than it says": _swollen,
    "zip, says 4 GB": lambda: _directory(24, b"\xfe\xff\xff\xff"),
    "zip, says less than there is": lambda: _directory(24, struct.pack("<L", 10)),
    "zip, wrong checksum": lambda: _directory(16, b"\0\0\0\0"),
    "zip, member beyond the end": lambda: _directory(42, b"\xf0\xff\xff\x7f"),
    "zip, zero byte in a name": lambda: patched(zipped([("files/abc", b"x")]), b"files/abc", 6, b"\0"),
    "zip, two names of one member": lambda: patched(
        zipped([("files/abc", b"x")]), b"files/abc", 0, b"files/xyz"
    ),
    "zip, zip64": _zip64,
    "zip, counts wrongly": _count_lies,
    "zip, several disks": lambda: _end(4, b"\x01\x00"),
    "zip, directory longer than the file": lambda: _end(12, b"\xff\xff\xff\x7f"),
    "zip, directory of nonsense": lambda: _directory(0, b"XXXX"),
    "zip, cut in the middle": lambda: _truncated(zipped([("files/a", _noise(9000))]), 0.5),
    "zip, damaged in the middle": lambda: patched(
        zipped([("files/a", _noise(9000))]), b"files/a", 400, b"\0" * 300, last=False
    ),
    "zip, nothing in it": lambda: zipped([], honest=False),
    "zip, no project": lambda: zipped([("hello.txt", b"hello")], honest=False),
    "zip, broken metadata": lambda: zipped(
        [("metadata.json", b"{"), ("agent.config.json", b"{}")], honest=False
    ),
    "zip, deep metadata": lambda: zipped(
        [("metadata.json", b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}"), ("agent.config.json", b"{}")],
        honest=False,
    ),
    "zip, a million parts": lambda: zipped(
        [("metadata.json", METADATA), ("agent.config.json", b'{"x":[' + b"{}," * 600_000 + _noise_json())],
        honest=False,
    ),
    "tar, symbolic link": lambda: tarred((entry("files/l", tarfile.SYMTYPE, link="/etc"), b"")),
    "tar, link and a file through it": lambda: tarred(
        (entry("files/l", tarfile.SYMTYPE, link=".."), b""), (entry("files/l/evil"), b"")
    ),
    "tar, hard link": lambda: tarred((entry("files/l", tarfile.LNKTYPE, link="metadata.json"), b"")),
    "tar, character device": lambda: tarred((entry("files/d", tarfile.CHRTYPE), b"")),
    "tar, block device": lambda: tarred((entry("files/d", tarfile.BLKTYPE), b"")),
    "tar, FIFO": lambda: tarred((entry("files/f", tarfile.FIFOTYPE), b"")),
    "tar, contiguous file": lambda: tarred((entry("files/c", tarfile.CONTTYPE), b"")),
    "tar, sparse file": lambda: tarred((entry("files/s", tarfile.GNUTYPE_SPARSE), b"")),
    "tar, unknown type": lambda: tarred((entry("files/u", b"Z"), b"")),
    "tar, the same twice": lambda: tarred((entry("files/a"), b""), (entry("files/a"), b"")),
    "tar, case clash": lambda: tarred((entry("files/a"), b""), (entry("files/A"), b"")),
    "tar, file where a folder is needed": lambda: tarred((entry("files/a"), b""), (entry("files/a/b"), b"")),
    "tar, bomb": lambda: _bomb_tar(100 * 1024 * 1024),
    "tar, 10,001 entries": lambda: _many_tar(10_001),
    "tar, a header of 100 MB": _huge_pax,
    "tar, a size in a header": lambda: _pax(b"20 size=10000000000\n"),
    "tar, a damaged header": lambda: _pax(b"9999999 path=x\n"),
    "tar, an endless record": lambda: _pax(b"0 path=x\n"),
    "tar, a global path": lambda: _pax(b"19 path=../../evil\n", tarfile.XGLTYPE),
    "tar, a path in a header": lambda: _pax(b"19 path=../../evil\n"),
    "tar, negative size": _negative,
    "tar, longer than the archive": lambda: _raw_tar(entry("files/a", size=5000).tobuf() + b"x"),
    "tar, wrong checksum": lambda: _raw_tar(b"x" * 512 + bytes(1024)),
    "tar, no end": lambda: _raw_tar(entry("files/a").tobuf()),
    "tar, something after its end": lambda: _raw_tar(bytes(1024) + b"more" * 300),
    "tar, cut in the middle": lambda: _truncated(tarred((entry("files/a", size=9000), _noise(9000))), 0.5),
    "tar, wrong sum of gzip": lambda: tarred()[:-8] + b"\0" * 8,
    "neither": lambda: b"\x7fELF" + bytes(100),
    "a bare tar": lambda: gzip.decompress(tarred()),
    "nothing at all": lambda: b"",
    "only the magic of zip": lambda: b"PK",
    "only the magic of gzip": lambda: b"\x1f\x8b",
}


def _noise_json() -> bytes:
    """Enough that does not shrink for the ratio not to speak first."""
    return b'"' + _noise(40_000).hex().encode() + b'"]}'
