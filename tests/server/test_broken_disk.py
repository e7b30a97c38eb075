"""Rows F3 and F4 as callers see them: a full disk is 507, a failed sync is 503 until a restart, and loud."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from cloutagent_ext import durable

from .caller import Caller, code

FULL = {
    "projects": ("POST", "projects", {"name": "Another"}),
    "save": ("PUT", "projects/{id}", {"name": "A project", "description": "new"}),
    "secret": ("POST", "projects/{id}/secrets", {"name": "TOKEN", "value": "a value"}),
    "key": ("POST", "projects/{id}/keys", {"name": "CI"}),
    "backup": ("POST", "backups", None),
}


def breaking(operation: str, number: int) -> SimpleNamespace:
    """`os` whose `operation` fails: for `open`, only where a file is made."""

    def fails(*arguments: object, **more: object) -> object:
        if operation == "open" and not int(arguments[1]) & os.O_CREAT:  # type: ignore[call-overload]
            return os.open(*arguments, **more)  # type: ignore[arg-type]
        raise OSError(number, os.strerror(number))

    return SimpleNamespace(**{**vars(os), operation: fails})


@pytest.mark.parametrize("what", FULL)
async def test_a_full_disk_is_507_and_over_when_there_is_room(
    server: Caller, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    project = await server.create()
    method, path, body = FULL[what]
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", breaking("open", errno.ENOSPC))
        refused = await server.call(method, path.format(**project), json=body)
        assert (refused.status_code, code(refused)) == (507, "DISK_FULL"), refused.text
        assert (await server.get(f"projects/{project['id']}"))["description"] == project["description"]
    done = await server.call(method, path.format(**project), json=body)
    assert done.status_code in (200, 201), done.text
    assert (await server.call("GET", "/cloutagent/api/health", nobody=True)).status_code == 200


@pytest.mark.parametrize("what", FULL)
async def test_after_a_failed_sync_writing_is_503_health_says_so_and_reading_goes_on(
    server: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    project = await server.create()
    method, path, body = FULL[what]
    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", breaking("fsync", errno.EIO))
        refused = await server.call(method, path.format(**project), json=body)
        assert (refused.status_code, code(refused)) == (503, "READ_ONLY"), refused.text
    again = await server.call(method, path.format(**project), json=body)
    assert (again.status_code, code(again)) == (503, "READ_ONLY"), "a retry must not succeed over lost data"
    health = await server.call("GET", "/cloutagent/api/health", nobody=True)
    assert health.status_code == 503
    assert "disk failed" in health.json()["reason"]
    assert any(record.levelname == "CRITICAL" for record in caplog.records)
    assert (await server.get(f"projects/{project['id']}"))["description"] == project["description"]
    assert len((await server.get("projects"))["items"]) == 1


async def test_a_disk_that_gives_other_bytes_back_than_it_was_given_is_not_believed(
    server: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await server.create()

    def lies(descriptor: int, data: bytes) -> int:
        wrong = bytes(data)
        return os.write(descriptor, wrong[:-1] + bytes([wrong[-1] ^ 1]) if wrong else wrong)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "os", SimpleNamespace(**{**vars(os), "write": lies}))
        body = {"name": "A project", "description": "new"}
        refused = await server.call("PUT", f"projects/{project['id']}", json=body)
        assert (refused.status_code, code(refused)) == (503, "READ_ONLY")
    assert (await server.get(f"projects/{project['id']}"))["description"] == project["description"]
