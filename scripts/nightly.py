"""`make nightly`: the long forms of the tests, group after group, and the seconds that are promised.

A group that fails, or takes longer than it may, hides none behind it: all of them run, a table closes the
night, and the exit status says whether all was well. `make nightly NIGHTLY_ARGS="crash deploy"` runs some.

Each test belongs to the first group that has it. Not here: what a test needs from the system
(`ensure_debian.sh`), and figures beside a baseline (`make bench`).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent.parent
A_TEST_S = 3600
"""What a test may take that says nothing about it itself."""
LONG = "nightly and not timed"


@dataclass(frozen=True)
class Group:
    name: str
    places: tuple[str, ...]
    hours: float
    """Longer it may not take, whatever its tests say: one that hangs ends nobody else's night."""
    tests: str = LONG
    environment: dict[str, str] = field(default_factory=dict)


GROUPS = (
    # First, while the machine is as it was left: one after the other, and held to the second.
    Group("promises", ("tests",), 2, "timed", {"CLOUTAGENT_STRICT": "1"}),
    Group("crash", ("tests/crash",), 5),
    Group("chain", ("tests/server/test_chain_of_deaths.py",), 6.5),
    Group("soak", ("tests/server/test_soak.py",), 4.5),
    Group("server", ("tests/server",), 3),
    Group("deploy", ("tests/deploy",), 4),
    Group("browser", ("tests/browser",), 3),
    Group("others", ("tests",), 3),
)


@dataclass
class Outcome:
    group: str
    took_s: float
    wrong: str
    """Why it is not well; empty where it is."""
    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: Counter[str] = field(default_factory=Counter)
    """How many, by what they miss."""


def command(groups: Sequence[Group], group: Group, *more: str) -> list[str]:
    """Pytest's command line: what an earlier group of the same kind has is left out."""
    before = [each for each in groups[: groups.index(group)] if each.tests == group.tests]
    ignored = [f"--ignore={place}" for each in before for place in each.places]
    chosen = [*group.places, "-m", group.tests, *ignored]
    return [sys.executable, "-m", "pytest", *chosen, f"--timeout={A_TEST_S}", *more]


def run(groups: Sequence[Group], group: Group, root: Path) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        began = time.monotonic()
        wrong = ""
        with subprocess.Popen(
            command(groups, group, "-q", f"--junitxml={report}"),
            cwd=root,
            env={**os.environ, **group.environment},
        ) as tests:
            try:
                code = tests.wait(group.hours * 3600)
            except subprocess.TimeoutExpired:
                wrong = f"it took longer than {group.hours:g} h"
                tests.send_signal(signal.SIGINT)  # so that it takes along what it has started
                try:
                    code = tests.wait(120)
                except subprocess.TimeoutExpired:
                    tests.kill()
                    code = tests.wait()
        outcome = Outcome(group.name, time.monotonic() - began, wrong)
        if report.exists():
            _read(report, outcome)
    if not outcome.wrong and code:
        outcome.wrong = {1: "", 5: "it has no test"}.get(code, f"pytest ended with {code}")
        outcome.wrong = outcome.wrong or f"{len(outcome.failed)} failed"
    return outcome


def _read(report: Path, outcome: Outcome) -> None:
    failed = []
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest has just written it
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif skipped is not None:
            outcome.skipped[skipped.get("message", "")] += 1
        else:
            outcome.passed += 1
    outcome.failed = tuple(failed)


def table(outcomes: Sequence[Outcome]) -> str:
    rows = [("group", "passed", "failed", "skipped", "minutes", "")]
    for each in outcomes:
        figures = (each.passed, len(each.failed), each.skipped.total(), f"{each.took_s / 60:.1f}")
        rows.append((each.group, *map(str, figures), each.wrong or "well"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:5], widths[1:]), row[5]]) for row in rows
    ]
    for each in outcomes:
        lines += [f"failed: {name}" for name in each.failed]
        lines += [f"skipped in {each.group}: {many} ({why})" for why, many in each.skipped.items()]
    return "\n".join(line.rstrip() for line in lines)


def night(groups: Sequence[Group], chosen: Sequence[str], root: Path) -> int:
    """The exit status."""
    outcomes = []
    status = 0
    try:
        for group in groups:
            if not chosen or group.name in chosen:
                print(f"\n=== {group.name} (at most {group.hours:g} h)", flush=True)
                outcomes.append(run(groups, group, root))
                status = status or int(bool(outcomes[-1].wrong))
    except KeyboardInterrupt:
        status = 130
    print(f"\n{table(outcomes)}", flush=True)
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [group.name for group in GROUPS]
    parser.add_argument("groups", nargs="*", help=f"some of: {', '.join(names)}; without, all of them")
    parser.add_argument("--list", action="store_true", help="the tests of each group, none is run")
    given = parser.parse_args()
    if unknown := [each for each in given.groups if each not in names]:
        parser.error(f"there is no group {unknown[0]!r}, only {', '.join(names)}")
    if given.list:
        for group in GROUPS:
            if not given.groups or group.name in given.groups:
                print(f"=== {group.name}", flush=True)
                subprocess.run(command(GROUPS, group, "-q", "--collect-only"), cwd=HERE, check=True)
        return 0
    return night(GROUPS, given.groups, HERE)


if __name__ == "__main__":
    sys.exit(main())
