"""`%%cloutagent`: run a project from a cell. `%load_ext cloutagent_ext` makes it known.

    %%cloutagent Sales analyst file=sales.csv --max-cost 0.5 --into run
    Study {{file}}, and compare it with {{last_year}}.

The cell is the prompt; an empty one means the project's task (`%cloutagent Sales analyst` does the
same on one line). Variables of the project that are not given take the notebook's variables of the
same name; other `{{names}}` in the cell are filled in from the notebook, tables by handle. Functions
that the notebook has decorated for the project come along, or those that `--tools` names. Not here:
completion (`completion`), the view of what happens (`monitor`).
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import CloutError, InvalidRequest, Unauthorized, Unreachable
from .kernel_tools import Tool, Toolset
from .values import kind_of

if TYPE_CHECKING:
    from .sync import Client
    from .sync_projects import Project
    from .sync_runs import Run

_GIVEN = re.compile(r"([A-Za-z_][\w-]*)=(.*)", re.DOTALL)
_PLACE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_TAKEN = (str, int, float, bool, PurePath)
"""What a notebook's variable may be to be taken for a project's."""
OPTIONS = (
    *("--max-cost", "--model", "--version", "--replay", "--tools", "--no-tools"),
    *("--into", "--quiet", "--url", "--api-key"),
)


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
    made.add_argument("--tools", metavar="NAME,…", help="functions of the notebook that it may call")
    made.add_argument("--no-tools", action="store_true", help="none, though some are decorated for it")
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

    @contextmanager
    def _fresh(self, url: str | None, api_key: str | None) -> Iterator[None]:
        """A connection that does not lead anywhere is not kept: the next cell looks for the server anew.

        It is not closed either: runs that the notebook holds may go on with it when the server is back.
        """
        try:
            yield
        except (Unreachable, Unauthorized):
            self._clients.pop((url, api_key), None)
            raise

    def functions(self) -> list[str]:
        """Names of the notebook's own functions, those with a docstring: others cannot be tools."""
        return [
            name
            for name, value in self._shell.user_ns.items()
            if isinstance(value, FunctionType) and value.__doc__ and name not in self._shell.user_ns_hidden
        ]

    def __call__(self, line: str, cell: str | None = None) -> Run | None:
        """`%cloutagent` and `%%cloutagent`."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise Usage(f"%%cloutagent: the line ends within quotation marks ({error}).") from None
        if not words:
            with self._fresh(None, None):
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
        with self._fresh(asked.url, key):
            project = self.client(asked.url, key).project(project_name or None)
        if not asked.api_key:  # a key brings no functions
            project = own_handle(project, names)
        run = project.run(
            prompt(cell, names, given, project.share) or None,
            values=variables(project, names, given),
            tools=() if asked.no_tools else tools(asked.tools, project.tools, names),
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


def own_handle(project: Project, names: Mapping[str, Any]) -> Project:
    """The notebook's own handle of this project, where functions were decorated on one; else `project`.

    Raises `Usage` where several have functions: which is meant, and whose tables?
    """
    from .sync_projects import Project

    found: dict[int, tuple[str, Project]] = {}
    for name, value in names.items():
        if isinstance(value, Project) and value.tools and not name.startswith("_") and value.is_as(project):
            found[id(value.tools)] = name, value
    if len(found) > 1:
        among = ", ".join(name for name, _ in found.values())
        raise Usage(
            f"Several handles of {project.name} have tools here: {among}. Decorate functions on one of them, "
            "and delete the others (`del …`)."
        )
    return next((handle for _, handle in found.values()), project)


def tools(wanted: str | None, decorated: Toolset, names: Mapping[str, Any]) -> list[Tool] | None:
    """What `--tools` names: tools by their names, else functions of the notebook; None without it."""
    if wanted is None:
        return None
    chosen: list[Tool] = []
    for name in filter(None, wanted.split(",")):
        if name in decorated.tools:
            chosen.append(name)
        elif callable(names.get(name)):
            chosen.append(names[name])
        else:
            there = ", ".join(decorated.tools) or "none yet"
            raise Usage(
                f"--tools names functions of this notebook; {name!r} is none. "
                f"Decorated for this project: {there}."
            )
    return chosen


def prompt(
    cell: str | None,
    names: Mapping[str, Any],
    given: Mapping[str, str],
    share: Callable[[Any, str], str],
) -> str:
    """The cell with the notebook's values filled in; what is no variable of the notebook stays.

    Of a table, what `share` says of it stands there: its rows stay in the kernel.
    """

    def filled(place: re.Match[str]) -> str:
        name = place[1]
        if name not in names or name in given:
            return place[0]
        return share(names[name], name) if kind_of(names[name]) else str(names[name])

    return _PLACE.sub(filled, (cell or "").strip())


def variables(project: Project, names: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Values for the project's variables: those given, then the notebook's of the same name."""
    found: dict[str, Any] = dict(given)
    for name in project.definition().variables:
        value = names.get(name)
        if name in found or value is None:
            continue
        if kind_of(value):
            found[name] = str(project.share(value, name))
        elif isinstance(value, _TAKEN):
            found[name] = value
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
