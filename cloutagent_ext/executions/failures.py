"""A failure as the log tells it and as `error.json` keeps it.

What a person can act on is said; a stack trace stays on disk and in the server's log,
under a request id, with secrets masked. Not here: when something counts as a failure.
"""

from __future__ import annotations

import logging
import re
import traceback
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from ..engine.job import Outcome
from ..engine.masking import MASKED, Mask
from ..engine.ports import EndExecution, ModelFailure
from ..errors import CloutError
from ..scarcity import SAID, is_scarce
from ..schema.base import JsonObject
from ..schema.execution import EndCode
from .reserve import DISK_FULL, READ_ONLY, is_full, is_read_only

_log = logging.getLogger(__name__)

_KEYS = re.compile(r"sk-ant-[A-Za-z0-9_-]{8,}|\bca_[A-Za-z0-9-]+_[A-Za-z0-9_-]{16,}")
"""What looks like a key of the model service or of ours, whoever's it is."""


@dataclass(frozen=True)
class Broken:
    """Why an execution ended badly."""

    code: EndCode
    message: str
    details: JsonObject = field(default_factory=dict)
    request_id: str | None = None
    traceback: str | None = None

    def masked(self, mask: Mask) -> Broken:
        """The same without the secrets that `mask` knows."""
        return replace(
            self,
            message=mask(self.message),
            details=mask.deep(self.details),
            traceback=self.traceback and mask(self.traceback),
        )

    def as_file(self, **place: Any) -> JsonObject:
        """Content of `error.json`; `place` says where it happened (agent, turn, call_id)."""
        return {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "request_id": self.request_id,
            "traceback": self.traceback,
            **place,
        }


def of_outcome(outcome: Outcome) -> Broken:
    """The engine's own verdict."""
    return Broken(outcome.code or "INTERNAL", outcome.message, outcome.details)


def of_exception(error: BaseException, mask: Mask, execution_id: str) -> Broken:
    """What went wrong outside the engine's own verdicts: said plainly, or a bug with its number."""
    if isinstance(error, EndExecution):
        return Broken(error.code, error.message, error.details)
    if isinstance(error, ModelFailure):
        return Broken(error.code, error.message, {"kind": error.kind, "request_id": error.request_id})
    request_id = uuid.uuid4().hex
    trace = _without_keys("".join(traceback.format_exception(error)), mask)
    if is_full(error):
        return Broken("DISK_FULL", DISK_FULL, {"request_id": request_id}, request_id, trace)
    if is_read_only(error):
        _log.error("Execution %s ended because the data folder cannot be written: %r", execution_id, error)
        return Broken("READ_ONLY", READ_ONLY, {"request_id": request_id}, request_id, trace)
    if is_scarce(error):
        _log.error("Execution %s ended for want of memory, threads or files: %r", execution_id, error)
        return Broken("OVERLOADED", SAID, {"request_id": request_id}, request_id, trace)
    if isinstance(error, CloutError):
        details = {**error.details, "error_code": error.error_code, "request_id": request_id}
        return Broken("INTERNAL", error.message, details, request_id, trace)
    message = (
        "A fault inside CloutAgent ended this execution; it is not your doing. The server's log "
        f"and this execution's error.json have the details under request id {request_id}."
    )
    _log.error("Execution %s failed, request id %s\n%s", execution_id, request_id, trace)
    return Broken("INTERNAL", message, {"request_id": request_id}, request_id, trace)


def _without_keys(text: str, mask: Mask) -> str:
    """`text` without what `mask` knows and without anything that looks like a key."""
    return _KEYS.sub(MASKED, mask(text))
