"""Any exception as the one error a caller sees. Not here: the tree of errors (`cloutagent_ext.errors`)."""

from __future__ import annotations

import errno

from pydantic import ValidationError
from tornado.web import HTTPError

from ..errors import (
    CloutError,
    DiskFull,
    Forbidden,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from ..scarcity import is_scarce
from ..schema.base import invalid_request

_BY_STATUS: dict[int, tuple[type[CloutError], str]] = {
    400: (InvalidRequest, "The request could not be read."),
    401: (Unauthorized, "Send a project's key in the header X-API-Key, or call as a logged-in Jupyter user."),
    403: (Forbidden, "This is not allowed."),
    404: (NotFound, "There is no such address here; GET cloutagent/api/v1/openapi.json lists all."),
    405: (MethodNotAllowed, "This address does not take that method."),
    413: (TooLarge, "The request is too large."),
    415: (UnsupportedMediaType, "This address does not take that content type."),
    503: (Unavailable, "The server cannot take this now; try again."),
}

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def as_error(failure: BaseException | None, status: int = 500) -> CloutError:
    """`failure` as an error of the contract. What nobody foresaw is `Internal`, without a word of its own."""
    if isinstance(failure, CloutError):
        return failure
    if isinstance(failure, ValidationError):
        return invalid_request(failure)
    if isinstance(failure, OSError) and failure.errno in _FULL:
        return DiskFull("The disk of the data folder is full; make room and try again.")
    if is_scarce(failure):
        return Unavailable(
            "The server has no memory, threads or files left; try again in a moment.", code="OVERLOADED"
        )
    if isinstance(failure, OSError) and failure.errno in _READ_ONLY:
        return Unavailable("The data folder cannot be written; its owner must mend that.", code="READ_ONLY")
    if isinstance(failure, HTTPError):
        return _from_http(failure)
    if failure is None and status in _BY_STATUS:
        kind, message = _BY_STATUS[status]
        return kind(message)
    return Internal("Something went wrong on the server's side; its log has the rest under this request id.")


def _from_http(failure: HTTPError) -> CloutError:
    if failure.status_code not in _BY_STATUS:
        if failure.status_code < 500:
            return InvalidRequest(failure.log_message or failure.reason or "The request could not be read.")
        return Internal(
            "Something went wrong on the server's side; its log has the rest under this request id."
        )
    kind, message = _BY_STATUS[failure.status_code]
    # Tornado's and Jupyter's words for a 403 or 400 name the cause (a missing _xsrf, a bad encoding).
    said = failure.get_message() if failure.status_code in (400, 403) and failure.log_message else ""
    return kind(f"{message} {said}".strip())
