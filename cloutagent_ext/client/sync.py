"""The plain face: the same nouns as `handles` and `runs`, without `await`.

Each method is its async namesake, run in the client's own loop thread; documentation of
what it does is there. Works in scripts, threads and notebooks alike. Not here: `Project`
(`sync_projects`) and `Run` (`sync_runs`).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from .handles import AsyncClient
from .loop import LoopThread, Plain, plain, plain_as
from .projects import AsyncProject
from .runs import AsyncRun
from .sync_projects import Project
from .sync_runs import Run


def _project(client: Client, project: AsyncProject) -> Project:
    return Project(client._loop, project, client)


def _run(client: Client, run: AsyncRun) -> Run:
    return Run(client._loop, run, client)


def _runs(client: Client, runs: list[AsyncRun]) -> list[Run]:
    return [_run(client, run) for run in runs]


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

    project = plain_as(AsyncClient.project, _project)

    def __getitem__(self, name_or_id: str) -> Project:
        return self.project(name_or_id)

    def __iter__(self) -> Iterator[str]:
        """The names that `client[name]` takes."""
        return iter([row.name for row in self.projects()])

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    create_project = plain_as(AsyncClient.create_project, _project)
    import_project = plain_as(AsyncClient.import_project, _project)
    backups = plain(AsyncClient.backups)
    make_backup = plain(AsyncClient.make_backup)
    download_backup = plain(AsyncClient.download_backup)
    restore = plain(AsyncClient.restore)
    templates = plain(AsyncClient.templates)

    executions = plain_as(AsyncClient.executions, _runs)
    executions_df = plain(AsyncClient.executions_df)
    metrics = plain(AsyncClient.metrics)

    execution = plain_as(AsyncClient.execution, _run)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"
