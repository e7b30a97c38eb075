"""`python`: code in a Jupyter kernel that belongs to this execution.

Trust model. Confined, where there is a sandbox, as commands are (`isolation`), and always: the
environment (an allow-list, `environment`), time and output; the kernel and the processes it
starts end with the execution. A notebook's own kernel, where the project says so, is the user's
and stays as it is. Not confined without a sandbox, and in a notebook's kernel: code runs as the
server's own user, so it can read and write whatever that user can and use the network; the
execution carries the warning NOT_ISOLATED. What it shows is data: pictures become files, rich
output is shown to people by the page, sanitised there.
"""

from __future__ import annotations

import asyncio

from ...schema.approvals import Preview
from ...schema.base import JsonObject
from ...schema.events import OutputPart, TextPart
from .. import previews
from ..ports import ToolContext, ToolError
from .base import BuiltinTool
from .display import Collector, TooMuchOutput
from .text import INLINE_BYTES, clean

DEFAULT_TIMEOUT_S = 120
MAX_TIMEOUT_S = 600
_LOST = (
    "[the server was restarted: state lost; this is a fresh kernel without the variables of earlier calls]"
)


class Python(BuiltinTool):
    name = "python"
    description = (
        "Run Python code in a Jupyter kernel in this execution's workspace. Variables and imports stay for "
        "the next call, and the other agents of this execution share them. What the code prints, the value "
        "of its last line, tables and plots come back; plots you see as pictures. There is no input()."
    )
    touches = "Anything the server's user may touch, from the execution's workspace."
    input_schema = {
        "type": "object",
        "properties": {
            "code": {
                "type": "string",
                "minLength": 1,
                "maxLength": 500_000,
                "description": "What the kernel runs.",
            },
            "timeout_s": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_TIMEOUT_S,
                "default": DEFAULT_TIMEOUT_S,
                "description": "Seconds after which the code is interrupted; variables are kept.",
            },
        },
        "required": ["code"],
        "additionalProperties": False,
    }
    default_permission = "ask"

    def lock(self, arguments: JsonObject) -> str | None:
        """One call at a time: there is one kernel."""
        return "kernel"

    async def preview(self, arguments: JsonObject, context: ToolContext) -> Preview:
        """The cell."""
        return previews.code(arguments["code"])

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """What the code showed. An exception, a time-out, a dead kernel: `ToolError` with the parts."""
        try:
            code = arguments["code"].encode().decode()
        except UnicodeEncodeError:
            raise ToolError("The code is not valid Unicode.") from None
        timeout_s = arguments.get("timeout_s", DEFAULT_TIMEOUT_S)
        resources, shown = self.resources, Collector()
        lost, resources.kernel.lost = resources.kernel.lost, False
        if lost:
            await context.warn("KERNEL_LOST", _LOST.strip("[]").capitalize() + ".")
        confine = await resources.around_kernel(context)
        problem = None

        def output(message: JsonObject) -> None:
            context.alive()
            shown.take(message)

        try:
            outcome = await resources.kernel.execute(
                code, context, timeout_s=timeout_s, on_output=output, confine=confine
            )
        except TooMuchOutput as error:
            outcome = "error"
            problem = f"[interrupted after {error}; variables are kept]"
        if outcome == "timeout":
            problem = f"[interrupted after {timeout_s} s; variables are kept; `timeout_s` allows more]"
        elif outcome == "dead":
            problem = (
                "[the notebook's kernel died, was restarted, or does not stop when interrupted: state lost, "
                "do not count on its variables; it was left as it is]"
                if resources.kernel.attached
                else "[the kernel died: state lost, all variables are gone; the next call starts a fresh one]"
            )
            await context.warn(
                "KERNEL_LOST", "The Python kernel died; the variables of this execution are lost."
            )
        elif outcome == "error" and problem is None and shown.error is None:
            problem = "[the kernel reports an error without saying which]"
        parts = await asyncio.to_thread(shown.parts, context)
        if lost:
            parts.insert(0, TextPart(text=_LOST))
        if problem:
            parts.append(TextPart(text=problem))
        if outcome != "ok":
            raise ToolError(_text(parts) or clean(shown.error or "")[:INLINE_BYTES], parts=parts)
        return parts or [TextPart(text="[ran, and showed nothing]")]


def _text(parts: list[OutputPart]) -> str:
    return "\n".join(part.text.rstrip("\n") for part in parts if isinstance(part, TextPart))
