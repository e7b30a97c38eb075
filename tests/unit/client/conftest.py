"""What the client's tests share: a scripted server and answers in the contract's shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.scripted_http import Answer, ScriptedHttp, scripted_http

API = "/cloutagent/api/v1"
RUN = "11111111-1111-4111-8111-111111111111"
PROJECT = "22222222-2222-4222-8222-222222222222"
NOW = "2026-11-22T08:00:00.000Z"
USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
}


def event(number: int, type: str = "text", **fields: Any) -> dict[str, Any]:
    known = {
        "text": {"content": f"piece {number} "},
        "complete": {
            "usage": USAGE,
            "total_cost_usd": 0.01,
            "duration_ms": 1200,
            "result": {"text": "done", "data": None},
        },
    }.get(type, {})
    return {"id": number, "type": type, "ts": NOW, "agent": "main", "span": "main/1", **known, **fields}


def state(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {
        "execution_id": RUN,
        "project_id": PROJECT,
        "project_name": "Sales analyst",
        "status": status,
        "version": 1,
        "model": "claude-opus-5-5",
        "simulated": False,
        "origin": "notebook",
        "usage": USAGE,
        "total_cost_usd": 0.01,
        "limits": {"max_cost_usd": 1.0, "max_tokens": 100000, "timeout_s": 3600, "max_turns": 50},
        "created_at": NOW,
        "duration_ms": 1200,
        "result": {"text": "done", "data": None} if status == "completed" else None,
        **fields,
    }


def row(name: str = "Sales analyst", id: str = PROJECT) -> dict[str, Any]:
    return {"id": id, "name": name, "description": "", "version": 1, "updated_at": NOW, "trusted": True}


def page(*items: Any, next_cursor: str | None = None) -> Answer:
    return Answer(200, {"items": list(items), "next_cursor": next_cursor})


def refusal(status: int, code: str, message: str, **headers: str) -> Answer:
    return Answer(
        status,
        {"error": {"code": code, "message": message, "details": {}}},
        dict(headers),
    )


@pytest.fixture
def server() -> Iterator[ScriptedHttp]:
    with scripted_http() as script:
        script.routes["GET /cloutagent/api/health"] = Answer(200, {"status": "ok", "version": "1"})
        script.routes[f"GET {API}/projects"] = page(row())
        script.routes[f"POST {API}/projects/{PROJECT}/execute"] = Answer(
            202, {"execution_id": RUN, "status": "running", "position": None, "stream_url": "x"}
        )
        script.routes[f"GET {API}/executions/{RUN}"] = Answer(200, state())
        yield script
