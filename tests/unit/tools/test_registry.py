"""The list of built-in tools, as the model, the panel and the validator read it."""

from __future__ import annotations

import re

import jsonschema
import pytest

from cloutagent_ext.engine.ports import Tool, ToolError
from cloutagent_ext.engine.tools.registry import builtin, rows

EVERYTHING = {"command": "true", "code": "1", "url": "http://127.0.0.1/", "action": "read"}


def test_every_tool_is_listed_by_its_name() -> None:
    assert list(builtin()) == [
        "bash", "view", "file_create", "str_replace", "glob", "grep", "python", "notebook", "web_fetch",
    ]  # fmt: skip
    assert [row.name for row in rows()] == list(builtin())


@pytest.mark.parametrize("tool", builtin().values(), ids=builtin())
async def test_a_tool_describes_itself_and_commands_do_nothing_outside_of_an_execution(tool: Tool) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name)
    assert "\n" not in tool.touches
    jsonschema.Draft202012Validator.check_schema(tool.input_schema)
    assert tool.input_schema["additionalProperties"] is False
    if tool.name in ("bash", "python", "notebook", "web_fetch"):
        assert tool.default_permission == "ask"
        with pytest.raises(ToolError, match="outside of an execution"):
            await tool.run(
                {"command": "true", "code": "1", "url": "http://127.0.0.1/", "action": "read"}, None
            )  # type: ignore[arg-type]
