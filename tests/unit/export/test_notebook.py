"""Any log becomes a valid notebook that tells it in order; nothing but the workspace is read for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from cloutagent_ext.executions.notebooks import _picture
from cloutagent_ext.export.cells import of_call
from cloutagent_ext.export.notebook import notebook
from cloutagent_ext.export.source import text_literal
from cloutagent_ext.schema.execution import ExecutionState

FIXTURES = Path(__file__).parents[2] / "support" / "fixtures"
NAMES = sorted(path.name.removesuffix(".jsonl") for path in FIXTURES.glob("*.jsonl"))


def events(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines()]


def state(name: str) -> ExecutionState:
    return ExecutionState.model_validate_json((FIXTURES / f"{name}.state.json").read_bytes())


def made(name: str = "simple", log: list[dict[str, Any]] | None = None) -> Any:
    found = notebook(state(name), events(name) if log is None else log, lambda _: None, version="1")
    nbformat.validate(found)
    return found


def sources(found: Any) -> str:
    return "\n\n".join(cell["source"] for cell in found["cells"])


@pytest.mark.parametrize("name", NAMES)
def test_every_log_is_a_valid_notebook_also_half_of_it(name: str) -> None:
    log = events(name)
    for end in {len(log), len(log) // 2, 1, 0}:
        made(name, log[:end])


def test_a_failure_says_its_code_and_reason() -> None:
    found = made("failed")
    error = state("failed").error
    assert error is not None
    assert error.code in sources(found)
    assert error.message.splitlines()[0] in sources(found)


def test_a_subagent_is_a_section_between_the_cells_of_its_caller() -> None:
    log = events("tools-and-subagent")
    text = sources(made("tools-and-subagent"))
    main = [e for e in log if e["type"] == "text" and e["agent"] == "main" and e["final"]]
    start = next(e for e in log if e["type"] == "agent_start" and e["agent"] != "main")
    heading = f"### {start['name']} ({start['agent']})"
    assert heading in text
    inner = next(e for e in log if e["type"] == "tool_call" and e["agent"] != "main")
    at = [text.index(heading), text.index(inner["input"]["command"]), text.index(main[-1]["content"][-30:])]
    assert at == sorted(at)


def event(number: int, type: str, **fields: Any) -> dict[str, Any]:
    base = {"id": number, "ts": "2026-11-22T08:00:00.000Z", "type": type, "agent": "main", "span": "main/1"}
    return {**base, **fields}


def test_what_a_failed_try_had_said_is_left_out() -> None:
    log = [
        event(1, "text", content="half a sen", final=False),
        event(2, "warning", code="RETRYING", message="again", details={}),
        event(3, "text", content="A whole sentence.", final=True),
    ]
    text = sources(made(log=log))
    assert "half a sen" not in text
    assert "A whole sentence." in text
    assert "RETRYING" in text


def call(tool: str, arguments: dict[str, Any], output: list[dict[str, Any]], *, error: bool = False) -> Any:
    span = "main/1/c"
    log = [
        event(1, "tool_call", span=span, call_id="c", tool=tool, source="builtin", input=arguments),
        event(
            2, "tool_result", span=span, call_id="c", tool=tool, is_error=error, output=output, duration_ms=1
        ),
    ]
    return next(c for c in made(log=log)["cells"] if c["metadata"].get("cloutagent"))


def test_a_call_that_failed_does_not_stop_who_runs_all_cells() -> None:
    text = [{"type": "text", "text": "Traceback …", "path": None}]
    cell = call("python", {"code": "1/0"}, text, error=True)
    assert cell["metadata"]["tags"] == ["raises-exception"]
    assert cell["outputs"] == [{"output_type": "stream", "name": "stderr", "text": "Traceback …"}]


def test_what_cannot_be_called_again_is_told_in_comments() -> None:
    cell = call(
        "mcp__time__now", {"zone": "UTC\nimport os"}, [{"type": "text", "text": "noon", "path": None}]
    )
    assert all(line.startswith("# ") for line in cell["source"].splitlines())
    assert cell["outputs"][0]["text"] == "noon"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "x" * 200,
        'three """ quotes\nand \\ slashes\n',
        'ends in "\n"',
        'def f():\n    """Doc."""',
        'a\n\\"""',
        'six\n""""""',
        'slash and quote\n\\"',
        "tab\tand\nü✓\n",
        "\r\n\x00\x1b",
        "{x}\n'''",
    ],
)
def test_texts_are_source_that_gives_exactly_them(text: str) -> None:
    source = text_literal(text)
    assert eval(source, {}) == text
    if "\n" in text.strip("\n") and text.isprintable():
        assert source.startswith('"""')


def test_names_of_arguments_are_no_code_in_a_notebook() -> None:
    """Who runs all cells allows what the cells say, not what a model hid in the name of an argument."""
    call = {"tool": "view", "call_id": "c", "input": {"path": "a", "x=print(1)); import os; (": "", "if": 1}}
    source = of_call(call, None, lambda _: None)["source"]
    assert all(line.startswith("#") for line in source.splitlines())
    odd = {"tool": "other\nimport os", "call_id": "c", "input": {}}
    assert all(line.startswith("#") for line in of_call(odd, None, lambda _: None)["source"].splitlines())


def test_pictures_come_from_the_workspace_and_nowhere_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "workspace", tmp_path / "secret.png"
    inside.mkdir()
    outside.write_bytes(b"secret")
    (inside / "dot.png").write_bytes(b"dot")
    (inside / "link.png").symlink_to(outside)
    assert _picture(inside, "dot.png") == b"dot"
    for path in ("link.png", "../secret.png", str(outside), "a/../../secret.png", "", "nobody.png"):
        assert _picture(inside, path) is None, path
