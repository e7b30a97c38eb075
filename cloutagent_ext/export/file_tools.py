"""The file tools in a few lines of the standard library, for programs and notebooks that stand alone.

The source of these functions is copied into what is exported; nothing here is called by the product,
whose own tools (`engine.tools.files`, `engine.tools.search`) are confined far more strictly. They
answer a model in the same words.
"""

import re
from pathlib import Path


def inside(path: str) -> Path:
    """`path` below the current folder; an error for the model where it leads out."""
    root = Path.cwd().resolve()
    found = (root / path).resolve()
    if not found.is_relative_to(root):
        raise ValueError(f"{path}: it lies outside of the working folder.")
    return found


def view(path: str, view_range: list[int] | None = None) -> str:
    """A text file with line numbers, or the names in a folder."""
    found = inside(path)
    if found.is_dir():
        names = sorted(each.name + ("/" if each.is_dir() else "") for each in found.iterdir())
        return "\n".join(names) or "[an empty folder]"
    lines = found.read_bytes().decode("utf-8", "replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if not lines:
        return "[an empty file]"
    first, last = view_range or (1, -1)
    last = len(lines) if last == -1 else min(last, len(lines))
    if not 1 <= first <= max(last, 0):
        raise ValueError(f"`view_range` does not fit: the file has {len(lines):,} lines, counted from 1.")
    return "\n".join(f"{number:6}\t{lines[number - 1]}" for number in range(first, last + 1))


def file_create(path: str, content: str) -> str:
    """Write a text file, with the folders it needs."""
    found, data = inside(path), content.encode()
    done = "Replaced" if found.exists() else "Created"
    found.parent.mkdir(parents=True, exist_ok=True)
    found.write_bytes(data)
    lines = content.count("\n") + (not content.endswith("\n") if content else 0)
    return f"{done} {path} ({lines:,} lines, {len(data):,} bytes)."


def str_replace(path: str, old_str: str, new_str: str = "") -> str:
    """Replace one passage of a text file, which must occur exactly once."""
    found = inside(path)
    text = found.read_bytes().decode()
    if (count := text.count(old_str)) == 0:
        raise ValueError(
            f"{path}: `old_str` does not occur; `view` shows the text as it stands (less the numbers)."
        )
    if count > 1:
        raise ValueError(f"{path}: `old_str` occurs {count} times; give more of the lines around it.")
    at = text.index(old_str)
    changed = text[:at] + new_str + text[at + len(old_str) :]
    found.write_bytes(changed.encode())
    first = max(changed[:at].count("\n") - 2, 0)
    rows = changed.split("\n")[first : min(first + new_str.count("\n") + 6, first + 40)]
    shown = "\n".join(f"{first + number + 1:6}\t{row}" for number, row in enumerate(rows))
    return f"Changed {path}. It now reads:\n{shown}"


def glob(pattern: str, path: str = ".") -> str:
    """Files whose name fits `pattern`, one path a line; hidden ones left out."""
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise ValueError("The pattern is relative to `path` and has no `..` in it.")
    root, top = Path.cwd().resolve(), inside(path)
    found = [each.relative_to(root).as_posix() for each in top.glob(pattern) if each.is_file()]
    shown = [each for each in found if not any(part.startswith(".") for part in each.split("/"))]
    return "\n".join(sorted(shown)[:1000]) or "[no file matches]"


def grep(
    pattern: str, path: str = ".", glob: str = "", ignore_case: bool = False, max_results: int = 200
) -> str:
    """Lines of text files that fit a regular expression, as `file:line:text`; hidden files left out."""
    root, top = Path.cwd().resolve(), inside(path)
    wanted = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    files = [top] if top.is_file() else sorted(each for each in top.rglob(glob or "*") if each.is_file())
    rows: list[str] = []
    for file in files:
        name = file.relative_to(root).as_posix()
        data = b"" if any(part.startswith(".") for part in name.split("/")) else file.read_bytes()
        if b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if wanted.search(line):
                rows.append(f"{name}:{number}:{line}")
                if len(rows) >= max_results:
                    return "\n".join([*rows, f"[stopped at {max_results} matches]"])
    return "\n".join(rows) or "[no line matches]"
