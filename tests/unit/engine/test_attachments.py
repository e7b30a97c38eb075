"""Files that come with a task: what of them the model is shown, and what it is only told of."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

from cloutagent_ext.engine.attachments import MAX_SHOWN, shown
from cloutagent_ext.engine.models.catalogue import facts_of
from tests.support.messages_api import MessagesApi, Say

from .harness import live

MODEL = "claude-opus-5-5"


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
    blocks = await shown(["a.png", "b.pdf", "c.csv", "looks.png", "gone.txt"], tmp_path, MODEL)
    image, document, text = blocks
    assert image["type"] == "image"
    assert base64.b64decode(image["source"]["data"]) == png()
    assert (document["type"], document["source"]["media_type"], document["title"]) == (
        "document", "application/pdf", "b.pdf",
    )  # fmt: skip
    assert text["text"].splitlines()[1:] == [
        "- a.png (shown above)", "- b.pdf (shown above)", "- c.csv", "- looks.png", "- gone.txt",
    ]  # fmt: skip


async def test_a_model_that_is_not_known_to_see_is_told_only(tmp_path: Path) -> None:
    assert facts_of("llama-local") is None
    (tmp_path / "a.png").write_bytes(png())
    blocks = await shown(["a.png"], tmp_path, "llama-local")
    assert [block["type"] for block in blocks] == ["text"]


async def test_what_is_too_much_stays_in_the_folder(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(MAX_SHOWN + 5)]
    for name in names:
        (tmp_path / name).write_bytes(png())
    (tmp_path / "huge.pdf").write_bytes(b"%PDF-" + bytes(11 * 1024 * 1024))
    blocks = await shown([*names, "huge.pdf"], tmp_path, MODEL)
    assert len(blocks) == MAX_SHOWN + 1
    assert blocks[-1]["text"].count("shown above") == MAX_SHOWN


async def test_no_link_leads_a_picture_in_from_outside(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    (workspace / "a.png").symlink_to(tmp_path / "secret.png")
    assert [block["type"] for block in await shown(["a.png"], workspace, MODEL)] == ["text"]


async def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert await shown([], tmp_path, MODEL) == []


async def test_the_first_message_carries_them_before_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    async with MessagesApi([Say("A pixel.")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(prompt="What is it?", files=["a.png"])
    assert outcome.status == "completed"
    content = api.requests[0]["messages"][0]["content"]
    assert [block["type"] for block in content] == ["image", "text", "text"]
    assert content[0]["source"]["data"] == base64.b64encode(png()).decode()
    assert content[-1]["text"] == "What is it?"
