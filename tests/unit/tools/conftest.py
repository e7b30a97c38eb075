"""One execution's toolbox, on real processes and files in a temporary folder."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from cloutagent_ext.engine.ports import ToolContext, ToolError
from cloutagent_ext.engine.tools import bubblewrap
from cloutagent_ext.engine.tools.environment import child_environment
from cloutagent_ext.engine.tools.isolation import Isolation
from cloutagent_ext.engine.tools.toolbox import Toolbox
from cloutagent_ext.jupyter.kernels import LocalKernels
from tests.support.survivors import survivors

CANARIES = {
    "ANTHROPIC_API_KEY": "canary-anthropic",
    "ENCRYPTION_KEY": "canary-encryption",
    "JUPYTER_TOKEN": "canary-jupyter",
    "JPY_API_TOKEN": "canary-jpy",
    "JUPYTERHUB_API_TOKEN": "canary-hub",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
    "SSH_AUTH_SOCK": "/tmp/canary-ssh",
    "OTEL_EXPORTER_OTLP_HEADERS": "canary-otel",
    "HTTPS_PROXY": "http://user:canary-proxy@127.0.0.1:9",
    "BASH_FUNC_ls%%": "() { echo canary-function; }",
    "BASH_ENV": "/tmp/canary-bash-env",
    "PYTHONSTARTUP": "/tmp/canary-startup",
}


@dataclass
class Box:
    """A toolbox with the context of its main agent."""

    toolbox: Toolbox
    context: ToolContext
    warnings: list[tuple[str, str]] = field(default_factory=list)
    calls: int = 0

    @property
    def workspace(self) -> Path:
        return self.context.workspace

    async def run(self, name: str, /, agent: str = "main", **arguments: Any) -> list[Any]:
        """The parts of the result; raises ToolError as the tool does."""
        self.calls += 1
        context = replace(self.context, agent=agent, call_id=f"call_{self.calls}")
        return await self.toolbox.tools[name].run(arguments, context)

    async def text(self, name: str, /, agent: str = "main", **arguments: Any) -> str:
        """All text of the result."""
        return "".join(part.text for part in await self.run(name, agent, **arguments) if part.type == "text")

    async def error(self, name: str, /, agent: str = "main", **arguments: Any) -> str:
        """The error that the model gets."""
        with pytest.raises(ToolError) as caught:
            await self.run(name, agent, **arguments)
        return str(caught.value)


@pytest.fixture(scope="session")
def bubblewrap_works() -> str | None:
    """Why not, where it does not."""
    return bubblewrap.problem()


@pytest.fixture
def isolation() -> Isolation:
    """The sandbox of `box`; modules whose promises hold with and without one have both."""
    return Isolation()


def with_and_without_a_sandbox(request: pytest.FixtureRequest, bubblewrap_works: str | None) -> Isolation:
    """Body of a fixture `isolation` with the params `auto` and `off`."""
    if request.param == "auto" and bubblewrap_works is not None:
        pytest.skip(bubblewrap_works)
    return Isolation(mode=request.param)


@pytest.fixture
def make_box(tmp_path: Path, isolation: Isolation) -> Callable[..., Box]:
    def make(kernels: Any = None, isolation: Isolation = isolation, **changes: Any) -> Box:
        execution_id = str(uuid.uuid4())
        workspace, home = tmp_path / "workspace", tmp_path / "home"
        workspace.mkdir(exist_ok=True)
        home.mkdir(exist_ok=True)
        warnings: list[tuple[str, str]] = []

        async def warn(code: str, message: str) -> None:
            warnings.append((code, message))

        context = ToolContext(
            execution_id=execution_id,
            agent="main",
            call_id="call_0",
            span="main/1/call_0",
            workspace=workspace,
            env=child_environment(execution_id, {}, home=home),
            warn=warn,
        )
        toolbox = Toolbox(kernels=kernels or LocalKernels(), execution_id=execution_id, isolation=isolation)
        return Box(toolbox, replace(context, **changes), warnings)

    return make


@pytest.fixture
async def box(make_box: Callable[..., Box]) -> AsyncIterator[Box]:
    box = make_box()
    async with box.toolbox:
        yield box
    assert survivors(box.context.execution_id) == []


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A server whose environment holds what no child may see."""
    for name, value in CANARIES.items():
        monkeypatch.setitem(os.environ, name, value)
    return CANARIES


def living(name: str) -> list[int]:
    """Pids of living processes that have `name` in their command line: for those without a marker."""
    found = []
    for process in psutil.process_iter():
        try:
            if name in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found
