"""What all crash tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .loop import RUNNER


@pytest.fixture(scope="session", autouse=True)
def _loop_is_closed() -> Iterator[None]:
    yield
    RUNNER.close()
