"""Cassettes over HTTP: make one of an execution, list, download, upload and delete them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ..schema.base import Page
from ..schema.cassettes import CassetteCreate, CassetteCreated, CassetteRow
from .files import attachment
from .reply import NO_CONTENT, Reply

if TYPE_CHECKING:
    from .handler import Endpoint

MEDIA_TYPE = "application/gzip"


async def create_cassette(call: Endpoint, execution_id: str, body: CassetteCreate) -> Reply:
    project_id = await call.services.executions.project_of(execution_id)
    cassette_id = await call.services.executions.results.record(execution_id, tools=body.tools)
    where = call.url(f"projects/{project_id}/cassettes/{cassette_id}")
    return Reply(CassetteCreated(cassette_id=cassette_id), HTTPStatus.CREATED, headers={"Location": where})


async def list_cassettes(call: Endpoint, project_id: str) -> Reply:
    return Reply(Page[CassetteRow](items=await call.services.executions.cassettes.rows(project_id)))


async def read_cassette(call: Endpoint, project_id: str, cassette_id: str) -> Reply:
    data = await call.services.executions.cassettes.read(project_id, cassette_id)
    return Reply(data, media_type=MEDIA_TYPE, headers=attachment(f"{cassette_id}.jsonl.gz", MEDIA_TYPE))


async def upload_cassette(call: Endpoint, project_id: str, body: bytes) -> Reply:
    """One that was made elsewhere: it decides which tools a replay calls, so take it from friends."""
    row = await call.services.executions.cassettes.take(project_id, body)
    where = call.url(f"projects/{project_id}/cassettes/{row.id}")
    return Reply(row, HTTPStatus.CREATED, headers={"Location": where})


async def delete_cassette(call: Endpoint, project_id: str, cassette_id: str) -> Reply:
    await call.services.executions.cassettes.delete(project_id, cassette_id)
    return NO_CONTENT
