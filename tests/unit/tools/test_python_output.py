"""What code in a kernel shows: text, tables and pictures, and how much of it."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cloutagent_ext.engine.tools import display
from cloutagent_ext.jupyter.channels import LARGEST

from .conftest import Box


@contextmanager
def costing_less_than(most: int) -> Iterator[None]:
    """Bytes of this process, at the worst moment."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak:,}"


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
    with costing_less_than(2 * display.STOP_CHARACTERS):
        error = await box.error("python", code=code)
    assert "interrupted after 104,857,600 characters" in error


async def test_a_result_that_is_larger_than_what_is_kept_is_named_and_not_sent(box: Box) -> None:
    await box.run("python", code="1")
    with costing_less_than(10_000_000):
        text = await box.text("python", code="'x' * 300_000_000")
    assert "text/plain of 300,000,002 characters: more than the 16,777,216 that are shown" in text
    both = "{'text/html': 'x' * 20_000_000, 'text/plain': 'T'}"
    code = f"from IPython.display import display; display({both}, raw=True)"
    assert await box.text("python", code=code) == "T\n"
    assert await box.text("python", code="'y' * 3") == "'yyy'\n"


async def test_an_exception_that_is_larger_than_what_is_kept_is_named_and_not_sent(box: Box) -> None:
    await box.run("python", code="kept = 1")
    with costing_less_than(10_000_000):
        error = await box.error("python", code="raise KeyError('x' * 100_000_000)")
    assert "KeyError" in error
    assert re.search(r"an exception of \d00,\d{3},\d{3} characters: more than the 16,777,216", error)
    assert await box.text("python", code="kept") == "1\n"


UNBOUND = """
import traceback
from IPython import get_ipython
get_ipython().kernel.session.__dict__.pop("send")
for way in (get_ipython().displayhook, get_ipython().display_pub):
    way._thread_local.hooks = []
kept = 1
"""
"""What code can do about the bounds of the kernel that it runs in."""


async def test_an_exception_of_code_that_undid_the_bounds_is_cut_off_and_said(box: Box) -> None:
    await box.run("python", code=UNBOUND)
    with costing_less_than(2 * LARGEST):
        error = await box.error("python", code="raise KeyError('x' * 100_000_000)")
    assert f"TooLarge: What it raised or answered is larger than {LARGEST:,} bytes in one piece" in error
    assert await box.text("python", code="kept") == "1\n"


async def test_a_result_of_code_that_undid_the_bounds_is_cut_off_and_said(box: Box) -> None:
    await box.run("python", code=UNBOUND)
    with costing_less_than(2 * LARGEST):
        text = await box.text("python", code="print('before')\ndisplay('x' * 100_000_000)\nprint('behind')")
    assert text.startswith("before\n[something that was shown is larger than")
    assert await box.text("python", code="kept") == "1\n"


async def test_a_flood_of_code_that_undid_the_bounds_is_interrupted_and_the_kernel_lives(box: Box) -> None:
    await box.run("python", code=UNBOUND)
    with costing_less_than(2 * LARGEST):
        error = await box.error("python", code="while True: display('x' * 50_000_000)")
    assert f"interrupted after something that is larger than {LARGEST:,} bytes in one piece" in error
    assert await box.text("python", code="kept") == "1\n"


async def test_progress_that_clears_itself_shows_its_last_state(box: Box) -> None:
    code = (
        "from IPython.display import clear_output, display\n"
        "for n in range(5):\n clear_output(wait=True)\n print('step', n)\n"
        "handle = display('old', display_id=True); handle.update('new')"
    )
    assert await box.text("python", code=code) == "step 4\n'new'\n"
