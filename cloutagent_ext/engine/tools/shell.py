"""`bash`: one command in the execution's workspace.

Trust model. Confined: the environment (an allow-list, `environment`), time, output,
size of a file and of the workspace, memory, number of processes; every process it starts
ends with the execution at the latest (`supervisor`). Where bubblewrap works, all commands
of an execution share one sandbox (`room`): the machine's programs read-only, the
workspace and the named folders, the network only where the project has it. Where it does
not, a command runs as the server's own user, can read and write whatever that user can,
see that user's processes and use the network; the execution carries NOT_ISOLATED.
"""

from __future__ import annotations

import asyncio
import signal

from ...schema.approvals import Preview
from ...schema.base import JsonObject
from ...schema.events import OutputPart, TextPart
from .. import previews
from ..ports import ToolContext, ToolError
from . import artifacts
from .base import BuiltinTool
from .commands import Ran
from .text import INLINE_BYTES, clean, head_and_tail

DEFAULT_TIMEOUT_S = 120
MAX_TIMEOUT_S = 600
_REPORT_FD = 199
"""Descriptor on which the shell says where it ended up; high, so that no script uses it by chance."""
_BASH = ("bash", "--noprofile", "--norc")
_WRAPPER = f'trap "pwd -P >&{_REPORT_FD}" EXIT; eval "shift; $1"'


class Bash(BuiltinTool):
    name = "bash"
    description = (
        "Run a command with bash in this execution's workspace. Output and errors come back together, as "
        "they came; the exit code is told when it is not 0. The working directory carries over to your "
        "next call, shell variables do not. There is no terminal and no input. A longer output is cut in the "
        "middle and kept whole in a file of the workspace. Processes left in the background "
        "(`server &`) go on until the execution ends; redirect their output to a file if you want to read it."
    )
    touches = "Anything the server's user may touch, from the execution's workspace."
    input_schema = {
        "type": "object",
        "properties": {
            "command": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100_000,
                "description": "What bash runs.",
            },
            "timeout_s": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_TIMEOUT_S,
                "default": DEFAULT_TIMEOUT_S,
                "description": "Seconds after which the command and all it started are stopped.",
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    }
    default_permission = "ask"

    async def preview(self, arguments: JsonObject, context: ToolContext) -> Preview:
        """The command, and the directory that it would run in."""
        directory = self.resources.shown_directories.setdefault(context.span, self._directory(context))
        workspace = str(context.workspace)
        inside = "workspace" + directory.removeprefix(workspace)
        return previews.command(
            _checked(arguments["command"]), directory=inside if directory.startswith(workspace) else directory
        )

    def _directory(self, context: ToolContext) -> str:
        return self.resources.directories.get(context.agent, str(context.workspace))

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """Text of the command's output. A code other than 0, or a forced stop: `ToolError` with that text."""
        command, resources = _checked(arguments["command"]), self.resources
        await previews.hold(self, context)
        # Another command of the same turn may have gone elsewhere while a person looked at this one.
        directory = resources.shown_directories.pop(context.span, None) or self._directory(context)
        timeout_s = arguments.get("timeout_s", DEFAULT_TIMEOUT_S)
        room = await resources.room(context)
        workspace = str(context.workspace)
        ran = await resources.commands.run(
            [*_BASH, "-c", _WRAPPER, "bash", command],
            cwd=directory,
            fallback=workspace,
            env=context.env,
            timeout_s=timeout_s,
            report_fd=_REPORT_FD,
            room=room,
            disk=context.workspace.parent if room else context.workspace,
            alive=context.alive,
        )
        if ran.report:
            resources.directories[context.agent] = context.keep["directory"] = ran.report
        text, path = await asyncio.to_thread(_shown, ran, context)
        notes = _notes(ran, timeout_s, silent=not text)
        if notes:
            text = "\n".join([*([text.rstrip("\n")] if text else []), *notes])
        part = TextPart(text=text, path=path)
        if ran.why != "exit" or ran.exit_code != 0:
            raise ToolError(text, parts=[part])
        return [part]


def _checked(command: str) -> str:
    if "\0" in command:
        raise ToolError("The command has a NUL character in it.")
    try:
        command.encode()
    except UnicodeEncodeError:
        raise ToolError("The command is not valid Unicode.") from None
    return command


def _shown(ran: Ran, context: ToolContext) -> tuple[str, str | None]:
    """Output for the model, and the artifact that has all of it where it was too long. Blocks."""
    text = context.mask(clean(ran.head))
    if ran.total <= INLINE_BYTES:
        return text, None
    path = artifacts.keep(context, ".txt", text.encode("utf-8", "replace"))
    lost = ran.total - len(ran.head)
    whole = f"whole output: {path}" if path else "the whole could not be kept"
    if lost:
        whole = f"{ran.total:,} bytes in all, the first {len(ran.head):,}: {path}"
    tail = clean(ran.tail) if lost else ""
    return head_and_tail(context.mask(text + tail), whole=whole, missing=max(lost - len(ran.tail), 0)), path


def _notes(ran: Ran, timeout_s: int, *, silent: bool) -> list[str]:
    notes = []
    if ran.why == "timeout":
        notes.append(
            f"[stopped after {timeout_s} s, with everything it had started; `timeout_s` allows more]"
        )
    elif ran.why == "output":
        notes.append(f"[stopped after {ran.total:,} bytes of output; redirect it to a file or filter it]")
    elif ran.why == "processes":
        notes.append("[stopped: it had started too many processes]")
    elif ran.why == "memory":
        notes.append("[stopped: it used more memory than commands may have here]")
    elif ran.why == "disk":
        notes.append("[stopped: the workspace holds more than it may; delete what is not needed]")
    elif ran.why == "killed":
        notes.append("[stopped: its supervisor was told to end]")
    elif ran.exit_code is not None and ran.exit_code < 0:
        notes.append(f"[ended by {_signal_name(-ran.exit_code)}]")
    elif ran.exit_code or silent:
        notes.append(f"[exit code {ran.exit_code}]" if ran.exit_code else "[no output, exit code 0]")
    if ran.left:
        rows = ", ".join(f"{pid} ({_program(line)})" for pid, line in ran.left[:5])
        more = f" and {len(ran.left) - 5} more" if len(ran.left) > 5 else ""
        notes.append(f"[still running in the background: {rows}{more}]")
    return notes


def _program(line: str) -> str:
    """What runs there: a part of the script itself (a subshell) carries our wrapper as its command line."""
    return "bash" if line.startswith(" ".join(_BASH)) else clean(line)[:80]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
