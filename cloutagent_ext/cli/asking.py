"""A tool that asks, at a terminal: shows what it would do, reads yes, no or other arguments.

One question at a time, in their order. What somebody else has answered meanwhile (in the
panel, say) is not asked any more. Not here: following events (`run`), sending the answer (`desk`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from ..engine.permissions import Rules, parse
from ..errors import CloutError, Conflict, InvalidRequest, NotFound
from ..schema.base import JsonObject
from ..schema.project import Permission
from .desk import Started
from .progress import Progress, printable

_HELP = "y allow · n deny · e change the arguments · or type what to tell the model instead"
_UNANSWERED = "Nobody can be asked here; `--allow` answers for some tools."
_LONGEST_LINE = 2000
_PLAIN = "\x1b[0m"
_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}


def rules_of(allow: Iterable[str], deny: Iterable[str]) -> Rules:
    """The answers given in advance. Raises InvalidRequest for one that cannot be read."""
    given: dict[str, Permission] = {}
    for verdict, texts in (("allow", allow), ("deny", deny)):
        for text in texts:
            if parse(text, "ask") is None:
                raise InvalidRequest(f"--{verdict} {text!r} is no rule: write a tool, or tool(pattern).")
            given[text] = "deny" if verdict == "deny" else given.get(text, "allow")
    return Rules(given)


class Asking:
    """Answers the questions of one execution. `people`: whether somebody sits at the terminal."""

    def __init__(self, started: Started, rules: Rules, progress: Progress | None, *, people: bool) -> None:
        self._started = started
        self._rules = rules
        self._progress = progress
        self._people = people
        self._open: dict[str, Any] = {}
        self._changed = asyncio.Event()

    def take(self, event: Any) -> None:
        """One event of the execution."""
        if event.type == "approval_required":
            self._open[event.call_id] = event
        elif event.type == "approval":
            self._open.pop(event.call_id, None)
        else:
            return
        self._changed.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            event = next(iter(self._open.values()), None)
            if event is None:
                self._changed.clear()
                await self._changed.wait()
                continue
            await self._settle(event)
            self._open.pop(event.call_id, None)

    async def _settle(self, event: Any) -> None:
        verdict = self._rules.decide(event.tool, event.input, "ask")
        if verdict.permission != "ask":
            await self._send(event, verdict.permission == "allow", message="")
        elif self._people:
            await self._ask(event)
        else:
            await self._send(event, False, message=_UNANSWERED)

    async def _ask(self, event: Any) -> None:
        if self._progress is not None:
            self._progress.hold()
        try:
            out = sys.stderr
            show(event, out)
            arguments: JsonObject | None = None
            while True:
                answer = await self._line(event, f"{_HELP}\n? ", out)
                if answer is None:
                    return
                if answer.lower() == "e":
                    arguments = await self._edited(event, out)
                    if arguments is None:
                        continue
                    answer = "y"
                if not answer:
                    continue
                allow = answer.lower() in ("y", "yes")
                message = "" if allow or answer.lower() in ("n", "no") else answer
                if await self._send(event, allow, message=message, arguments=arguments):
                    return
        finally:
            if self._progress is not None:
                self._progress.go_on()

    async def _edited(self, event: Any, out: TextIO) -> JsonObject | None:
        out.write(f"now: {printable(json.dumps(event.input, ensure_ascii=False))}\n")
        text = await self._line(event, "new arguments as JSON, empty to go back: ", out)
        if not text:
            return None
        try:
            arguments = json.loads(text)
        except ValueError as error:
            out.write(f"that is no JSON ({error})\n")
            return None
        if not isinstance(arguments, dict):
            out.write("arguments are a JSON object: {…}\n")
            return None
        return arguments

    async def _send(
        self, event: Any, allow: bool, *, message: str, arguments: JsonObject | None = None
    ) -> bool:
        """Whether the question is settled; False where the answer was refused and may be given otherwise."""
        try:
            await self._started.decide(event.call_id, allow=allow, message=message, arguments=arguments)
        except (Conflict, NotFound):
            return True  # somebody else was faster, or the execution has ended: the events tell
        except CloutError as error:
            sys.stderr.write(f"{printable(error.message)}\n")
            return False
        return True

    async def _line(self, event: Any, prompt: str, out: TextIO) -> str | None:
        """What is typed; None where the question is settled otherwise meanwhile."""
        out.write(prompt)
        out.flush()
        reading = asyncio.create_task(_typed())
        try:
            while event.call_id in self._open:
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({reading, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if reading.done():
                    if (text := reading.result()) is None:
                        self._people = False  # the terminal is gone
                        return "n"
                    return text.strip()
            out.write("\n")
            return None
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _typed() -> str | None:
    """The next line of the terminal, without holding a thread that nobody could end; None at its end."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    typed: asyncio.Future[str | None] = loop.create_future()

    def read() -> None:
        data = os.read(descriptor, 64 * 1024)
        if not typed.done():
            typed.set_result(data.decode(errors="replace") if data else None)

    loop.add_reader(descriptor, read)
    try:
        return await typed
    finally:
        loop.remove_reader(descriptor)


def show(event: Any, out: TextIO) -> None:
    """What is asked: the call, why it asks, and what it would do."""
    who = "" if event.agent == "main" else f"{printable(event.agent)}: "
    why = f"  ({printable(event.reason)})" if event.reason else ""
    rows = [f"? {who}{printable(event.tool)} waits for you{why}"]
    preview = event.preview
    if preview is None:
        text = json.dumps(event.input, indent=2, ensure_ascii=False)
        rows += _indented(text)
    else:
        rows += [f"  {printable(preview.where)}"] if preview.where else []
        rows += _indented(preview.content, coloured=preview.kind == "diff" and out.isatty())
        rows += [f"  {printable(preview.note)}"] if preview.note else []
    out.write("\n".join(rows) + "\n")
    out.flush()


def _indented(text: str, *, coloured: bool = False) -> list[str]:
    rows = []
    for line in printable(text).splitlines():
        colour = _COLOURS.get(line[:1], "") if coloured else ""
        rows.append(f"  │ {colour}{line[:_LONGEST_LINE]}{_PLAIN if colour else ''}")
    return rows
