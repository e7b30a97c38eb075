"""What there is to build with: tools, models, templates, and the contract itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..schema.admin import ModelList, TemplateRow, ToolRow
from ..schema.base import Page
from .reply import Reply

if TYPE_CHECKING:
    from .handler import Endpoint


async def list_tools(call: Endpoint) -> Reply:
    from ..engine.tools import registry

    return Reply(Page[ToolRow](items=await asyncio.to_thread(registry.rows)))


async def list_models(call: Endpoint) -> Reply:
    models = call.services.models
    await models.prices.load()
    await models.suppliers.load(None)
    settings = models.settings
    return Reply(ModelList(items=models.models(), credentials=settings.source, base_url=settings.base_url))


async def list_templates(call: Endpoint) -> Reply:
    return Reply(Page[TemplateRow](items=await asyncio.to_thread(call.services.templates.list)))


async def read_contract(call: Endpoint) -> Reply:
    from .openapi import COMMITTED

    return Reply(await asyncio.to_thread(COMMITTED.read_bytes))
