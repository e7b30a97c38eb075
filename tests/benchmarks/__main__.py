"""`make bench [BENCH_ARGS="turns latency …"]`: run the named benchmarks, or all.

`browser:live` runs one part of a benchmark that has several (`PARTS` in its module).
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from collections.abc import Callable

ALL = (
    "turns",
    "together",
    "latency",
    "streams",
    "access",
    "log",
    "cancel",
    "store",
    "servers",
    "start",
    "panel",
    "browser",
    "client",
    "telemetry",
)


def _chosen(parser: argparse.ArgumentParser, wish: str) -> tuple[Callable[..., None], list[str]]:
    """The benchmark to call, and the part of it that is wanted."""
    name, _, part = wish.partition(":")
    if name not in ALL:
        parser.error(f"no benchmark is called {name!r}")
    module = importlib.import_module(f"tests.benchmarks.{name}")
    if part and part not in getattr(module, "PARTS", ()):
        parser.error(
            f"{name!r} has no part {part!r}: {', '.join(getattr(module, 'PARTS', ())) or 'it has none'}"
        )
    return module.main, [part] if part else []


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", help=f"which to run (all): {', '.join(ALL)}; or name:part")
    names = parser.parse_args().names or ALL
    chosen = [_chosen(parser, name) for name in names]
    print(
        "# CloutAgent benchmarks\n\n"
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    for main, parts in chosen:
        main(*parts)


main()
