"""One project's plain face: the same as `projects`, without `await`.

Not here: finding and making projects (`sync`), executions (`sync_runs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..schema.execution import Batch
from ..schema.project import PartialLimits
from .asking import Files
from .holding import HoldsTools
from .kernel_tools import Tool
from .loop import LoopThread, Plain, plain
from .projects import AsyncProject
from .sync_runs import Run

if TYPE_CHECKING:
    from .design import Variants
    from .outcomes import Score
    from .sync import Client
    from .sync_experiments import Experiment


class Project(HoldsTools, Plain[AsyncProject]):
    """One project."""

    def __init__(self, loop: LoopThread, project: AsyncProject, client: Client) -> None:
        super().__init__(loop, project)
        self.tools = project.tools
        self._client = client  # keeps the connection open as long as this handle lives

    @property
    def id(self) -> str:
        return self._awaited.id

    @property
    def name(self) -> str:
        return self._awaited.name

    def is_as(self, other: Project) -> bool:
        """Whether both are handles of the same project, on the same server."""
        return self.id == other.id and self._client.url == other._client.url

    @property
    def api_key(self) -> str | None:
        """Text of its first key, on the handle that made the project; it cannot be asked for again."""
        return self._awaited.api_key

    @property
    def warnings(self) -> list[str]:
        """What an import could not take, a sentence each; on the handle that made the project."""
        return self._awaited.warnings

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
        tools: Iterable[Tool] | None = None,
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
        tool call asks; `attended=False` says that nobody will answer one that asks. `tools`: which functions
        of this notebook it may call, by name or the functions themselves; without it all that `tool` has
        decorated. `batch` is a ceiling shared with others (`{"id": …, "max_cost_usd": …}`), `metadata`
        anything of yours. The same `idempotency_key` within a day gives the first execution again.
        Raises what the server refuses, before anything has started.
        """
        options: dict[str, Any] = {"limits": limits, "files": files, "values": values, "replay": replay}
        options |= {"tools": tools}
        earlier = continue_from.id if isinstance(continue_from, Run) else continue_from
        options |= {"step": step, "attended": attended, "continue_from": earlier, "version": version}
        options |= {"model": model, "batch": batch, "metadata": metadata, "idempotency_key": idempotency_key}
        started = self._awaited.run(prompt, wait=wait, **options, **variables)
        return Run(self._loop, self._loop.call(started), self._client)

    definition = plain(AsyncProject.definition)
    save = plain(AsyncProject.save)
    validate = plain(AsyncProject.validate)
    test_mcp = plain(AsyncProject.test_mcp)
    backtest = plain(AsyncProject.backtest)
    files = plain(AsyncProject.files)
    read_file = plain(AsyncProject.read_file)
    write_file = plain(AsyncProject.write_file)
    delete_file = plain(AsyncProject.delete_file)
    export = plain(AsyncProject.export)

    def duplicate(self) -> Project:
        """A new project like this one: definition and files. Its first key is in `.api_key`."""
        return Project(self._loop, self._loop.call(self._awaited.duplicate()), self._client)

    keys = plain(AsyncProject.keys)
    create_key = plain(AsyncProject.create_key)
    revoke_key = plain(AsyncProject.revoke_key)
    secrets = plain(AsyncProject.secrets)
    set_secret = plain(AsyncProject.set_secret)
    delete_secret = plain(AsyncProject.delete_secret)
    versions = plain(AsyncProject.versions)
    version = plain(AsyncProject.version)
    make_version = plain(AsyncProject.make_version)
    restore = plain(AsyncProject.restore)
    publish = plain(AsyncProject.publish)
    unpublish = plain(AsyncProject.unpublish)
    diff = plain(AsyncProject.diff)
    trust = plain(AsyncProject.trust)

    def executions(self, *, status: str | None = None, limit: int = 20) -> list[Run]:
        """Its latest executions, newest first."""
        runs = self._loop.call(self._awaited.executions(status=status, limit=limit))
        return [Run(self._loop, run, self._client) for run in runs]

    executions_df = plain(AsyncProject.executions_df)

    def experiment(
        self,
        rows: Any,
        variants: Variants | None = None,
        *,
        repeats: int = 1,
        scores: Mapping[str, Score] | None = None,
        tools: Iterable[Tool] | None = None,
        max_cost_usd: float | None = None,
        id: str | None = None,
        at_once: int | None = None,
    ) -> Experiment:
        """Each row of `rows` (a DataFrame, or mappings) under each variant, `repeats` times: not yet begun.

        Columns named like the project's variables are their values; a variant's `prompt` and `variables`
        take any column as `{{column}}`. Variants also differ in `model`, `version`, `tools` and `limits`.
        `scores` are functions of `output`, `row`, `data` or `state` that give a truth value or a number.
        `tools`: functions of this notebook that each trial may call, as for `run`; a trial has its own
        handles, and what it made is in its `values`. `max_cost_usd` is one ceiling for all trials together.
        With the `id` of an earlier one it goes on with that. `at_once`: most trials on their way; without it
        what the project runs and ten that wait.
        """
        from .sync_experiments import Experiment

        made = self._awaited.experiment(
            rows,
            variants,
            repeats=repeats,
            scores=scores,
            tools=tools,
            max_cost_usd=max_cost_usd,
            id=id,
            at_once=at_once,
        )
        return Experiment(self._loop, made, self._client)

    cassettes = plain(AsyncProject.cassettes)
    download_cassette = plain(AsyncProject.download_cassette)
    upload_cassette = plain(AsyncProject.upload_cassette)
    delete_cassette = plain(AsyncProject.delete_cassette)
    delete = plain(AsyncProject.delete)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, id={self.id!r})"

    def _repr_html_(self) -> str:
        return self._awaited._repr_html_()
