"""An execution as it goes, for people: lines as things happen, and on a terminal one live line below them.

What comes from a model or a tool is stripped of control characters before it reaches a
terminal. Not here: following events (`run`).
"""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any, TextIO

from ..client.display import facts, money
from ..schema.execution import ExecutionState

_LONGEST_SUMMARY = 100
"""Characters of a tool call's input or of an error that a line shows."""
_DULL = ("import ", "from ", "#")
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def printable(text: str) -> str:
    """`text` without what a terminal would obey: control characters (not line ends, tabs), text direction."""
    return "".join(c for c in text if c in "\n\t" or (c.isprintable() and not "\u202a" <= c <= "\u202e"))


def one_line(text: str) -> str:
    """`printable`, for a row of a list: somebody else's words must not look like another row."""
    return " ".join(printable(text).split())


def summary(values: dict[str, Any]) -> str:
    """The first line that tells something (no import, no comment) of a tool call's first text."""
    text = next((v for v in values.values() if isinstance(v, str) and v.strip()), "")
    lines = [line for line in printable(text).splitlines() if line.strip()] or [""]
    telling = next((line for line in lines if not line.startswith(_DULL)), lines[0]).strip()
    whole = len(lines) == 1 and len(telling) <= _LONGEST_SUMMARY
    return telling if whole else f"{telling[:_LONGEST_SUMMARY]} …"


class Progress:
    """Takes events in order. `live` draws the line that moves; without it there are only whole lines."""

    def __init__(self, out: TextIO | None = None, *, live: bool | None = None) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty() if live is None else live
        self._pieces: dict[tuple[str, str], str] = {}
        self._names: dict[str, str] = {}
        self._running: dict[str, tuple[str, float]] = {}
        self._began = time.monotonic()
        self._tokens = 0
        self._cost: float | None = 0.0
        self._cap: float | None = None
        self._note = self._waits = ""
        self._drawn = False
        self._held: list[str] | None = None

    def take(self, event: Any) -> None:
        """Show one event of the contract; unknown ones are passed over."""
        show = getattr(self, f"_on_{event.type}", None)
        if show is not None:
            show(event)
        self.tick()

    def tick(self) -> None:
        """Redraw the live line; to be called a few times a second."""
        if not self._live or self._held is not None:
            return
        elapsed = time.monotonic() - self._began
        running = [f"{tool} {time.monotonic() - at:.0f} s" for tool, at in self._running.values()]
        step = self._waits or next(iter(running), "model")
        cap = f" of {money(self._cap)}" if self._cap is not None else ""
        parts = [
            self._note or step,
            f"{elapsed:.0f} s",
            f"{self._tokens:,} tokens",
            f"{money(self._cost)}{cap}",
        ]
        line = f"{_FRAMES[int(elapsed * 8) % len(_FRAMES)]} {' · '.join(parts)} · Ctrl-C cancels"
        self._erase()
        self._out.write(line[: shutil.get_terminal_size().columns - 1])
        self._out.flush()
        self._drawn = True

    def note(self, text: str) -> None:
        """Say something of the command's own, and keep it in the live line."""
        self._note = text
        self._line(text)

    def hold(self) -> None:
        """Somebody is being asked something: keep what happens meanwhile for later."""
        self._erase()
        self._held = []

    def go_on(self) -> None:
        """Show what was kept, and go on showing."""
        held, self._held = self._held or [], None
        for text in held:
            self._line(text)

    def end(self, state: ExecutionState) -> None:
        """The last line: how it went."""
        self._live = self._live and not self._erase()
        if state.error is not None:
            self._line(f"✕ {state.error.code}: {printable(state.error.message)}")
        self._line(" · ".join(facts(state)))
        if state.files:
            self._line(f"{state.files} files in its workspace; --save FOLDER copies them")

    # ------------------------------------------------------------ events

    def _on_queued(self, event: Any) -> None:
        if event.position:
            self._line(f"waiting in the queue, place {event.position}")

    def _on_start(self, event: Any) -> None:
        self._began = time.monotonic()
        self._cap = event.limits.max_cost_usd
        played = " (simulated: no model is asked)" if event.simulated else ""
        if event.replay:
            played = f" (cassette {printable(event.replay)}: no model is asked)"
        self._line(f"running {printable(event.model)}{played}")

    def _on_agent_start(self, event: Any) -> None:
        self._names[event.agent] = printable(event.name)

    def _on_text(self, event: Any) -> None:
        key = (event.agent, event.span)
        text = self._pieces.pop(key, "") + printable(event.content)
        *whole, rest = text.split("\n")
        if event.final:
            whole.append(rest)
        elif rest:
            self._pieces[key] = rest
        for line in whole:
            if line.strip():
                self._line(f"{self._who(event.agent)}{line}")

    def _on_tool_call(self, event: Any) -> None:
        self._running[event.call_id] = (event.tool, time.monotonic())
        self._line(f"{self._who(event.agent)}→ {event.tool}  {summary(event.input)}")

    def _on_tool_result(self, event: Any) -> None:
        self._running.pop(event.call_id, None)
        took = f"{event.duration_ms / 1000:.1f} s"
        if not event.is_error:
            self._line(f"{self._who(event.agent)}✓ {event.tool}  {took}")
            return
        said = {"said": "".join(part.text for part in event.output if part.type == "text")}
        self._line(f"{self._who(event.agent)}✕ {event.tool}  {took}  {summary(said)}")

    def _on_approval_required(self, event: Any) -> None:
        self._line(f"{self._who(event.agent)}? {event.tool} waits for approval")

    def _on_waiting(self, event: Any) -> None:
        self._waits = "waits for approval"

    def _on_approval(self, event: Any) -> None:
        self._waits = ""
        word = "allowed" if event.decision == "allow" else "denied"
        changed = ", with other arguments" if event.input is not None else ""
        said = f": {summary({'said': event.message})}" if event.message else ""
        self._line(f"{self._who(event.agent)}{word} by {printable(event.by)}{changed}{said}")

    def _on_cost_update(self, event: Any) -> None:
        self._tokens = event.usage.counted + event.usage.cache_read_input_tokens
        self._cost = event.total_cost_usd

    def _on_warning(self, event: Any) -> None:
        self._line(f"! {printable(event.message)}")

    # ------------------------------------------------------------ lines

    def _who(self, agent: str) -> str:
        return "" if agent == "main" else f"  {self._names.get(agent, agent)} │ "

    def _line(self, text: str) -> None:
        if self._held is not None:
            self._held.append(text)
            return
        self._erase()
        self._out.write(f"{text}\n")
        self._out.flush()

    def _erase(self) -> bool:
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._drawn = False
        return True
