"""Which hosts a fetch may reach: names resolved once, addresses checked, the checked one connected to.

Refused is everything that is not the public internet: this machine, private and
link-local networks, metadata services, multicast, reserved ranges, and the IPv6 forms
that carry such an IPv4 address inside. A name is good only if *all* its addresses are.
Whoever connects does so to the address that `look_up` gave, so a name that changes its
answer in between (DNS rebinding) changes nothing.

`allow` (the operator's) opens exact hosts, `*.suffix`, networks, each with or without a
port. Not here: requests, redirects and pages (`tools.web`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from . import names

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a name; raises OSError where it has none."""

_CLOSED = [
    ipaddress.ip_network(text)
    for text in (
        # Written out: what `ipaddress` calls global differs between versions of Python.
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's platform service, at an address that looks public
        "::/96", "100::/64", "2001:2::/48", "2001:db8::/32", "2001:10::/28", "3fff::/20", "5f00::/16",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
]  # fmt: skip
_MAPPED = ipaddress.ip_network("::ffff:0:0/96")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_NAT64 = [ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48")]
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
_TEREDO = ipaddress.ip_network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)*{_LABEL}")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")


class Refused(Exception):
    """This address must not be fetched; the text says why."""


@dataclass(frozen=True)
class Target:
    """Where a URL leads, its host in one spelling."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def target_of(url: str) -> Target:
    """What `url` asks for. Raises `Refused` for anything but http and https to a plainly spelled host."""
    if any(ord(c) <= 32 or ord(c) == 127 for c in url) or "\\" in url:
        raise Refused("it has a space, a control character or a backslash in it")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise Refused("it is no address") from None
    if parts.scheme not in ("http", "https"):
        raise Refused("only http:// and https:// can be fetched")
    if "@" in parts.netloc:
        raise Refused("it has a user name or password in it")
    if not host or port == 0:
        raise Refused("it names no host, or port 0")
    return Target(parts.scheme, _spelled(host), port or (443 if parts.scheme == "https" else 80))


def _spelled(host: str) -> str:
    """One spelling of a host: a canonical address or an ASCII name in lower case. Raises `Refused`."""
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise Refused("the host is no IPv6 address") from None
        if address.scope_id is not None:
            raise Refused("the host has a zone in it")
        return str(address)
    try:
        name = host.encode("idna").decode().lower() if not host.isascii() else host.lower()
    except UnicodeError:
        raise Refused("the host is no name") from None
    name = name.removesuffix(".")
    if not _NAME.fullmatch(name):
        raise Refused("the host is no name")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        # Decimal, octal, hexadecimal, short: each an IPv4 address to some resolver.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise Refused("the host is a number in an unusual spelling") from None
    return name


def embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses inside an IPv6 one, in each form that some router or library unpacks."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    number = int(address)
    found = []
    if address in _MAPPED or address in _TRANSLATED or any(address in net for net in _NAT64):
        found.append(number & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        found.append((number >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        found += [(number >> 64) & 0xFFFFFFFF, ~number & 0xFFFFFFFF]
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(number & 0xFFFFFFFF)
    return [ipaddress.IPv4Address(each) for each in found]


def closed(address: Address) -> bool:
    """Whether `address`, or one inside it, is anything but public."""
    if any(address in net for net in _CLOSED if net.version == address.version):
        return True
    inside = embedded(address)
    if inside:
        return any(closed(each) for each in inside)
    return not address.is_global or address.is_multicast or address.is_reserved


@dataclass(frozen=True)
class Reach:
    """What this server's agents may reach."""

    allow: Sequence[str] = ()
    """Hosts, `*.suffix`, networks; each may end in `:port`."""
    resolve: Resolve | None = None
    """Names to addresses; None: as this machine does it."""

    async def look_up(self, target: Target) -> list[str]:
        """Addresses of `target`, to connect to and no other. Raises `Refused`, or OSError without any."""
        try:
            found: list[Address] = [ipaddress.ip_address(target.host)]
        except ValueError:
            found = [
                _plain(text) for text in await (self.resolve or names.addresses)(target.host, target.port)
            ]
        for address in found:
            if not self._allowed(target, address) and closed(address):
                raise Refused(
                    f"{target.host} is not on the public internet"
                    + ("" if str(address) == target.host else f" ({address})")
                    + "; the operator can open it with `web_fetch_allow`"
                )
        if not found:
            raise OSError("the name has no address")
        return [str(address) for address in found]

    def _allowed(self, target: Target, address: Address) -> bool:
        return any(_matches(entry, target, address) for entry in self.allow)


def _matches(entry: str, target: Target, address: Address) -> bool:
    host, port = entry.strip().lower(), ""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d+))?", host)
    if bracketed:
        host, port = bracketed[1], bracketed[2] or ""
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if port and int(port) != target.port:
        return False
    try:
        return address in ipaddress.ip_network(host, strict=False)
    except ValueError:
        return fnmatchcase(target.host, host)


def _plain(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])
