"""A live view of one execution: widgets in a notebook, lines in a terminal, a still picture once it is saved.

It follows the log in a thread of its own, so that it goes on while a cell runs and after one has
ended; what it shows is `picture`, how it looks is `pieces`. Closing it, or interrupting the cell
that waits for it, stops nothing: the execution is the server's. Not here: asking the server for
anything but events and pictures.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import CloutError
from . import display, pieces
from .optional import MissingPackage, need
from .picture import Picture, Step
from .progress import in_kernel

if TYPE_CHECKING:
    from .sync_runs import Run

EVERY_S = 0.3
"""Least time between two changes of what is shown."""
LARGEST_PICTURE = 2_000_000
"""Bytes of a picture that is shown."""


class Face(Protocol):
    """Where a picture is shown."""

    def show(self, picture: Picture) -> None:
        """Show it as it is now."""
        ...

    def end(self, picture: Picture) -> None:
        """Show it for the last time."""
        ...


class Monitor:
    """Follows `run` until it has ended. `run.monitor()` makes one."""

    def __init__(self, run: Run, *, face: Face | None = None) -> None:
        self._run = run
        self._files: dict[str, bytes | None] = {}
        self.picture = Picture(run.id, run.project_name)
        """What is shown."""
        self._face = face or _face(self.load)
        self._closed = threading.Event()
        self._over = threading.Event()
        self._forgotten = False
        self._lock = threading.Lock()
        self.failure: BaseException | None = None
        """What ended the following before its time."""
        context = contextvars.copy_context()  # outputs belong to the cell that asked for them
        self._face.show(self.picture)
        self._threads = [
            threading.Thread(
                target=context.copy().run, args=(work,), daemon=True, name=f"monitor {run.id[:8]}"
            )
            for work in (self._follow, self._show)
        ]
        atexit.register(self._forget)  # before its client is closed, which looks like the end of following
        for thread in self._threads:
            thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Stay until the execution has ended; whether it has. Interrupting it stops the waiting only."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._over.wait(0.1):  # in pieces: an interrupt of the kernel gets through
            if deadline is not None and time.monotonic() >= deadline:
                return False
        for thread in self._threads:
            thread.join(5)
        if self.failure is not None:
            raise self.failure
        return self.picture.ended

    def close(self) -> None:
        """Follow no more; what is shown stays as it is."""
        self._closed.set()

    def load(self, path: str) -> bytes | None:
        """A picture that a tool made, kept once it was fetched."""
        if path not in self._files:
            try:
                data = self._run.download(path)
            except (CloutError, RuntimeError):
                data = b""
            self._files[path] = data if 0 < len(data) <= LARGEST_PICTURE else None
        return self._files[path]

    def _ipython_display_(self) -> None:
        """Nothing: its output is there already."""

    def _forget(self) -> None:
        """The interpreter ends, and whoever shows this has forgotten it: a word would be an error."""
        self._forgotten = True
        self._closed.set()

    # ------------------------------------------------------------ in threads

    def _follow(self) -> None:
        try:
            events: Any = self._run.events()
            with contextlib.closing(events):
                for event in events:
                    with self._lock:
                        self.picture.apply(event)
                    if self._closed.is_set():
                        break
        except BaseException as error:
            self.failure = error
        finally:
            self._over.set()

    def _show(self) -> None:
        while not self._over.wait(EVERY_S) and not self._closed.is_set():
            with self._lock:
                self._face.show(self.picture)
        atexit.unregister(self._forget)
        if not self._forgotten:
            with self._lock:
                self._face.end(self.picture)


def _face(load: pieces.Load) -> Face:
    if not in_kernel():
        return Lines()
    try:
        need("ipywidgets", "A monitor with buttons that stay in place")
    except MissingPackage:
        return Output(load)
    return Widgets(load)


class Output:
    """One output of a cell, replaced as a whole: what every front end can show."""

    def __init__(self, load: pieces.Load) -> None:
        self._load = load
        self._handle: Any = None
        self._shown = ""

    def show(self, picture: Picture) -> None:
        """See `Face`."""
        self._put(pieces.page(picture, self._load, time.time(), live=True), picture)

    def end(self, picture: Picture) -> None:
        """See `Face`."""
        self._put(pieces.page(picture, self._load, time.time(), live=False), picture)

    def _put(self, html: str, picture: Picture) -> None:
        if html == self._shown:
            return
        self._shown = html
        bundle = {"text/html": html, "text/plain": plain(picture)}
        if self._handle is None:
            show: Any = need("IPython.display", "A monitor in a notebook").display
            self._handle = show(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class Widgets:
    """A widget for each piece, so that what does not change stays as it is: open details, pressed buttons.

    At the end they are replaced by one still output, which a saved notebook keeps.
    """

    def __init__(self, load: pieces.Load) -> None:
        self._load = load
        self._widgets = need("ipywidgets", "A live monitor")
        html = self._widgets.HTML
        self._header, self._stop, self._ending = html(), html(), html()
        self._asked, self._steps = self._widgets.VBox(), self._widgets.VBox()
        self._approvals: dict[str, Any] = {}
        self._turns: dict[str, tuple[Any, int]] = {}
        self._box = self._widgets.VBox(
            [self._header, self._stop, self._asked, self._steps, self._ending],
            layout=self._widgets.Layout(
                border="1px solid var(--jp-border-color2, #ccc)", padding="6px 12px", max_width="56em"
            ),
        )
        self._handle: Any = None

    def show(self, picture: Picture) -> None:
        """See `Face`."""
        _put(self._header, pieces.header(picture, time.time()))
        _put(self._stop, pieces.stop(picture))
        _put(self._ending, pieces.ending(picture))
        self._ask(picture)
        self._grow(picture.steps)
        if self._handle is None:
            show: Any = need("IPython.display", "A monitor in a notebook").display
            view = self._box._repr_mimebundle_()
            bundle = {**view, "text/plain": plain(picture)}
            bundle["text/html"] = pieces.page(picture, self._load, time.time(), live=False)
            self._handle = show(bundle, raw=True, display_id=True)

    def end(self, picture: Picture) -> None:
        """See `Face`."""
        self.show(picture)
        bundle = {
            "text/html": pieces.page(picture, self._load, time.time(), live=not picture.ended),
            "text/plain": plain(picture),
        }
        self._handle.update(bundle, raw=True)
        for widget in (*self._approvals.values(), *(each for each, _ in self._turns.values()), self._box):
            widget.close()

    def _ask(self, picture: Picture) -> None:
        wanted = {each.call_id: each for each in picture.asked}
        if wanted.keys() == self._approvals.keys():
            return  # a button that is just being pressed is not made anew
        for call_id in [each for each in self._approvals if each not in wanted]:
            self._approvals.pop(call_id).close()
        for call_id, asked in wanted.items():
            if call_id not in self._approvals:
                self._approvals[call_id] = self._widgets.HTML()
                _put(self._approvals[call_id], pieces.approval(picture, asked))
        self._asked.children = tuple(self._approvals.values())

    def _grow(self, steps: list[Step]) -> None:
        before = len(self._turns)
        for step in steps:
            widget, seen = self._turns.get(step.span, (None, -1))
            if seen == step.version:
                continue
            shown = pieces.step(step, self._load)
            if widget is None:
                widget = self._widgets.HTML()
            _put(widget, shown)
            self._turns[step.span] = (widget, step.version)
        if len(self._turns) != before:
            self._steps.children = tuple(each for each, _ in self._turns.values())


def _put(widget: Any, value: str) -> None:
    shown = f'<div class="{display.AS_IT_IS}">{value}</div>' if value else ""
    if widget.value != shown:
        widget.value = shown


class Lines:
    """What happens, a line each, as it happens: for terminals, logs and pipes."""

    def __init__(self, write: Any = None) -> None:
        self._write = write or sys.stdout.write
        self._told: dict[str, tuple[bool, int]] = {}
        self._asked: set[str] = set()
        self._begun = False

    def show(self, picture: Picture) -> None:
        """See `Face`."""
        if not self._begun and picture.status != "queued":
            self._begun = True
            self._line(f"{picture.project} {picture.id}, {picture.model}")
        for step in picture.walk():
            self._tell(step)
        for asked in picture.asked:
            if asked.call_id not in self._asked:
                self._asked.add(asked.call_id)
                self._line(f"? {asked.agent} asks to use {asked.tool}: {' '.join(asked.shown.split())[:200]}")
                self._line(f"  run.allow({asked.call_id!r}) or run.deny({asked.call_id!r})")

    def _tell(self, step: Step) -> None:
        ended, said = self._told.get(step.span, (False, 0))
        indent = "  " * (step.span.count("/") // 2)
        if step.kind != "turn" and step.span not in self._told:
            self._line(f"{indent}→ {step.title} {step.about}")
        if step.ended and not ended and step.kind == "call":
            mark = "✕" if step.failed else "✓"
            self._line(
                f"{indent}{mark} {step.title} {display.seconds(round((step.ended - step.began) * 1000))}"
            )
        text = step.text
        whole = len(text) if step.ended or step.steps else text.rfind("\n") + 1
        if whole > said:
            for line in text[said:whole].rstrip("\n").split("\n"):
                self._line(f"{indent}{line}")
            said = whole
        self._told[step.span] = (step.ended is not None, said)

    def end(self, picture: Picture) -> None:
        """See `Face`."""
        self.show(picture)
        self._line(plain(picture, answer=False))

    def _line(self, text: str) -> None:
        self._write(f"{text}\n")


def plain(picture: Picture, *, answer: bool = True) -> str:
    """Status and figures on a line; below it why it failed, and with `answer` what it said."""
    told = [picture.status, display.seconds(round(picture.ran_s * 1000)), f"{picture.tokens:,} tokens"]
    told.append(display.money(picture.cost))
    lines = [f"{picture.project}: {' · '.join(each for each in told if each)}"]
    if picture.error is not None:
        lines.append(f"{picture.error[0]}: {picture.error[1]}")
    if answer and picture.result:
        lines.append(picture.result)
    return "\n".join(lines)
