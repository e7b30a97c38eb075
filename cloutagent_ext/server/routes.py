"""THE TABLE: every address of the contract, one row each.

A row is enforced by the base handler, described by `openapi`, and walked by the tests:
an address that is not here does not exist, and one that is here cannot lack a guard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ..schema.admin import (
    CreatedKey,
    FileRow,
    Health,
    KeyCreate,
    KeyRow,
    ModelList,
    SecretCreate,
    SecretRow,
    TemplateRow,
    ToolRow,
)
from ..schema.archives import BackupRow, ImportedProject, Restored, RestoreRequest
from ..schema.backtests import Backtest, BacktestRequest
from ..schema.base import Page
from ..schema.canvas import Ui, UiPatch
from ..schema.cassettes import CassetteCreate, CassetteCreated, CassetteRow
from ..schema.client_tools import ClientAnswer, ClientCallTaken
from ..schema.events import AnyEvent
from ..schema.execution import (
    Accepted,
    ApprovalDecision,
    Begun,
    ExecuteRequest,
    ExecutionState,
    ForkRequest,
    ResumeRequest,
    Upload,
)
from ..schema.mcps import McpTest
from ..schema.metrics import Metrics
from ..schema.project import CreatedProject, Project, ProjectCreate, ProjectRow, ProjectUpdate, Validation
from ..schema.query import (
    EventsQuery,
    ExecutionQuery,
    ExportQuery,
    MetricsQuery,
    ProjectQuery,
    SaveQuery,
    StreamQuery,
    TraceQuery,
    ValidateQuery,
    VersionQuery,
    WatchQuery,
)
from ..schema.trace import Trace
from ..schema.versions import Agreement, TrustConfirm, Version, VersionCreate, VersionDiff, VersionRow
from . import (
    archives,
    backups,
    cassettes,
    catalogue,
    executions,
    files,
    health,
    hooks,
    keys,
    mcps,
    metrics,
    projects,
    secrets,
    stream,
    versions,
)
from .context import Context
from .executions import ORIGIN_HEADER
from .handler import Endpoint, Unknown
from .route import JUPYTER, MAX_ARCHIVE_BYTES, PUBLIC, ROOT, Answer, Nothing, RawBody, Route, key
from .sse import MEDIA_TYPE

READ, EXECUTE, APPROVE = key("read"), key("execute"), key("approve")


def ok(model: Any, description: str = "It.", **headers: str) -> dict[int, Answer]:
    return {200: Answer(description, model, headers=headers)}


_BYTES = {200: Answer("The file, as an attachment of its own type.", media_type="*/*")}
_GONE = {204: Answer("It is gone.")}
_STREAM = {
    200: Answer("Server-sent events.", media_type=MEDIA_TYPE),
    204: Answer("The last event has been seen; there is nothing to reconnect for."),
}
_ITS_ID = {"X-Execution-Id": "Its id."}
_PLACE = {"Location": "Where its state is.", **_ITS_ID}
_EXECUTE = {
    200: Answer(
        "With `wait`: the state at the end, or as soon as it waits for a person. With `stream`: the events.",
        ExecutionState,
        headers=_ITS_ID,
    ),
    202: Answer("Accepted, and on disk.", Accepted, headers=_PLACE),
}
_BEGUN = {202: Answer("It goes on.", Begun, headers=_PLACE)}
_ETAG = "Stands for this very definition; send it back as `If-Match`."
_IF_MATCH = {"If-Match": "The `ETag` that was read: 412 where the project has changed since."}
_IF_NONE_MATCH = {"If-None-Match": "An `ETag` that is known: 304 where it is still the project's."}
_LAST_EVENT = {"Last-Event-ID": "The last event that was seen: the stream goes on behind it."}
_ONCE = {
    "Idempotency-Key": "1 to 255 printable ASCII characters: within 24 h the same key gives the first "
    "execution again, and starts none.",
    ORIGIN_HEADER: "Of a Jupyter user: whence it is called, `panel`, `notebook`, `cli` or `mcp` (`api`).",
}
_ARCHIVE = RawBody(
    MAX_ARCHIVE_BYTES,
    spooled=True,
    media_types=("application/zip", "application/gzip", "multipart/form-data"),
)
_EXPORTED = ("application/zip", "application/gzip", "text/x-python")
_PROJECT, _EXECUTION = "v1/projects/{project_id}", "v1/executions/{execution_id}"
_VERSIONS = f"{_PROJECT}/versions"

ROUTES: tuple[Route, ...] = (
    Route("GET", "health", health.health, "Whether the server can take work", "server", PUBLIC, "read",
          {200: Answer("It can.", Health), 503: Answer("It cannot now.", Health)}, poll=True),
    Route("GET", "v1/openapi.json", catalogue.read_contract, "This contract", "server", READ, "read",
          {200: Answer("OpenAPI 3.1.", media_type="application/json")}),
    Route("GET", "v1/tools", catalogue.list_tools, "Built-in tools", "catalogue", READ, "read",
          ok(Page[ToolRow])),
    Route("GET", "v1/models", catalogue.list_models, "Models, with their prices", "catalogue", READ, "read",
          ok(ModelList)),
    Route("GET", "v1/templates", catalogue.list_templates, "Starter projects", "catalogue", READ, "read",
          ok(Page[TemplateRow])),

    Route("GET", "v1/projects", projects.list_projects, "Projects, newest change first", "projects", READ,
          "read", ok(Page[ProjectRow]), query=ProjectQuery),
    Route("POST", "v1/projects", projects.create_project, "Create a project and its first key", "projects",
          JUPYTER, "write",
          {201: Answer("Made.", CreatedProject, headers={"Location": "Where it is.", "ETag": _ETAG})},
          body=ProjectCreate,
          audit="project.create"),
    Route("POST", "v1/projects/import", archives.import_project, "A new project from an archive", "projects",
          JUPYTER, "write",
          {201: Answer("Made.", ImportedProject, headers={"Location": "Where it is."})}, body=_ARCHIVE,
          audit="project.import"),
    Route("GET", _PROJECT, projects.read_project, "The whole definition", "projects", READ, "read",
          ok(Project, ETag=_ETAG) | {304: Answer("It is still what `If-None-Match` stands for.")},
          takes=_IF_NONE_MATCH),
    Route("PUT", _PROJECT, projects.save_project, "Replace the definition in one commit", "projects",
          JUPYTER, "write", ok(Project, ETag=_ETAG), query=SaveQuery, body=ProjectUpdate,
          takes=_IF_MATCH),
    Route("DELETE", _PROJECT, projects.delete_project, "Delete it; a zip goes to the backups first",
          "projects", JUPYTER, "write", _GONE, takes=_IF_MATCH,
          audit="project.delete"),
    Route("GET", f"{_PROJECT}/export", archives.export_project, "The project as an archive", "projects",
          JUPYTER, "read", {200: Answer("The archive.", media_type=_EXPORTED)}, query=ExportQuery),
    Route("POST", f"{_PROJECT}/duplicate", archives.duplicate_project, "A copy of the project", "projects",
          JUPYTER, "write",
          {201: Answer("Made.", CreatedProject, headers={"Location": "Where it is."})}, body=Nothing,
          audit="project.duplicate"),
    Route("PATCH", f"{_PROJECT}/ui", projects.patch_ui, "View state; the last write wins", "projects",
          JUPYTER, "write", ok(Ui), body=UiPatch),
    Route("POST", f"{_PROJECT}/validate", projects.validate_project, "The dry check: nothing runs",
          "projects", READ, "read", ok(Validation), query=ValidateQuery, body=Nothing, poll=True),
    Route("POST", f"{_PROJECT}/mcps/{{mcp}}/test", mcps.test_mcp,
          "Connect to an MCP server and list its tools", "projects", JUPYTER, "execute",
          ok(McpTest, "What it offers."), body=Nothing),

    Route("GET", "v1/backups", backups.list_backups, "Backups, newest first", "backups", JUPYTER, "read",
          ok(Page[BackupRow])),
    Route("POST", "v1/backups", backups.create_backup, "Make a backup now", "backups", JUPYTER, "write",
          {201: Answer("Made.", BackupRow, headers={"Location": "Where it is."})}, body=Nothing),
    Route("GET", "v1/backups/{name}", backups.read_backup, "Download a backup", "backups", JUPYTER, "write",
          {200: Answer("The zip.", media_type="application/zip")},
          audit="backup.download"),
    Route("POST", "v1/backups/{name}/restore", backups.restore_backup,
          "Put projects back as they were; what is replaced is kept", "backups", JUPYTER, "write",
          ok(Restored), body=RestoreRequest,
          audit="backup.restore"),

    Route("GET", f"{_PROJECT}/files", files.list_project_files, "Its own files", "files", JUPYTER, "read",
          ok(Page[FileRow])),
    Route("GET", f"{_PROJECT}/files/{{path...}}", files.read_project_file, "One file", "files", JUPYTER,
          "read", _BYTES),
    Route("PUT", f"{_PROJECT}/files/{{path...}}", files.write_project_file, "Write a file", "files", JUPYTER,
          "write", ok(FileRow), body=RawBody()),
    Route("DELETE", f"{_PROJECT}/files/{{path...}}", files.delete_project_file, "Delete a file", "files",
          JUPYTER, "write", _GONE),

    Route("GET", _VERSIONS, versions.list_versions, "Its versions, newest first", "versions", JUPYTER, "read",
          ok(Page[VersionRow]), query=VersionQuery),
    Route("POST", _VERSIONS, versions.create_version, "Make a version now, with a label on wish", "versions",
          JUPYTER, "write", {201: Answer("Made.", VersionRow, headers={"Location": "Where it is."})},
          body=VersionCreate),
    Route("GET", f"{_VERSIONS}/{{version}}", versions.read_version, "One version, with its definition",
          "versions", JUPYTER, "read", ok(Version)),
    Route("POST", f"{_VERSIONS}/{{version}}/restore", versions.restore_version,
          "Make the project what it was, as a new version", "versions", JUPYTER, "write",
          ok(Project, ETag=_ETAG), body=Nothing, takes=_IF_MATCH,
          audit="version.restore"),
    Route("POST", f"{_VERSIONS}/{{version}}/publish", versions.publish_version,
          "What calls with a key run from now on", "versions", JUPYTER, "write", ok(Project, ETag=_ETAG),
          body=Nothing,
          audit="version.publish"),
    Route("DELETE", f"{_VERSIONS}/{{version}}/publish", versions.unpublish_version,
          "Calls with a key run the newest version again", "versions", JUPYTER, "write",
          ok(Project, ETag=_ETAG),
          audit="version.unpublish"),
    Route("GET", f"{_VERSIONS}/{{version}}/diff/{{other}}", versions.diff_versions,
          "What differs, per file and per field", "versions", JUPYTER, "read", ok(VersionDiff)),
    Route("GET", f"{_PROJECT}/trust", versions.show_trust, "What it would run, and whether that is agreed to",
          "projects", JUPYTER, "read", ok(Agreement)),
    Route("POST", f"{_PROJECT}/trust", versions.confirm_trust, "Agree to what it would run", "projects",
          JUPYTER, "write", ok(Project, ETag=_ETAG), body=TrustConfirm,
          audit="trust.confirm"),

    Route("GET", f"{_PROJECT}/keys", keys.list_keys, "Its keys, without their secrets", "keys", JUPYTER,
          "read", ok(Page[KeyRow])),
    Route("POST", f"{_PROJECT}/keys", keys.create_key, "A new key, shown once", "keys", JUPYTER, "write",
          {201: Answer("Made.", CreatedKey)}, body=KeyCreate,
          audit="key.create"),
    Route("DELETE", f"{_PROJECT}/keys/{{key_id}}", keys.delete_key, "Revoke a key at once", "keys", JUPYTER,
          "write", _GONE,
          audit="key.revoke"),

    Route("GET", f"{_PROJECT}/secrets", secrets.list_secrets, "Its secrets: names and dates", "secrets",
          JUPYTER, "read", ok(Page[SecretRow])),
    Route("POST", f"{_PROJECT}/secrets", secrets.set_secret, "Keep a secret; an existing name is replaced",
          "secrets", JUPYTER, "write", {200: Answer("Replaced.", SecretRow), 201: Answer("Kept.", SecretRow)},
          body=SecretCreate,
          audit="secret.set"),
    Route("DELETE", f"{_PROJECT}/secrets/{{name}}", secrets.delete_secret, "Forget a secret", "secrets",
          JUPYTER, "write", _GONE,
          audit="secret.delete"),

    Route("GET", f"{_PROJECT}/cassettes", cassettes.list_cassettes, "Its cassettes, newest first",
          "cassettes", JUPYTER, "read", ok(Page[CassetteRow])),
    Route("POST", f"{_PROJECT}/cassettes", cassettes.upload_cassette, "Keep a cassette made elsewhere",
          "cassettes", JUPYTER, "write",
          {201: Answer("Kept.", CassetteRow, headers={"Location": "Where it is."})},
          body=RawBody(media_types=(cassettes.MEDIA_TYPE,))),
    Route("GET", f"{_PROJECT}/cassettes/{{cassette_id}}", cassettes.read_cassette, "Download a cassette",
          "cassettes", JUPYTER, "read", {200: Answer("It.", media_type=cassettes.MEDIA_TYPE)}),
    Route("DELETE", f"{_PROJECT}/cassettes/{{cassette_id}}", cassettes.delete_cassette, "Delete a cassette",
          "cassettes", JUPYTER, "write", _GONE),

    Route("POST", f"{_PROJECT}/hooks/{{hook}}/backtest", hooks.backtest_hook,
          "What a hook would have done to past executions", "projects", JUPYTER, "execute",
          ok(Backtest, "What it would have done."), body=BacktestRequest),
    Route("POST", f"{_PROJECT}/uploads", executions.upload, "A file for executions, kept for a day",
          "executions", EXECUTE, "execute", {201: Answer("Kept.", Upload)},
          body=RawBody(MAX_ARCHIVE_BYTES, spooled=True)),
    Route("POST", f"{_PROJECT}/execute", executions.execute, "Run the agent", "executions", EXECUTE,
          "execute", _EXECUTE, body=ExecuteRequest, takes=_ONCE),
    Route("GET", "v1/executions", executions.list_executions, "Executions, newest first", "executions", READ,
          "read", ok(Page[ExecutionState]), query=ExecutionQuery, poll=True),
    Route("GET", _EXECUTION, executions.read_execution, "Its state", "executions", READ, "read",
          ok(ExecutionState), poll=True),
    Route("DELETE", _EXECUTION, executions.delete_execution, "Delete one that has ended", "executions",
          JUPYTER, "write", _GONE),
    Route("POST", f"{_EXECUTION}/cancel", executions.cancel_execution, "Stop it, its processes included",
          "executions", EXECUTE, "execute", ok(ExecutionState), body=Nothing),
    Route("POST", f"{_EXECUTION}/approvals/{{call_id}}", executions.decide_approval,
          "Allow or deny a tool call that waits for a person", "executions", APPROVE, "execute",
          ok(ExecutionState), body=ApprovalDecision,
          audit="approval.decide"),
    Route("POST", f"{_EXECUTION}/calls/{{call_id}}", executions.answer_call,
          "Answer a call of a tool that the caller brought", "executions", JUPYTER, "execute",
          ok(ClientCallTaken), body=ClientAnswer),
    Route("POST", f"{_EXECUTION}/resume", executions.resume_execution,
          "Go on after an interruption, a failure or a limit", "executions", JUPYTER, "execute", _BEGUN,
          body=ResumeRequest),
    Route("POST", f"{_EXECUTION}/fork", executions.fork_execution,
          "A new execution that shares the history up to an event", "executions", JUPYTER, "execute", _BEGUN,
          body=ForkRequest),
    Route("GET", f"{_EXECUTION}/events", executions.list_events, "Its events, a page at a time",
          "executions", READ, "read", ok(Page[AnyEvent]), query=EventsQuery, poll=True),
    Route("GET", f"{_EXECUTION}/stream", stream.stream_execution, "Its events as they happen", "executions",
          READ, "read", _STREAM, query=StreamQuery, stream=True, takes=_LAST_EVENT),
    Route("POST", f"{_EXECUTION}/cassette", cassettes.create_cassette,
          "Keep its model replies, and on wish its tool results, for replay", "cassettes", JUPYTER, "write",
          {201: Answer("Made.", CassetteCreated, headers={"Location": "Where it is."})}, body=CassetteCreate),
    Route("GET", f"{_EXECUTION}/notebook", executions.read_notebook, "The run as an executed notebook",
          "executions", READ, "read", {200: Answer("An .ipynb.", media_type="application/x-ipynb+json")}),
    Route("GET", f"{_EXECUTION}/trace", executions.read_trace, "The run as spans: times, tokens, cost",
          "executions", READ, "read", ok(Trace), query=TraceQuery, poll=True),
    Route("GET", f"{_EXECUTION}/files", files.list_execution_files, "Files of its workspace", "executions",
          READ, "read", ok(Page[FileRow]), poll=True),
    Route("GET", f"{_EXECUTION}/files/{{path...}}", files.read_execution_file, "One file of its workspace",
          "executions", READ, "read", _BYTES),
    Route("POST", f"{_EXECUTION}/pin", metrics.pin_execution, "Keep it beyond the retention", "executions",
          JUPYTER, "write", ok(ExecutionState), body=Nothing),
    Route("DELETE", f"{_EXECUTION}/pin", metrics.unpin_execution, "Let the retention have it again",
          "executions", JUPYTER, "write", ok(ExecutionState)),
    Route("GET", "v1/metrics", metrics.read_metrics, "Counts, money, tokens and times of a window",
          "executions", JUPYTER, "read", ok(Metrics), query=MetricsQuery, poll=True),
    Route("GET", "v1/stream", stream.stream_watched, "Everything a browser tab watches, in one stream",
          "executions", JUPYTER, "read", {200: _STREAM[200]}, query=WatchQuery, stream=True),
)  # fmt: skip


def by_path(routes: Iterable[Route] = ROUTES) -> dict[str, dict[str, Route]]:
    """The rows of each path, by method."""
    rows: defaultdict[str, dict[str, Route]] = defaultdict(dict)
    for route in routes:
        rows[route.path][route.method] = route
    return dict(rows)


def handlers(context: Context) -> list[tuple[str, type[Endpoint], dict[str, Any]]]:
    """What Tornado takes: a class for each path, and one for every other address below ours."""
    found: list[tuple[str, type[Endpoint], dict[str, Any]]] = []
    for path, rows in by_path().items():
        name = "".join(part.strip("{}.").title() for part in path.replace("_", "/").split("/")) + "Endpoint"
        pattern = next(iter(rows.values())).pattern
        found.append(
            (pattern, type(name, (Endpoint,), {"__doc__": path}), {"context": context, "rows": rows})
        )
    found.append((rf"{ROOT.split('/')[0]}(?:/.*)?", Unknown, {"context": context, "rows": {}}))
    return found
