"""One project's plain face: the same as `projects`, without `await`.

Not here: finding and making projects (`sync`), executions (`sync_runs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..schema.admin import CreatedKey, FileRow, KeyRow, Scope, SecretRow
from ..schema.backtests import Backtest
from ..schema.cassettes import CassetteRow
from ..schema.execution import Batch
from ..schema.mcps import McpTest
from ..schema.project import Definition, PartialLimits, Validation
from ..schema.project import Project as ProjectDefinition
from ..schema.versions import Version, VersionDiff, VersionRow
from .asking import Files
from .holding import HoldsTools
from .loop import LoopThread
from .projects import AsyncProject, Form
from .sync_runs import Run

if TYPE_CHECKING:
    import pandas as pd

    from .experiments import Variants
    from .outcomes import Score
    from .sync import Client
    from .sync_experiments import Experiment


class Project(HoldsTools):
    """One project."""

    def __init__(self, loop: LoopThread, project: AsyncProject, client: Client) -> None:
        self._loop = loop
        self._project = project
        self.tools = project.tools
        self._client = client  # keeps the connection open as long as this handle lives

    @property
    def id(self) -> str:
        return self._project.id

    @property
    def name(self) -> str:
        return self._project.name

    @property
    def api_key(self) -> str | None:
        """Text of its first key, on the handle that made the project; it cannot be asked for again."""
        return self._project.api_key

    @property
    def warnings(self) -> list[str]:
        """What an import could not take, a sentence each; on the handle that made the project."""
        return self._project.warnings

    def run(
        self,
        prompt: str | None = None,
        *,
        wait: bool = False,
        limits: PartialLimits | Mapping[str, Any] | None = None,
        files: Files | None = None,
        values: Mapping[str, Any] | None = None,
        version: int | str | None = None,
        model: str | None = None,
        replay: str | None = None,
        continue_from: Run | str | None = None,
        step: bool = False,
        attended: bool | None = None,
        batch: Batch | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **variables: Any,
    ) -> Run:
        """Start an execution, and with `wait` stay until it has ended, or waits for a person.

        `prompt` stands in place of the project's task; `variables` are the project's, by name (`values`
        takes those whose name is also a parameter here), a DataFrame as its handle; `limits` lower the
        project's (`{"max_cost_usd": 0.2}`); `files` go into the workspace: names on the Jupyter server, or
        workspace name → such a name, a `Path` of this machine, or bytes. `version` and `model` stand in
        place of the project's; `replay` is a cassette that plays the model's part, at no cost and without a
        key; `continue_from` is a finished run whose conversation `prompt` goes on with. With `step` every
        tool call asks; `attended=False` says that nobody will answer one that asks. `batch` is a ceiling
        shared with others (`{"id": …, "max_cost_usd": …}`), `metadata` anything of yours. The same
        `idempotency_key` within a day gives the first execution again.
        Raises what the server refuses, before anything has started.
        """
        options: dict[str, Any] = {"limits": limits, "files": files, "values": values, "replay": replay}
        earlier = continue_from.id if isinstance(continue_from, Run) else continue_from
        options |= {"step": step, "attended": attended, "continue_from": earlier, "version": version}
        options |= {"model": model, "batch": batch, "metadata": metadata, "idempotency_key": idempotency_key}
        started = self._project.run(prompt, wait=wait, **options, **variables)
        return Run(self._loop, self._loop.call(started), self._client)

    def definition(self) -> ProjectDefinition:
        """The project as it is stored; change it and hand it to `save`."""
        return self._loop.call(self._project.definition())

    def save(self, definition: Definition, *, draft: bool = False) -> ProjectDefinition:
        """Store `definition`. Raises `PreconditionFailed` when it was changed elsewhere in between.

        `draft`: without making a version of it, as the panel does while somebody types.
        """
        return self._loop.call(self._project.save(definition, draft=draft))

    def validate(self, *, connect: bool = False) -> Validation:
        """What would keep it from running; with `connect` its MCP servers are tried too."""
        return self._loop.call(self._project.validate(connect=connect))

    def test_mcp(self, mcp: str) -> McpTest:
        """Connect to one of its MCP servers (by its id), list its tools, and let it go."""
        return self._loop.call(self._project.test_mcp(mcp))

    def backtest(self, hook: str, *, last: int = 50, execution_ids: Sequence[str] | None = None) -> Backtest:
        """What one of its hooks (by its id) would have done to its last executions, or to those named."""
        return self._loop.call(self._project.backtest(hook, last=last, execution_ids=execution_ids))

    def files(self) -> list[FileRow]:
        """The project's own files."""
        return self._loop.call(self._project.files())

    def read_file(self, path: str) -> bytes:
        """One of the project's own files."""
        return self._loop.call(self._project.read_file(path))

    def write_file(self, path: str, data: bytes | str) -> FileRow:
        """Put `data` into a file of the project; text as UTF-8."""
        return self._loop.call(self._project.write_file(path, data))

    def delete_file(self, path: str) -> None:
        """Remove one of the project's own files. Raises `NotFound`."""
        self._loop.call(self._project.delete_file(path))

    def export(self, form: Form = "zip", *, ui: bool = True, executions: bool = False) -> bytes:
        """The project as `zip`, `tar.gz`, `claude` for Claude Code, or `python`; never secrets or keys.

        `ui=False` leaves out where cards stand, `executions=True` adds the logs of its executions.
        """
        return self._loop.call(self._project.export(form, ui=ui, executions=executions))

    def duplicate(self) -> Project:
        """A new project like this one: definition and files. Its first key is in `.api_key`."""
        return Project(self._loop, self._loop.call(self._project.duplicate()), self._client)

    def keys(self) -> list[KeyRow]:
        """Its keys, without their secrets."""
        return self._loop.call(self._project.keys())

    def create_key(self, name: str, *, scopes: Sequence[Scope] | None = None) -> CreatedKey:
        """A new key; its text is in `.api_key` of what comes back, this once.

        `scopes`: what it may do; without it, read and execute.
        """
        return self._loop.call(self._project.create_key(name, scopes=scopes))

    def revoke_key(self, key_id: str) -> None:
        """From now on this key is refused."""
        self._loop.call(self._project.revoke_key(key_id))

    def secrets(self) -> list[SecretRow]:
        """Names and dates of its secrets; a value never comes out of a server."""
        return self._loop.call(self._project.secrets())

    def set_secret(self, name: str, value: str) -> SecretRow:
        """Keep `value` under `name`, replacing what was there."""
        return self._loop.call(self._project.set_secret(name, value))

    def delete_secret(self, name: str) -> None:
        """Forget a secret."""
        self._loop.call(self._project.delete_secret(name))

    def versions(self) -> list[VersionRow]:
        """Its versions, newest first."""
        return self._loop.call(self._project.versions())

    def version(self, number: int | str) -> Version:
        """One version with its definition. Raises `NotFound`."""
        return self._loop.call(self._project.version(number))

    def make_version(self, label: str | None = None) -> VersionRow:
        """A version of what is saved, made now; one with a label is never pruned."""
        return self._loop.call(self._project.make_version(label))

    def restore(self, number: int | str) -> ProjectDefinition:
        """Make it what version `number` was, as a new version. Raises `Conflict` while executions run."""
        return self._loop.call(self._project.restore(number))

    def publish(self, number: int | str) -> ProjectDefinition:
        """From now on calls with a key run version `number`."""
        return self._loop.call(self._project.publish(number))

    def unpublish(self, number: int | str) -> ProjectDefinition:
        """Calls with a key run the newest version again; `number` is the published one."""
        return self._loop.call(self._project.unpublish(number))

    def diff(self, before: int | str, after: int | str) -> VersionDiff:
        """What differs between two versions, per file and per field."""
        return self._loop.call(self._project.diff(before, after))

    def trust(self, hash: str) -> ProjectDefinition:
        """Agree to what `NotTrusted` showed: its `details["hash"]` stands for exactly that."""
        return self._loop.call(self._project.trust(hash))

    def executions(self, *, status: str | None = None, limit: int = 20) -> list[Run]:
        """Its latest executions, newest first."""
        runs = self._loop.call(self._project.executions(status=status, limit=limit))
        return [Run(self._loop, run, self._client) for run in runs]

    def executions_df(
        self, *, status: str | None = None, since: datetime | str | None = None, limit: int = 1000
    ) -> pd.DataFrame:
        """Its latest executions as a DataFrame, newest first; columns: `tables.EXECUTIONS`. Needs pandas."""
        return self._loop.call(self._project.executions_df(status=status, since=since, limit=limit))

    def experiment(
        self,
        rows: Any,
        variants: Variants | None = None,
        *,
        repeats: int = 1,
        scores: Mapping[str, Score] | None = None,
        max_cost_usd: float | None = None,
        id: str | None = None,
        at_once: int | None = None,
    ) -> Experiment:
        """Each row of `rows` (a DataFrame, or mappings) under each variant, `repeats` times: not yet begun.

        Columns named like the project's variables are their values; a variant's `prompt` and `variables`
        take any column as `{{column}}`. Variants also differ in `model`, `version` and `limits`. `scores`
        are functions of `output`, `row`, `data` or `state` that give a truth value or a number.
        `max_cost_usd` is one ceiling for all trials together. With the `id` of an earlier one it goes on
        with that. `at_once`: most trials on their way; without it what the project runs and ten that wait.
        """
        from .sync_experiments import Experiment

        made = self._project.experiment(
            rows,
            variants,
            repeats=repeats,
            scores=scores,
            max_cost_usd=max_cost_usd,
            id=id,
            at_once=at_once,
        )
        return Experiment(self._loop, made, self._client)

    def cassettes(self) -> list[CassetteRow]:
        """Recordings of its executions, newest first; `run(replay=row.id)` plays one."""
        return self._loop.call(self._project.cassettes())

    def download_cassette(self, cassette_id: str) -> bytes:
        """One of them as a file, to keep or to give away."""
        return self._loop.call(self._project.download_cassette(cassette_id))

    def upload_cassette(self, data: bytes) -> CassetteRow:
        """Keep a recording made elsewhere. It decides which tools a replay calls: take it from friends."""
        return self._loop.call(self._project.upload_cassette(data))

    def delete_cassette(self, cassette_id: str) -> None:
        """Delete a recording. Raises `NotFound`."""
        self._loop.call(self._project.delete_cassette(cassette_id))

    def delete(self) -> None:
        """Delete it, files and executions included; the server keeps a backup."""
        self._loop.call(self._project.delete())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, id={self.id!r})"

    def _repr_html_(self) -> str:
        return self._project._repr_html_()
