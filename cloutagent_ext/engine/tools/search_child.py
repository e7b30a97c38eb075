"""The process behind `glob` and `grep`: walks beneath one folder and prints what it finds, one JSON a line.

A process of its own because a regular expression can run for ever and cannot be
stopped inside a thread. Runs as `python -I -S search_child.py <request as JSON>`;
standard library and `beneath` only. It follows no symbolic link on the way down, reads
only regular files, and stops at `MAX_FILES`, at `limit` results, and at the time limit
of whoever started it.
"""

# ruff: noqa: PTH100, PTH120, PTH123
# Descriptors, not paths; and start-up counts.
from __future__ import annotations

import fnmatch
import itertools
import json
import os
import re
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from . import beneath

    Say = Callable[[dict[str, Any]], None]
    Parts = tuple[str, ...]
else:
    # Behind the standard library: no file of this folder ever stands for a module of that.
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import beneath

MAX_FILES = 200_000
MAX_DEPTH = 100
MAX_FILE_BYTES = 64 * 1024 * 1024
"""Larger files are named, not searched."""
MAX_LINE_BYTES = 64 * 1024
"""Bytes of one line that are searched."""
SHOWN = 400
"""Characters of a line that are shown."""


def matches(pattern: Sequence[str], parts: Parts) -> bool:
    """Whether path components `parts` match glob components `pattern` (`**` is any number, none included)."""
    reachable = {0}
    for part in (*parts, None):
        # `**` also matches nothing: what stands behind it can be reached without a component.
        for index in range(len(pattern)):
            if index in reachable and pattern[index] == "**":
                reachable.add(index + 1)
        if part is None:
            break
        reachable = {
            target
            for index in reachable
            if index < len(pattern)
            for target in ([index] if pattern[index] == "**" else [index + 1])
            if fits(pattern[index], part)
        }
    return len(pattern) in reachable


def fits(pattern: str, name: str) -> bool:
    """Names that begin with a dot are found only by a pattern that does too."""
    if name.startswith("."):
        return pattern.startswith(".") and fnmatch.fnmatchcase(name, pattern)
    return pattern == "**" or fnmatch.fnmatchcase(name, pattern)


def walk(top: int, hidden: bool, say: Say) -> Iterator[tuple[Parts, int, str, bool]]:
    """Yield `(components, folder descriptor, name, is regular)`, a folder's own names before what is below.

    Hidden folders are entered only with `hidden`. One descriptor is open for each level.
    """
    left = MAX_FILES

    def below(folder: int, parts: Parts) -> Iterator[tuple[Parts, int, str, bool]]:
        nonlocal left
        try:
            with os.scandir(folder) as entries:
                rows = [
                    (entry.name, entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False))
                    for entry in itertools.islice(entries, left + 1)
                ]
        except OSError:
            return  # went away, or may not be read
        rows.sort()
        for name, _, is_file in rows:
            left -= 1
            if left < 0:
                say({"note": f"stopped after {MAX_FILES:,} files and folders"})
                return
            yield (*parts, name), folder, name, is_file
        for name, is_folder, _ in rows:
            if not is_folder or left < 0 or len(parts) >= MAX_DEPTH or (name.startswith(".") and not hidden):
                continue
            try:
                inner = beneath.open_directory(folder, name)
            except OSError:
                continue  # went away, may not be read, or became a link
            try:
                yield from below(inner, (*parts, name))
            finally:
                os.close(inner)

    yield from below(top, ())


def run_glob(request: dict[str, Any], top: int, prefix: Parts, say: Say) -> None:
    pattern = request["pattern"].split("/")
    hidden = any(part.startswith(".") for part in pattern)
    found = 0
    for parts, _, _, _ in walk(top, hidden, say):
        if matches(pattern, parts):
            found += 1
            if found > request["limit"]:
                say({"note": f"more than {request['limit']:,} found, the others left out"})
                return
            say({"path": "/".join((*prefix, *parts))})


def run_grep(request: dict[str, Any], top: int, prefix: Parts, say: Say) -> None:
    flags = re.IGNORECASE if request["ignore_case"] else 0
    expression = re.compile(request["pattern"], flags)
    pattern = request["glob"].split("/") if request["glob"] else None
    if pattern and len(pattern) == 1:
        pattern = ["**", *pattern]
    left = request["limit"]
    for parts, folder, name, is_file in walk(top, False, say):
        if not is_file or name.startswith(".") or (pattern and not matches(pattern, parts)):
            continue
        left = grep_file(expression, folder, name, "/".join((*prefix, *parts)), left, say)
        if left < 0:
            return


def grep_file(expression: re.Pattern[str], folder: int, name: str, shown: str, left: int, say: Say) -> int:
    """Say each line that matches; how many more may be said, below 0 when the limit is passed."""
    try:
        descriptor = beneath.open_regular(folder, name)
    except (OSError, beneath.Refused):
        return left
    with open(descriptor, "rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
            say({"note": f"{shown}: too large to search"})
            return left
        number, whole = 1, True
        while line := file.readline(MAX_LINE_BYTES):
            if number == 1 and b"\0" in line:
                return left  # binary
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if whole and expression.search(text):
                left -= 1
                if left < 0:
                    say({"note": "there are more matches than asked for; narrow the pattern or the path"})
                    return left
                say({"path": shown, "line": number, "text": text[:SHOWN]})
            whole = line.endswith(b"\n")  # only the beginning of an endless line is searched
            number += whole
    return left


def main() -> None:
    request = json.loads(sys.argv[1])

    def say(row: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(row) + "\n")

    prefix = tuple(request["prefix"])
    parts = tuple(request["parts"])
    try:
        with beneath.located(request["root"], parts, follow_root=request["follow_root"]) as (folder, name):
            if stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                if request["do"] == "glob":
                    say({"error": "it is a file; give a folder"})
                else:
                    flags = re.IGNORECASE if request["ignore_case"] else 0
                    grep_file(
                        re.compile(request["pattern"], flags),
                        folder,
                        name,
                        "/".join(prefix),
                        request["limit"],
                        say,
                    )
                return
            top = beneath.open_directory(folder, name)
        try:
            (run_glob if request["do"] == "glob" else run_grep)(request, top, prefix, say)
        finally:
            os.close(top)
    except beneath.Refused as error:
        say({"error": str(error)})
    except re.error as error:
        say({"error": f"the pattern is no Python regular expression: {error}"})
    except (OSError, RecursionError, OverflowError) as error:
        say({"error": getattr(error, "strerror", None) or str(error)})
    finally:
        sys.stdout.flush()


if __name__ == "__main__":
    main()
