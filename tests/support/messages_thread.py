"""The scripted Messages API on a loop of its own, for tests that wait without one.

with messages_api(script) as api: ... api.url ...
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .messages_api import MessagesApi, Script, Scripted


@contextmanager
def messages_api(
    script: Iterable[Scripted] | Script, *, api_key: str | None = "test-key", expects_refusals: bool = False
) -> Iterator[MessagesApi]:
    """The service in a thread; what it has seen may be read once the caller has its answer."""
    api = MessagesApi(script, api_key=api_key, expects_refusals=expects_refusals)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(api.__aenter__(), loop).result(10)
        try:
            yield api
        finally:
            asyncio.run_coroutine_threadsafe(api.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
