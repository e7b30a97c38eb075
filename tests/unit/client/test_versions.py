"""The plain face of versions: what is sent, and what comes back."""

from __future__ import annotations

import pytest

from cloutagent_ext.client import connect
from cloutagent_ext.errors import Conflict
from tests.support.scripted_http import Answer, ScriptedHttp

from .conftest import API, NOW, PROJECT, page, refusal

VERSIONS = f"{API}/projects/{PROJECT}/versions"
ROW = {"version": 2, "label": None, "author": "ann", "created_at": NOW, "unreadable": None}
STORED = {"id": PROJECT, "name": "Sales analyst", "version": 3, "published_version": None, "updated_at": NOW}


def test_all_pages_of_versions_are_listed(server: ScriptedHttp) -> None:
    server.routes[f"GET {VERSIONS}"] = [page(ROW, next_cursor="2"), page(ROW | {"version": 1})]
    with connect(server.url) as client:
        assert [row.version for row in client["Sales analyst"].versions()] == [2, 1]
    assert "cursor=2" in server.requests[-1].query


def test_restore_publish_and_diff_name_the_version(server: ScriptedHttp) -> None:
    server.routes[f"POST {VERSIONS}/2/restore"] = Answer(200, STORED)
    server.routes[f"POST {VERSIONS}/v2/publish"] = Answer(200, STORED | {"published_version": 2})
    server.routes[f"DELETE {VERSIONS}/2/publish"] = Answer(200, STORED)
    server.routes[f"GET {VERSIONS}/1/diff/2"] = Answer(
        200,
        {
            "before": 1, "after": 2, "fields": [{"path": "name", "before": "a", "after": "b"}],
            "files": [{"path": "metadata.json", "change": "changed", "diff": "-a\n+b\n"}],
        },
    )  # fmt: skip
    server.routes[f"POST {VERSIONS}"] = Answer(201, ROW | {"label": "Named"})
    with connect(server.url) as client:
        project = client["Sales analyst"]
        assert project.restore(2).version == 3
        assert project.publish("v2").published_version == 2
        assert project.unpublish(2).published_version is None
        assert project.diff(1, 2).files[0].change == "changed"
        assert project.make_version("Named").label == "Named"
    assert server.asked(f"POST {VERSIONS}")[0].json() == {"label": "Named"}


def test_a_refused_restore_is_said_and_not_sent_again(server: ScriptedHttp) -> None:
    server.routes[f"POST {VERSIONS}/2/restore"] = refusal(409, "CONFLICT", "Executions run.")
    with connect(server.url) as client, pytest.raises(Conflict, match="Executions run"):
        client["Sales analyst"].restore(2)
    assert len(server.asked(f"POST {VERSIONS}/2/restore")) == 1
