"""Claude Code projects: taken as data, what cannot be taken is named, and they go back."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress

import pytest

from cloutagent_ext.errors import BadArchive, InvalidRequest
from cloutagent_ext.schema.project import Project
from cloutagent_ext.store.frontmatter import NotPlain, join, split
from cloutagent_ext.store.projects import ProjectStore
from tests.support.archives import zipped

AGENT = b"""---
name: code-reviewer
description: "Reviews code: when asked, and after changes."
tools: Read, Grep, mcp__time__now, Task
model: sonnet
color: blue
---

You review code.
"""
SETTINGS = {
    "hooks": {
        "PreToolUse": [
            {
                "matcher": "Bash|Edit",
                "hooks": [
                    {
                        "type": "command",
                        "command": "$CLAUDE_PROJECT_DIR/.claude/hooks/guard.sh",
                        "timeout": 5,
                    },
                    {"type": "prompt", "prompt": "Is this fine?"},
                ],
            }
        ],
        "WorktreeCreate": [{"hooks": [{"type": "command", "command": "true"}]}],
    },
    "permissions": {"allow": ["Bash(git log:*)", "Read"], "deny": ["WebFetch"]},
    "model": "opus",
    "statusLine": {},
}
SERVERS = {
    "mcpServers": {
        "time": {"command": "mcp-server-time", "args": ["--utc"], "env": {"TOKEN": "${TIME_TOKEN}"}},
        "docs": {"type": "http", "url": "https://example.org/mcp", "headers": {"X": "Bearer ${DOCS:-none}"}},
        "broken": {"command": 7},
    }
}
ENDLESS = '{"hooks": {"Stop": [{"hooks": [{"command": "true", "timeout": 1e400}]}]}}'
FILES = [
    (".claude/agents/code-reviewer.md", AGENT),
    (".claude/agents/bad.md", b"---\nname: &x a\ntools: *x\n---\nbody\n"),
    (".claude/settings.json", json.dumps(SETTINGS).encode()),
    (".claude/settings.local.json", b"{}"),
    (".claude/hooks/guard.sh", b"exit 2\n"),
    (".claude/skills/pdf/SKILL.md", b"---\nname: pdf\n---\n"),
    (".mcp.json", json.dumps(SERVERS).encode()),
    ("CLAUDE.md", b"# House rules\nBe brief.\n"),
    ("data.csv", b"a,b\n"),
    (".env", b"SECRET=1\n"),
]


async def take(store: ProjectStore, files: list[tuple[str, bytes]]) -> tuple[str, Project, list[str]]:
    data = zipped(files, honest=False)
    pid, warnings = await store.archives.load(io.BytesIO(data), len(data))
    return pid, (await store.read(pid)).project, warnings


async def test_agents_servers_hooks_and_rules_arrive_and_the_rest_is_named(store: ProjectStore) -> None:
    pid, project, warnings = await take(store, FILES)
    assert project.agent.system_prompt == "# House rules\nBe brief."
    assert project.agent.model == "claude-opus-5-5"
    assert project.agent.permissions == {"bash(git log *)": "allow", "view": "allow"}
    (reviewer,) = project.subagents
    assert (reviewer.id, reviewer.prompt, reviewer.model) == (
        "code-reviewer",
        "You review code.",
        "claude-sonnet-5-5",
    )
    assert reviewer.description == "Reviews code: when asked, and after changes."
    assert (reviewer.tools, reviewer.mcps) == (["view", "grep"], ["time"])
    (hook,) = project.hooks
    assert (hook.event, hook.matcher, hook.timeout_s) == ("PreToolUse", "bash|str_replace", 5)
    assert hook.env == {"CLAUDE_PROJECT_DIR": "."}
    assert {server.id for server in project.mcps} == {"time", "docs"}
    by_id = {server.id: server for server in project.mcps}
    assert by_id["time"].env == {"TOKEN": "{{secret:TIME_TOKEN}}"}
    assert by_id["docs"].headers == {"X": "Bearer {{secret:DOCS}}"}
    assert [row.path for row in await store.list_files(pid)] == [".claude/hooks/guard.sh", "data.csv"]
    assert not project.trusted
    for what in (
        "bad.md", "'broken'", "WorktreeCreate", "'prompt'", "WebFetch", "'Task'", "skills/pdf", ".env",
        "settings.local.json", "TIME_TOKEN", "DOCS", "statusLine",
    ):  # fmt: skip
        assert [text for text in warnings if what in text], f"nothing says what became of {what}"


async def test_every_card_has_a_place_of_its_own(store: ProjectStore) -> None:
    agents = [(f".claude/agents/a{n}.md", b"---\nname: a\n---\nx") for n in range(9)]
    _, project, _ = await take(store, [*FILES, *agents])
    places = [(node.position.x, node.position.y) for node in project.ui.nodes]
    assert (
        len(places) == len(set(places)) == 1 + len(project.subagents) + len(project.hooks) + len(project.mcps)
    )


async def test_there_and_back_again_means_the_same(store: ProjectStore) -> None:
    pid, first, _ = await take(store, FILES)
    sink = io.BytesIO()
    await store.archives.export(pid, sink, "claude")
    with zipfile.ZipFile(sink) as archive:
        assert {".claude/agents/code-reviewer.md", ".mcp.json", "CLAUDE.md"} <= set(archive.namelist())
    again, warnings = await store.archives.load(sink, len(sink.getvalue()))
    second = (await store.read(again)).project
    left_out = {"id", "name", "updated_at"}
    assert second.model_dump(exclude=left_out) == first.model_dump(exclude=left_out)
    assert [row.path for row in await store.list_files(again)] == [".claude/hooks/guard.sh", "data.csv"]
    assert all("secret" in text or "`tool_name`" in text for text in warnings), warnings


@pytest.mark.parametrize(
    "head",
    ["a: &x 1", "a: *x", "a: !!python/object:os.system x", "<<: *x", "a: {b: c}", "a: 1\na: 2", "- a",
     "a: [*x]", "a:\n  - b\n  - *x", 'a: "x', "a: 1\n  - b"],
)  # fmt: skip
def test_front_matter_beyond_plain_data_is_refused(head: str) -> None:
    with pytest.raises(NotPlain):
        split(f"---\n{head}\n---\nbody")


def test_plain_front_matter_is_read_in_all_its_usual_forms() -> None:
    fields, body = split(
        "---\nname: x # comment\nlist: [a, 'b c']\nblock: |\n  one\n  two\nfolded: >\n  one\n  two\n"
        'items:\n  - a\n  - "b"\nempty:\n---\n\nbody\n'
    )
    assert fields == {
        "name": "x",
        "list": ["a", "b c"],
        "block": "one\ntwo",
        "folded": "one two",
        "items": ["a", "b"],
        "empty": "",
    }
    assert body == "body"


ODD_SETTINGS = [
    {"permissions": {"allow": 5, "deny": True, "ask": {"Bash": 1}}},
    {"permissions": {"allow": ["Bash()", "Bash( )", "Bash(\n)", "Read()"]}},
    {"permissions": ["Bash"], "hooks": ["x"], "model": ["opus"]},
    {"hooks": {"PreToolUse": [{"matcher": 7, "hooks": [{"command": "true", "timeout": 10**400}]}]}},
    {"hooks": {"PreToolUse": [{"matcher": None, "hooks": [{"command": None, "timeout": -1}, 3]}, 4]}},
    {"hooks": {"Stop": [{"hooks": [{"type": ["x"]}, {"type": "http", "url": 1, "headers": 2}]}]}},
    {"hooks": {"Stop": [{"matcher": "x" * 5000, "hooks": [{"command": "true"}]}]}},
    {"model": "claude-" + "x" * 5000},
]


@pytest.mark.parametrize("settings", [*(json.dumps(each) for each in ODD_SETTINGS), ENDLESS])
async def test_settings_of_an_odd_shape_are_taken_or_refused_and_no_bug(
    store: ProjectStore, settings: str
) -> None:
    data = zipped([(".claude/settings.json", settings.encode())], honest=False)
    with suppress(BadArchive, InvalidRequest):
        await store.archives.load(io.BytesIO(data), len(data))


async def test_two_long_memories_are_a_refusal_and_no_bug(store: ProjectStore) -> None:
    half = b"x" * 700_000
    data = zipped([("CLAUDE.md", half), (".claude/CLAUDE.md", half)], honest=False)
    with pytest.raises((BadArchive, InvalidRequest)):
        await store.archives.load(io.BytesIO(data), len(data))


async def test_a_prompt_keeps_every_character_on_the_way_there_and_back() -> None:
    """Only a line feed ends a line: not what Python also counts as one."""
    text = "one\x0btwo\x0cthree\u2028four\x85five\r\nsix\x1c"
    fields, body = split(join({"description": text}, text))
    assert fields["description"] == text
    assert body == text.replace("\r\n", "\n")
