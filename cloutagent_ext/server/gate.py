"""Who calls with a key, and whether that key opens what is asked for.

Order, so that wrong keys cost everybody else nothing: keys verified a moment ago, the
address's limit of failures, then one bounded check. Not here: what a key is made of
(`auth.keys`), and Jupyter users (the base handler asks Jupyter itself).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from ..errors import Forbidden, NotFound, Unauthorized
from .rate_limits import RateLimits
from .route import Route

if TYPE_CHECKING:
    from ..auth.principal import Principal
    from ..services import Services

HEADER = "X-API-Key"


def missing() -> Unauthorized:
    return Unauthorized(
        f"Send a project's key in the header {HEADER}, or call as a logged-in Jupyter user.",
        code="MISSING_API_KEY",
    )


def revoked() -> Unauthorized:
    """The answer to a key that was good when its call began."""
    return Unauthorized("This key is no longer valid. The execution goes on.", code="INVALID_API_KEY")


def foreign() -> Forbidden:
    """The one answer to a key for everything that is not its own, whether it exists or not."""
    return Forbidden("This key opens its own project and that project's executions, nothing else.")


class Gate:
    """Judges callers that bring a key."""

    def __init__(self, services: Services, limits: RateLimits) -> None:
        self._services = services
        self.limits = limits
        self._pending: defaultdict[str, dict[str, asyncio.Task[Principal]]] = defaultdict(dict)

    async def identify(self, presented: list[str], address: str) -> Principal:
        """Whose key this is. `presented`: every X-API-Key header of the request, in order."""
        if len(presented) == 1 and not presented[0].strip():
            raise missing()
        if len(presented) != 1:
            raise Unauthorized(f"Send the header {HEADER} once.", code="INVALID_API_KEY")
        text = presented[0]
        keys = self._services.keys
        return keys.remembered(text) or await keys.recall(text) or await self._check(text, address)

    async def _check(self, text: str, address: str) -> Principal:
        """One check per distinct text, however many calls bring it at once."""
        pending = self._pending.get(address, {})  # an address that is refused leaves nothing here
        task = pending.get(text)
        joins = task is not None
        if task is None:
            self.limits.check_failures(address, len(pending))
            task = self._pending[address][text] = asyncio.create_task(self._services.keys.verify(text))
            task.add_done_callback(lambda done: self._settled(address, text, done))
        try:
            return await asyncio.shield(task)
        except Unauthorized:
            if joins:
                self.limits.failures.hit(address)
            raise

    def _settled(self, address: str, text: str, check: asyncio.Task[Principal]) -> None:
        """A check is over: it counts at once, so that no guess slips in between pending and failed."""
        if not check.cancelled() and isinstance(check.exception(), Unauthorized):
            self.limits.failures.hit(address)
        self._pending[address].pop(text, None)
        if not self._pending[address]:
            del self._pending[address]

    async def allow(self, principal: Principal, route: Route, parameters: dict[str, str]) -> None:
        """Refuse what this key may not do; the answer never tells whether something exists."""
        if route.access.kind != "key":
            raise Forbidden("This address is for Jupyter users; a key cannot call it.")
        if route.access.scope not in principal.scopes:
            raise Forbidden(f"This key lacks the scope `{route.access.scope}`; make one that has it.")
        if "project_id" in parameters and parameters["project_id"] != principal.project_id:
            raise foreign()
        if "execution_id" in parameters:
            await self._own_execution(principal, parameters["execution_id"])

    async def _own_execution(self, principal: Principal, execution_id: str) -> None:
        """Looks among the project's own only: others' executions and none at all take the same time."""
        project_id = principal.project_id
        if project_id is None or not await self._services.executions.belongs(execution_id, project_id):
            raise foreign()

    async def still_valid(self, principal: Principal) -> bool:
        """Whether the key has not been revoked since, here or by another server on the same folder."""
        if principal.kind == "user" or principal.project_id is None:
            return True
        try:
            rows = await self._services.keys.list(principal.project_id)
        except NotFound:
            return False
        return any(row.id == principal.key_id for row in rows)
