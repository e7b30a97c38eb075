"""Everything that can go wrong for a caller, as one tree.

CloutError                        code, HTTP status, a sentence that says how to mend it
├── InvalidRequest        400     INVALID_REQUEST · what the caller sent cannot be read
│   ├── InvalidProject    400     INVALID_PROJECT · the definition has problems of severity error
│   ├── UnknownVariable   400     UNKNOWN_VARIABLE
│   ├── MissingVariable   400     MISSING_VARIABLE
│   └── PriceUnknown      400     PRICE_UNKNOWN · a money limit on a model without a price
├── Unauthorized          401     MISSING_API_KEY, INVALID_API_KEY
├── Forbidden             403     FORBIDDEN
├── NotFound              404     NOT_FOUND
├── MethodNotAllowed      405     METHOD_NOT_ALLOWED
├── Conflict              409     CONFLICT
│   ├── NotTrusted        409     NOT_TRUSTED
│   ├── SecretsLocked     409     SECRETS_LOCKED
│   ├── UnreadableFile    409     UNREADABLE_FILE · a definition file on disk, named with its line
│   └── NewerFormat       409     NEWER_FORMAT
├── Expired               410     EXPIRED
├── PreconditionFailed    412     PRECONDITION_FAILED · stale If-Match
├── TooLarge              413     TOO_LARGE
├── UnsupportedMediaType  415     UNSUPPORTED_MEDIA_TYPE
├── BadArchive            422     BAD_ARCHIVE
├── RateLimited           429     RATE_LIMITED
├── Unavailable           503     QUEUE_FULL, TOO_MANY_STREAMS, SHUTTING_DOWN, READ_ONLY, OVERLOADED
│                                 (with Retry-After)
├── BadGateway            502     MODEL_UNAVAILABLE, MCP_CONNECTION_FAILED
├── GatewayTimeout        504     TIMEOUT, QUEUE_TIMEOUT
├── DiskFull              507     DISK_FULL
├── Internal              500     INTERNAL · a bug of ours; the log has the rest under its request id
├── Unreachable           ---     UNREACHABLE · raised by the Python client alone: no server answered
├── ApprovalNeeded        ---     WAITING · raised by the Python client alone: a person has to decide first
└── ExecutionFailed       ---     raised by the Python client alone: the execution's ending code, or CANCELLED

Here: what a *caller* is told. What a *model* is told about a failed tool is
`engine.ports.ToolError`, a different type on purpose. How errors become HTTP is
`server.handler`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class CloutError(Exception):
    """A failure with a stable code and a sentence for a person.

    `details` is JSON-able and may be shown to the caller; it never holds a secret,
    a stack trace or a path outside the project.
    """

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after_s: int | None = None

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self._code = code

    @property
    def error_code(self) -> str:
        """The UPPER_SNAKE code of this very error (a class may carry several)."""
        return self._code or self.code

    def envelope(self) -> dict[str, Any]:
        """The one error shape: `{"error": {"code", "message", "details"}}`."""
        return {"error": {"code": self.error_code, "message": self.message, "details": self.details}}


class InvalidRequest(CloutError):
    code = "INVALID_REQUEST"
    status = HTTPStatus.BAD_REQUEST


class InvalidProject(InvalidRequest):
    """`details.problems` lists each problem as `schema.project.Problem`."""

    code = "INVALID_PROJECT"


class UnknownVariable(InvalidRequest):
    code = "UNKNOWN_VARIABLE"


class MissingVariable(InvalidRequest):
    code = "MISSING_VARIABLE"


class PriceUnknown(InvalidRequest):
    code = "PRICE_UNKNOWN"


class Unauthorized(CloutError):
    code = "MISSING_API_KEY"
    status = HTTPStatus.UNAUTHORIZED


class Forbidden(CloutError):
    code = "FORBIDDEN"
    status = HTTPStatus.FORBIDDEN


class NotFound(CloutError):
    code = "NOT_FOUND"
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(CloutError):
    code = "METHOD_NOT_ALLOWED"
    status = HTTPStatus.METHOD_NOT_ALLOWED


class Conflict(CloutError):
    code = "CONFLICT"
    status = HTTPStatus.CONFLICT


class NotTrusted(Conflict):
    code = "NOT_TRUSTED"


class SecretsLocked(Conflict):
    code = "SECRETS_LOCKED"


class UnreadableFile(Conflict):
    """A definition file that cannot be read.

    `details`: `file` (relative to the project), `line`, `reason`.
    """

    code = "UNREADABLE_FILE"


class NewerFormat(Conflict):
    code = "NEWER_FORMAT"


class Expired(CloutError):
    code = "EXPIRED"
    status = HTTPStatus.GONE


class PreconditionFailed(CloutError):
    code = "PRECONDITION_FAILED"
    status = HTTPStatus.PRECONDITION_FAILED


class TooLarge(CloutError):
    code = "TOO_LARGE"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(CloutError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class BadArchive(CloutError):
    code = "BAD_ARCHIVE"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class RateLimited(CloutError):
    code = "RATE_LIMITED"
    status = HTTPStatus.TOO_MANY_REQUESTS
    retry_after_s = 60


class Unavailable(CloutError):
    """The server cannot take this now; `Retry-After` says when to ask again."""

    code = "SHUTTING_DOWN"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retry_after_s = 5


class BadGateway(CloutError):
    code = "MODEL_UNAVAILABLE"
    status = HTTPStatus.BAD_GATEWAY


class GatewayTimeout(CloutError):
    code = "TIMEOUT"
    status = HTTPStatus.GATEWAY_TIMEOUT


class DiskFull(CloutError):
    code = "DISK_FULL"
    status = HTTPStatus.INSUFFICIENT_STORAGE


class Internal(CloutError):
    """A bug of ours. The caller gets a request id, the log gets the traceback."""


class Unreachable(CloutError):
    """No server answered; only the Python client and the command line raise it, no route answers it."""

    code = "UNREACHABLE"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class ApprovalNeeded(CloutError):
    """The result was asked for, but a tool call waits for a person. Client only.

    `details`: `execution_id`, `approvals`.
    """

    code = "WAITING"


class ExecutionFailed(CloutError):
    """The result was asked for, but the execution had failed or was cancelled. Client only.

    `error_code` is the execution's (`COST_LIMIT_EXCEEDED`, …), else `CANCELLED` or `INTERRUPTED`;
    `details` are its details and `execution_id`.
    """

    code = "CANCELLED"
