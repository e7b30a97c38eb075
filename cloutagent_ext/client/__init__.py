"""The Python client: call CloutAgent projects from a notebook or any program.

    from cloutagent_ext import connect

    agents = connect()                                   # the Jupyter server you are in
    run = agents["Sales analyst"].run(file="sales.csv")
    for event in run:
        print(event.type)
    run.result.text

`connect` gives the plain face, which also works inside a running event loop (every
notebook has one); `aconnect` gives the same nouns with `await`. Both speak HTTP to a
server and know nothing of how it works: only the contract's models and errors are
shared. `discovery` finds the server, `transport` sends, `stream` follows events,
`handles`, `projects` and `runs` are the async face, `sync`, `sync_projects` and `sync_runs` the plain
one, `tables` makes DataFrames.

Names other than these two functions load on first use: importing this costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .handles import AsyncClient
    from .projects import AsyncProject
    from .runs import AsyncRun
    from .sync import Client
    from .sync_projects import Project
    from .sync_runs import Run

__all__ = [
    "AsyncClient",
    "AsyncProject",
    "AsyncRun",
    "Client",
    "Project",
    "Run",
    "aconnect",
    "connect",
]

_HOMES = {
    "AsyncClient": "handles",
    "AsyncProject": "projects",
    "AsyncRun": "runs",
    "Client": "sync",
    "Project": "sync_projects",
    "Run": "sync_runs",
}


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    api_key: str | None = None,
    project: str | None = None,
) -> Client:
    """A client of the server at `url`, or of the one this notebook belongs to.

    `url` is the server's address, as Jupyter prints it (`http://localhost:8888/lab?token=…` is
    fine). `token` is Jupyter's, `api_key` a key of one project (`ca_…`); without either the
    running servers of this user are looked up. `project` names the project that
    `client.project()` gives when called without a name.

    Raises `Unreachable` or `NotFound` when no CloutAgent answers there.
    """
    from .sync import Client

    return Client.connect(url, token=token, api_key=api_key, project=project)


async def aconnect(
    url: str | None = None,
    *,
    token: str | None = None,
    api_key: str | None = None,
    project: str | None = None,
) -> AsyncClient:
    """The same as `connect`, for code that awaits."""
    from .handles import AsyncClient

    return await AsyncClient.connect(url, token=token, api_key=api_key, project=project)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
