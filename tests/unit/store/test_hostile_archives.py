"""Archives made to do harm: refused by name, nothing written outside, nothing left behind, little memory."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest

from cloutagent_ext.errors import BadArchive
from cloutagent_ext.store.projects import ProjectStore
from tests.support.archives import HOSTILE, zipped

MAX_MEMORY = 100 * 1024 * 1024


def everything(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if ".locks" not in path.parts}


def test_there_are_at_least_60_of_them() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("what", HOSTILE)
async def test_it_is_refused_and_leaves_nothing(store: ProjectStore, tmp_path: Path, what: str) -> None:
    data = HOSTILE[what]()
    before = everything(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(BadArchive) as refused:
            await store.archives.load(io.BytesIO(data), len(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.error_code == "BAD_ARCHIVE"
    assert everything(tmp_path) == before
    assert list((tmp_path / "data/projects/.locks").iterdir()) == []
    assert await store.ids() == []
    assert peak < MAX_MEMORY, f"{peak:,} bytes"


async def test_the_honest_rest_of_them_would_have_been_taken(store: ProjectStore) -> None:
    data = zipped([("files/nested.zip", zipped([("../evil", b"x")]))])
    project_id, _ = await store.archives.load(io.BytesIO(data), len(data))
    assert [row.path for row in await store.list_files(project_id)] == ["nested.zip"]
