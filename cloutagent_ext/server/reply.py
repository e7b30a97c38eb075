"""What a route's function gives back, not yet on the wire. Not here: streams (`server.stream`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import BaseModel


@dataclass(frozen=True)
class Reply:
    """`body`: a model of the contract (JSON), bytes of `media_type`, or nothing."""

    body: BaseModel | bytes | None = None
    status: int = HTTPStatus.OK
    etag: str | None = None
    """Quoted, strong; the caller's `If-None-Match` is judged against it."""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def bytes(self) -> bytes:
        """The body as it goes over the wire."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else self.body.model_dump_json().encode()


NO_CONTENT = Reply(status=HTTPStatus.NO_CONTENT)
