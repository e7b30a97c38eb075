"""Which secrets an execution hands to MCP servers: exactly those of servers that are switched on."""

from __future__ import annotations

from typing import Any

import pytest

from cloutagent_ext.executions.vault import used
from cloutagent_ext.schema.project import Definition


@pytest.mark.parametrize(
    ("server", "names"),
    [
        ({"command": "x", "credentials": {"TOKEN": "ONE"}}, {"ONE"}),
        ({"command": "x", "env": {"A": "<{{secret:ONE}}:{{secret:TWO}}>"}}, {"ONE", "TWO"}),
        ({"transport": "http", "url": "http://h", "headers": {"A": "Bearer {{secret:ONE}}"}}, {"ONE"}),
        ({"transport": "sse", "url": "http://h", "credentials": {"Authorization": "ONE"}}, {"ONE"}),
        ({"command": "x", "credentials": {"TOKEN": "ONE"}, "enabled": False}, set()),
        # What goes nowhere needs no secret.
        ({"command": "x", "headers": {"A": "{{secret:ONE}}"}}, set()),
    ],
)
def test_each_secret_of_a_server_is_known_before_it_is_needed(
    server: dict[str, Any], names: set[str]
) -> None:
    definition = Definition.model_validate({"name": "P", "mcps": [{"id": "s", "name": "S", **server}]})
    assert used(definition) == names
