"""What a built front end weighs: the files that JupyterLab loads at its start, and what a page has loaded.

Found by following what the files themselves say, never by name: a chunk that somebody adds is counted.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page

import cloutagent_ext

LABEXTENSION = Path(cloutagent_ext.__file__).parent / "labextension"
MOST_AT_START_KB = 20
MOST_OPENED_KB = 300


def compressed(contents: Iterable[bytes]) -> float:
    """Kilobytes after gzip, as a server would send them."""
    return sum(len(gzip.compress(each, 6)) for each in contents) / 1000


def files_at_start(read: Callable[[str], bytes], names: Iterable[str]) -> list[str]:
    """Files that Lab loads before anything of ours is used, of the built extension with the files `names`.

    Lab loads the entry that package.json names, and of that what package.json says it exposes for Lab;
    the entry says which chunks those need. `read` and `names` know the files by their paths below the
    folder of package.json.
    """
    build = json.loads(read("package.json"))["jupyterlab"]["_build"]
    entry = build["load"]
    text = read(entry).decode()
    wanted = [build[kind] for kind in ("extension", "mimeExtension", "style") if kind in build]
    chunks: set[str] = set()
    for module in wanted:
        factory = re.search(rf'"{re.escape(module)}":\(\)=>(.*?)\.then\(', text)
        assert factory, f"the entry does not say how {module} is loaded"
        found = re.findall(r"\.e\((\d+)\)", factory[1])
        assert found, f"the entry does not say of which chunks {module} consists"
        chunks.update(found)
    scripts = [each for each in names if each.startswith("static/") and each.endswith(".js")]
    of_chunks = [each for each in scripts if each.removeprefix("static/").split(".")[0] in chunks]
    assert len(of_chunks) == len(chunks), f"chunks {chunks} are not one file each: {of_chunks}"
    return [entry, *of_chunks]


class Loaded:
    """Code of ours that a page has asked for since this was made."""

    def __init__(self, page: Page) -> None:
        self.names: list[str] = []
        page.on("request", lambda request: self._take(request.url))

    def _take(self, url: str) -> None:
        path = urlsplit(url).path
        if "/extensions/cloutagent/" in path and path.endswith(".js"):
            self.names.append(path.split("/extensions/cloutagent/")[1])

    @property
    def kb(self) -> float:
        """Kilobytes after gzip of all of it, each file once."""
        return compressed((LABEXTENSION / name).read_bytes() for name in set(self.names))

    def mentions(self, word: str) -> bool:
        return any(word in (LABEXTENSION / name).read_text() for name in set(self.names))
