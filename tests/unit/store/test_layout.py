"""Definition ↔ files: nothing is lost on the way, by us or by a person with an editor."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloutagent_ext.errors import NewerFormat, UnreadableFile
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store import layout
from cloutagent_ext.store.jsonfiles import dump
from cloutagent_ext.store.tree import AGENT, FLOW, MAIN_PROMPT, MCPS, METADATA, VIEW, Tree
from tests.support.definitions import whole

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20)
slugs = st.lists(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True), max_size=4, unique=True)
plain = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), text, st.lists(st.integers(0, 9), max_size=2))


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    subagents, hooks, mcps, notes = draw(slugs), draw(slugs), draw(slugs), draw(slugs)
    actions = st.one_of(
        st.builds(
            lambda words: {"type": "command", "command": words}, st.lists(text, min_size=1, max_size=3)
        ),
        st.builds(lambda url: {"type": "http", "url": f"http://{url}"}, text),
    )
    return Definition.model_validate(
        {
            "name": draw(names),
            "description": draw(text),
            "agent": {
                "system_prompt": draw(text),
                "task": draw(text),
                "subagents": draw(st.one_of(st.none(), st.just(subagents))),
                "permissions": draw(
                    st.dictionaries(names, st.sampled_from(["allow", "ask", "deny"]), max_size=3)
                ),
                "output_schema": draw(st.one_of(st.none(), st.dictionaries(text, plain, max_size=3))),
                "folders": [{"path": path} for path in draw(st.lists(names, max_size=3))],
            },
            "subagents": [{"id": key, "name": draw(names), "prompt": draw(text)} for key in subagents],
            "hooks": [
                {"id": key, "name": draw(names), "event": "Stop", "action": draw(actions)} for key in hooks
            ],
            "mcps": [
                {"id": key, "name": draw(names), "args": draw(st.lists(text, max_size=2))} for key in mcps
            ],
            "variables": draw(
                st.dictionaries(
                    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
                    st.fixed_dictionaries({"default": st.one_of(st.none(), text)}),
                    max_size=3,
                )
            ),
            "ui": {
                "nodes": [{"id": "agent", "position": {"x": draw(st.floats(-1e6, 1e6)), "y": 1}}],
                "notes": [{"id": key, "text": draw(text)} for key in notes],
                "folded": draw(st.lists(text, max_size=2)),
            },
        }
    )


def rendered(definition: Definition, old: layout.Loaded | None = None) -> Tree:
    metadata = old.metadata if old else layout.Metadata(name=definition.name)
    return layout.render(definition, metadata, old)


FOREIGN = "x-not-ours"


def with_foreign_fields(tree: Tree, values: dict[str, Any]) -> Tree:
    """`tree` with fields that we do not know, in every object that has a place for them."""
    changed = {}
    for path, data in tree.items():
        if path.endswith(".json"):
            raw = json.loads(data)
            raw[FOREIGN] = values
            for inner in ("limits", "queue", "order", "viewport", "action"):
                if isinstance(raw.get(inner), dict):
                    raw[inner][FOREIGN] = values
            for item in [*raw.get("nodes", []), *raw.get("notes", []), *raw.get("mcpServers", {}).values()]:
                item[FOREIGN] = values
            for item in [*raw.get("variables", {}).values(), *raw.get("folders", [])]:
                item[FOREIGN] = values
            data = dump(raw)
        changed[path] = data
    return changed


def foreign_fields(tree: Tree) -> dict[str, int]:
    return {path: data.count(FOREIGN.encode()) for path, data in tree.items() if FOREIGN.encode() in data}


@settings(max_examples=80, deadline=None)
@given(definitions())
def test_every_definition_reads_back_as_it_was(definition: Definition) -> None:
    assert layout.parse(rendered(definition)).definition == definition


@settings(max_examples=50, deadline=None)
@given(definitions(), st.dictionaries(text, plain, max_size=2), text)
def test_fields_that_are_not_ours_survive_a_save_and_are_not_shown(
    definition: Definition, values: dict[str, Any], task: str
) -> None:
    on_disk = with_foreign_fields(rendered(definition), values)
    loaded = layout.parse(on_disk)
    assert loaded.definition == definition

    changed = definition.model_copy(deep=True)
    changed.agent.task = task
    changed.description = task
    changed.ui.snap = not changed.ui.snap
    for item in [*changed.subagents, *changed.hooks, *changed.mcps]:
        item.enabled = not item.enabled
    after = rendered(changed, loaded)

    assert layout.parse(after).definition == changed
    unique_folders = len({folder.path for folder in definition.agent.folders}) == len(
        definition.agent.folders
    )
    if unique_folders:
        assert foreign_fields(after) == foreign_fields(on_disk)


@settings(max_examples=50, deadline=None)
@given(definitions(), st.dictionaries(text, plain, max_size=2))
def test_saving_what_did_not_change_leaves_every_byte_alone(
    definition: Definition, values: dict[str, Any]
) -> None:
    # Another formatting than ours, as an editor or `git` may leave it.
    on_disk = {
        path: json.dumps(json.loads(data)).encode() if path.endswith(".json") else data.removesuffix(b"\n")
        for path, data in with_foreign_fields(rendered(definition), values).items()
    }
    on_disk |= {path: data for path, data in rendered(definition).items() if path.endswith(".txt")}
    assert rendered(definition, layout.parse(on_disk)) == on_disk


def test_a_changed_field_touches_only_its_file() -> None:
    before = layout.parse(rendered(whole()))
    changed = whole()
    changed.subagents[0].prompt = "Write better."
    after = rendered(changed, before)
    assert {path for path in after if after[path] != before.tree.get(path)} == {
        "prompts/subagent-prompts/writer.txt"
    }


def test_files_are_where_the_contract_says_and_people_can_read_them() -> None:
    tree = rendered(whole())
    assert set(tree) == {
        METADATA, AGENT, MCPS, MAIN_PROMPT, FLOW, VIEW,
        "subagents/writer.json", "subagents/checker.json", "hooks/guard.json", "hooks/audit.json",
        "prompts/subagent-prompts/writer.txt", "prompts/subagent-prompts/checker.txt",
    }  # fmt: skip
    assert tree[MAIN_PROMPT] == b"You study {{topic}}.\nCarefully.\n"
    assert json.loads(tree[AGENT])["task"] == "Summarise {{file}}."
    assert "system_prompt" not in json.loads(tree[AGENT])
    assert "Prüferin" in tree["subagents/checker.json"].decode()
    for path, data in tree.items():
        if path.endswith(".json"):
            assert data == dump(json.loads(data))
            assert data.endswith(b"}\n")
    assert json.loads(tree[MCPS])["mcpServers"]["docs"]["type"] == "http"
    edges = {edge["id"] for edge in json.loads(tree[FLOW])["edges"]}
    assert {"agent->subagent:writer", "agent->mcp:time", "hook:guard->agent"} <= edges


def test_the_order_of_lists_survives_although_files_have_none() -> None:
    definition = whole()
    definition.hooks.reverse()
    definition.subagents.reverse()
    assert [hook.id for hook in layout.parse(rendered(definition)).definition.hooks] == ["audit", "guard"]


def test_a_minimal_project_written_by_hand_opens() -> None:
    definition = layout.parse(
        {
            METADATA: b'{"name": "By hand"}',
            AGENT: b"{}",
            MAIN_PROMPT: b"\xef\xbb\xbfYou are brief.\r\nVery.",
            "subagents/helper.json": b'{"description": "helps"}',
            MCPS: b'{"mcpServers": {"time": {"command": "mcp-server-time"}, "docs": {"url": "https://example.org"}}}',
        }
    ).definition
    assert definition.agent.system_prompt == "You are brief.\r\nVery."
    assert (definition.subagents[0].id, definition.subagents[0].name) == ("helper", "helper")
    assert {item.id: item.transport for item in definition.mcps} == {"docs": "http", "time": "stdio"}


@pytest.mark.parametrize(
    "prompt", ["", "\n", "\n\n", "a\n", "\ufeffa", "\ufeff", "a\r", "\r\n", "\x00", "\u2028"]
)
def test_prompts_keep_every_character(prompt: str) -> None:
    definition = whole()
    definition.agent.system_prompt = prompt
    assert layout.parse(rendered(definition)).definition.agent.system_prompt == prompt


@pytest.mark.parametrize(
    ("path", "data", "line", "reason"),
    [
        (AGENT, b'{\n "task": "x"\n "tools": []}', 3, "not valid JSON"),
        (AGENT, b'{\n "task": "x",\n "max_tokens": "many"}', 3, "max_tokens"),
        (AGENT, b'{\n "task": "x",\n "task": "y"}', 3, "twice"),
        (AGENT, b'{"max_tokens": NaN}', None, "NaN"),
        (AGENT, b"[]", 1, "no JSON object"),
        (AGENT, b"", 1, "not valid JSON"),
        (AGENT, b'{"a": "\xff"}', 1, "UTF-8"),
        (AGENT, b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "deeper"),
        (AGENT, b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", None, "deeper"),
        (AGENT, b'{"max_tokens": ' + b"9" * 5000 + b"}", None, "not valid JSON"),
        (METADATA, b'{"name": ""}', 1, "name"),
        (METADATA, b'{"name": "\\ud800"}', 1, "name"),
        (MCPS, b'{"mcpServers": []}', None, "mcpServers"),
        (MCPS, b'{"mcpServers": {\n"time": {\n"timeout_s": 0}}}', 3, "timeout_s"),
        (MCPS, b'{"mcpServers": {"Not An Id": {}}}', 1, "id"),
        ("subagents/Not an id.json", b"{}", None, "must be an id"),
        ("subagents/writer.json", b'{"id": "other"}', None, "its name says"),
        ("hooks/guard.json", b'{"event": "Stop",\n"action": {"type": "dance"}}', 2, "action"),
        (MAIN_PROMPT, b"fine\nnot\xff", 2, "UTF-8"),
        (MAIN_PROMPT, b"x" * (1024 * 1024 + 1), None, "1 MB"),
        (FLOW, b'{"nodes": [{"id": "nobody:x"}]}', 1, "nodes"),
        (VIEW, b'{"snap": "maybe"}', 1, "snap"),
    ],
)
def test_a_broken_file_is_named_with_line_and_reason(
    path: str, data: bytes, line: int | None, reason: str
) -> None:
    tree = rendered(whole()) | {path: data}
    with pytest.raises(UnreadableFile) as caught:
        layout.parse(tree)
    assert caught.value.details["file"] == path
    assert caught.value.details["line"] == line
    assert reason in caught.value.details["reason"]
    assert path in caught.value.message


def test_a_newer_format_is_refused_not_repaired() -> None:
    tree = rendered(whole())
    tree[METADATA] = dump(json.loads(tree[METADATA]) | {"schema_version": 2, "name": 7})
    with pytest.raises(NewerFormat, match="newer version"):
        layout.parse(tree)


def test_the_etag_follows_content_and_not_the_view() -> None:
    definition = whole()
    tag = layout.etag(definition)
    assert tag.startswith('"')
    assert tag.endswith('"')
    seen = definition.model_copy(deep=True)
    seen.ui.viewport = None
    seen.ui.folded = ["monitor"]
    assert layout.etag(seen) == tag
    moved = definition.model_copy(deep=True)
    moved.ui.nodes[0].position.x = 5
    assert layout.etag(moved) != tag
