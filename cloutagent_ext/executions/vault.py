"""What an execution may know of its project's secrets: the model's key, and values for its children.

A value goes to the model service's client or into the environment of a child process, and nowhere
else; what comes back is masked (`engine.masking`). Not here: how secrets are kept (`store.secrets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..engine.masking import Mask
from ..engine.ports import EndExecution
from ..engine.prompt import fill_secrets, secrets_in
from ..errors import NotFound, SecretsLocked, UnreadableFile
from ..schema.project import Definition, HttpAction

if TYPE_CHECKING:
    from ..engine.models import ModelProvider, ModelSettings
    from ..store.secrets import Secrets

MODEL_KEY = "ANTHROPIC_API_KEY"
"""Name of the secret that a project's model calls are made with."""


class Vault:
    """The secrets of all projects, as executions ask for them."""

    def __init__(self, secrets: Secrets, models: ModelProvider) -> None:
        self._secrets = secrets
        self._models = models

    async def model_settings(self, project_id: str) -> ModelSettings:
        """Where this project's model calls go: key of the setting, of its secret, of the environment.

        Raises `SecretsLocked` or `UnreadableFile` where it has a key of its own that cannot be read:
        to call with another one instead would spend somebody else's money.
        """
        settings = self._models.settings
        if settings.source == "setting":
            return settings
        return settings.with_secret(await self._secrets.get(project_id, MODEL_KEY))

    async def names(self, project_id: str, definition: Definition) -> frozenset[str] | None:
        """Names of the project's secrets; None where they cannot be told and none is needed.

        Raises `SecretsLocked`, `UnreadableFile` where one that `definition` uses cannot be opened.
        """
        wanted = used(definition)
        try:
            rows = await self._secrets.list(project_id)
        except UnreadableFile:
            if wanted:
                raise
            return None
        if locked := sorted(row.name for row in rows if row.locked and row.name in wanted):
            await self._secrets.get(project_id, locked[0])  # says why
        return frozenset(row.name for row in rows)

    async def values(self, project_id: str, *, strict: bool) -> frozenset[str]:
        """Everything that must not be written down: all of the project's secrets, and the model's key.

        `strict`: raise `SecretsLocked`, `UnreadableFile` where one cannot be read; else do without it.
        """
        found = {self._models.settings.api_key or ""}
        try:
            names = [row.name for row in await self._secrets.list(project_id)]
            for name in names:
                found.add(await self._secrets.get(project_id, name) or "")
        except (SecretsLocked, UnreadableFile):
            if strict:
                raise
        return frozenset(found - {""})

    def of(self, project_id: str) -> ProjectSecrets:
        """One execution's secrets."""
        return ProjectSecrets(self._secrets, project_id)


class ProjectSecrets:
    """The engine's `Secrets` port. Remembers what it gave away, for the mask."""

    def __init__(self, secrets: Secrets, project_id: str) -> None:
        self._secrets = secrets
        self._project_id = project_id
        self._given: set[str] = set()

    async def get(self, name: str) -> str:
        """Raises `EndExecution` where it is missing, locked or damaged."""
        try:
            value = await self._secrets.get(self._project_id, name)
        except (SecretsLocked, UnreadableFile, NotFound) as error:
            raise EndExecution("TOOL_ERROR", error.message, secret=name) from None
        if value is None:
            raise EndExecution(
                "TOOL_ERROR", f"The project has no secret named {name}. Add it, or take it out.", secret=name
            )
        self.confide(value)
        return value

    def confide(self, value: str | None) -> None:
        """Have `value` masked too."""
        if value:
            self._given.add(value)

    @property
    def mask(self) -> Mask:
        """Takes out every value given so far."""
        return Mask(self._given)

    async def filled(self, env: Mapping[str, str]) -> dict[str, str]:
        """`env` with each `{{secret:NAME}}` replaced. Raises `EndExecution`."""
        names = sorted({name for value in env.values() for name in secrets_in(value)})
        values = {name: await self.get(name) for name in names}
        return {name: fill_secrets(value, values) for name, value in env.items()}


def used(definition: Definition) -> frozenset[str]:
    """Names of the secrets that an execution of `definition` hands to its children, hooks and servers."""
    values = [*definition.agent.env.values()]
    for hook in definition.hooks:
        if hook.enabled:
            values += (hook.action.headers if isinstance(hook.action, HttpAction) else hook.env).values()
    named: list[str] = []
    for server in definition.mcps:
        if server.enabled:
            values += (server.env if server.transport == "stdio" else server.headers).values()
            named += server.credentials.values()
    return frozenset(named) | {name for value in values for name in secrets_in(value)}
