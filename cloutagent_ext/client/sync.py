"""The plain face: the same nouns as `handles` and `runs`, without `await`.

Each method is its async namesake, run in the client's own loop thread; documentation of
what it does is there. Works in scripts, threads and notebooks alike. Not here: `Project`
(`sync_projects`) and `Run` (`sync_runs`).
"""

from __future__ import annotations

import weakref
from os import PathLike
from typing import TYPE_CHECKING, Any

from .handles import AsyncClient
from .loop import LoopThread, Plain, plain
from .sync_projects import Project
from .sync_runs import Run

if TYPE_CHECKING:
    pass


def _shut(loop: LoopThread, client: AsyncClient) -> None:
    loop.end_with(client.close())


class Client(Plain[AsyncClient]):
    """One server, as one caller sees it. `client["Sales analyst"]` is a project."""

    def __init__(self, loop: LoopThread, client: AsyncClient) -> None:
        super().__init__(loop, client)
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
        return self._awaited.url

    projects = plain(AsyncClient.projects)

    def project(self, name_or_id: str | None = None) -> Project:
        """The project of this name or id; without one, `connect`'s, or the only one there is."""
        return Project(self._loop, self._loop.call(self._awaited.project(name_or_id)), self)

    def __getitem__(self, name_or_id: str) -> Project:
        return self.project(name_or_id)

    def _ipython_key_completions_(self) -> list[str]:
        return [row.name for row in self.projects()]

    def create_project(self, name: str, *, template: str | None = None) -> Project:
        """A new project; its first key is in `.api_key`, this once."""
        return Project(
            self._loop, self._loop.call(self._awaited.create_project(name, template=template)), self
        )

    def import_project(self, archive: bytes | str | PathLike[str]) -> Project:
        """A new project from a zip or tar.gz (its bytes, or where it lies), ours or a Claude Code project.

        Its first key is in `.api_key`, what could not be taken in `.warnings`. It starts nothing
        until somebody trusts it.
        """
        return Project(self._loop, self._loop.call(self._awaited.import_project(archive)), self)

    backups = plain(AsyncClient.backups)
    make_backup = plain(AsyncClient.make_backup)
    download_backup = plain(AsyncClient.download_backup)
    restore = plain(AsyncClient.restore)
    templates = plain(AsyncClient.templates)

    def executions(
        self, *, project: str | None = None, status: str | None = None, limit: int = 20
    ) -> list[Run]:
        """The latest executions, newest first; `project` is an id."""
        runs = self._loop.call(self._awaited.executions(project=project, status=status, limit=limit))
        return [Run(self._loop, run, self) for run in runs]

    executions_df = plain(AsyncClient.executions_df)
    metrics = plain(AsyncClient.metrics)

    def execution(self, execution_id: str) -> Run:
        """An execution started earlier, or elsewhere."""
        return Run(self._loop, self._loop.call(self._awaited.execution(execution_id)), self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
