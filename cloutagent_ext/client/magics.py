"""`%%cloutagent`: run a project from a cell. `%load_ext cloutagent_ext` makes it known.

    %%cloutagent Sales analyst file=sales.csv --max-cost 0.5 --into run
    Study {{file}}, and compare it with {{last_year}}.

The cell is the prompt; an empty one means the project's task (`%cloutagent Sales analyst` does the
same on one line). Variables of the project that are not given take the notebook's variables of the
same name; other `{{names}}` in the cell are filled in from the notebook. Not here: completion
(`completion`), the view of what happens (`monitor`).
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import CloutError, InvalidRequest

if TYPE_CHECKING:
    from .sync import Client
    from .sync_projects import Project
    from .sync_runs import Run

_GIVEN = re.compile(r"([A-Za-z_][\w-]*)=(.*)", re.DOTALL)
_PLACE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_TAKEN = (str, int, float, bool, PurePath)
"""What a notebook's variable may be to be taken for a project's."""
OPTIONS = ("--max-cost", "--model", "--version", "--replay", "--into", "--quiet", "--url", "--api-key")


class Usage(CloutError):
    """The line cannot be read; the text says what it may be."""

    code = "INVALID_REQUEST"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(f"%%cloutagent: {message}.\n\n{self.format_help()}")


def parser() -> argparse.ArgumentParser:
    """What may stand on the magic's line."""
    made = _Parser(
        prog="%%cloutagent",
        add_help=False,
        allow_abbrev=False,
        description="Run a project; the cell is the prompt, an empty one means its task.",
    )
    made.add_argument("words", nargs="*", metavar="PROJECT … name=value …", help="name or id, then variables")
    made.add_argument("--max-cost", type=float, metavar="USD", help="at most this much")
    made.add_argument("--model", help="in place of the project's")
    made.add_argument("--version", help="in place of the saved state")
    made.add_argument("--replay", metavar="CASSETTE", help="a recording that plays the model's part")
    made.add_argument("--into", default="run", metavar="NAME", help="the notebook's variable for the run")
    made.add_argument("--quiet", action="store_true", help="show nothing, wait for nothing")
    made.add_argument("--url", help="of another server than the notebook's own")
    made.add_argument("--api-key", metavar="NAME", help="the notebook's variable that holds a key")
    return made


class Magics:
    """The magic, with the connections it has made."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._clients: dict[tuple[str | None, str | None], Client] = {}

    def client(self, url: str | None = None, api_key: str | None = None) -> Client:
        """A connection, kept for the next cell."""
        from . import connect

        key = (url, api_key)
        if key not in self._clients:
            self._clients[key] = connect(url, api_key=api_key)
        return self._clients[key]

    def __call__(self, line: str, cell: str | None = None) -> Run | None:
        """`%cloutagent` and `%%cloutagent`."""
        words = shlex.split(line)
        if not words:
            rows = self.client().projects()
            print(
                "\n".join(f"{row.name}: {row.description}".rstrip(": ") for row in rows) or "No project yet."
            )
            return None
        asked = parser().parse_args(words)
        names: Mapping[str, Any] = self._shell.user_ns
        key = names.get(asked.api_key) if asked.api_key else None
        if asked.api_key and not isinstance(key, str):
            raise Usage(
                f"--api-key names a variable of this notebook; there is no text in {asked.api_key!r}."
            )
        if not asked.into.isidentifier():
            raise Usage(f"--into takes a name of Python; {asked.into!r} is none.")
        project_name, given = split(asked.words)
        client = self.client(asked.url, key)
        project = client.project(project_name or None)
        run = project.run(
            prompt(cell, names, given) or None,
            values=variables(project, names, given),
            limits={"max_cost_usd": asked.max_cost} if asked.max_cost is not None else None,
            model=asked.model,
            version=asked.version,
            replay=asked.replay,
        )
        self._shell.user_ns[asked.into] = run
        if asked.quiet:
            return run
        run.monitor()
        return None


def split(words: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The project's name, which may have spaces, and the variables given behind it."""
    name, given = list[str](), dict[str, str]()
    for word in words:
        if (found := _GIVEN.fullmatch(word)) is not None:
            given[found[1]] = found[2]
        elif given:
            raise Usage(f"%%cloutagent: {word!r} stands behind a variable; the project's name comes first.")
        else:
            name.append(word)
    return " ".join(name), given


def prompt(cell: str | None, names: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """The cell with the notebook's values filled in; what is no variable of the notebook stays."""

    def filled(place: re.Match[str]) -> str:
        name = place[1]
        return str(names[name]) if name in names and name not in given else place[0]

    return _PLACE.sub(filled, (cell or "").strip())


def variables(project: Project, names: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Values for the project's variables: those given, then the notebook's of the same name."""
    found: dict[str, Any] = dict(given)
    for name in project.definition().variables:
        if name not in found and isinstance(names.get(name), _TAKEN):
            found[name] = names[name]
    return found


def load(shell: Any) -> None:
    """Make `%cloutagent` known to an IPython shell, with completion; loading it again changes nothing."""
    if shell is None:
        raise InvalidRequest("`%load_ext cloutagent_ext` works in IPython and in notebooks.")
    from .completion import Completion

    if isinstance(shell.magics_manager.magics["line"].get("cloutagent"), Magics):
        return
    magics = Magics(shell)
    shell.register_magic_function(magics, "line_cell", "cloutagent")
    shell.Completer.custom_matchers.append(Completion(magics).matcher())
