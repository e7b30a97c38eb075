"""Says what this machine lacks for `make demo` or `make test`, and how to get it.

Runs on any Python 3, before anything is installed; standard library only.
Usage: prerequisites.py demo|test
"""

import os
import re
import shutil
import subprocess
import sys

PYTHON = (3, 11)
NODE = "^20.19.0 || >=22.12.0"
"""What the bundler asks for (`engines` of @rspack/core): older ones cannot `require` it."""
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "firefox",
    "microsoft-edge",
    "open",
    "xdg-open",
    "wslview",
)


def version_of(*command):
    """First dotted number that `command` prints, as a tuple; None where it does not run."""
    try:
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout
    except OSError:  # not there, or for another processor
        return None
    found = re.search(r"(\d+)\.(\d+)", said.decode("utf-8", "replace"))
    return (int(found.group(1)), int(found.group(2))) if found else None


def builds_the_panel(node):
    """Whether `node`, as `version_of` gives it, is within `NODE`."""
    return node >= (22, 12) or (20, 19) <= node < (21, 0)


def missing_for(goal):
    """Sentences about what is missing: (must, would be nice)."""
    must, nice = [], []
    if sys.version_info[:2] < PYTHON:
        must.append(
            "Python %d.%d or newer (this is %d.%d). Debian 12 and newer have it:"
            " `apt-get install python3 python3-venv`; elsewhere from python.org."
            " Then: make %s PYTHON=python3.12" % (PYTHON + tuple(sys.version_info[:2]) + (goal,))
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        must.append("Python's venv module: `apt-get install python3-venv`")
    node = version_of("node", "--version")
    if node is None or not builds_the_panel(node):
        have = "not found" if node is None else "this is %d.%d" % node
        must.append(
            "Node.js 22.12 or newer, or 20.19 (%s): from nodejs.org, or `apt-get install nodejs npm`"
            " on Debian 13, or `conda install -c conda-forge nodejs`" % have
        )
    if goal == "test":
        if shutil.which("curl") is None:
            must.append("curl, which the tests call the API with: `apt-get install curl`")
        named = os.environ.get("CLOUTAGENT_CHROMIUM")
        if named and shutil.which(named) is None:
            must.append(
                "Chromium where CLOUTAGENT_CHROMIUM says: %s is no program. Correct or unset it" % named
            )
        elif not any(shutil.which(name) for name in (named, "chromium", "chromium-browser") if name):
            must.append("Chromium, which the browser tests drive: `apt-get install chromium`")
    elif not any(shutil.which(name) for name in BROWSERS):
        nice.append(
            "No web browser was found here. Open the address below from another window or machine,"
            " or get one: `apt-get install chromium`"
        )
    if sys.platform.startswith("linux") and shutil.which("bwrap") is None:
        nice.append(
            "bubblewrap was not found: commands of agents run without a sandbox, and say so."
            " `apt-get install bubblewrap`" + ("; its tests are skipped" if goal == "test" else "")
        )
    return must, nice


def main():
    goal = sys.argv[1] if len(sys.argv) > 1 else "demo"
    must, nice = missing_for(goal)
    for sentence in nice:
        print("note: " + sentence)
    if must:
        print("make %s needs, and did not find:" % goal)
        for sentence in must:
            print("  - " + sentence)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
