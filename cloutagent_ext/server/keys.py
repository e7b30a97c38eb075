"""A project's keys, for Jupyter users."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ..schema.admin import KeyCreate, KeyRow
from ..schema.base import Page
from .reply import NO_CONTENT, Reply

if TYPE_CHECKING:
    from .handler import Endpoint


async def list_keys(call: Endpoint, project_id: str) -> Reply:
    return Reply(Page[KeyRow](items=await call.services.keys.list(project_id)))


async def create_key(call: Endpoint, project_id: str, body: KeyCreate) -> Reply:
    created = await call.services.keys.create(project_id, body.name, tuple(body.scopes))
    call.noted |= {"key_id": created.id, "key_name": created.name, "scopes": list(created.scopes)}
    return Reply(created, HTTPStatus.CREATED, headers={"Location": call.url(f"projects/{project_id}/keys")})


async def delete_key(call: Endpoint, project_id: str, key_id: str) -> Reply:
    await call.services.keys.revoke(project_id, key_id)
    return NO_CONTENT
