"""A real store in a folder of its own, and its backups."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.backups import Backups
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import Secrets
from cloutagent_ext.store.stored import Stored
from tests.support.definitions import whole

from .safe import VALUE, Safe


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def store(data_dir: Path) -> ProjectStore:
    store = ProjectStore(data_dir)
    await store.open()
    return store


@pytest.fixture
async def stored(store: ProjectStore) -> Stored:
    """A project with one of everything and two files."""
    return await store.create(
        whole(), files={"data/sales.csv": b"a,b\n1,2\n", "scenario.json": b'{"agents": {}}'}
    )


@pytest.fixture
def pid(stored: Stored) -> str:
    return str(stored.project.id)


@pytest.fixture
def folder(data_dir: Path, pid: str) -> Path:
    """Where that project lies."""
    return data_dir / "projects" / pid


@pytest.fixture
async def safe(store: ProjectStore, data_dir: Path) -> Safe:
    one, two = [str((await store.create(Definition(name=name))).project.id) for name in ("One", "Two")]
    return Safe(data_dir, one, two)


@pytest.fixture
async def kept(safe: Safe) -> Secrets:
    """Two secrets in project one, under the key file's key."""
    secrets = safe.secrets()
    await secrets.set(safe.one, "TOKEN", VALUE)
    await secrets.set(safe.one, "OTHER", "another value")
    return secrets


class Wall:
    """A clock on the wall that a test sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 10, 9, 0).astimezone()

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def backups(store: ProjectStore, wall: Wall) -> Backups:
    return store.backups(now=wall)


def idle(_: Path) -> bool:
    return False


async def names(backups: Backups, kind: str) -> list[str]:
    return sorted(row.name for row in await backups.rows() if row.kind == kind)
