"""Faults that the kernel gives a running process at its system calls, by strace."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@contextmanager
def traced(pid: int, fault: str, trace: Path, *, files: Sequence[Path] = ()) -> Iterator[None]:
    """`fault` (`write:error=EIO`) in each thread of the process, as strace injects it, until the end of this.

    `files`: at these only. `trace` gets the calls that were seen. Skips the test where nobody may trace.
    """
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    places = [word for file in files for word in ("-P", str(file))]
    calls = fault.partition(":")[0]
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), *places, "-o", str(trace),
         "-e", f"trace={calls}", "-e", f"inject={fault}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert tracer.stderr is not None
        said = "requested path"
        while "path" in said:  # it says what each of the files leads to
            said = tracer.stderr.readline()
        if "Operation not permitted" in said:
            pytest.skip("this system lets nobody trace")
        assert "attached" in said, said
        yield
    finally:
        tracer.terminate()  # lets go of the process
        tracer.communicate(timeout=30)
