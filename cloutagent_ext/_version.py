"""The one place of the version, as installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("cloutagent-ext")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0.dev0"
