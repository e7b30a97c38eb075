"""What Tab offers on a `%%cloutagent` line: projects, their variables, options, functions behind `--tools`;
in the cell `{{variables}}`.

What the server says is kept for some seconds: nobody waits for a list at each letter. A server
that does not answer offers nothing, and says nothing. Not here: the magic (`magics`).
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import CloutError

if TYPE_CHECKING:
    from .magics import Magics

FRESH_S = 10.0
_LINE = re.compile(r"^\s*%%?cloutagent\s+(.*)$", re.DOTALL)
_PLACE = re.compile(r"\{\{\s*(\w*)$")


class Completion:
    """Of one shell."""

    def __init__(self, magics: Magics, clock: Callable[[], float] = time.monotonic) -> None:
        self._magics = magics
        self._clock = clock
        self._known: dict[str, tuple[float, list[str]]] = {}

    def matcher(self) -> Any:
        """As IPython takes it."""
        from IPython.core.completer import SimpleCompletion, context_matcher

        @context_matcher()  # type: ignore[untyped-decorator]
        def cloutagent_matcher(context: Any) -> dict[str, Any]:
            # IPython counts the cursor's place within its line.
            lines = context.full_text.split("\n")[: context.cursor_line + 1]
            before = "\n".join([*lines[:-1], lines[-1][: context.cursor_position]])
            return {
                "completions": [
                    SimpleCompletion(text, type="cloutagent") for text in self.of(before, context.token)
                ]
            }

        return cloutagent_matcher

    def of(self, before: str, token: str) -> list[str]:
        """What may stand in place of `token`, the end of `before` (the cell up to the cursor)."""
        first, _, rest = before.partition("\n")
        if (found := _LINE.match(first)) is None:
            return []
        if "\n" in before:
            place = _PLACE.search(rest)
            if place is None:
                return []
            project = self._project_of(found[1])
            return self._ending(token, [f"{name}}}}}" for name in self._variables(project)], place[1])
        return self._on_the_line(found[1], token)

    def _on_the_line(self, line: str, token: str) -> list[str]:
        from .magics import OPTIONS

        rest, _, word = line.rpartition(" ")
        if rest.rstrip().endswith("--tools"):
            first = word.rpartition(",")[0]
            before = f"{first}," if first else ""
            return self._ending(token, [f"{before}{name}" for name in self._magics.functions()], word)
        if word.startswith("-"):
            return self._ending(token, list(OPTIONS), word)
        project = self._project_of(line)
        offered = []
        if project and len(line) > len(project):
            offered = self._ending(token, [f"{name}=" for name in self._variables(project)], word)
        typed = line.lstrip()
        names = [name for name in self._projects() if name.lower().startswith(typed.lower())]
        return [*self._ending(token, names, typed), *offered]

    def _ending(self, token: str, wanted: list[str], typed: str) -> list[str]:
        """Of what begins as `typed`, the part that replaces `token`."""
        kept = len(typed) - len(token)
        if kept < 0 or not typed.endswith(token):
            return []
        return [name[kept:] for name in wanted if name.lower().startswith(typed.lower())]

    def _project_of(self, line: str) -> str:
        """The longest project's name that the line begins with."""
        text = line.lstrip().replace('"', "").replace("'", "")
        fitting = [name for name in self._projects() if text == name or text.startswith(f"{name} ")]
        return max(fitting, key=len, default="")

    def _projects(self) -> list[str]:
        return self._ask("", lambda: [row.name for row in self._magics.client().projects()])

    def _variables(self, project: str) -> list[str]:
        if not project:
            return []
        return self._ask(project, lambda: list(self._magics.client()[project].definition().variables))

    def _ask(self, what: str, ask: Callable[[], list[str]]) -> list[str]:
        at, known = self._known.get(what, (-FRESH_S, []))
        if self._clock() - at >= FRESH_S:
            with contextlib.suppress(CloutError):
                known = ask()
            self._known[what] = (self._clock(), known)
        return known
