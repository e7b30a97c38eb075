"""What the simulated model says next: a scenario's turn, or a walk along the wiring.

A scenario decides only the order of steps. Figures in its texts come from variables
and from what tools really returned in this conversation; a missing one is spelled out,
never invented. Everything is computed from the request alone, so a resumed or forked
conversation goes on where it stands. Not here: the wire (`simulated`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...schema.base import JsonObject
from ..ports import Wire
from ..wiring import PREFIX
from .summary import expanded

_PLACE = re.compile(r"\{\{\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*\}\}")

NOTICE = "This is a simulation: no model was asked, because no model key and no base URL are set."


@dataclass(frozen=True)
class Step:
    """One model turn."""

    thinking: str = ""
    text: str = ""
    tools: list[tuple[str, JsonObject]] = field(default_factory=list)
    """Name and input of each call."""
    summary: Wire | None = None
    """A `compaction` block, and nothing else, where a summary was asked for."""


class BadScenario(ValueError):
    """A turn of the scenario cannot be read; the message names it."""


def next_step(request: Wire, agent: str, scenario: JsonObject | None, variables: Mapping[str, str]) -> Step:
    """The turn that answers `request` (a body of POST /v1/messages) of `agent`. Raises `BadScenario`."""
    messages = expanded(request.get("messages") or [])
    turn = sum(1 for message in messages if message.get("role") == "assistant")
    agents = (scenario or {}).get("agents")
    steps = agents.get(agent) if isinstance(agents, dict) else None
    if not isinstance(steps, list) or not steps:
        return _walk(request, messages, turn)
    if turn >= len(steps):
        return Step(text=f"[The scenario of `{agent}` has no turn {turn + 1}.]")
    step = steps[turn]
    try:
        values = _Values(messages, steps, variables)
        return Step(
            thinking=values.fill(step.get("thinking") or ""),
            text=values.fill(step.get("text") or ""),
            tools=[
                (str(call["name"]), values.fill_all(call.get("input") or {}))
                for call in step.get("tools") or []
            ],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BadScenario(
            f"`scenario.json`, agent `{agent}`, turn {turn + 1}: it must be an object with `thinking`, "
            "`text` and `tools`, each tool with `name` and `input`"
        ) from error


# ---------------------------------------------------------------- a scenario's values


class _Values:
    def __init__(self, messages: list[Wire], steps: list[JsonObject], variables: Mapping[str, str]) -> None:
        self._messages = messages
        self._variables = variables
        self._results = _named_results(messages, steps)

    def fill_all(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.fill(value)
        if isinstance(value, dict):
            return {key: self.fill_all(item) for key, item in value.items()}
        return [self.fill_all(item) for item in value] if isinstance(value, list) else value

    def fill(self, text: str) -> str:
        return _PLACE.sub(lambda match: self._value(match[1]), text)

    def _value(self, path: str) -> str:
        first, *keys = path.split(".")
        if first == "result" and keys:
            found = _inside(self._results.get(keys[0]), keys[1:])
        elif first == "prompt":
            found = _inside(_first_prompt(self._messages), keys)
        else:
            found = self._variables.get(path)
        return f"[no value: {path}]" if found is None else found


def _inside(text: str | None, keys: list[str]) -> str | None:
    """`text` itself, or the value at `keys` in the JSON that it ends with; None where there is none."""
    if text is None or not keys:
        return text
    value = _last_json(text)
    for key in keys:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _named_results(messages: list[Wire], steps: list[JsonObject]) -> dict[str, str]:
    """Text of each earlier result under the name (`as`) that the scenario gave its call."""
    answers: dict[str, str] = {}
    for message in messages:
        for block in _blocks(message):
            if block.get("type") == "tool_result":
                answers[str(block.get("tool_use_id"))] = _text(block.get("content"))
    named: dict[str, str] = {}
    replies = [message for message in messages if message.get("role") == "assistant"]
    for reply, step in zip(replies, steps, strict=False):
        uses = [block for block in _blocks(reply) if block.get("type") == "tool_use"]
        for use, call in zip(uses, step.get("tools") or [], strict=False):
            if (name := call.get("as")) and use.get("id") in answers:
                named[name] = answers[use["id"]]
    return named


def _last_json(text: str) -> Any:
    """The whole text as JSON, else its last line that is some: an object or a list, else None."""
    for candidate in (text, *reversed(text.splitlines())):
        if candidate.strip():
            try:
                value = json.loads(candidate)
            except ValueError:
                continue
            if isinstance(value, dict | list):
                return value
    return None


def _blocks(message: Wire) -> list[Wire]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part.get("text", "") for part in parts if part.get("type") == "text")


def _first_prompt(messages: list[Wire]) -> str:
    return _text(messages[0].get("content")) if messages else ""


# ---------------------------------------------------------------- without a scenario


def _walk(request: Wire, messages: list[Wire], turn: int) -> Step:
    """Call each subagent once, then say what there is: shows that the wiring stands, and invents nothing."""
    names = [tool.get("name", "") for tool in request.get("tools") or []]
    subagents = [name for name in names if name.startswith(PREFIX)]
    if turn == 0 and subagents:
        said = f"{NOTICE} Without a scenario it walks the wiring: each subagent is called once."
        asked = "Say that you are there. (A simulated call: nothing depends on the answer.)"
        return Step(text=said, tools=[(name, {"prompt": asked}) for name in subagents])
    schema = ((request.get("output_config") or {}).get("format") or {}).get("schema")
    if isinstance(schema, dict):
        return Step(text=json.dumps(_example(schema), ensure_ascii=False))
    lines = [NOTICE]
    if prompt := _first_prompt(messages).strip():
        first = prompt.splitlines()[0]
        lines.append(f"It was asked: “{first[:200]}{'…' if len(first) > 200 or chr(10) in prompt else ''}”")
    tools = [name for name in names if not name.startswith(PREFIX)]
    lines.append(f"Tools it could call: {', '.join(tools) if tools else 'none'}.")
    if subagents:
        answered = sum(
            1
            for m in messages
            for b in _blocks(m)
            if b.get("type") == "tool_result" and not b.get("is_error")
        )
        lines.append(f"Subagents that answered: {answered} of {len(subagents)}.")
    lines.append("Set a model key, or give the project a `scenario.json`, to see it work.")
    return Step(text="\n\n".join(lines))


def _example(schema: JsonObject) -> Any:
    """The smallest JSON that `schema` allows, for the common keywords."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            return _example(schema[union][0])
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        return {
            name: _example(properties[name]) for name in schema.get("required") or [] if name in properties
        }
    if kind == "array":
        return [_example(schema.get("items") or {}) for _ in range(int(schema.get("minItems") or 0))]
    return {"string": "simulated", "integer": 0, "number": 0, "boolean": False}.get(str(kind))
