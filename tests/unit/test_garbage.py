"""What lives for ever is set aside a few times, and only where it is much."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

PROGRAM = """
import gc, json
from cloutagent_ext.garbage import MANY, TIMES, Settled

settled, counts, kept = Settled(), [], []
settled.look()
counts.append(gc.get_freeze_count())
for _ in range(TIMES + 1):
    kept.append([[] for _ in range(MANY)])
    settled.saw(None, {"type": "text"})
    counts.append(gc.get_freeze_count())
    settled.saw(None, {"type": "complete"})
    settled.saw(None, {"type": "complete"})
    counts.append(gc.get_freeze_count())
print(json.dumps([MANY, TIMES, counts]))
"""


def test_much_is_set_aside_at_the_first_ends_and_never_again() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    many, times, counts = json.loads(ran.stdout)
    few, *pairs = counts
    assert few == 0, "a small process is left alone"
    frozen = [0, *pairs[1::2]]
    assert pairs[::2] == frozen[:-1], "only an end is a moment for it"
    assert [later - earlier > many for earlier, later in pairwise(frozen)] == [
        *[True] * times, False,
    ]  # fmt: skip
