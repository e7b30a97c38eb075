"""Real keys of real projects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from cloutagent_ext.auth.keys import Keys
from cloutagent_ext.errors import Unauthorized


class Clock:
    """Monotonic seconds that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    return tmp_path / "projects"


@pytest.fixture
def pid(projects: Path) -> str:
    """A project's folder, which is all that keys need of it."""
    project_id = str(uuid4())
    (projects / project_id).mkdir(parents=True)
    return project_id


@pytest.fixture
async def keys(projects: Path, clock: Clock) -> AsyncIterator[Keys]:
    keys = Keys(projects, clock=clock)
    yield keys
    await keys.close()


async def refused(keys: Keys, text: object) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        await keys.verify(text)  # type: ignore[arg-type]
    assert caught.value.error_code == "INVALID_API_KEY"
    return caught.value
