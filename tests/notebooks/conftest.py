"""One real server for these tests, with the starter project in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloutagent_ext.client import Client, connect
from tests.support.live_server import LiveServer, live_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("server"), "--CloutAgent.simulated_pace=0") as running:
        running.create_project()
        yield running


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[Client]:
    with connect(server.url, token=server.token) as connected:
        yield connected
