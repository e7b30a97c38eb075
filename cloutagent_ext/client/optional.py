"""Packages that only some faces of the client need: imported when asked for, a sentence when missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingPackage(ImportError):
    """Something asked for needs a package that is not installed; the text says how to get it."""


def need(module: str, what: str, *, package: str | None = None) -> Any:
    """`module`, imported. `what` needs it, in words that begin a sentence."""
    try:
        return import_module(module)
    except ImportError as error:
        name = package or module.partition(".")[0]
        raise MissingPackage(
            f"{what} needs {name}, which is not installed here: `pip install {name}`, or "
            "`pip install 'cloutagent-ext[notebook]'` for all that notebooks use.",
            name=name,
        ) from error
