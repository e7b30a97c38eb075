"""Seconds that are promised, and how strictly they are held to.

`with promised(5):` around what may take five seconds. Tests get it as the fixture of that name, which marks
them `timed`. With much else going on nobody's clock says anything: then six times as long is let pass, which
still finds what hangs, or waits for something that it should not wait for. `make nightly` runs the timed
tests one by one with `CLOUTAGENT_STRICT=1`, and holds each of them to its word.

Not here: figures beside a baseline (`make bench`), and conditions to wait for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

STRICT = os.environ.get("CLOUTAGENT_STRICT") == "1"
SLACK = 1.0 if STRICT else 6.0
"""Times as long as promised that something may take."""


@contextmanager
def promised(seconds: float, what: str = "") -> Iterator[None]:
    """Fails if what is within takes longer than promised; `what` says what was."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < SLACK * seconds, f"it took {took:.2f} s, promised are {seconds:g} s. {what}".rstrip()


Promised = Callable[..., AbstractContextManager[None]]
"""`promised`, as tests get it."""
