"""A project's versions and its trust, for Jupyter users.

Not here: which version an execution runs (`executions.acceptance`).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import NotFound
from ..schema.query import VersionQuery
from ..schema.versions import TrustConfirm, VersionCreate
from .reply import Reply
from .route import Nothing

if TYPE_CHECKING:
    from .handler import Endpoint


def _number(text: str) -> int:
    """`3` or `v3`, as everywhere."""
    digits = text.removeprefix("v")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise NotFound("This project has no such version; versions are numbers.")
    return int(digits)


async def list_versions(call: Endpoint, project_id: str, query: VersionQuery) -> Reply:
    """Newest first."""
    return Reply(await call.services.store.list_versions(project_id, limit=query.limit, cursor=query.cursor))


async def create_version(call: Endpoint, project_id: str, body: VersionCreate) -> Reply:
    made = await call.services.store.make_version(project_id, label=body.label, author=call.caller().author)
    await call.services.prune_versions(project_id)
    where = call.url(f"projects/{project_id}/versions/{made.version}")
    return Reply(made, HTTPStatus.CREATED, headers={"Location": where})


async def read_version(call: Endpoint, project_id: str, version: str) -> Reply:
    return Reply(await call.services.store.read_version(project_id, _number(version)))


async def restore_version(call: Endpoint, project_id: str, version: str, body: Nothing) -> Reply:
    """A new version that is what `version` was; not while executions run or wait."""
    stored = await call.services.store.restore(
        project_id,
        _number(version),
        author=call.caller().author,
        busy=call.services.executions.busy,
        if_match=call.header("If-Match"),
    )
    await call.services.prune_versions(project_id)
    return Reply(stored.project, etag=stored.etag)


async def publish_version(call: Endpoint, project_id: str, version: str, body: Nothing) -> Reply:
    stored = await call.services.store.publish(project_id, _number(version))
    return Reply(stored.project, etag=stored.etag)


async def unpublish_version(call: Endpoint, project_id: str, version: str) -> Reply:
    stored = await call.services.store.unpublish(project_id, _number(version))
    return Reply(stored.project, etag=stored.etag)


async def diff_versions(call: Endpoint, project_id: str, version: str, other: str) -> Reply:
    return Reply(await call.services.store.diff(project_id, _number(version), _number(other)))


async def show_trust(call: Endpoint, project_id: str) -> Reply:
    return Reply(await call.services.store.agreement(project_id))


async def confirm_trust(call: Endpoint, project_id: str, body: TrustConfirm) -> Reply:
    """A person has seen what would run and agrees to exactly that."""
    call.noted["hash"] = body.hash
    stored = await call.services.store.confirm_trust(project_id, body.hash)
    return Reply(stored.project, etag=stored.etag)
