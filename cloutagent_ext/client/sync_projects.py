"""One project's plain face: the same as `projects`, without `await`.

Not here: finding and making projects (`sync`), executions (`sync_runs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .holding import HoldsTools
from .loop import LoopThread, Plain, plain, plain_as, same_as
from .projects import AsyncProject
from .runs import AsyncRun
from .sync_runs import Run

if TYPE_CHECKING:
    from .experiments import AsyncExperiment
    from .sync import Client
    from .sync_experiments import Experiment


def _run(project: Project, run: AsyncRun) -> Run:
    return Run(project._loop, run, project._client)


def _runs(project: Project, runs: list[AsyncRun]) -> list[Run]:
    return [_run(project, run) for run in runs]


def _project(project: Project, other: AsyncProject) -> Project:
    return Project(project._loop, other, project._client)


def _experiment(project: Project, experiment: AsyncExperiment) -> Experiment:
    from .sync_experiments import Experiment

    return Experiment(project._loop, experiment, project._client)


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

    run = plain_as(AsyncProject.run, _run)
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

    duplicate = plain_as(AsyncProject.duplicate, _project)
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

    executions = plain_as(AsyncProject.executions, _runs)
    executions_df = plain(AsyncProject.executions_df)

    experiment = same_as(AsyncProject.experiment, _experiment)
    cassettes = plain(AsyncProject.cassettes)
    download_cassette = plain(AsyncProject.download_cassette)
    upload_cassette = plain(AsyncProject.upload_cassette)
    delete_cassette = plain(AsyncProject.delete_cassette)
    delete = plain(AsyncProject.delete)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, id={self.id!r})"

    def _repr_html_(self) -> str:
        return self._awaited._repr_html_()
