"""`make bench [BENCH_ARGS="turns latency …"]`: run the named benchmarks, or all."""

from __future__ import annotations

import argparse
import importlib
import os
import platform

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


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", choices=[*ALL, []], help="which to run (all)")
    names = parser.parse_args().names or ALL
    print(
        "# CloutAgent benchmarks\n\n"
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    for name in names:
        importlib.import_module(f"tests.benchmarks.{name}").main()


main()
