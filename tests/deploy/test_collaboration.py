"""With real-time collaboration beside it: `notebook` works in the document that open tabs share.

Its packages are put into a folder of their own, since installed they would be a part of every test's server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .hub import REPOSITORY

BESIDE = (
    "jupyter-server-ydoc>=3", "jupyter-server-fileid>=0.10", "jupyter-ydoc>=4", "pycrdt>=0.14",
    "pycrdt-store>=0.1.5", "pycrdt-websocket>=0.16.5", "sqlite-anyio>=0.3",
)  # fmt: skip
"""The server's part of jupyter-collaboration, with what of it is not installed here anyway."""


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_notebook_that_is_open_with_others_is_changed_in_their_shared_document(tmp_path: Path) -> None:
    site = tmp_path / "site"
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--target", str(site), *BESIDE],
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(REPOSITORY), str(site))))
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/server/test_notebooks.py",
         "-k", "TestCollaboration"],
        cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout
    assert "1 passed" in tests.stdout, "it has been looked for, and skipped"
