"""Bytes of strangers, at random and by search: see `tests.fuzz`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.support.children import with_tree

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("CLOUTAGENT_FUZZ_S", "600"))
"""How long each search goes on at night."""


@st.composite
def spoiled(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """One of the seeds with some of its bytes replaced, left out, repeated, or something put between them."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 40)))
        between = draw(
            st.binary(max_size=8)
            | st.sampled_from([b"null", b"[]", b'"x"', b"1e999", b"{}", data[at:end] * 2])
        )
        data = data[:at] + between + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_spoiled_bytes_break_no_promise(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.run(seed)

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spoiled(target.seeds) | st.binary(max_size=60))
    def search(data: bytes) -> None:
        target.run(data)

    search()


@pytest.mark.nightly
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.parametrize("name", TARGETS)
def test_a_search_finds_no_bytes_that_break_a_promise(tmp_path: Path, name: str) -> None:
    pytest.importorskip("atheris", reason="pip install 'cloutagent-ext[fuzz]' (Linux on x86-64)")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.fuzz", name, str(tmp_path / "corpus"), str(SECONDS)],
        cwd=ROOT, env=with_tree(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    broken = {path.name: path.read_bytes()[:500] for path in tmp_path.glob(f"{name}-*")}
    assert (done.returncode, broken) == (0, {}), done.stderr[-4000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None
    assert int(runs[1]) > 100 * SECONDS, "hardly anything was tried"
