"""The process behind `web_fetch`: a page from standard input becomes text on standard output.

A process of its own because a hostile page can take a parser for ever, or all memory.
Runs as `python -I -S page_child.py <request as JSON>` with the page's bytes, base64, on
standard input; `markdownify` and `bs4` only, from the folders that the request names (its
home folder is an agent's to write to: nothing is imported from there). Scripts, styles, comments,
frames and what the page itself hides are left out, links made absolute.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from typing import Any
from urllib.parse import urljoin

_LEFT_OUT = (
    "script", "style", "noscript", "template", "iframe", "frame", "object", "embed", "svg", "math", "canvas",
    "audio", "video", "img", "picture", "input", "select", "dialog", "link", "meta",
)  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_LINKS = ("http:", "https:", "mailto:")
_DEEPEST = 500


def main() -> None:
    request = json.loads(sys.argv[1])
    sys.path += request["path"]
    data = base64.b64decode(sys.stdin.read())
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    sys.setrecursionlimit(10_000)
    # Not as ASCII: escapes would make six bytes of one, and too much of a page that is not.
    print(json.dumps(text_of(data, request["charset"], request["url"]), ensure_ascii=False))


def text_of(data: bytes, charset: str | None, base: str) -> dict[str, str]:
    """`{title, text}` of an HTML page."""
    from bs4 import BeautifulSoup, Comment

    soup = BeautifulSoup(data, "html.parser", from_encoding=charset)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    if (found := soup.find("base", href=True)) is not None:
        base = urljoin(base, str(found["href"]))
    for element in soup.find_all(string=lambda text: isinstance(text, Comment)):
        element.extract()
    for tag in soup.find_all(_is_left_out):
        if not tag.decomposed:
            tag.decompose()
    for link in soup.find_all("a", href=True):
        absolute = _join(base, str(link["href"]))
        if absolute.startswith(_LINKS):
            link["href"] = absolute
        else:
            del link["href"]
    body = soup.body or soup
    return {"title": title, "text": _markdown(body)}


def _is_left_out(tag: Any) -> bool:
    return (
        tag.name in _LEFT_OUT
        or tag.has_attr("hidden")
        or tag.get("aria-hidden") == "true"
        or bool(_HIDDEN.search(str(tag.get("style", ""))))
    )


def _join(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return ""


def _deeper_than(body: Any, most: int) -> bool:
    depth = {id(body): 0}
    for tag in body.find_all(True):
        depth[id(tag)] = depth[id(tag.parent)] + 1
        if depth[id(tag)] > most:
            return True
    return False


def _markdown(body: Any) -> str:
    from markdownify import MarkdownConverter

    if _deeper_than(body, _DEEPEST):  # no page for people; a converter calls itself for each level
        return str(body.get_text("\n", strip=True))
    text = MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(body)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()


if __name__ == "__main__":
    main()
