"""The extension inside its server: settings, activity, start and stop, and what never reaches a log."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp

from cloutagent_ext.app import CloutAgent
from cloutagent_ext.settings import OTHER_VARIABLES, Settings

from .caller import DEADLINE_S, Caller
from .test_executions import BASH, SLEEPS, until_running


def test_every_setting_is_a_traitlet_with_its_help() -> None:
    traits = CloutAgent.class_traits(config=True)
    for row in Settings.rows():
        assert row.help in traits[row.name].help, row.name
        assert traits[row.name].default_value is None, "unset means: ask the environment"


def test_no_setting_takes_the_name_of_something_that_jupyter_has_there() -> None:
    """`log_level` for instance is Jupyter's: a traitlet of ours would leave the extension without a log."""
    theirs = set(ExtensionApp.class_trait_names()) | {name for name in dir(ExtensionApp) if name[0] != "_"}
    shared = {"data_dir"}  # also Jupyter's word; it asks for the class's own, never for an extension's
    assert {row.name for row in Settings.rows()} & theirs == shared


ISSUE = {
    "ANTHROPIC_API_KEY": ("api_key", "k"), "ENCRYPTION_KEY": ("encryption_key", "0" * 64),
    "MAX_CONCURRENT_EXECUTIONS": ("max_concurrent", "7"), "BACKUP_ENABLED": ("backup_enabled", "no"),
    "ANTHROPIC_BASE_URL": ("base_url", "http://127.0.0.1:9"), "LOG_LEVEL": ("logs_level", "warning"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("otlp_endpoint", "http://127.0.0.1:4318"),
    "OTEL_ENDPOINT": ("otlp_endpoint", "http://127.0.0.1:4319"),
}  # fmt: skip
EXPECTED = {"max_concurrent": 7, "backup_enabled": False, "logs_level": "WARNING"}


@pytest.mark.parametrize("variable", ISSUE)
def test_the_variables_of_the_design_are_rows_of_the_one_table_and_count(
    variable: str, tmp_path: Path
) -> None:
    name, text = ISSUE[variable]
    settings = Settings.from_environment({variable: text}, data_dir=tmp_path)
    assert getattr(settings, name) == EXPECTED.get(name, text)
    assert settings.source(name) == "environment"
    assert variable in CloutAgent.class_traits(config=True)[name].help
    both = Settings.from_environment({variable: text}, data_dir=tmp_path, **{name: EXPECTED.get(name, text)})
    assert both.source(name) == "setting"


@pytest.mark.parametrize(
    "given",
    [["127.0.0.1,*.a.example"], ["127.0.0.1", "*.a.example"], ["['127.0.0.1', '*.a.example']"]],
)
def test_words_on_the_command_line_count_however_they_are_given(given: list[str]) -> None:
    """One word alone had been read as nothing: what the operator opened stayed closed, without a message."""
    app = ServerApp()
    app.parse_command_line([f"--CloutAgent.web_fetch_allow={each}" for each in given])
    assert CloutAgent(config=app.config).web_fetch_allow == ["127.0.0.1", "*.a.example"]
    alone = ServerApp()
    alone.parse_command_line(["--CloutAgent.web_fetch_allow=localhost"])
    assert CloutAgent(config=alone.config).web_fetch_allow == ["localhost"]


def test_of_a_variable_and_its_alias_the_variable_wins(tmp_path: Path) -> None:
    env = {"OTEL_ENDPOINT": "http://alias", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://own"}
    assert Settings.from_environment(env, data_dir=tmp_path).otlp_endpoint == "http://own"


def test_every_variable_that_counts_is_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs/reference.md").read_text()
    rows = {name for row in Settings.rows() for name in (row.env, row.alias) if name}
    variables = rows | {*OTHER_VARIABLES}
    assert variables >= {*ISSUE, "PORT"}
    container = (Path(__file__).parents[2] / "Dockerfile").read_text()
    port = re.search(r"\bPORT=(\d+)", container)
    assert port is not None
    assert f"{port[1]} where it is not set" in OTHER_VARIABLES["PORT"]
    assert [name for name in sorted(variables) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    "settings",
    [
        {
            "heartbeat_s": 3.5,
            "allow_origins": ["https://app.example"],
            "price_overrides": {"llama3": {"input": 1, "output": 2}},
        }
    ],
)
async def test_settings_of_the_servers_configuration_arrive(server: Caller, tmp_path: Path) -> None:
    settings = server.extension.services.settings
    assert settings.heartbeat_s == 3.5
    assert settings.allow_origins == ("https://app.example",)
    assert settings.price_overrides["llama3"]["cache_read"] == 0.1
    assert settings.data_dir == tmp_path / "cloutagent"
    assert str(settings.root_dir) == server.app.root_dir


async def test_the_data_folder_is_jupyters_unless_it_is_set(server: Caller, jp_data_dir: Any) -> None:
    fresh = CloutAgent(serverapp=server.app)
    assert fresh.make_settings().data_dir == jp_data_dir / "cloutagent"


async def test_lab_learns_the_version_without_a_request(server: Caller) -> None:
    from cloutagent_ext import __version__

    assert server.app.web_app.settings["page_config_data"]["cloutagentVersion"] == __version__


async def test_only_what_runs_and_people_who_work_keep_the_server_alive(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    settings = server.app.web_app.settings
    assert server.extension.current_activity() is None

    before = settings["api_last_activity"]
    for path in ("executions", "/cloutagent/api/health"):
        await server.call("GET", path)
    assert settings["api_last_activity"] == before, "an open monitor is nobody at work"
    await server.call("GET", f"projects/{project['id']}")
    assert settings["api_last_activity"] > before

    execution = await server.execute(project["id"])
    await until_running(server, execution)
    assert server.extension.current_activity() == {"executions": 1}
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)
    async with asyncio.timeout(DEADLINE_S):
        while server.extension.current_activity():
            await asyncio.sleep(0.02)


async def test_a_stop_leaves_what_ran_interrupted_and_no_stream_open(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    async with server.stream(f"executions/{execution}/stream") as (_, found):
        await anext(found)
        async with asyncio.timeout(DEADLINE_S):
            await server.extension.stop_extension()
            async for _ in found:
                pass
    state = await server.extension.services.executions.state(execution)
    assert state.status == "interrupted"


async def test_stopping_twice_is_stopping_once(server: Caller) -> None:
    """At the same time, and again afterwards: Jupyter does so at a second signal."""
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(server.extension.stop_extension(), server.extension.stop_extension())
        await server.extension.stop_extension()
    state = await server.extension.services.executions.state(execution)
    assert state.status == "interrupted"
    log = await server.extension.services.executions.log(execution)
    events, _ = await log.page()
    assert [event["type"] for event in events].count("interrupted") == 1


async def test_no_proof_and_no_body_reaches_the_log(server: Caller, caplog: pytest.LogCaptureFixture) -> None:
    project = await server.create()
    key, token = project["api_key"], server.app.identity_provider.token
    caplog.clear()  # the server's own greeting shows its token

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    server.extension.services.store.read = broken
    for headers in ({"X-API-Key": key}, {"Authorization": f"token {token}"}):
        await server.call("GET", f"projects/{project['id']}?1", nobody=True, headers=headers)
    await server.call("GET", f"projects/{project['id']}?token={token}", nobody=True)
    await server.call(
        "POST", "projects", content=b'{"name": "canary-in-body"', headers={"Content-Type": "application/json"}
    )
    assert "ZeroDivisionError" in caplog.text
    for secret in (key, key.rpartition("_")[2], token, "canary-in-body"):
        assert secret not in caplog.text


def test_importing_the_package_imports_neither_server_nor_model_sdk() -> None:
    code = (
        "import sys, cloutagent_ext\n"
        "heavy = {'tornado', 'jupyter_server', 'anthropic', 'pydantic', 'httpx2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "cloutagent_ext._jupyter_server_extension_points()\n"
        "from cloutagent_ext.services import build\n"
        "import cloutagent_ext.server.door\n"
        "ours = {'server.routes', 'store.diff', 'executions.trace', 'schema.metrics'}\n"
        "later = {'filelock', *('cloutagent_ext.' + each for each in ours)} & set(sys.modules)\n"
        "assert not later, later\n"
        "from cloutagent_ext.schema.base import Model\n"
        "left = list(Model.__subclasses__())\n"
        "for each in left: left += each.__subclasses__()\n"
        "built = [each for each in left if each.__pydantic_complete__ and each.__pydantic_fields__]\n"
        "assert not built, built\n"
        "from cloutagent_ext.server.routes import ROUTES\n"
        "sdks = {'anthropic', 'genai_prices', 'httpx2', 'pandas', 'pyrate_limiter'}\n"
        "heavy = sdks & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_the_first_to_come_are_answered_as_anybody_else(server: Caller) -> None:
    """The routes are loaded by whoever comes first: bodies wait, refusals are refusals, and who hangs up is
    missed by nobody."""
    assert server.extension.door.behind is None
    host, port = server.http.base_url.host, server.http.base_url.port
    _, gone = await asyncio.open_connection(host, port)
    path = f"{server.http.base_url.path}cloutagent/api/health"
    gone.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await gone.drain()
    gone.close()
    health, made, refused, nowhere = await asyncio.gather(
        server.call("GET", "/cloutagent/api/health"),
        server.call("POST", "projects", content=b'{"name": "First"}' + b" " * 300_000),
        server.call("GET", "projects", nobody=True),
        server.call("GET", "/cloutagent/api/v2/none"),
    )
    assert [each.status_code for each in (health, made, refused, nowhere)] == [200, 201, 401, 404]
    assert made.json()["name"] == "First"
    assert server.extension.door.behind is not None


async def test_head_answers_as_get_without_a_body(server: Caller) -> None:
    project = await server.create()
    got = await server.call("GET", f"projects/{project['id']}")
    head = await server.call("HEAD", f"projects/{project['id']}")
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", got.headers["ETag"])
    assert head.headers["Content-Length"] == str(len(got.content))
