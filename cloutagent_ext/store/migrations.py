"""The format of a project's folder, and the steps that bring an older one up to it. Pure.

Each project names its format in `metadata.json` (`schema_version`). Step N of the table makes format
N + 1 out of N: it takes the definition files (path → bytes) and gives them as they should be. A
folder is read through the steps that it lacks, so an older project opens without being touched;
what is kept on the disk changes with its first save (`store.upgrade`). Snapshots of versions are
never rewritten, they are always read this way. A newer format is refused, and left alone.

To change the format: append a step here and fixtures of before and after to its test. Not here: the
disk, and logs of executions, which carry their own frozen definition.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import CloutError, NewerFormat
from .jsonfiles import dump, line_of, load_object, load_text, unreadable
from .tree import METADATA, Tree

Step = Callable[[Tree], Tree]
"""Gives a new tree and leaves the one it is given alone; `schema_version` itself is set for it."""

STEPS: tuple[Step, ...] = ()
"""The first one begins at format 1. So far there is only that."""


def current() -> int:
    """The format that this code writes."""
    return len(STEPS) + 1


def format_of(tree: Tree) -> int:
    """The format that `tree` names; 1 where it names none. Raises `NewerFormat`, `UnreadableFile`."""
    raw = load_object(METADATA, tree[METADATA]) if METADATA in tree else {}
    found = raw.get("schema_version", 1)
    if type(found) is not int or found < 1:
        line = line_of(load_text(METADATA, tree[METADATA]), ["schema_version"])
        raise unreadable(METADATA, "`schema_version` must be a whole number from 1", line)
    if found > current():
        raise NewerFormat(
            f"This project was saved by a newer version (format {found}, this one knows {current()}). "
            "Upgrade to open it; nothing of it is changed meanwhile.",
            file=METADATA,
            found=found,
            known=current(),
        )
    return found


def upgraded(tree: Tree) -> Tree:
    """`tree` in the current format; the same object where it is in it already.

    Raises `NewerFormat`, and `UnreadableFile` where a step cannot make sense of what it finds.
    """
    if METADATA not in tree:
        return tree
    for number in range(format_of(tree), current()):
        try:
            tree = STEPS[number - 1](dict(tree))
            metadata = load_object(METADATA, tree[METADATA])
        except CloutError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise unreadable(
                METADATA, f"cannot be brought from format {number} to {number + 1}: {error!r}"
            ) from error
        tree = {**tree, METADATA: dump({**metadata, "schema_version": number + 1})}
    return tree
