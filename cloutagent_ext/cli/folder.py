"""A project's folder judged where it lies: in a checkout, by a hook of git, without a server.

What a server would refuse to open is a finding too, with its file. Nothing is changed or started.
Not here: what only a server knows, its secrets and settings; prices are the list prices.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import NewerFormat, NotFound, UnreadableFile
from ..schema.project import Definition, Estimate, Problem, Validation


def is_folder(project: str) -> bool:
    """Whether a person who writes `project` means a folder: it has a slash, or is `.` or `..`."""
    return "/" in project or project in (".", "..")


def validate(folder: Path) -> Validation:
    """What would keep the project in `folder` from running. Blocks. Raises NotFound."""
    from ..engine import plan
    from ..engine.models.prices import ListPrices
    from ..engine.quote import quoted
    from ..store import layout, tree

    if not folder.is_dir():
        raise NotFound(f"There is no folder {str(folder)!r}. Without a slash, it is a project's name or id.")
    try:
        definition = layout.parse(tree.read(folder)).definition
    except (UnreadableFile, NewerFormat) as error:
        return Validation(
            ok=False, problems=[_broken(error)], estimate=Estimate(input_tokens=0, cost_usd=None)
        )
    prices = ListPrices()
    priced = None if definition.agent.simulate else prices
    problems = [*_scenario(folder), *plan.validate(definition, prices=priced)]
    first = plan.estimate(definition, definition.agent.task, _defaults(definition), prices)
    estimate = quoted(first, definition, prices, simulated=definition.agent.simulate)
    ok = not any(problem.severity == "error" for problem in problems)
    return Validation(ok=ok, problems=problems, estimate=estimate)


def _defaults(definition: Definition) -> dict[str, str]:
    return {name: each.default for name, each in definition.variables.items() if each.default is not None}


def _scenario(folder: Path) -> list[Problem]:
    """What the simulated model plays must be JSON, or the first simulated run ends at once."""
    from ..store import project_files
    from ..store.jsonfiles import load_object

    root, name = folder / project_files.FOLDER, project_files.SCENARIO
    try:
        load_object(f"{project_files.FOLDER}/{name}", project_files.read(root, name)[0])
    except NotFound:
        return []
    except UnreadableFile as error:
        return [_broken(error)]
    return []


def _broken(error: UnreadableFile | NewerFormat) -> Problem:
    where = error.details.get("file")
    return Problem(severity="error", code=error.error_code, node=None, path=where, message=error.message)
