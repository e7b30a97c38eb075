"""What a shell does on a data folder without a server leaves the same audit lines as a server does."""

from __future__ import annotations

import getpass
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.cli import main
from tests.support.live_server import bare_environment

VALUE = "a-value-that-nobody-sees"


def test_keys_secrets_and_restores_from_a_shell_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in bare_environment(tmp_path).items():
        monkeypatch.setenv(name, value)  # no server of this user is found
    data = tmp_path / "data"

    def shell(*arguments: str, stdin: str = "", code: int = 0) -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        assert main([*arguments, "--data-dir", str(data), "--json"]) == code
        return json.loads(out) if (out := capsys.readouterr().out).strip() else None

    shell("projects", "create", "Sales")
    key = shell("keys", "create", "Sales", "CI")
    shell("keys", "revoke", "Sales", key["id"])
    shell("secrets", "set", "Sales", "TOKEN", stdin=VALUE)
    shell("secrets", "set", "Sales", "PIN", stdin="1", code=2)
    backup = shell("backup")
    shell("restore", backup["name"], "--project", "Sales")
    [path] = (data / "logs").glob("audit-*.jsonl")
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["action"], line["outcome"]) for line in found] == [
        ("key.create", "ok"), ("key.revoke", "ok"), ("secret.set", "ok"),
        ("secret.set", "INVALID_REQUEST"), ("backup.restore", "ok"),
    ]  # fmt: skip
    assert {json.dumps(line["who"]) for line in found} == {
        json.dumps({"kind": "cli", "name": getpass.getuser()})
    }
    assert found[0]["key_id"] == found[1]["key_id"] == key["id"]
    text = path.read_text()
    assert VALUE not in text
    assert key["api_key"].split("_", 2)[2] not in text
