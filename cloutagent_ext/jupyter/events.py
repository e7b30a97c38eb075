"""Jupyter Events: coarse news of executions on the server's own event bus, for other extensions and
operators.

Two schemas, beside this file: `execution_finished` and `approval_needed`. Names and numbers only. Not
here: the events of an execution (`schema.events`), which are many and have routes of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..executions.observers import ENDED_AS

if TYPE_CHECKING:
    from ..executions.live import Live

_log = logging.getLogger("cloutagent.jupyter")

SCHEMAS = Path(__file__).with_name("event_schemas")
_ID = "https://cloutagent.readthedocs.io/events/{name}/v1"
FINISHED, APPROVAL = _ID.format(name="execution_finished"), _ID.format(name="approval_needed")


class ServerEvents:
    """Tells the server's event logger (an `executions.observers.Observer`)."""

    def __init__(self, event_logger: Any) -> None:
        self._logger = event_logger
        for schema in ("execution_finished", "approval_needed"):
            event_logger.register_event_schema(SCHEMAS / schema / "v1.yaml")

    def saw(self, live: Live, event: Mapping[str, Any]) -> None:
        about = {"execution_id": live.id, "project_id": live.spec.project_id}
        if (status := ENDED_AS.get(event["type"])) is not None:
            more: dict[str, Any] = {
                "status": status, "code": event.get("code"), "origin": live.spec.origin,
                "simulated": live.spec.simulated, "duration_ms": event["duration_ms"],
                "total_cost_usd": event["total_cost_usd"],
            }  # fmt: skip
            self._logger.emit(schema_id=FINISHED, data=about | more)
        elif event["type"] == "approval_required":
            asked = {name: event[name] for name in ("call_id", "tool", "agent")}
            self._logger.emit(schema_id=APPROVAL, data=about | asked)
