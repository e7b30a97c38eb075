"""`openapi.json` is the contract that others generate from: it says what the table says, and is valid."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from cloutagent_ext.schema import events
from cloutagent_ext.server import openapi
from cloutagent_ext.server.executions import ORIGIN_HEADER
from cloutagent_ext.server.routes import ROUTES

AGAIN = "run `python -m cloutagent_ext.server.openapi` and commit what it writes"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def test_what_is_committed_is_what_the_table_says() -> None:
    committed = openapi.COMMITTED.read_text(encoding="utf-8")
    assert committed == openapi.text(), AGAIN


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_row_is_described_and_nothing_else(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    rows = {(route.method, "/cloutagent/api/" + route.path.replace("...}", "}")) for route in ROUTES}
    assert described == rows


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names <= set(schemas)


def test_every_type_of_event_is_there_for_the_front_end(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    kinds = {
        schema["properties"]["type"]["const"]
        for schema in schemas.values()
        if "const" in schema.get("properties", {}).get("type", {}) and "span" in schema["properties"]
    }
    assert kinds >= events.ENDINGS
    assert len(kinds) == 21


def test_every_route_but_health_asks_for_a_proof(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            assert bool(operation["security"]) == (not path.endswith("/health")), path


def test_every_header_that_a_route_heeds_is_told_and_no_other(document: dict[str, Any]) -> None:
    """A client that is generated could send no `Idempotency-Key`, and resume no stream."""
    heeded = {"If-None-Match"}  # by Tornado, of whatever has an ETag
    for module in {inspect.getmodule(route.call) for route in ROUTES}:
        source = inspect.getsource(module)
        heeded |= set(re.findall(r'call\.header\("([\w-]+)"\)', source))
        heeded |= {ORIGIN_HEADER} if "call.header(ORIGIN_HEADER)" in source else set()
    told = {
        (operation["operationId"], parameter["name"])
        for item in document["paths"].values()
        for operation in item.values()
        for parameter in operation["parameters"]
        if parameter["in"] == "header"
    }
    assert {name for _, name in told} == heeded - {"Accept", "Content-Type"}
    assert told == {
        ("execute", "Idempotency-Key"), ("execute", ORIGIN_HEADER), ("stream_execution", "Last-Event-ID"),
        ("read_project", "If-None-Match"), ("save_project", "If-Match"), ("delete_project", "If-Match"),
        ("restore_version", "If-Match"),
    }  # fmt: skip


def test_every_operation_names_the_one_error_shape(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            content = operation["responses"]["default"]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorEnvelope"}
