"""Definition ↔ files: which field stands in which file of a project's folder. Pure, no disk.

Reading: unknown fields are passed over, missing ones take their defaults, so that a person may
write a minimal file by hand. Writing: a file whose meaning did not change keeps its bytes; in one
that did, fields that are not ours survive.

The lists of a definition have an order, files in a folder have none: `order` in
`agent.config.json` keeps it, and what it does not name (files added by hand) follows by id.
`mcps/mcp-config.json` has the shape that other programs use, `{"mcpServers": {id: {"type", …}}}`.

Not here: the disk (`store.tree`, `store.commit`), versions and digests (`store.versions`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from ..schema.base import JsonObject, Model, Name, Timestamp
from ..schema.canvas import Ui
from ..schema.project import (
    Agent,
    Definition,
    Hook,
    Limits,
    McpServer,
    Queue,
    Subagent,
    Variable,
    VariableName,
)
from . import migrations
from .jsonfiles import canonical, dump, invalid, keep_unknown, load_object, load_text, unreadable
from .tree import AGENT, FLOW, MAIN_PROMPT, MCPS, METADATA, SUBAGENT_PROMPTS, VIEW, Tree

SCHEMA_VERSION = migrations.current()
"""Format of the folder that this code writes; a higher one on disk is never touched."""

GITIGNORE = b".secrets/\nkeys.json\nexecutions/\n.ui/ui-config.json\n.staging/\n"

BOOKKEEPING = frozenset(
    {"schema_version", "created_at", "updated_at", "version", "published_version", "content", "trust"}
)
"""Fields of `metadata.json` that say something about the folder, not about the agent."""

_SLUG = re.compile(r"[a-z0-9-]{1,64}")
_BEFORE_TIME = "1970-01-01T00:00:00.000Z"
AnyModel = TypeVar("AnyModel", bound=BaseModel)


class Metadata(Model):
    """`metadata.json`."""

    schema_version: int = Field(SCHEMA_VERSION, ge=1)
    name: Name
    description: str = Field("", max_length=10_000)
    created_at: Timestamp = _BEFORE_TIME
    updated_at: Timestamp = _BEFORE_TIME
    version: int = Field(1, ge=1)
    """Number of the newest version."""
    published_version: int | None = None
    content: str | None = None
    """Digest of everything versions hold, as last written by us: a different one on disk is a hand edit."""
    trust: list[str] = []
    """Agreements to what this project starts, newest last (`store.trust`)."""
    limits: Limits = Limits.plain()
    on_restart: str = Field("resume", pattern="^(resume|interrupt)$")
    queue: Queue = Queue.plain()


class _Order(Model):
    subagents: list[str] = []
    hooks: list[str] = []
    mcps: list[str] = []


class _AgentFile(Agent):
    variables: dict[VariableName, Variable] = {}
    order: _Order = _Order.plain()


@dataclass(frozen=True)
class Loaded:
    """A project as read: the bytes and what they mean."""

    tree: Tree
    metadata: Metadata
    definition: Definition


# ---------------------------------------------------------------- reading


def unread(tree: Tree) -> list[str]:
    """Names in the agent's file that mean nothing here."""
    return [name for name in _object(tree, AGENT) if name not in {*_AgentFile.model_fields, "system_prompt"}]


def parse(tree: Tree) -> Loaded:
    """What the files in `tree` say. Raises `UnreadableFile` (file, line, reason), `NewerFormat`."""
    tree = migrations.upgraded(tree)
    metadata = parse_metadata(tree)
    agent_raw = _object(tree, AGENT)
    main = _model(_AgentFile, AGENT, tree, {k: v for k, v in agent_raw.items() if k != "system_prompt"})
    flow = _optional(tree, FLOW)
    view = _optional(tree, VIEW)
    ui = _model(Ui, FLOW, tree, _only(flow, "nodes", "notes"))
    seen_ui = _model(Ui, VIEW, tree, _only(view, "viewport", "snap", "folded"))
    agent = {name: getattr(main, name) for name in Agent.model_fields if name != "system_prompt"}
    try:
        definition = Definition(
            name=metadata.name,
            description=metadata.description,
            agent=Agent(**agent, system_prompt=_prompt(tree, MAIN_PROMPT)),
            subagents=_ordered(_subagents(tree), main.order.subagents),
            hooks=_ordered(_hooks(tree), main.order.hooks),
            mcps=_ordered(_mcps(tree), main.order.mcps),
            variables=main.variables,
            limits=metadata.limits,
            on_restart=metadata.on_restart,
            queue=metadata.queue,
            ui=seen_ui.model_copy(update={"nodes": ui.nodes, "notes": ui.notes}),
        )
    except ValidationError as error:
        raise invalid(_file_of(error), tree.get(_file_of(error), b""), error) from None
    return Loaded(tree, metadata, definition)


def parse_metadata(tree: Tree) -> Metadata:
    """`metadata.json` alone. Raises `UnreadableFile`, `NewerFormat`."""
    raw = _object(tree, METADATA)
    migrations.format_of(tree)  # a newer one is said to be newer, not broken
    return _model(Metadata, METADATA, tree, raw)


def _object(tree: Tree, path: str) -> JsonObject:
    if path not in tree:
        raise unreadable(path, "is missing")
    return load_object(path, tree[path])


def _optional(tree: Tree, path: str) -> JsonObject:
    return load_object(path, tree[path]) if path in tree else {}


def _only(raw: JsonObject, *names: str) -> JsonObject:
    return {name: raw[name] for name in names if name in raw}


def _model(
    model: type[AnyModel], path: str, tree: Tree, raw: JsonObject, at: tuple[str, ...] = ()
) -> AnyModel:
    try:
        return model.model_validate(raw, extra="ignore")
    except ValidationError as error:
        raise invalid(path, tree[path], error, at) from None


def _prompt(tree: Tree, path: str) -> str:
    """A prompt's file ends with a newline that is not part of the prompt."""
    return load_text(path, tree[path]).removesuffix("\n") if path in tree else ""


def _stems(tree: Tree, folder: str) -> list[tuple[str, str, JsonObject]]:
    found = []
    for path in sorted(tree):
        if path.startswith(f"{folder}/"):
            stem = path.removeprefix(f"{folder}/").removesuffix(".json")
            if not _SLUG.fullmatch(stem):
                raise unreadable(path, "its name must be an id: a-z, 0-9 and -, at most 64 characters")
            raw = load_object(path, tree[path])
            if raw.get("id", stem) != stem:
                raise unreadable(path, f"its `id` must be {stem!r}, as its name says")
            found.append((path, stem, {"name": stem, **raw, "id": stem}))
    return found


def _subagents(tree: Tree) -> list[Subagent]:
    found = []
    for path, stem, raw in _stems(tree, "subagents"):
        subagent = _model(Subagent, path, tree, {k: v for k, v in raw.items() if k != "prompt"})
        prompt_path = f"{SUBAGENT_PROMPTS}/{stem}.txt"
        found.append(_with_prompt(subagent, tree, prompt_path))
    return found


def _with_prompt(subagent: Subagent, tree: Tree, path: str) -> Subagent:
    try:
        return Subagent.model_validate({**subagent.model_dump(), "prompt": _prompt(tree, path)})
    except ValidationError as error:
        raise invalid(path, tree[path], error) from None


def _hooks(tree: Tree) -> list[Hook]:
    return [_model(Hook, path, tree, raw) for path, _, raw in _stems(tree, "hooks")]


def _mcps(tree: Tree) -> list[McpServer]:
    servers = _optional(tree, MCPS).get("mcpServers", {})
    if not isinstance(servers, dict):
        raise unreadable(MCPS, "`mcpServers` must be an object: {id: server}")
    found = []
    for key, raw in sorted(servers.items()):
        if not isinstance(raw, dict):
            raise unreadable(MCPS, f"the server {key!a} must be an object")
        kind = raw.get("type", "http" if raw.get("url") else "stdio")
        known = {k: v for k, v in raw.items() if k not in ("type", "transport")}
        entry = {"name": key, **known, "id": key, "transport": kind}
        found.append(_model(McpServer, MCPS, tree, entry, ("mcpServers", key)))
    return found


Listed = TypeVar("Listed", Subagent, Hook, McpServer)


def _ordered(items: list[Listed], order: list[str]) -> list[Listed]:
    place = {key: index for index, key in enumerate(order)}
    return sorted(items, key=lambda item: (place.get(item.id, len(order)), item.id))


def _file_of(error: ValidationError) -> str:
    """Which file a complaint about the whole definition is about."""
    first = str((error.errors()[0]["loc"] or ("",))[0])
    if first == "system_prompt":
        return MAIN_PROMPT
    return {"name": METADATA, "description": METADATA, "mcps": MCPS, "ui": FLOW, "": FLOW}.get(first, AGENT)


# ---------------------------------------------------------------- writing


def render(definition: Definition, metadata: Metadata, old: Loaded | None = None) -> Tree:
    """The files that mean `definition`; what `old` says already keeps its bytes and its unknown fields.

    Files of `old` that are not in the result belong to what was removed.
    """
    old_parts = _parts(old.definition, old.metadata) if old else {}
    tree: Tree = {}
    for path, part in _parts(definition, metadata).items():
        if old is not None and path in old_parts and old_parts[path] == part:
            if path in old.tree:
                tree[path] = old.tree[path]
        elif isinstance(part, str):
            tree[path] = _text(part)
        elif old is not None and path in old.tree:
            tree[path] = dump(keep_unknown(part, old_parts.get(path, {}), load_object(path, old.tree[path])))
        else:
            tree[path] = dump(part)
    if old is not None:
        # A prompt whose subagent is missing, for instance: not ours to remove.
        tree |= {path: data for path, data in old.tree.items() if path not in old_parts and path not in tree}
    return tree


def _text(prompt: str) -> bytes:
    # A leading byte-order mark is dropped at reading, so one that belongs to the prompt stands twice.
    mark = "\ufeff" if prompt.startswith("\ufeff") else ""
    return f"{mark}{prompt}\n".encode() if prompt else b""


def _parts(definition: Definition, metadata: Metadata) -> dict[str, JsonObject | str]:
    agent = definition.agent.model_dump(mode="json", exclude={"system_prompt"})
    agent["variables"] = {name: item.model_dump(mode="json") for name, item in definition.variables.items()}
    agent["order"] = {
        "subagents": [item.id for item in definition.subagents],
        "hooks": [item.id for item in definition.hooks],
        "mcps": [item.id for item in definition.mcps],
    }
    ui = definition.ui.model_dump(mode="json")
    parts: dict[str, JsonObject | str] = {
        METADATA: _metadata(definition, metadata).model_dump(mode="json"),
        AGENT: agent,
        MAIN_PROMPT: definition.agent.system_prompt,
        MCPS: {"mcpServers": {item.id: _mcp_entry(item) for item in definition.mcps}},
        FLOW: {"nodes": ui["nodes"], "notes": ui["notes"], "edges": edges(definition)},
        VIEW: {name: ui[name] for name in ("viewport", "snap", "folded")},
    }
    for subagent in definition.subagents:
        parts[f"subagents/{subagent.id}.json"] = subagent.model_dump(mode="json", exclude={"prompt"})
        parts[f"{SUBAGENT_PROMPTS}/{subagent.id}.txt"] = subagent.prompt
    for hook in definition.hooks:
        parts[f"hooks/{hook.id}.json"] = hook.model_dump(mode="json")
    return parts


def _metadata(definition: Definition, metadata: Metadata) -> Metadata:
    return metadata.model_copy(
        update={
            name: getattr(definition, name)
            for name in ("name", "description", "limits", "on_restart", "queue")
        }
    )


def _mcp_entry(server: McpServer) -> JsonObject:
    entry = server.model_dump(mode="json", exclude={"id", "transport"}, exclude_none=True)
    return {"type": server.transport, **entry}


def edges(definition: Definition) -> list[JsonObject]:
    """The canvas's edges, for readers of the file; they follow from the definition."""
    named = {child for item in definition.subagents for child in item.subagents}
    agent = definition.agent
    children = agent.subagents if agent.subagents is not None else [
        item.id for item in definition.subagents if item.id not in named
    ]  # fmt: skip
    servers = agent.mcps if agent.mcps is not None else [item.id for item in definition.mcps]
    pairs = [("agent", f"subagent:{child}") for child in children]
    pairs += [("agent", f"mcp:{server}") for server in servers]
    for item in definition.subagents:
        pairs += [(f"subagent:{item.id}", f"subagent:{child}") for child in item.subagents]
        pairs += [(f"subagent:{item.id}", f"mcp:{server}") for server in item.mcps]
    pairs += [(f"hook:{hook.id}", "agent") for hook in definition.hooks]
    return [{"id": f"{source}->{target}", "source": source, "target": target} for source, target in pairs]


# ---------------------------------------------------------------- digests


def etag(definition: Definition) -> str:
    """A strong, quoted ETag over all of `definition` but view state; equal contents have equal tags."""
    content = definition.model_dump(mode="json")
    content["ui"] = {name: content["ui"][name] for name in ("nodes", "notes")}
    return f'"{hashlib.sha256(canonical(content)).hexdigest()[:32]}"'


def content_digest(tree: Tree, files: dict[str, str]) -> str:
    """Digest of what a version holds: the definition without `.ui/`, and `files` (path → SHA-256).

    Formatting and our own bookkeeping do not count; fields that are not ours do.
    """
    meanings: dict[str, Any] = {}
    for path, data in tree.items():
        if path.startswith(".ui/"):
            continue
        if not path.endswith(".json"):
            meanings[path] = _prompt(tree, path)
            continue
        meanings[path] = load_object(path, data)
    meanings[METADATA] = {k: v for k, v in meanings.get(METADATA, {}).items() if k not in BOOKKEEPING}
    return hashlib.sha256(canonical([meanings, files])).hexdigest()[:32]
