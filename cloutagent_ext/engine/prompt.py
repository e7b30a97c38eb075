"""Prompts with `{{variables}}`: plain text replacement in one pass, never a template language.

A value that itself holds `{{…}}` is not looked at again, so no caller can reach a
built-in or another variable through a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BUILTINS = ("timestamp", "project_name", "execution_id")
"""Names that every prompt may use without declaring them."""

_PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")
_SECRET = re.compile(r"\{\{\s*secret:\s*([^{}\s]*)\s*\}\}")


def fill(text: str, variables: Mapping[str, str], builtins: Mapping[str, str]) -> str:
    """`text` with each known `{{name}}` replaced; an unknown one stays as it is. Built-ins win."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in builtins:
            return builtins[name]
        return variables.get(name, match[0])

    return _PLACE.sub(value, text) if "{{" in text else text


def variables_in(text: str) -> set[str]:
    """Names of the variables that `text` uses, built-ins left out."""
    return set(_PLACE.findall(text)) - set(BUILTINS)


def secrets_in(text: str) -> set[str]:
    """Names that `text` uses as `{{secret:NAME}}`."""
    return set(_SECRET.findall(text))


def fill_secrets(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{{secret:NAME}}` replaced. Never for a prompt: for what only a child process sees."""
    return _SECRET.sub(lambda match: values[match[1]], text)
