"""Request bodies: JSON within bounds, judged before any model sees it.

Not here: which model (`server.route`).

What is refused: more than 10 MB, nesting beyond 64, more than 250,000 parts, integers beyond
4,300 digits, NaN and Infinity, invalid UTF-8, lone surrogates. The parser reports positions,
never the text, so that a secret in an almost valid body reaches no log.
"""

from __future__ import annotations

import asyncio
import re
from email.message import Message
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from ..errors import InvalidRequest, UnsupportedMediaType
from ..schema.base import Model, invalid_request

MAX_DEPTH = 64
MAX_NODES = 250_000
"""Most lists and objects of one body: each costs the server far more memory than its two characters."""
_IN_THREAD_FROM = 64 * 1024
"""Bytes from which parsing leaves the event loop alone."""


def check_encoding(header: str | None) -> None:
    """Refuse a packed body: it would be a bomb, or be kept as something else than was meant."""
    if header and header.strip().lower() != "identity":
        raise UnsupportedMediaType(
            "Send the body as it is, without a Content-Encoding.", received=header.strip()[:40]
        )


def check_json_type(header: str | None) -> None:
    """Refuse what claims not to be JSON in UTF-8; a missing Content-Type is taken as JSON."""
    if not header:
        return
    message = Message()
    message["Content-Type"] = header
    kind, charset = message.get_content_type(), message.get_param("charset")
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType(
            "This address takes JSON: send the header `Content-Type: application/json`.", received=kind
        )
    if charset and str(charset).lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("JSON is UTF-8: send no other charset.", received=str(charset)[:40])


async def read_model(body: bytes, model: type[Model]) -> Model:
    """`body` as `model`; an empty body counts as `{}`."""
    value = await read_json(body)
    try:
        return _typed(value, model)
    except ValidationError as error:
        raise invalid_request(error) from None


def _typed(value: Any, model: type[Model]) -> Model:
    """`value` as `model`, in the types that are published: `"5"` and `true` are no numbers, 1 no boolean."""
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        if not any(each["type"] == "int_type" and type(each["input"]) is float for each in error.errors()):
            raise
    # JSON has one kind of number, and 5.0 is an integer of it.
    return model.model_validate(_whole(value), strict=True)


def _whole(value: Any) -> Any:
    """`value`, its numbers without a fraction as integers."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def read_json(body: bytes) -> Any:
    """`body` as JSON values within bounds; an empty body is `{}`."""
    if not body:
        return {}
    if len(body) >= _IN_THREAD_FROM:
        return await asyncio.to_thread(parse, body)
    return parse(body)


def parse(body: bytes) -> Any:
    """`body` as JSON values; raises `InvalidRequest`."""
    if _brackets(body) > MAX_NODES:
        raise InvalidRequest(f"The body has too many parts: at most {MAX_NODES:,} lists and objects.")
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"The body is not valid JSON in UTF-8: {_where(error)}.") from None
    if _deeper_than(value, MAX_DEPTH):
        raise InvalidRequest(f"The body is nested too deep: at most {MAX_DEPTH} levels.")
    return value


# Whole strings of JSON; an unclosed one takes the rest, so that no input makes this slow.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z)', re.DOTALL)


def _brackets(body: bytes) -> int:
    """How many lists and objects begin; those inside strings are told apart only where it matters."""
    count = body.count(b"[") + body.count(b"{")
    if count > MAX_NODES:
        bare = _STRING.sub(b"", body)
        count = bare.count(b"[") + bare.count(b"{")
    return count


def _where(error: ValueError) -> str:
    text = str(error)
    return "nested too deep" if "recursion" in text else text


def _deeper_than(value: Any, depth: int) -> bool:
    """Level by level, so that a hostile body cannot exhaust the stack."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return False
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return bool(level)
