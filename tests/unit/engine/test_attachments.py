"""Files that come with a task: what of them the model is shown, and what it is only told of."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from cloutagent_ext.engine.attachments import MAX_SHOWN, shown
from cloutagent_ext.engine.models import ModelProvider, ModelSettings
from cloutagent_ext.engine.models.catalogue import facts_of
from cloutagent_ext.engine.past import Past
from cloutagent_ext.executions import retelling
from tests.support.messages_api import Call, Failure, MessagesApi, Reply, Say, Scripted

from .harness import Echo, define, live

MODEL = "claude-opus-5-5"


async def warn(code: str, message: str) -> None:
    raise AssertionError(f"{code}: {message}")


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
        + chunk(b"IEND", b"")
    )


async def test_pictures_and_pdfs_are_shown_and_everything_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7 ...")
    (tmp_path / "c.csv").write_text("x,y\n")
    (tmp_path / "looks.png").write_text("no picture: its bytes decide, not its name")
    blocks = await shown(["a.png", "b.pdf", "c.csv", "looks.png", "gone.txt"], tmp_path, sees=True, warn=warn)
    image, document, text = blocks
    assert image["type"] == "image"
    assert base64.b64decode(image["source"]["data"]) == png()
    assert (document["type"], document["source"]["media_type"], document["title"]) == (
        "document", "application/pdf", "b.pdf",
    )  # fmt: skip
    assert text["text"].splitlines()[1:] == [
        "- a.png (shown above)", "- b.pdf (shown above)", "- c.csv", "- looks.png", "- gone.txt",
    ]  # fmt: skip


async def test_a_model_is_shown_what_the_runs_facts_say_it_takes(tmp_path: Path) -> None:
    opus = facts_of(MODEL)
    assert opus is not None
    facts = {"acme/sees": opus, "acme/blind": replace(opus, sees=False)}
    (tmp_path / "a.png").write_bytes(png())
    for model, kinds in (
        ("acme/sees", ["image", "text", "text"]),
        ("acme/blind", ["text", "text"]),
        ("llama-local", ["text", "text"]),
    ):
        async with MessagesApi([Say("Seen.")]) as api, live(api.url, tmp_path) as bench:
            bench.facts = facts.get
            definition = {"agent": {"model": model}, "limits": {"max_cost_usd": None}}
            outcome = await bench.run(definition, files=["a.png"])
        assert outcome.status == "completed", outcome.message
        assert [block["type"] for block in api.requests[0]["messages"][0]["content"]] == kinds, model


async def test_what_is_too_much_stays_in_the_folder(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(MAX_SHOWN + 5)]
    for name in names:
        (tmp_path / name).write_bytes(png())
    (tmp_path / "huge.pdf").write_bytes(b"%PDF-" + bytes(11 * 1024 * 1024))
    blocks = await shown([*names, "huge.pdf"], tmp_path, sees=True, warn=warn)
    assert len(blocks) == MAX_SHOWN + 1
    assert blocks[-1]["text"].count("shown above") == MAX_SHOWN


async def test_no_link_leads_a_picture_in_from_outside(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    (workspace / "a.png").symlink_to(tmp_path / "secret.png")
    assert [block["type"] for block in await shown(["a.png"], workspace, sees=True, warn=warn)] == ["text"]


async def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert await shown([], tmp_path, sees=True, warn=warn) == []


async def test_the_first_message_carries_them_before_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    async with MessagesApi([Say("A pixel.")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(prompt="What is it?", files=["a.png"])
    assert outcome.status == "completed"
    content = api.requests[0]["messages"][0]["content"]
    assert [block["type"] for block in content] == ["image", "text", "text"]
    assert content[0]["source"]["data"] == base64.b64encode(png()).decode()
    assert content[-1]["text"] == "What is it?"


# ---------------------------------------------------------------- files that the service keeps


def large(folder: Path) -> tuple[bytes, bytes]:
    """A PDF and a picture that are too large for a request."""
    pdf, picture = b"%PDF-1.7 " + bytes(11 * 1024 * 1024), png() + bytes(4_000_000)
    (folder / 'report "1".pdf').write_bytes(pdf)
    (folder / "map.png").write_bytes(picture)
    return pdf, picture


FILES = ['report "1".pdf', "map.png", "small.png"]


async def test_what_is_too_large_for_a_request_goes_through_the_files_api(tmp_path: Path) -> None:
    pdf, picture = large(tmp_path)
    (tmp_path / "small.png").write_bytes(png())
    async with MessagesApi([Say("Read.")]) as api, live(api.url, tmp_path, keeps_files=True) as bench:
        outcome = await bench.run(prompt="What is it?", files=FILES)
        assert outcome.status == "completed", outcome.message
        document, image, small, text, _ = api.requests[0]["messages"][0]["content"]
        assert document == {
            "type": "document", "source": {"type": "file", "file_id": "file_0"}, "title": 'report "1".pdf',
        }  # fmt: skip
        assert image == {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
        assert small["source"]["type"] == "base64"
        assert text["text"].count("(shown above)") == 3
        (name, kind, data), second = api.uploads
        assert (name, kind) == ("report %221%22.pdf", "application/pdf")
        assert data == pdf
        assert second == ("map.png", "image/png", picture)
        assert set(api.files) == {"file_0", "file_1"}
        assert bench.keeps is not None
        await bench.keeps.forget()
        assert sorted(api.deleted) == ["file_0", "file_1"]
        assert api.files == {}


async def test_where_the_service_keeps_no_files_large_ones_are_named(tmp_path: Path) -> None:
    large(tmp_path)
    async with MessagesApi([Say("I see.")]) as api, live(api.url, tmp_path) as bench:
        assert (await bench.run(files=FILES[:2])).status == "completed"
    assert api.uploads == []
    assert [block["type"] for block in api.requests[0]["messages"][0]["content"]] == ["text", "text"]
    assert "shown above" not in json.dumps(api.requests[0])


def play_on(api: MessagesApi, script: list[Scripted]) -> None:
    """Another script for the same service, which knows what it has said."""
    rules = api.rules
    api.play(script)
    api.rules = rules


async def test_a_resume_uploads_nothing_again_wherever_the_run_had_stopped(tmp_path: Path) -> None:
    large(tmp_path)
    script = [Call("echo", {}, id="a"), Say("Read.")]
    definition = {"agent": {"tools": ["echo"]}}
    async with MessagesApi(script) as api, live(api.url, tmp_path, keeps_files=True) as bench:
        await bench.run(definition, tools=[Echo()], files=FILES[:2])
        first = api.requests[0]["messages"][0]
        records = bench.journal.records
        kinds = bench.journal.kinds()
        assert kinds.index("file_kept") < kinds.index("conversation"), "journalled before it is named"
        assert all(record["sync"] for record in records if record["kind"] == "file_kept")
        for length in (kinds.index("conversation"), kinds.index("conversation") + 1, kinds.index("user") + 1):
            play_on(
                api,
                [Call("echo", {}, id="a"), Say("Read.")] if "assistant" not in kinds[:length] else [Say("R")],
            )
            outcome = await bench.run(
                definition, tools=[Echo()], files=FILES[:2], past=Past.of(records[:length])
            )
            assert outcome.status == "completed", outcome.message
            assert api.requests[0]["messages"][0] == first
        assert len(api.uploads) == 2


@pytest.mark.parametrize("how", ["continued", "resumed"])
async def test_who_goes_on_from_a_finished_run_is_shown_its_kept_files_anew(tmp_path: Path, how: str) -> None:
    """The service has forgotten them by then, and a request that names them would be refused."""
    large(tmp_path)
    definition = {"agent": {"tools": ["echo"]}}
    async with MessagesApi([]) as api, live(api.url, tmp_path, keeps_files=True) as bench:
        thought = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
        call = {"type": "tool_use", "id": "a", "name": "echo", "input": {}}
        play_on(api, [Reply([thought, call], stop_reason="tool_use"), Reply([], stop_reason="refusal")])
        failed = await bench.run(definition, tools=[Echo()], files=FILES[:2])
        assert failed.code == "MODEL_REFUSED"
        assert bench.keeps is not None
        await bench.keeps.forget()
        records, past = list(bench.journal.records), Past.of(bench.journal.records)
        if how == "continued":
            request = past.conversations["main"].request
            change = retelling.Change(prompt="And now?", request=request)
            records = retelling.retold(past, "continued", change, kept={})
        else:
            records = retelling.resumed(records, past, ran_s=1.0, kept={})
        bench.journal.records.clear()
        play_on(api, [Call("echo", {}, id="b"), Say("Read.")])
        api.rules.allow_new_segments = True
        outcome = await bench.run(definition, tools=[Echo()], past=Past.of(records))
        assert outcome.status == "completed", outcome.message
        messages = api.requests[0]["messages"]
        kinds = [[block["type"] for block in message["content"]] for message in messages]
        words = ["text"] if how == "continued" else []
        assert kinds == [
            ["text", "text", "text", "text"],
            ["tool_use"],
            ["tool_result", *words, "document", "image", "text"],
        ]
        assert messages[0]["content"][0]["text"] == '(report "1".pdf was shown here)'
        assert set(api.files) == {"file_2", "file_3"}
        # Once more, after a crash: neither uploaded nor shown a second time.
        own = [*records, *bench.journal.records]
        own = own[: 1 + max(index for index, record in enumerate(own) if record["kind"] == "user")]
        play_on(api, [Say("Read.")])
        api.rules.allow_new_segments = True
        outcome = await bench.run(definition, tools=[Echo()], past=Past.of(own))
        assert outcome.status == "completed", outcome.message
        assert api.requests[0]["messages"][:3] == messages
        assert len(api.uploads) == 4


async def test_an_upload_that_fails_is_tried_again_and_then_told(tmp_path: Path) -> None:
    large(tmp_path)
    async with MessagesApi([Say("A.")]) as api, live(api.url, tmp_path, keeps_files=True) as bench:
        api.upload_failures.extend(
            [Failure(529, "overloaded_error"), Failure(403, "permission_error", "not you")]
        )
        outcome = await bench.run(files=FILES[:2])
    assert outcome.status == "completed", outcome.message
    assert bench.log.warnings() == ["RETRYING", "FILE_NOT_SHOWN"]
    assert "not you" in bench.log.of("warning", code="FILE_NOT_SHOWN")[0]["message"]
    image, text, _ = api.requests[0]["messages"][0]["content"]
    assert image["source"] == {"type": "file", "file_id": "file_0"}
    assert text["text"].splitlines()[1:] == ['- report "1".pdf', "- map.png (shown above)"]


async def test_only_anthropics_own_address_is_taken_to_keep_files() -> None:
    for base_url, keeps in (
        (None, True),
        ("https://api.anthropic.com", True),
        ("http://127.0.0.1:9", False),
        ("https://anthropic.com.example.org", False),
    ):
        provider = ModelProvider(lambda url=base_url: ModelSettings(api_key="k", base_url=url))
        async with provider.open(definition=define(), scenario=None, simulated=False, variables={}) as models:
            assert (models.files(MODEL) is not None) == keeps, base_url
        async with provider.open(definition=define(), scenario=None, simulated=True, variables={}) as models:
            assert models.files(MODEL) is None
        await provider.close()
