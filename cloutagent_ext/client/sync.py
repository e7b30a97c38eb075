"""The plain face: the same nouns as `handles` and `runs`, without `await`.

Each method is its async namesake, run in the client's own loop thread; documentation of
what it does is there. Works in scripts, threads and notebooks alike. Not here: `Project`
(`sync_projects`) and `Run` (`sync_runs`).
"""

from __future__ import annotations

import weakref
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

from ..schema.admin import TemplateRow
from ..schema.archives import BackupRow, Restored
from ..schema.metrics import Metrics, Window
from ..schema.project import ProjectRow
from .handles import AsyncClient
from .loop import LoopThread
from .sync_projects import Project
from .sync_runs import Run

if TYPE_CHECKING:
    import pandas as pd


def _shut(loop: LoopThread, client: AsyncClient) -> None:
    try:
        loop.call(client.close())
    finally:
        loop.stop()


class Client:
    """One server, as one caller sees it. `client["Sales analyst"]` is a project."""

    def __init__(self, loop: LoopThread, client: AsyncClient) -> None:
        self._loop = loop
        self._client = client
        # Also when nobody calls close(): at garbage collection, or when the interpreter ends.
        self._finalizer = weakref.finalize(self, _shut, loop, client)

    @classmethod
    def connect(cls, url: str | None = None, **options: Any) -> Client:
        """See `cloutagent_ext.connect`."""
        loop = LoopThread()
        try:
            return cls(loop, loop.call(AsyncClient.connect(url, **options)))
        except BaseException:
            loop.stop()
            raise

    def close(self) -> None:
        """Let go of the connection; executions go on."""
        self._finalizer()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._client.url

    def projects(self, q: str | None = None) -> list[ProjectRow]:
        """All projects, newest change first; `q` keeps those whose name or description contains it."""
        return self._loop.call(self._client.projects(q))

    def project(self, name_or_id: str | None = None) -> Project:
        """The project of this name or id; without one, `connect`'s, or the only one there is."""
        return Project(self._loop, self._loop.call(self._client.project(name_or_id)), self)

    def __getitem__(self, name_or_id: str) -> Project:
        return self.project(name_or_id)

    def _ipython_key_completions_(self) -> list[str]:
        return [row.name for row in self.projects()]

    def create_project(self, name: str, *, template: str | None = None) -> Project:
        """A new project; its first key is in `.api_key`, this once."""
        return Project(
            self._loop, self._loop.call(self._client.create_project(name, template=template)), self
        )

    def import_project(self, archive: bytes | str | PathLike[str]) -> Project:
        """A new project from a zip or tar.gz (its bytes, or where it lies), ours or a Claude Code project.

        Its first key is in `.api_key`, what could not be taken in `.warnings`. It starts nothing
        until somebody trusts it.
        """
        return Project(self._loop, self._loop.call(self._client.import_project(archive)), self)

    def backups(self) -> list[BackupRow]:
        """All backups, newest first."""
        return self._loop.call(self._client.backups())

    def make_backup(self) -> BackupRow:
        """A backup of all projects, now."""
        return self._loop.call(self._client.make_backup())

    def download_backup(self, backup: str) -> bytes:
        """A backup, as one zip: secrets in it are encrypted, of keys it has the hashes."""
        return self._loop.call(self._client.download_backup(backup))

    def restore(self, backup: str, project_id: str | None = None) -> Restored:
        """Put one project, or all of the backup, back; what that replaces is kept."""
        return self._loop.call(self._client.restore(backup, project_id))

    def templates(self) -> list[TemplateRow]:
        """The starter projects."""
        return self._loop.call(self._client.templates())

    def executions(
        self, *, project: str | None = None, status: str | None = None, limit: int = 20
    ) -> list[Run]:
        """The latest executions, newest first; `project` is an id."""
        runs = self._loop.call(self._client.executions(project=project, status=status, limit=limit))
        return [Run(self._loop, run, self) for run in runs]

    def executions_df(
        self,
        *,
        project: str | None = None,
        status: str | None = None,
        since: datetime | str | None = None,
        limit: int = 1000,
    ) -> pd.DataFrame:
        """The latest executions as a DataFrame, newest first; columns in `tables.EXECUTIONS`. Needs pandas.

        `project` is an id, `since` a time at or after which they were made.
        """
        asked = self._client.executions_df(project=project, status=status, since=since, limit=limit)
        return self._loop.call(asked)

    def metrics(
        self, window: Window = "24h", *, project: str | None = None, simulated: bool = False
    ) -> Metrics:
        """What the dashboard draws of a window: counts, money, tokens, times.

        `project` is an id. Executions that no model was paid for are counted with `simulated`, and only then.
        """
        return self._loop.call(self._client.metrics(window, project=project, simulated=simulated))

    def execution(self, execution_id: str) -> Run:
        """An execution started earlier, or elsewhere."""
        return Run(self._loop, self._loop.call(self._client.execution(execution_id)), self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
