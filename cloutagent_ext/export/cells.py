"""One tool call as a notebook cell: source that does the same again, and the outputs it had.

Python calls are Python cells, commands are `%%bash` cells, file tools call a few functions that the
notebook brings along (`file_tools`). What cannot be done again without the product (MCP servers,
the web, notebooks) is a cell of comments with what came back. Not here: the whole (`notebook`).
"""

from __future__ import annotations

import base64
import json
import keyword
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..schema.base import JsonObject
from .source import literal

FILE_TOOLS = ("view", "file_create", "str_replace", "glob", "grep")
"""Tools that the notebook can do by itself; its functions have a `_` before their names."""
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp")

ReadFile = Callable[[str], bytes | None]
"""Bytes of a workspace file, None where it is not there any more."""


def code(source: str, outputs: list[JsonObject], *, tags: Sequence[str] = (), **metadata: Any) -> JsonObject:
    """A code cell."""
    about: JsonObject = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": about | ({"cloutagent": metadata} if metadata else {}),
        "outputs": outputs,
        "source": source,
    }


def markdown(source: str) -> JsonObject:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def of_call(call: Mapping[str, Any], result: Mapping[str, Any] | None, read: ReadFile) -> JsonObject:
    """The cell of one call; `result` is None where the run ended before it came."""
    failed = result is not None and bool(result["is_error"])
    source, tags = _source(call["tool"], call["input"], failed=failed)
    outputs = [] if result is None else outputs_of(result, read)
    return code(source, outputs, tags=tags, tool=call["tool"], call_id=call["call_id"])


def _source(tool: str, arguments: Mapping[str, Any], *, failed: bool) -> tuple[str, list[str]]:
    """Source and tags. A call that failed may raise again: running all cells goes on behind it."""
    tags = ["raises-exception"] if failed else []
    if tool == "python" and isinstance(arguments.get("code"), str):
        return arguments["code"], tags
    if tool == "bash" and isinstance(arguments.get("command"), str):
        return f"%%bash\n{arguments['command']}", tags
    if tool == "view" and str(arguments.get("path", "")).lower().endswith(_PICTURES):
        imports = "from IPython.display import Image as _Image, display as _display"
        return f"{imports}\n\n_display(_Image(filename={literal(arguments['path'])}))", tags
    # Names too come from a model: what is none in Python would be code of its own.
    named = all(name.isidentifier() and not keyword.iskeyword(name) for name in arguments)
    if tool in FILE_TOOLS and named:
        given = ", ".join(f"{name}={literal(value)}" for name, value in arguments.items())
        return f"print(_{tool}({given}))", tags
    told = json.dumps(dict(arguments), indent=1, ensure_ascii=False)
    lines = f"{tool}: only CloutAgent can call this again; below is what came back.\n{told}".splitlines()
    return "\n".join(f"# {line}" for line in lines), []


def outputs_of(result: Mapping[str, Any], read: ReadFile) -> list[JsonObject]:
    """What a call gave back, as Jupyter shows it."""
    outputs: list[JsonObject] = []
    parts = list(result["output"])
    for index, part in enumerate(parts):
        kind = part["type"]
        if kind == "text":
            text = part["text"]
            # Behind a rich display stands its plain text, which the model got: people see the display.
            if index > 0 and parts[index - 1]["type"] == "display":
                text = text.removeprefix(_plain(parts[index - 1])).removeprefix("\n")
            if text.strip():
                name = "stderr" if result["is_error"] else "stdout"
                outputs.append({"output_type": "stream", "name": name, "text": text})
        elif kind == "display":
            outputs.append({"output_type": "display_data", "data": dict(part["data"]), "metadata": {}})
        elif kind == "image":
            outputs.append(_picture(part, read))
        elif kind == "file":
            said = f"file {part['path']} ({part['size']:,} bytes)"
            outputs.append({"output_type": "display_data", "data": {"text/plain": said}, "metadata": {}})
    return outputs


def _plain(part: Mapping[str, Any]) -> str:
    value = part["data"].get("text/plain", "")
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _picture(part: Mapping[str, Any], read: ReadFile) -> JsonObject:
    data: JsonObject = {"text/plain": part.get("alt") or f"picture {part['path']}"}
    if (found := read(part["path"])) is not None:
        data[part["media_type"]] = base64.b64encode(found).decode()
    return {"output_type": "display_data", "data": data, "metadata": {}}
