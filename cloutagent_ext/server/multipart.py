"""The one field `file` of a multipart/form-data body that lies in a file, found without reading it whole.

Not here: other fields (passed over) and what the file is.
"""

from __future__ import annotations

import mmap
import re
from email.message import Message
from typing import BinaryIO

from ..errors import InvalidRequest

MAX_PARTS = 20
_MAX_HEAD = 16 * 1024


def boundary_of(content_type: str) -> bytes:
    """Raises `InvalidRequest` where the header names none."""
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not re.fullmatch(r"[\x20-\x7e]{1,70}", boundary):
        raise InvalidRequest("The header Content-Type names no boundary of the multipart body.")
    return boundary.encode("ascii")


def locate(file: BinaryIO, size: int, boundary: bytes) -> tuple[int, int]:
    """Offset and length of the field `file`. Raises `InvalidRequest`. Blocks."""
    missing = InvalidRequest("The multipart body has no field `file`.")
    if size == 0:
        raise missing
    file.flush()
    line = b"--" + boundary
    with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as body:
        at = body.find(line)
        for _ in range(MAX_PARTS):
            if at < 0:
                break
            start = at + len(line)
            if body[start : start + 2] != b"\r\n":
                break
            head_end = body.find(b"\r\n\r\n", start, start + _MAX_HEAD)
            end = body.find(b"\r\n" + line, head_end) if head_end >= 0 else -1
            if end < 0:
                raise InvalidRequest("The multipart body is damaged: a part has no end.")
            if _is_file(body[start:head_end]):
                return head_end + 4, max(0, end - head_end - 4)
            at = end + 2
    raise missing


def _is_file(head: bytes) -> bool:
    for row in head.split(b"\r\n"):
        name, _, value = row.partition(b":")
        if name.strip().lower() == b"content-disposition":
            message = Message()
            message["Content-Disposition"] = value.decode("latin-1").strip()
            return message.get_param("name", header="content-disposition") == "file"
    return False
