"""Runs hooks: commands below a supervisor of their own, addresses by a POST. The port's real thing.

Trust model of a command: it runs as the agent's own commands do (`tools.shell`), but in a sandbox
of its own, so that they see neither it nor its secrets; in the workspace, with an allow-list
environment and what the hook's `env` adds, and without the agent's own `env`. All that it has
started is gone when it has answered. Its script is the project's, not what the agent may have
made of it (`scripts`). Of an address see `http`.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ...schema.base import JsonObject
from ...schema.project import CommandAction, Hook, HttpAction
from ..ports import EndExecution, HookReply, ToolError
from ..text import clip
from ..tools.commands import Commands, Exchange, Ran
from ..tools.isolation import Isolation
from ..tools.mcp_process import Sandbox
from . import http
from .scripts import ScriptChanged, Scripts

KEPT_BYTES = 64 * 1024
"""Most that is kept of a hook's standard output, and of its standard error; more output is a failure."""
_REASON_BYTES = 1000


class Actions:
    """The hooks of one execution (`ports.HookActions`). `commands` is whoever ends the processes."""

    def __init__(
        self,
        *,
        commands: Commands,
        workspace: Path,
        home: Path | None = None,
        sandbox: Sandbox | None = None,
        scripts: Scripts | None = None,
        environments: Mapping[str, Mapping[str, str]] | None = None,
        headers: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`environments`: the whole environment of each hook by its id. `headers`: likewise, filled in."""
        self._commands = commands
        self._workspace = workspace
        self._home = home
        self._sandbox = sandbox or Sandbox(Isolation(mode="off"))
        self._scripts = scripts
        self._environments = environments or {}
        self._headers = headers or {}
        self._caller = http.Caller()

    async def run(self, hook: Hook, told: JsonObject) -> HookReply:
        """See `ports.HookActions.run`."""
        body = json.dumps(told, ensure_ascii=False)
        if isinstance(hook.action, HttpAction):
            headers = self._headers.get(hook.id, {})
            return await self._caller.post(hook.action.url, headers, body, timeout_s=hook.timeout_s)
        try:
            return await self._command(hook, hook.action, body)
        except (ToolError, EndExecution, ScriptChanged) as error:
            return HookReply(failed=str(error))

    async def _command(self, hook: Hook, action: CommandAction, body: str) -> HookReply:
        argv, around = action.command, self._sandbox
        if self._scripts is not None:
            argv = await asyncio.to_thread(self._scripts.argv, argv)
        wrapped = await around.isolation.around(
            argv,
            workspace=self._workspace,
            home=self._home,
            folders=around.folders,
            network=around.network,
            own_readable=[self._scripts.root] if self._scripts is not None else (),
        )
        if not wrapped.isolated:
            await around.bare()
        ran = await self._commands.run(
            wrapped.argv,
            cwd=str(self._workspace),
            fallback=str(self._workspace),
            env=self._environments.get(hook.id, {}),
            timeout_s=hook.timeout_s,
            exchange=Exchange(body, KEPT_BYTES),
            disk=self._workspace,
        )
        text, errors = (part.decode("utf-8", "replace") for part in (ran.head, ran.errors))
        if ran.why == "async":
            return HookReply(text, errors, background=True)
        if ran.why == "exit" and ran.exit_code == 2:
            return HookReply(text, errors + _more(ran.errors_total), blocks=True)
        return HookReply(text, errors, failed=_failure(ran, hook, errors))

    async def __aenter__(self) -> Actions:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._caller.close()


def _failure(ran: Ran, hook: Hook, errors: str) -> str:
    """Why `ran` gave no answer; empty where it did."""
    if ran.why == "timeout":
        return f"it was stopped after {hook.timeout_s} s, with everything it had started"
    if ran.why == "output":
        return f"it was stopped after {ran.total + ran.errors_total:,} bytes of output"
    if ran.why == "processes":
        return "it was stopped: it had started too many processes"
    if ran.why in ("memory", "disk"):
        return f"it was stopped: it used too much {ran.why}"
    if ran.why == "killed":
        return "its supervisor was told to end"
    said = clip(errors.strip(), limit=_REASON_BYTES) + _more(ran.errors_total)
    if ran.exit_code is None or ran.exit_code < 0:
        return f"it was ended by {_signal(-(ran.exit_code or 0))}" + (f": {said}" if said else "")
    if ran.exit_code:
        return f"exit code {ran.exit_code}" + (f": {said}" if said else "")
    if ran.total > len(ran.head):
        return f"it wrote {ran.total:,} bytes of output, and {KEPT_BYTES:,} are the most that is read"
    return ""


def _more(total: int) -> str:
    return f" [{total:,} bytes of errors, the first {KEPT_BYTES:,} kept]" if total > KEPT_BYTES else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
