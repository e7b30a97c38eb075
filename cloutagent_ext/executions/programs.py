"""A project as a plain Python program: what only the product knows of it, handed to `export.script`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._version import __version__
from ..engine.subagents import described
from ..engine.tools import registry
from ..engine.transcript import settings_for
from ..engine.wiring import children
from ..export.script import Equipment, script
from ..schema.base import JsonObject
from ..schema.project import Definition, Subagent

if TYPE_CHECKING:
    from ..engine.models import ModelProvider
    from ..store.projects import ProjectStore


async def of(store: ProjectStore, models: ModelProvider, project_id: str) -> tuple[str, bytes]:
    """The project's name, and the source of the program. Raises NotFound, UnreadableFile."""
    project = (await store.read(project_id)).project
    definition = Definition(**{name: getattr(project, name) for name in Definition.model_fields})
    await models.prepare(definition)

    def write() -> bytes:
        found = equipment(definition, models)
        text = script(definition, found, version=project.version, written_by=f"CloutAgent {__version__}")
        return text.encode("utf-8", "replace")

    return definition.name, await asyncio.to_thread(write)


def equipment(definition: Definition, models: ModelProvider) -> Equipment:
    """What a program needs to ask the same of a model. Blocking."""
    main = definition.agent
    subagents = [each for each in definition.subagents if each.enabled]
    settings: dict[str, JsonObject] = {}
    kids: dict[str, list[str]] = {}
    agents: list[tuple[str, Subagent | None]] = [("main", None), *((each.id, each) for each in subagents)]
    for key, subagent in agents:
        model = (subagent.model if subagent else None) or main.model
        settings[key] = settings_for(
            models.facts(model),
            thinking=main.thinking,
            effort=main.effort,
            output_schema=None if subagent else main.output_schema,
        )
        kids[key] = [child.id for child in children(definition, subagent)]
    delegation = {}
    for each in subagents:
        description, schema = described(each)
        delegation[each.id] = {"description": description, "input_schema": schema}
    prices = {}
    for model in {main.model, *(each.model or main.model for each in subagents)}:
        if (price := models.prices.of(model)) is not None:
            prices[model] = {
                "input": price.input,
                "output": price.output,
                "cache_read": price.cache_read,
                "cache_write": price.cache_write_5m,
            }
    return Equipment(
        tools=[
            {"name": row.name, "description": row.description, "input_schema": row.input_schema}
            for row in registry.rows()
        ],
        settings=settings,
        delegation=delegation,
        children=kids,
        prices=prices,
    )
