"""Writes docs/reference.md: every route, event, setting, tool and error, from the code itself.

`python scripts/reference.py` writes it; a test compares what is committed with `text()`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from cloutagent_ext import errors
from cloutagent_ext.engine import wiring
from cloutagent_ext.engine.tools.memory import Memory
from cloutagent_ext.engine.tools.registry import rows as tool_rows
from cloutagent_ext.schema import events, execution
from cloutagent_ext.server.routes import ROUTES
from cloutagent_ext.settings import OTHER_VARIABLES, Settings
from cloutagent_ext.telemetry.meters import METRICS

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference.md"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def _first(doc: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(doc or "").split("\n\n")[0].split())


_WHO = {"public": "anyone", "jupyter": "Jupyter users", "key": "Jupyter users; keys with scope `{}`"}


def _routes() -> Iterator[str]:
    yield "## Routes\n"
    yield "Below `{base_url}cloutagent/api/`. With bodies and answers: `GET v1/openapi.json`.\n"
    yield from _table(
        ("method and path", "does", "who"),
        (
            (
                f"{route.method} `{route.path}`",
                route.summary,
                _WHO[route.access.kind].format(route.access.scope),
            )
            for route in ROUTES
        ),
    )


def _events() -> Iterator[str]:
    yield "## Events\n"
    yield inspect.cleandoc(events.__doc__ or "") + "\n"
    yield "Every event has `id`, `type`, `ts`, `agent` and `span`.\n"
    rows = []
    union = get_args(events.AnyEvent)[0]
    for model in get_args(union):
        fields = [name for name in model.model_fields if name not in {"id", "ts", "agent", "span", "type"}]
        kind = model.model_fields["type"].default
        rows.append((f"`{kind}`", _first(model.__doc__), ", ".join(f"`{name}`" for name in fields)))
    yield from _table(("type", "when", "fields"), rows)
    codes = ", ".join(f"`{code}`" for code in get_args(events.WarningCode))
    yield f"Codes of `warning`: {codes}.\n"


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield "On the command line `--CloutAgent.<name>=…`, in a configuration file `c.CloutAgent.<name> = …`.\n"
    rows = []
    for row in Settings.rows():
        default = row.default
        shown = "" if default in (None, (), {}, Path()) else f"`{default}`"
        variables = ", ".join(f"`{name}`" for name in (row.env, row.alias) if name)
        rows.append((f"`{row.name}`", variables, shown, row.unit, row.help))
    yield from _table(("name", "variable", "default", "unit", "what it does"), rows)
    yield "Variables that are no settings of the extension:\n"
    yield from _table(
        ("variable", "what it does"), ((f"`{name}`", text) for name, text in OTHER_VARIABLES.items())
    )


def _metrics() -> Iterator[str]:
    yield "## Metrics\n"
    yield "At Jupyter's `/metrics` under the Prometheus name; by OpenTelemetry where it is configured.\n"
    yield from _table(
        ("OpenTelemetry", "Prometheus", "kind", "unit", "labels", "what it counts"),
        (
            (
                f"`{metric.name}`",
                f"`{metric.prometheus_name}{'_total' if metric.kind == 'counter' else ''}`",
                metric.kind,
                metric.unit,
                ", ".join(f"`{label}`" for label in metric.labels),
                metric.help,
            )
            for metric in METRICS
        ),
    )


def _tools() -> Iterator[str]:
    yield "## Built-in tools\n"
    yield from _table(
        ("tool", "touches", "unless allowed or denied"),
        ((f"`{tool.name}`", tool.touches, tool.default_permission) for tool in (*tool_rows(), Memory)),
    )
    yield (
        f"An agent has those that it lists, `{Memory.name}` where that is "
        "[switched on](limits.md#memory), "
        f"and beside them `{wiring.PREFIX}<id>` for each of its subagents, `mcp__<id>__<tool>` for tools of "
        "[MCP servers](tools.md#mcp-servers), tools of [packages](extending.md#tools), and functions of the "
        "[notebook that runs it](guide.md#functions-of-the-notebook-as-tools).\n"
    )


def _errors() -> Iterator[str]:
    yield "## Errors\n"
    yield 'Every error is `{"error": {"code", "message", "details"}}`.\n'
    yield "```text"
    yield inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    yield "```\n"
    yield (
        "Codes that end an execution: "
        + ", ".join(f"`{code}`" for code in get_args(execution.EndCode))
        + ".\n"
    )


def text() -> str:
    """The page."""
    lines = ["# Reference\n", "Written from the code by `make types`; do not edit.\n"]
    for part in (_routes(), _events(), _tools(), _settings(), _metrics(), _errors()):
        lines.extend(part)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
