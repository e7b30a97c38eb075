"""Stands before `rfc3987_syntax` where tests start Python: what that builds when imported is built when used.

`jsonschema` imports one of the two for its formats of addresses, and so does every Jupyter server, which then
spends more than half of its start on forty parsers that nobody asks for. This folder is on the path of tests
and of what they start (`tests/conftest.py`). Not here: any rule; those that would hold anyway are asked.
"""

from __future__ import annotations


def parse(text: str, rule: str) -> str:
    """`text`, where it is what `rule` says. Raises ValueError."""
    if rule.startswith("URI"):
        from rfc3986_validator import validate_rfc3986

        valid = validate_rfc3986(text, rule=rule)
    else:
        from rfc3987_syntax import is_valid_syntax

        valid = is_valid_syntax(rule.lower(), text)
    if not valid:
        raise ValueError(f"{text!r} is no {rule}")
    return text
