"""What is wrong with an address or a header before anybody connects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def wrong_url(url: str) -> str | None:
    """Why `url` cannot be reached, as the end of "…: ", or None."""
    if url != url.strip() or any(c.isspace() or ord(c) < 32 for c in url):
        return "it has a space or a control character in it"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return "it is no address"
    if parts.scheme not in ("http", "https"):
        return "it must begin with http:// or https://"
    if not host:
        return "it names no host"
    if port == 0:
        return "port 0 cannot be reached"
    return None


def has_password(url: str) -> bool:
    """Whether user name or password stand in the address itself."""
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return False


def wrong_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Header → why it cannot be sent."""
    found = {}
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            found[name] = "its name has characters that no header may have"
        elif any(ord(c) < 32 and c != "\t" for c in value):
            found[name] = "its value has a line break or another control character"
    return found
