"""Projects: list, create, read, replace, delete, their view state, and the dry check."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import CloutError, InvalidRequest, PreconditionFailed
from ..schema.admin import CreatedKey
from ..schema.base import Page
from ..schema.canvas import UiPatch
from ..schema.project import (
    READ_ONLY_FIELDS,
    CreatedProject,
    Definition,
    ProjectCreate,
    ProjectRow,
    ProjectUpdate,
)
from ..schema.query import ProjectQuery, SaveQuery, ValidateQuery
from .reply import NO_CONTENT, Reply
from .route import Nothing

if TYPE_CHECKING:
    from .handler import Endpoint

FIRST_KEY = "First key"


async def list_projects(call: Endpoint, query: ProjectQuery) -> Reply:
    """All projects; to a key, its one."""
    caller = call.caller()
    if caller.project_id is not None:
        project = (await call.services.store.read(caller.project_id)).project
        row = ProjectRow(**project.model_dump(include=set(ProjectRow.model_fields) - {"unreadable"}))
        return Reply(Page[ProjectRow](items=[row]))
    return Reply(await call.services.store.list(q=query.q, limit=query.limit, cursor=query.cursor))


async def create_project(call: Endpoint, body: ProjectCreate) -> Reply:
    definition = Definition(name=body.name)
    files: dict[str, bytes] = {}
    if body.template is not None:
        definition, files = await call.services.templates.load(body.template)
        definition = definition.model_copy(update={"name": body.name})
    stored = await call.services.store.create(definition, files=files, author=call.caller().author)
    project_id = str(stored.project.id)
    key = await first_key(call, project_id)
    call.noted |= {"project_id": project_id, "key_id": key.id}
    created = CreatedProject(**stored.project.model_dump(), api_key=key.api_key)
    location = call.url(f"projects/{project_id}")
    return Reply(created, HTTPStatus.CREATED, stored.etag, headers={"Location": location})


async def first_key(call: Endpoint, project_id: str) -> CreatedKey:
    """The first key of a project that was just made; without one, it is not there at all."""
    try:
        return await call.services.keys.create(project_id, FIRST_KEY)
    except CloutError:
        await call.services.store.delete(project_id)
        raise


async def read_project(call: Endpoint, project_id: str) -> Reply:
    stored = await call.services.store.read(project_id)
    return Reply(stored.project, etag=stored.etag)


async def save_project(call: Endpoint, project_id: str, query: SaveQuery, body: ProjectUpdate) -> Reply:
    if body.id is not None and str(body.id) != project_id:
        raise InvalidRequest("The `id` in the body is another project's; a project keeps its id.")
    stored = await call.services.store.save(
        project_id,
        body.definition(),
        if_match=call.header("If-Match"),
        draft=query.draft,
        author=call.caller().author,
    )
    if not query.draft:
        await call.services.prune_versions(project_id)
    return Reply(stored.project, etag=stored.etag)


async def delete_project(call: Endpoint, project_id: str) -> Reply:
    wanted = call.header("If-Match") or "*"
    if wanted != "*" and (await call.services.store.read(project_id)).etag != wanted:
        raise PreconditionFailed("The project has changed since; read it again before you delete it.")
    await call.services.store.delete(project_id, busy=call.services.executions.busy)
    return NO_CONTENT


async def patch_ui(call: Endpoint, project_id: str, body: UiPatch) -> Reply:
    return Reply(await call.services.store.patch_ui(project_id, body))


async def validate_project(call: Endpoint, project_id: str, query: ValidateQuery, body: Nothing) -> Reply:
    """The dry check: no model is called, and nothing of the project runs unless `connect` asks for that."""
    if query.connect:
        await call.must("execute")
    stored = await call.services.store.read(project_id)
    definition = Definition.model_validate(stored.project.model_dump(exclude=set(READ_ONLY_FIELDS)))
    found = await call.services.executions.validate(definition, project_id)
    if query.connect:
        found = await (await call.services.trials.get()).connected(project_id, definition, found)
    return Reply(found)
