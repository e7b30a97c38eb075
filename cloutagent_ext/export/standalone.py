"""The program that a project becomes: an agent loop on the `anthropic` SDK, with its tools.

Never imported by the product: `script` copies this source into what it writes, with the project in
place of `PROJECT`, the rooms beside it (`standalone_*`, `file_tools`) in place of their imports, and
without what is between marks that the project does not need. So the result is plain: one file, the
standard library, the SDK, and `mcp` where the project has MCP servers.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import anthropic

from .file_tools import file_create, glob, grep, str_replace, view
from .standalone_children import Python, Shell
from .standalone_limits import Budget, Stop, say
from .standalone_permissions import permission
from .standalone_servers import Servers

PROJECT: dict[str, Any] = {}

Tool = Callable[[dict[str, Any]], str]
OPTIONS = ("help", "prompt", "workspace", "yes")  # the program's own: variables of these names are `--var-…`
MAX_OUTPUT = 32 * 1024  # characters of a tool's result that the model sees

# === the rooms ===


def fill(text: str, values: dict[str, str]) -> str:
    """`text` with each {{name}} replaced."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: values.get(match[1], match[0]), text)


def file_tools() -> dict[str, Tool]:
    """The tools that work on files below the working folder."""
    each: dict[str, Callable[..., str]] = {
        "view": view, "file_create": file_create, "str_replace": str_replace, "glob": glob, "grep": grep,
    }  # fmt: skip
    return {name: partial(with_names, tool) for name, tool in each.items()}


def with_names(tool: Callable[..., str], arguments: dict[str, Any]) -> str:
    return tool(**arguments)


def allowed(rules: dict[str, str], tool: str, arguments: dict[str, Any], yes: bool) -> str | None:
    """None where the call may run, else what the model is told."""
    verdict = permission(rules, tool, arguments)
    if verdict == "deny":
        return "This call is not allowed here. Do without it."
    if verdict == "allow" or yes:
        return None
    if not sys.stdin.isatty():
        return "This call needs a person's word, and nobody can be asked here. Do without it."
    answer = input(f"Allow {tool} {json.dumps(arguments)[:2000]}? [y/N] ")
    return None if answer.strip().lower() in ("y", "yes") else "This call was refused. Do without it."


# ---------------------------------------------------------------- agents


class Program:
    """One run of the project."""

    def __init__(self, values: dict[str, str], limits: dict[str, Any], yes: bool) -> None:
        self.client = anthropic.Anthropic()
        self.values, self.yes, self.budget = values, yes, Budget(limits, PROJECT["prices"])
        self.shell, self.python = Shell(), Python()
        self.own: dict[str, Tool] = {"bash": self.shell.run, "python": self.python.run, **file_tools()}
        # >>> mcp
        self.servers = Servers(PROJECT["mcps"])
        # <<< mcp

    def close(self) -> None:
        self.python.close()
        # >>> mcp
        self.servers.close()
        # <<< mcp

    def tools_of(self, agent: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Tool]]:
        """What an agent may call: descriptions for the model, and functions."""
        told = [tool for tool in PROJECT["tools"] if tool["name"] in agent["tools"]]
        functions = {tool["name"]: self.own[tool["name"]] for tool in told}
        for child in agent["subagents"]:
            below = PROJECT["agents"][child]
            told.append({"name": f"agent__{child}", **below["as_tool"]})
            functions[f"agent__{child}"] = partial(self.delegate, below)
        # >>> mcp
        for server in agent["mcps"]:
            for tool in self.servers.tools[server]:
                told.append(tool)
                functions[tool["name"]] = partial(self.servers.call, server, tool["name"])
        # <<< mcp
        return sorted(told, key=lambda tool: tool["name"]), functions

    def delegate(self, agent: dict[str, Any], arguments: dict[str, Any]) -> str:
        return self.run(agent, arguments["prompt"])

    def run(self, agent: dict[str, Any], prompt: str) -> str:
        """One agent from its prompt to its answer."""
        told, functions = self.tools_of(agent)
        cache = {"type": "ephemeral"}
        request: dict[str, Any] = {"model": agent["model"], "cache_control": cache, **agent["settings"]}
        if (system := fill(agent["system"], self.values)).strip():
            request["system"] = [{"type": "text", "text": system, "cache_control": cache}]
        if told:
            request["tools"] = told
        messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
        for _ in range(agent["max_turns"]):
            with self.client.messages.stream(
                **request, max_tokens=agent["max_tokens"], messages=messages
            ) as stream:
                for event in stream:
                    if event.type == "content_block_stop" and event.content_block.type == "text":
                        say(f"{agent['name']}: {event.content_block.text}")
                reply = stream.get_final_message()
            self.budget.book(agent["model"], reply.usage)
            content: list[Any] = [block.to_dict() for block in reply.content]
            messages.append({"role": "assistant", "content": content})
            uses = [block for block in content if block["type"] == "tool_use"]
            if reply.stop_reason == "tool_use" and uses:
                with ThreadPoolExecutor(max_workers=8) as pool:
                    results = list(pool.map(lambda use: self.call(agent, functions, use), uses))
                messages.append({"role": "user", "content": results})
            elif reply.stop_reason in ("end_turn", "stop_sequence"):
                return "".join(block["text"] for block in content if block["type"] == "text")
            elif reply.stop_reason != "pause_turn":
                raise Stop(f"The model stopped: {reply.stop_reason}.")
        raise Stop(f"TURN_LIMIT_EXCEEDED: {agent['name']} was not done after {agent['max_turns']} turns.")

    def call(self, agent: dict[str, Any], functions: dict[str, Tool], use: Any) -> dict[str, Any]:
        """One tool call; what goes wrong with it is a result that the model reads."""
        name, arguments = use["name"], use["input"]
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": use["id"]}
        say(f"{agent['name']}: → {name} {json.dumps(arguments, ensure_ascii=False)[:200]}")
        try:
            if name not in functions:
                raise ValueError(f"There is no tool called {name}.")
            if (refused := allowed(agent["permissions"], name, arguments, self.yes)) is not None:
                raise ValueError(refused)
            text = functions[name](arguments)
        except Stop:
            raise
        except Exception as error:
            text, result["is_error"] = str(error) or type(error).__name__, True
        text = text.encode("utf-8", "replace").decode()
        if len(text) > MAX_OUTPUT:
            left_out = len(text) - MAX_OUTPUT
            text = (
                f"{text[: MAX_OUTPUT // 2]}\n[… {left_out:,} characters left out]\n{text[-MAX_OUTPUT // 2 :]}"
            )
        result["content"] = [{"type": "text", "text": text if text.strip() else "(no output)"}]
        return result


def main() -> int:
    parser = argparse.ArgumentParser(description=PROJECT["description"] or PROJECT["name"])
    parser.add_argument("--prompt", help="what to do, in place of the task")
    for name, variable in PROJECT["variables"].items():
        needed = variable["default"] is None and variable["required"]
        told = (variable["description"] or "value of {{" + name + "}}").replace("%", "%%")
        option = f"--{name}" if name not in OPTIONS else f"--var-{name}"
        parser.add_argument(option, dest=f"v_{name}", default=variable["default"], required=needed, help=told)
    parser.add_argument(
        "--workspace", type=Path, default=Path(), help="folder to work in; holds the project's files"
    )
    parser.add_argument("--yes", action="store_true", help="allow what would ask a person")
    parser.add_argument("--max-cost", type=float, help="lower the money limit, in US dollars")
    if PROJECT["hooks"]:
        parser.add_argument("--without-hooks", action="store_true", help="run although its hooks are not run")
    arguments = parser.parse_args()
    if PROJECT["hooks"] and not arguments.without_hooks:
        say(f"The project has hooks that this program does not run: {', '.join(PROJECT['hooks'])}.")
        say("They may guard what its tools do. Add --without-hooks to run it all the same.")
        return 2
    prompt = arguments.prompt if arguments.prompt is not None else PROJECT["task"]
    if not prompt.strip():
        parser.error("there is nothing to do: give --prompt")
    os.chdir(arguments.workspace)
    values = {name: getattr(arguments, f"v_{name}") or "" for name in PROJECT["variables"]}
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    values |= {"timestamp": moment, "project_name": PROJECT["name"], "execution_id": f"script-{os.getpid()}"}
    limits = dict(PROJECT["limits"])
    if arguments.max_cost is not None:
        limits["max_cost_usd"] = min(arguments.max_cost, limits["max_cost_usd"] or arguments.max_cost)
    program = None
    try:
        program = Program(values, limits, arguments.yes)
        print(program.run(PROJECT["agents"]["main"], fill(prompt, values)))
    except Stop as stop:
        say(str(stop))
        return 1
    except anthropic.AnthropicError as error:
        say(f"MODEL_ERROR: {error}")
        return 1
    finally:
        if program is not None:
            program.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
