"""The contract as OpenAPI 3.1, from the route table and the schema package. Nothing is written by hand.

`python -m cloutagent_ext.server.openapi` writes the committed `openapi.json`, from which
the front end's types are generated; a test compares it with what the table says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from ..schema import (
    admin,
    approvals,
    archives,
    backtests,
    canvas,
    cassettes,
    events,
    execution,
    mcps,
    metrics,
    project,
    trace,
    versions,
)
from ..schema.base import FieldError, Model
from . import field_docs
from .gate import HEADER
from .route import Answer, Nothing, RawBody, Route
from .routes import ROUTES

COMMITTED = Path(__file__).with_name("openapi.json")
_REF = "#/components/schemas/{model}"
_API = "/cloutagent/api/"
_BASE_URL = {
    "default": "http://localhost:8888",
    "description": "Address of the Jupyter server, its base URL included.",
}
_JUPYTER = "`token <Jupyter token>`; browsers use Jupyter's cookie and X-XSRFToken."


def document() -> dict[str, Any]:
    """The whole description, JSON-able, in a stable order."""
    schemas = _components()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = _API + route.path.replace("...}", "}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CloutAgent",
            "version": "1",
            "description": "Agents drawn in JupyterLab, run and watched from anywhere. "
            "Times are RFC 3339 in UTC with milliseconds, money is US dollars.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "{base_url}", "variables": {"base_url": _BASE_URL}}],
        "tags": [{"name": name} for name in sorted({route.tag for route in ROUTES})],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": HEADER, "description": "A project's key."},
                "jupyter": {"type": "apiKey", "in": "header", "name": "Authorization",
                            "description": _JUPYTER},
            },
        },
    }  # fmt: skip


_ROOMS = (
    canvas, project, approvals, execution, events, admin, archives, backtests, cassettes, versions, mcps,
    trace,
    metrics,
)  # fmt: skip


def _models() -> list[type[BaseModel]]:
    """Every model of the schema package: clients need those of streams and of disk as well."""
    found: dict[str, type[BaseModel]] = {"FieldError": FieldError, "Nothing": Nothing}
    for module in _ROOMS:
        for name, value in vars(module).items():
            ours = (
                isinstance(value, type) and issubclass(value, Model) and value.__module__ == module.__name__
            )
            if ours and not name.startswith("_"):
                found[name] = value
    return list(found.values())


def _components() -> dict[str, Any]:
    # As requests are read: what has a default may be left out, and clients' types follow.
    _, schema = models_json_schema([(model, "validation") for model in _models()], ref_template=_REF)
    schemas: dict[str, Any] = schema["$defs"]
    for model in _models():
        field_docs.describe(model, schemas[model.__name__])
    return schemas


def _schema_of(model: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference for a model; anything else (pages, unions) inline, its parts by reference."""
    if isinstance(model, type) and model.__name__ in schemas:
        return {"$ref": _REF.format(model=model.__name__)}
    schema = TypeAdapter(model).json_schema(ref_template=_REF)
    schema.pop("$defs", None)
    return schema


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [route.tag],
        "security": _security(route),
        "x-jupyter-action": route.action,
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
    }
    if description := (route.call.__doc__ or "").strip():
        operation["description"] = description
    if route.access.scope is not None:
        operation["x-key-scope"] = route.access.scope
    if route.body is not None:
        operation["requestBody"] = _request_body(route, schemas)
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.access.kind == "public":
        return []
    return [{"jupyter": []}, {"key": []}] if route.access.kind == "key" else [{"jupyter": []}]


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in route.parameters
    ]
    query = route.query.model_json_schema()
    field_docs.describe(route.query, query)
    fields = query.get("properties", {})
    for name, schema in fields.items():
        description = schema.pop("description", None)
        found.append({"name": name, "in": "query", "required": False, "schema": schema}
                     | ({"description": description} if description else {}))  # fmt: skip
    for name, description in route.takes.items():
        found.append({"name": name, "in": "header", "required": False, "schema": {"type": "string"},
                      "description": description})  # fmt: skip
    return found


def _request_body(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    if isinstance(route.body, RawBody):
        return {"required": True, "content": {kind: {} for kind in route.body.media_types}}
    schema = _schema_of(route.body, schemas)
    required = any(field.is_required() for field in route.body.model_fields.values()) if route.body else False
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    found = {str(status): _response(answer, schemas) for status, answer in route.answers.items()}
    if route.operation_id == "execute":
        found["200"]["content"]["text/event-stream"] = {}
    envelope = {"application/json": {"schema": {"$ref": _REF.format(model="ErrorEnvelope")}}}
    found["default"] = {"description": "Every error has this shape.", "content": envelope}
    return found


def _response(answer: Answer, schemas: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description}
    if answer.model is not None:
        response["content"] = {"application/json": {"schema": _schema_of(answer.model, schemas)}}
    elif answer.media_type is not None:
        kinds = (answer.media_type,) if isinstance(answer.media_type, str) else answer.media_type
        response["content"] = {kind: {} for kind in kinds}
    if answer.headers:
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
        }
    return response


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    COMMITTED.write_text(text(), encoding="utf-8")
