"""CloutAgent: draw an agent beside your notebook, run it, and watch every step, token and cent.

For notebooks and programs: `from cloutagent_ext import connect`, or `aconnect` for code that awaits. The
rest of the package is the Jupyter Server extension; it is imported when the server asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .client import aconnect, connect

__all__ = ["__version__", "aconnect", "connect"]


def __getattr__(name: str) -> Any:
    """The client's two functions, imported on first use: a server that only serves needs no client."""
    if name in ("connect", "aconnect"):
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext cloutagent_ext`: the magics `%cloutagent` and `%%cloutagent`."""
    from .client.magics import load

    load(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Where JupyterLab finds the built front end."""
    return [{"src": "labextension", "dest": "cloutagent"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter Server loads."""
    from .garbage import loading

    with loading():
        from .app import CloutAgent

    return [{"module": "cloutagent_ext.app", "app": CloutAgent}]
