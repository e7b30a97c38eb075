"""The shelf of cassettes: what is recorded, listed, handed out and taken in, and what is refused.

What a cassette plays: `test_cassettes`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.models import cassette as tapes
from cloutagent_ext.errors import BadArchive, Conflict, InvalidRequest, NotFound, TooLarge
from tests.support.messages_api import Json

from .conftest import Office, agent


async def test_only_what_has_ended_and_asked_a_model_is_recorded(office: Office) -> None:
    project_id = await office.project({"tools": [{"name": "bash", "input": {"command": "sleep 30"}}]})
    accepted = await office.accept(project_id)
    await office.until(accepted.execution_id, "tool_call")
    with pytest.raises(Conflict, match="has not ended"):
        await office.executions.results.record(accepted.execution_id, tools=False)
    await office.executions.cancel(accepted.execution_id, "ada")
    await office.executions.wait(accepted.execution_id)
    assert await office.executions.results.record(accepted.execution_id, tools=False)
    with pytest.raises(NotFound):
        await office.executions.results.record("00000000-0000-7000-8000-000000000000", tools=False)


async def test_cassettes_are_listed_handed_out_taken_in_and_deleted(office: Office) -> None:
    project_id, other = await office.project({"text": "Hello."}), await office.project({"text": "Hello."})
    state = await office.run(project_id)
    shelf = office.executions.cassettes
    first = await office.executions.results.record(state.execution_id, tools=False)
    second = await office.executions.results.record(state.execution_id, tools=True)
    rows = await shelf.rows(project_id)
    assert {row.id for row in rows} == {first, second}
    assert rows[0].id == second
    data = await shelf.read(project_id, first)
    assert rows[1].size == len(data)
    taken = await shelf.take(other, data)
    assert (taken.id != first, taken.execution_id) == (True, state.execution_id)
    assert (await office.run(other, replay=taken.id)).status == "completed"
    await shelf.delete(project_id, first)
    assert [row.id for row in await shelf.rows(project_id)] == [second]
    with pytest.raises(NotFound):
        await shelf.delete(project_id, first)
    with pytest.raises(InvalidRequest, match="no cassette"):
        await office.accept(project_id, replay=first)
    for odd in ("../../etc/passwd", "", "A" * 16, "0123456789abcde/"):
        with pytest.raises(NotFound):
            await shelf.read(project_id, odd)


def packed(*lines: Any, header: Json | None = None) -> bytes:
    head = {
        "format": "cloutagent-cassette", "format_version": 1,
        "execution_id": "0" * 8 + "-0000-7000-8000-" + "0" * 12, "project_name": "P", "version": 1,
        "model": "m", "prompt": "p", "variables": {}, "status": "completed",
        "replies": 1, "tool_results": None, "created_at": "2026-11-22T08:00:00.000Z", **(header or {}),
    }  # fmt: skip
    return gzip.compress("\n".join([json.dumps(head), *map(json.dumps, lines), ""]).encode(), mtime=0)


CONVERSATION = {
    "kind": "conversation",
    "of": "main",
    "agent": "main",
    "frozen": {"model": "m"},
    "messages": [],
}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no gzip", packed()[:-4], packed() + b"more", gzip.compress(b"{}\n", mtime=0),
        gzip.compress(b"[" * 100_000, mtime=0),
        packed(header={"format_version": 2}), packed(header={"prompt": None}),
        packed(header={"variables": [1]}),
        packed(header={"prompt": "\ud800"}), packed(header={"project_name": "\udfff"}),
        packed({"kind": "reply", "of": "main", "content": []}), packed({"kind": "odd"}), packed([1]),
        packed(CONVERSATION, {"kind": "reply", "of": "main", "content": "text"}),
        packed({"kind": "tool", "call_id": "a", "is_error": False, "output": 5, "images": {}}),
    ],
)  # fmt: skip
async def test_what_is_no_cassette_is_refused_and_nothing_kept(office: Office, data: bytes) -> None:
    project_id = await office.project({"text": "Hello."})
    with pytest.raises(BadArchive):
        await office.executions.cassettes.take(project_id, data)
    assert await office.executions.cassettes.rows(project_id) == []


async def test_a_bomb_is_refused_without_being_unpacked(office: Office) -> None:
    project_id = await office.project({"text": "Hello."})
    pack = zlib.compressobj(9, wbits=31)
    piece = b" " * (1024 * 1024)
    bomb = b"".join([*(pack.compress(piece) for _ in range(tapes.MAX_BYTES // len(piece) + 2)), pack.flush()])
    assert len(bomb) < 1024 * 1024
    with pytest.raises(BadArchive, match="longer than"):
        await office.executions.cassettes.take(project_id, bomb)
    with pytest.raises(TooLarge):
        await office.executions.cassettes.take(project_id, b"x" * (51 * 1024 * 1024))


async def test_a_hostile_cassette_writes_no_picture_outside_the_workspace(
    office: Office, tmp_path: Path
) -> None:
    looking = {"text": "I look.", "tools": [{"name": "view", "input": {"path": "a"}}]}
    project_id = await office.project(looking, agent=agent(tools=["view"]))
    state = await office.run(project_id)
    cassette = await office.executions.results.record(state.execution_id, tools=True)
    lines = (
        gzip.decompress(await office.executions.cassettes.read(project_id, cassette)).decode().splitlines()
    )
    target = tmp_path / "out.png"
    for path in (f"../../../../{target.name}", str(target), "a/../../../out.png"):
        hostile = []
        for line in map(json.loads, lines):
            if line.get("kind") == "tool":
                part = {"type": "image", "media_type": "image/png", "path": path, "alt": ""}
                line |= {"output": [part], "images": {path: "aGVsbG8="}}
            hostile.append(json.dumps(line))
        row = await office.executions.cassettes.take(
            project_id, gzip.compress("\n".join([*hostile, ""]).encode())
        )
        await office.run(project_id, replay=row.id)
        assert list(tmp_path.rglob("*out.png")) == []
