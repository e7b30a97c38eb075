"""`docs/security.md` answers every published weakness that we know of with a test of ours that exists."""

from __future__ import annotations

import re
from pathlib import Path

from .test_guarantees import NAMED, TESTS

PAGE = TESTS.parent / "docs/security.md"
KNOWN = [
    "CVE-2025-3248", "CVE-2026-33017", "CVE-2025-34291", "CVE-2026-21445", "CVE-2026-34046",
    "CVE-2026-55423", "CVE-2025-59528", "CVE-2026-40933", "CVE-2026-56274", "CVE-2026-41268",
    "CVE-2025-61687", "CVE-2026-30821", "CVE-2026-31829", "CVE-2026-42449", "GHSA-c2c9-mfw7-p8hw",
    "CVE-2026-41276", "GHSA-f6hc", "CVE-2025-68613", "CVE-2026-1470", "CVE-2026-25049", "CVE-2026-27577",
    "CVE-2026-49444", "CVE-2026-21858", "CVE-2026-21877", "CVE-2026-27498", "GHSA-h3jj-5f3v-3685",
    "CVE-2026-28288", "CVE-2025-56520", "CVE-2026-41947", "GHSA-w39p", "CVE-2026-35397", "CVE-2025-53110",
    "CVE-2026-40110", "CVE-2026-40934", "GHSA-fcw5-x6j4-ccmp", "CVE-2018-19351", "CVE-2018-21030",
    "CVE-2022-24757", "CVE-2022-24758", "GHSA-c3mw-737p-c7g2", "CVE-2022-29241", "CVE-2024-28179",
    "CVE-2023-39968", "CVE-2020-26232", "CVE-2020-26275", "CVE-2023-40170", "CVE-2024-43805",
    "CVE-2021-32797", "CVE-2026-40864", "CVE-2026-54338", "CVE-2022-39286", "CVE-2025-67725",
    "CVE-2025-67726", "CVE-2026-49853", "CVE-2026-49855", "CVE-2025-47287", "CVE-2025-6514",
    "CVE-2025-49596", "CVE-2025-66414", "CVE-2025-66416", "CVE-2025-53109", "CVE-2025-54136",
    "CVE-2025-32711", "CVE-2025-59536", "CVE-2026-21852", "CVE-2026-25725", "CVE-2026-29085",
    "CVE-2026-33128", "CVE-2026-44217",
]  # fmt: skip
"""Of Langflow, Flowise, n8n, Dify, LangGraph, Jupyter, Tornado, MCP, Claude Code and libraries of streams."""

ROW = re.compile(r"^\| (?!weakness|---)(.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall(PAGE.read_text())


def test_every_known_weakness_has_a_row() -> None:
    told = " ".join(row[0] for row in rows())
    assert [name for name in KNOWN if name not in told] == []


def test_every_row_names_tests_that_exist_one_by_one() -> None:
    assert len(rows()) >= 40
    for weakness, broken, proofs in rows():
        named = NAMED.findall(proofs)
        assert named, weakness
        assert broken
        for path, test in named:
            place = Path(TESTS / path)
            assert place.is_file(), path
            assert test, f"{weakness}: name the test, not only its file"
            assert re.search(rf"^\s*(?:async )?def {test}\(", place.read_text(), re.MULTILINE), (path, test)
