"""What Jupyter's access log is told of a request: a line that no caller can make long.

Not here: what the server does (its own log) and who did it.
"""

from __future__ import annotations

from tornado.httputil import HTTPServerRequest

_URI = 512
_HEADER = 256
_LOGGED = ("Host", "Accept", "Referer", "User-Agent")
"""Headers that Jupyter logs of requests that failed."""


def bound(request: HTTPServerRequest) -> None:
    """Shorten what would be logged; for when it has been answered."""
    request.uri = _cut(request.uri or "", _URI)
    for name in _LOGGED:
        if name in request.headers:
            request.headers[name] = _cut(request.headers[name], _HEADER)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}...({len(text)} characters)"
