"""Which calls of `standalone` may run: the rules of `engine.permissions`, which a test holds beside them."""

import re
from fnmatch import fnmatchcase
from typing import Any

# ---------------------------------------------------------------- permissions

ABOUT = ("command", "action", "path", "file_path", "url", "code", "pattern", "prompt")


def permission(rules: dict[str, str], tool: str, arguments: dict[str, Any]) -> str:
    """deny wins; then the most specific rule (pattern, name, group), ask before allow; then the default."""
    found: list[tuple[int, str]] = []
    for text, verdict in rules.items():
        match = re.match(r"^([A-Za-z0-9_*-]+)(?:\((.+)\))?$", text.strip(), re.DOTALL)
        if match and fnmatchcase(tool, match[1]) and fits(match[2], verdict, arguments):
            found.append((0 if match[2] else 2 if "*" in match[1] else 1, verdict))
    if any(verdict == "deny" for _, verdict in found):
        return "deny"
    default = "ask" if tool in ("bash", "python") or tool.startswith("mcp__") else "allow"
    return min(found, key=lambda hit: (hit[0], hit[1] != "ask"), default=(0, default))[1]


def fits(pattern: str | None, verdict: str, arguments: dict[str, Any]) -> bool:
    """Of a compound command, every part must fit to be allowed, and one is enough to be denied or asked."""
    about = next((arguments[name] for name in ABOUT if isinstance(arguments.get(name), str)), "")
    if pattern in (None, "*"):
        return True
    assert pattern is not None
    if "command" not in arguments:
        return matches(pattern, about)
    parts = [part.strip() for part in re.split(r"&&|\|\||[;|&\n]", about)]
    if verdict == "allow":
        opaque = re.search(r"\$\(|`|<\(|>\(|[<>]|\$\{|\\\n", about)
        return not opaque and any(parts) and all(matches(pattern, part) for part in parts if part)
    parts = [about, *parts, *re.split(r"&&|\|\||[;|&\n`(){}]|\$\(", about)]
    set_before = re.compile(r"^(?:[A-Za-z_][A-Za-z0-9_]*=\S*\s+)+")
    return any(matches(pattern, set_before.sub("", part.strip())) for part in parts)


def matches(pattern: str, text: str) -> bool:
    """Only `*` is special."""
    pattern = f"{pattern[:-2]} *" if pattern.endswith(":*") else pattern
    if pattern.endswith(" *") and text == pattern[:-2]:
        return True
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    return re.fullmatch(expression, text, re.DOTALL) is not None
