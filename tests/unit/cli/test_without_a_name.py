"""A container that runs as a number nobody has named: commands work, and say the number."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore

PROGRAM = """
import pwd, sys
def nobody(number): raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = nobody
from cloutagent_ext.cli import main
sys.exit(main(sys.argv[1:]))
"""
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def test_a_key_is_made_shown_and_audited_where_the_user_has_no_name(tmp_path: Path) -> None:
    """The error would come after the key was made, and nobody would ever see its text."""

    async def make() -> None:
        store = ProjectStore(tmp_path / "data")
        await store.open()
        await store.create(Definition(name="Here"))

    asyncio.run(make())
    command = [sys.executable, "-c", PROGRAM, "keys", "create", "Here", "CI", "--json"]
    done = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "data")],
        env={**{k: v for k, v in os.environ.items() if k not in NAMES}, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["api_key"]
    [audit] = tmp_path.rglob("audit-*")
    lines = audit.read_text().splitlines()
    told = [json.loads(line)["who"]["name"] for line in lines if "key.create" in line]
    assert told == [f"uid {os.getuid()}"]
