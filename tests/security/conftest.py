"""The servers of `tests/server`, under attack."""

from tests.server.conftest import *  # noqa: F403
