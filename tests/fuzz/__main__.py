"""`python -m tests.fuzz TARGET CORPUS SECONDS`: let Atheris search for bytes that break a promise.

Begins from the target's seeds and from what CORPUS holds, and leaves there what it found worth keeping.
Ends with 0 after SECONDS; with another code, and the bytes in the folder above CORPUS, where one broke.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cloutagent_ext.engine"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, corpus, seconds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    target = TARGETS[name]
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
        target.run(seed)  # what is loaded with the first use is no hang of the first search
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=1500"]
    artifacts = f"-artifact_prefix={corpus.parent}/{name}-"
    atheris.Setup([sys.argv[0], *options, artifacts, str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
