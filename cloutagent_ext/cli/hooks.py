"""`jupyter cloutagent hooks`: what a hook would have done to past runs, before it is switched on."""

from __future__ import annotations

import argparse

from ..schema.backtests import MOST_EXECUTIONS, Backtest
from . import exits
from .desk import open_desk
from .progress import printable


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser("hooks", help="try hooks on what past runs did")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    trying = verbs.add_parser(
        "backtest",
        parents=parents,
        help="what a hook would have done to past runs",
        description="Tells one hook about the recorded calls of the project's last executions, and nothing "
        "else. The hook runs; the project must be trusted.",
    )
    trying.add_argument("project", help="name or id of the project")
    trying.add_argument("hook", help="id of the hook")
    trying.add_argument("--last", type=_number, default=50, metavar="N", help="executions, newest first")
    trying.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    trying.set_defaults(command=_backtest)


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_EXECUTIONS:
        raise argparse.ArgumentTypeError(f"1 to {MOST_EXECUTIONS}")
    return number


async def _backtest(arguments: argparse.Namespace) -> int:
    async with open_desk(arguments) as desk:
        found = await desk.backtest(arguments.project, arguments.hook, arguments.last)
    print(found.model_dump_json() if arguments.json else _shown(found))
    return exits.OK


def _shown(found: Backtest) -> str:
    lines = [
        f"{row.execution_id}  {row.tool or found.on}  {row.outcome}: {printable(row.message)}"
        for row in found.rows
        if row.outcome != "allow"
    ]
    counts = ", ".join(
        f"{number} {word}"
        for number, word in (
            (found.denied, "blocked"),
            (found.asked, "asked"),
            (found.changed, "changed"),
            (found.failed, "failed"),
            (found.allowed, "without objection"),
        )
    )
    lines.append(f"{found.seen} seen in {found.executions} executions: {counts}.")
    if not found.complete:
        lines.append("There was more than one backtest runs; the newest were looked at.")
    lines += [f"{each}: its log cannot be read." for each in found.skipped]
    return "\n".join(lines)
