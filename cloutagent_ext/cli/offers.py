"""A project as a tool that others may call: its name, what it takes, and how it answered.

Plain data; not here: the protocol (`mcp`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..client.display import money
from ..errors import InvalidRequest
from ..schema.base import JsonObject
from ..schema.execution import ExecuteRequest, ExecutionState
from ..schema.project import Project

MAX_NAME = 64
"""Characters of a tool's name, as model services take them."""
PROMPT = "prompt"

OUTPUT_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "description": "completed, failed, cancelled, refused or waiting"},
        "text": {"type": "string", "description": "what the agent answered"},
        "data": {"description": "the answer as JSON, where the project has an output schema"},
        "error": {
            "type": ["object", "null"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        },
        "execution_id": {"type": ["string", "null"]},
        "total_cost_usd": {"type": ["number", "null"], "description": "null where a price is unknown"},
        "tokens": {"type": "integer"},
        "duration_ms": {"type": ["integer", "null"]},
        "simulated": {"type": "boolean", "description": "whether no model was asked"},
        "files": {"type": "array", "items": {"type": "string"}, "description": "files it made"},
    },
    "required": ["status", "text"],
}


@dataclass(frozen=True)
class Offer:
    """One project as a tool."""

    name: str
    project_id: str
    title: str
    description: str
    input_schema: JsonObject
    prompt: str | None
    """Name of the argument that stands in place of the task; None where a variable is called so too."""

    def request(self, arguments: dict[str, Any]) -> ExecuteRequest:
        """What to execute for a call. Raises InvalidRequest."""
        values = {name: value for name, value in arguments.items() if value is not None}
        prompt = values.pop(self.prompt, None) if self.prompt else None
        odd = [name for name, value in values.items() if not isinstance(value, str | bool | int | float)]
        if odd or not (prompt is None or isinstance(prompt, str)):
            raise InvalidRequest(f"Arguments are texts: {', '.join(odd) or self.prompt} is none.")
        return ExecuteRequest(prompt=prompt, variables=values)


def offers(projects: Iterable[Project]) -> list[Offer]:
    """A tool for each of `projects`, in their order; those of the same name get an ending of their own."""
    found: list[Offer] = []
    taken: set[str] = set()
    for project in projects:
        name = _slug(project.name)
        if not name or name in taken:
            name = f"{name or 'project'}"[: MAX_NAME - 9] + f"_{str(project.id)[:8]}"
        taken.add(name)
        found.append(_offer(name, project))
    return found


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:MAX_NAME].strip("_")


def _offer(name: str, project: Project) -> Offer:
    said = project.description.strip() or f"Runs the agent project “{project.name}”."
    task = project.agent.task.strip()
    if task:
        said += f"\nIts task, unless `{PROMPT}` says another: {_short(task)}"
    limit = project.limits.max_cost_usd
    said += f"\nOne call costs at most {money(limit)}." if limit is not None else "\nIt has no money limit."
    properties: JsonObject = {}
    required = []
    for variable, about in project.variables.items():
        properties[variable] = {"type": "string"}
        if about.description:
            properties[variable]["description"] = about.description
        if about.default is not None:
            properties[variable]["default"] = about.default
        elif about.required:
            required.append(variable)
    prompt = None if PROMPT in properties else PROMPT
    if prompt:
        properties[prompt] = {
            "type": "string",
            "description": "What to do, in place of the project's own task.",
        }
        if not task:
            required.append(prompt)
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Offer(name, str(project.id), project.name, said, schema, prompt)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:300]}…"


def answer(state: ExecutionState, files: list[str]) -> JsonObject:
    """The structured answer of an execution; fits `OUTPUT_SCHEMA`."""
    usage = state.usage
    return {
        "status": state.status,
        "text": state.result.text if state.result else "",
        "data": state.result.data if state.result else None,
        "error": {"code": state.error.code, "message": state.error.message} if state.error else None,
        "execution_id": state.execution_id,
        "total_cost_usd": state.total_cost_usd,
        "tokens": usage.counted + usage.cache_read_input_tokens,
        "duration_ms": state.duration_ms,
        "simulated": state.simulated,
        "files": files,
    }


def refusal(code: str, message: str) -> JsonObject:
    """The structured answer where nothing was started; fits `OUTPUT_SCHEMA`."""
    return {"status": "refused", "text": "", "error": {"code": code, "message": message}}
