"""What code in a kernel shows: text, tables and pictures, and how much of it."""

from __future__ import annotations

import tracemalloc

import pytest

from cloutagent_ext.engine.tools import display

from .conftest import Box


async def test_a_table_is_rich_for_people_and_plain_for_the_model(box: Box) -> None:
    parts = await box.run("python", code="import pandas as pd; pd.DataFrame({'units': [3, 4]})")
    assert [part.type for part in parts] == ["display", "text"]
    assert "<table" in parts[0].data["text/html"]
    assert parts[1].text == "   units\n0      3\n1      4\n"


async def test_a_plot_is_a_picture_in_the_workspace(box: Box) -> None:
    (part,) = await box.run("python", code="import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert (part.type, part.media_type) == ("image", "image/png")
    assert part.alt == "<Figure size 640x480 with 1 Axes>"
    assert (box.workspace / part.path).read_bytes().startswith(b"\x89PNG")


async def test_long_output_is_cut_and_kept(box: Box) -> None:
    (part,) = await box.run("python", code="for n in range(100_000): print(n)")
    assert part.text.startswith("0\n1\n")
    assert part.text.endswith("99999\n") or part.text.endswith("99999")
    assert len(part.text.encode()) <= 32 * 1024
    assert (box.workspace / part.path).read_text().split() == [str(n) for n in range(100_000)]


async def test_endless_output_is_interrupted_and_the_kernel_lives(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "STOP_CHARACTERS", 1_000_000)
    await box.run("python", code="kept = 1")
    assert "[interrupted after 1,000,000 characters" in await box.error(
        "python", code="while True: print('x' * 100)"
    )
    assert await box.text("python", code="kept") == "1\n"


@pytest.mark.parametrize("code", ["while True: print('x' * 100_000)", "print('x' * 300_000_000)"])
async def test_a_flood_costs_the_server_no_more_than_twice_what_it_may_print(box: Box, code: str) -> None:
    """In one message of the kernel it would be gigabytes, and several times that to read it."""
    await box.run("python", code="1")
    tracemalloc.start()
    try:
        error = await box.error("python", code=code)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "interrupted after 104,857,600 characters" in error
    assert most < 2 * display.STOP_CHARACTERS, f"{most:,}"


async def test_a_result_that_is_larger_than_what_is_kept_is_named_and_not_sent(box: Box) -> None:
    await box.run("python", code="1")
    tracemalloc.start()
    try:
        text = await box.text("python", code="'x' * 300_000_000")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "text/plain of 300,000,002 characters: more than the 16,777,216 that are shown" in text
    assert most < 10_000_000, f"{most:,}"
    both = "{'text/html': 'x' * 20_000_000, 'text/plain': 'T'}"
    code = f"from IPython.display import display; display({both}, raw=True)"
    assert await box.text("python", code=code) == "T\n"
    assert await box.text("python", code="'y' * 3") == "'yyy'\n"


async def test_progress_that_clears_itself_shows_its_last_state(box: Box) -> None:
    code = (
        "from IPython.display import clear_output, display\n"
        "for n in range(5):\n clear_output(wait=True)\n print('step', n)\n"
        "handle = display('old', display_id=True); handle.update('new')"
    )
    assert await box.text("python", code=code) == "step 4\n'new'\n"
