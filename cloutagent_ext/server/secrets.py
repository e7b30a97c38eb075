"""A project's secrets, for Jupyter users: names and dates. A value goes in and never comes out."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ..schema.admin import SecretCreate, SecretRow
from ..schema.base import Page
from .reply import NO_CONTENT, Reply

if TYPE_CHECKING:
    from .handler import Endpoint


async def list_secrets(call: Endpoint, project_id: str) -> Reply:
    return Reply(Page[SecretRow](items=list(await call.services.secrets.list(project_id))))


async def set_secret(call: Endpoint, project_id: str, body: SecretCreate) -> Reply:
    call.noted["name"] = body.name
    row, is_new = await call.services.secrets.set(project_id, body.name, body.value.get_secret_value())
    return Reply(row, HTTPStatus.CREATED if is_new else HTTPStatus.OK)


async def delete_secret(call: Endpoint, project_id: str, name: str) -> Reply:
    await call.services.secrets.delete(project_id, name)
    return NO_CONTENT
