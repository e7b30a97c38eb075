"""One measured process: a way to talk to the scripted Messages API, and its CPU time.

Run as `python -m tests.benchmarks.runner KIND URL CONVERSATIONS PARALLEL`; prints one line
of JSON: CPU and wall seconds of the conversations after a first one that warms everything up.

Kinds: `asyncio` (hand-written client, no SDK) · `sdk` (the SDK's own streaming loop) ·
`pydantic-ai` and `langchain` (`frameworks`) · `product` (accept, engine, journal, budgets, log, and one
reader of each event stream) · `analyst` (the same with the prompt and the tools of a starter project).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cloutagent_ext

from .frameworks import by_langchain, by_pydantic_ai

MODEL = "claude-opus-5-5"
_numbers = itertools.count(1)


def prompt() -> str:
    """No two conversations begin alike: what one was answered would not fit the other's calls."""
    return f"Go on until you are done. This is conversation {next(_numbers)}."


TOOLS = [
    {
        "name": "view",
        "description": "Show a file.",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    }
]
Converse = Callable[[], Awaitable[None]]


def look(folder: Path, arguments: dict[str, Any]) -> str:
    """The tool of the two baselines: what `view` gives, without its confinement."""
    return (folder / arguments["path"]).read_text()


async def by_asyncio(url: str, folder: Path) -> Converse:
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: list[Any]) -> Any:
        body = json.dumps(
            {"model": MODEL, "max_tokens": 1024, "stream": True, "tools": TOOLS, "messages": messages}
        )
        data = body.encode()
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-key\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        blocks: list[Any] = []
        pieces: list[str] = []
        stop = None
        while size := int(await reader.readline(), 16):
            for line in (await reader.readexactly(size)).splitlines():
                if not line.startswith(b"data: "):
                    continue
                event = json.loads(line[6:])
                kind = event["type"]
                if kind == "content_block_start":
                    blocks.append(event["content_block"])
                    pieces = []
                elif kind == "content_block_delta":
                    delta = event["delta"]
                    pieces.append(delta.get("text") or delta.get("partial_json") or "")
                elif kind == "content_block_stop":
                    joined = "".join(pieces)
                    if blocks[-1]["type"] == "text":
                        blocks[-1]["text"] = joined
                    else:
                        blocks[-1]["input"] = json.loads(joined or "{}")
                elif kind == "message_delta":
                    stop = event["delta"]["stop_reason"]
            await reader.readline()
        await reader.readline()
        return blocks, stop

    async def converse() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        messages: list[Any] = [{"role": "user", "content": prompt()}]
        while True:
            blocks, stop = await ask(reader, writer, messages)
            messages.append({"role": "assistant", "content": blocks})
            if stop != "tool_use":
                break
            messages.append({"role": "user", "content": _results(folder, blocks)})
        writer.close()
        await writer.wait_closed()

    return converse


async def by_sdk(url: str, folder: Path) -> Converse:
    import anthropic

    client = anthropic.AsyncAnthropic(api_key="test-key", base_url=url, max_retries=0)

    async def converse() -> None:
        messages: list[Any] = [{"role": "user", "content": prompt()}]
        while True:
            request: Any = {"model": MODEL, "max_tokens": 1024, "tools": TOOLS, "messages": messages}
            async with client.messages.stream(**request) as stream:
                async for _ in stream:
                    pass
                message = await stream.get_final_message()
            blocks = [block.to_dict() for block in message.content]
            messages.append({"role": "assistant", "content": blocks})
            if message.stop_reason != "tool_use":
                return
            messages.append({"role": "user", "content": _results(folder, blocks)})

    return converse


def _results(folder: Path, blocks: list[Any]) -> list[Any]:
    return [
        {"type": "tool_result", "tool_use_id": block["id"], "content": look(folder, block["input"])}
        for block in blocks
        if block["type"] == "tool_use"
    ]


STARTER = Path(cloutagent_ext.__file__).parent / "templates/sales-analyst/template.json"


async def by_product(url: str, folder: Path, *, starter: bool = False) -> Converse:
    from cloutagent_ext.auth.principal import Principal
    from cloutagent_ext.jupyter.kernels import LocalKernels
    from cloutagent_ext.schema.execution import ExecuteRequest
    from cloutagent_ext.schema.project import Definition
    from cloutagent_ext.services import build
    from cloutagent_ext.settings import Settings

    settings = Settings.from_environment(
        {}, data_dir=folder / "data", api_key="test-key", base_url=url, max_concurrent=1000, max_running=1000
    )
    services = build(settings, kernels=LocalKernels())
    await services.start()
    agent = json.loads(STARTER.read_text())["agent"]
    more = {name: agent[name] for name in ("system_prompt", "tools")} if starter else {}
    definition = Definition.model_validate(
        {
            "name": "bench",
            "agent": {"model": MODEL, "tools": ["view"], "max_tokens": 1024, **more},
            "limits": {"max_cost_usd": 1000, "max_tokens": 100_000_000, "max_turns": 1000},
            "queue": {"max_concurrent": 100},
        }
    )
    stored = await services.store.create(definition, files={"note.txt": b"a line of text\n" * 4})
    project = str(stored.project.id)
    caller = Principal(kind="user", name="bench")

    async def converse() -> None:
        accepted = await services.executions.accept(
            project, ExecuteRequest(prompt=prompt()), principal=caller, origin="api"
        )
        log = await services.executions.log(accepted.execution_id)
        last = b""
        async for line in log.cursor(1):
            last = b"id: 1\ndata: " + line + b"\n\n"
        assert b'"complete"' in last, last

    return converse


KINDS: dict[str, Callable[[str, Path], Awaitable[Converse]]] = {
    "asyncio": by_asyncio,
    "sdk": by_sdk,
    "pydantic-ai": partial(by_pydantic_ai, model=MODEL, prompt=prompt),
    "langchain": partial(by_langchain, model=MODEL, prompt=prompt),
    "product": by_product,
    "analyst": partial(by_product, starter=True),
}


async def main() -> None:
    kind, url, conversations, parallel = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "note.txt").write_text("a line of text\n" * 4)
        converse = await KINDS[kind](url, folder)
        await converse()
        left = conversations

        async def some() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await converse()

        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(some() for _ in range(parallel)))
        measured = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(measured), flush=True)
        import os

        os._exit(0)  # what is left to tear down is not what is measured


asyncio.run(main())
