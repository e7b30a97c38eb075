"""A real Jupyter server with the extension, auth on, on a port of loopback and a folder of its own.

pytest-jupyter's fixtures, on the event loop of pytest-asyncio: its own plugin would bring
a second loop (and a server) to every test of this repository.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
import pytest
from pytest_jupyter.jupyter_core import (  # noqa: F401
    echo_kernel_spec,
    jp_config_dir,
    jp_data_dir,
    jp_env_config_path,
    jp_env_jupyter_path,
    jp_environ,
    jp_home_dir,
    jp_kernel_dir,
    jp_runtime_dir,
    jp_system_config_path,
    jp_system_jupyter_path,
)
from pytest_jupyter.jupyter_server import (  # noqa: F401
    jp_argv,
    jp_auth_header,
    jp_base_url,
    jp_configurable_serverapp,
    jp_extension_environ,
    jp_fetch,
    jp_http_port,
    jp_logging_stream,
    jp_nbconvert_templates,
    jp_root_dir,
    jp_serverapp,
    jp_web_app,
)
from pytest_jupyter.pytest_tornasync import http_server, http_server_client, http_server_port  # noqa: F401

from tests.support.live_server import LiveServer

from .caller import Caller
from .outside import SLOW, Project, make, open_to_keys


@pytest.fixture
async def jp_asyncio_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings of the extension; tests override this fixture or pass `@pytest.mark.parametrize`."""
    return {}


@pytest.fixture
def jp_server_config(tmp_path: Any, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "ServerApp": {
            "jpserver_extensions": {"cloutagent_ext": True, "jupyter_server_terminals": False},
            "allow_unauthenticated_access": False,
        },
        "CloutAgent": {
            "data_dir": str(tmp_path / "cloutagent"), "simulated_pace": 0.0,
            "stop_grace_s": 0.1,
            "allow_simulated_api": True, **settings,
        },
    }  # fmt: skip


@pytest.fixture
async def server(
    jp_serverapp: Any,  # noqa: F811
    http_server: Any,  # noqa: F811
    http_server_port: Any,  # noqa: F811
    jp_base_url: str,  # noqa: F811
) -> AsyncIterator[Caller]:
    """The running server, and somebody to call it. Started and stopped as Jupyter does it."""
    from jupyter_server.serverapp import ServerApp

    await jp_serverapp._post_start()
    address = f"http://127.0.0.1:{http_server_port[1]}{jp_base_url}"
    # No cookies kept: Jupyter gives one to whoever shows its token, and "nobody" must stay nobody.
    forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    # No certificates: reading them takes longer than many a test, and this is plain HTTP.
    async with httpx2.AsyncClient(
        base_url=address, trust_env=False, timeout=30, cookies=forgetful, verify=False
    ) as http:
        yield Caller(http, jp_serverapp)
    await jp_serverapp._cleanup()
    jp_serverapp.kernel_manager.context.destroy()
    ServerApp.clear_instance()


# ---------------------------------------------------------------- a server in a process of its own


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that programs outside and the command line meet; one for all tests of a module."""
    with open_to_keys(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def slow(outside: LiveServer) -> Project:
    """A project of that server that takes more than a second."""
    return make(outside, "Slow", SLOW)


@pytest.fixture(scope="module")
def analyst(outside: LiveServer) -> Project:
    """The first starter project there."""
    return make(outside, "Sales analyst")
