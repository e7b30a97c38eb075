"""The two faces say the same: what can be awaited can be had without `await`, under the same name."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading

import pytest

from cloutagent_ext.client import AsyncClient, AsyncProject, AsyncRun, Client, Project, Run
from cloutagent_ext.client.kernel_tools import CallFailed, Toolset
from cloutagent_ext.client.loop import LoopThread

PAIRS = [(AsyncClient, Client), (AsyncProject, Project), (AsyncRun, Run)]


def public(kind: type) -> dict[str, object]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


def parameters(function: object) -> list[tuple[str, object, object]]:
    found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(each.name, each.kind, each.default) for each in found]


@pytest.mark.parametrize(("awaited", "plain"), PAIRS)
def test_every_method_of_the_async_face_is_in_the_plain_one_with_the_same_parameters(
    awaited: type, plain: type
) -> None:
    compared = 0
    for name, value in public(awaited).items():
        assert name in vars(plain), f"{plain.__name__} has no {name}"
        twin = vars(plain)[name]
        if name == "connect" or not inspect.isfunction(value) or isinstance(twin, property):
            continue  # `connect` takes the same options by name; a state without parameters reads well bare
        assert parameters(value) == parameters(twin), f"{plain.__name__}.{name}"
        if name != "tool":  # each says where new tools are made, in its own face
            assert inspect.getdoc(value) == inspect.getdoc(twin), f"{plain.__name__}.{name}"
        compared += 1
    assert compared >= 4


def test_help_on_a_plain_method_names_the_handle_that_it_gives() -> None:
    for method, given in (
        (Project.run, "Run"), (Project.experiment, "Experiment"), (Project.executions, "list[Run]"),
        (Client.project, "Project"), (Run.fork, "Run"), (Project.definition, "Project"),
    ):  # fmt: skip
        assert inspect.signature(method).return_annotation == given
    assert (Project.run.__name__, Project.run.__doc__) == ("run", AsyncProject.run.__doc__)


def test_everything_of_a_project_that_has_a_route_has_a_method() -> None:
    """Archives, backups, versions, secrets, keys, files, trust, publishing, drafts: what issue 3 promises."""
    project = {
        *("definition", "save", "validate", "delete", "duplicate", "export", "trust"),
        *("files", "read_file", "write_file", "delete_file", "keys", "create_key", "revoke_key"),
        *("secrets", "set_secret", "delete_secret", "versions", "version", "make_version"),
        *("restore", "publish", "unpublish", "diff"),
    }
    client = {"projects", "project", "create_project", "import_project", "templates"}
    client |= {"backups", "make_backup", "download_backup", "restore"}
    assert project <= public(Project).keys()
    assert client <= public(Client).keys()
    assert "draft" in inspect.signature(Project.save).parameters


def test_a_client_that_is_collected_in_its_own_thread_ends_and_waits_for_nobody() -> None:
    loop, closed = LoopThread(), threading.Event()

    class Closes:
        async def close(self) -> None:
            closed.set()

    holder: list[Client] = [Client(loop, Closes())]  # type: ignore[arg-type]

    async def drop() -> None:
        holder.clear()  # as a garbage collection does that happens to run in this thread

    asyncio.run_coroutine_threadsafe(drop(), loop._loop).result(20)
    assert closed.wait(20)
    loop._thread.join(20)
    assert not loop._thread.is_alive()


async def test_a_function_that_exits_fails_its_call_and_nothing_else() -> None:
    toolset = Toolset()

    @toolset.tool
    def leaves() -> None:
        """Exits, as command lines do."""
        sys.exit(3)

    with pytest.raises(CallFailed, match="SystemExit: 3"):
        await toolset.call("leaves", {})
