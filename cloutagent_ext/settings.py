"""Every setting of CloutAgent, in one table: name, environment variable, default, unit, help.

`server.app` makes one traitlet from each row, the documentation prints them, and the
command line reads the same ones. Here: what may be set and where a value came from.
Not here: what a setting does, and secrets of projects (those live in the store).

Nothing here looks at the process's environment on its own: callers hand one in, so
that a test or an embedding program decides what is seen.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

Source = Literal["setting", "environment", "default"]


class SettingError(ValueError):
    """A value that a setting cannot take; the message names the setting or variable and what it takes."""


@dataclass(frozen=True)
class Row:
    """One setting as others show it. `type` is what a traitlet is made from."""

    name: str
    type: type
    default: Any
    help: str
    env: str | None = None
    alias: str | None = None
    """Another variable that means the same; `env` wins."""
    unit: str = ""
    minimum: float | None = None
    choices: tuple[str, ...] = ()
    """The only words it takes; any text where empty."""
    secret: bool = False
    """Never shown: not in a log, not by `repr`."""


def _setting(kind: type, default: Any, help: str, *, env: str | None = None, **more: Any) -> Any:
    """A field of `Settings` with its row."""
    shown = not more.get("secret", False)
    metadata = {"type": kind, "help": help, "env": env, **more}
    if isinstance(default, tuple | dict):
        return field(default_factory=lambda: default, metadata={**metadata, "default": default}, repr=shown)
    return field(default=default, metadata=metadata, repr=shown)


@dataclass(frozen=True)
class Settings:
    """What an operator decides. Made by `from_environment`; immutable afterwards."""

    data_dir: Path = _setting(  # noqa: RUF009 - immutable
        Path,
        Path(),
        "Folder of everything that is kept: projects, executions, backups, workspaces. "
        "Empty: `cloutagent` in Jupyter's data folder.",
        env="CLOUTAGENT_DATA_DIR",
    )
    root_dir: Path | None = _setting(  # noqa: RUF009 - immutable
        Path, None, "Folder that the folders a project names are relative to: the Jupyter server's root."
    )
    api_key: str | None = _setting(
        str,
        None,
        "Key of the model service. Without one (and without a base URL) the simulated model plays.",
        env="ANTHROPIC_API_KEY",
        secret=True,
    )
    encryption_key: str | None = _setting(
        str,
        None,
        "Key that projects' secrets are encrypted with: 64 hex digits. Empty: a key is made once and kept in "
        "`encryption_key_file`.",
        env="ENCRYPTION_KEY",
        secret=True,
    )
    encryption_key_file: Path | None = _setting(  # noqa: RUF009 - immutable
        Path,
        None,
        "File of the keys that open secrets, newest first; never inside the data folder. "
        "Empty: beside the data folder, under its name with `.keys`.",
        env="CLOUTAGENT_ENCRYPTION_KEY_FILE",
    )
    base_url: str | None = _setting(
        str,
        None,
        "Where model calls go instead of Anthropic: any service that speaks the Messages API.",
        env="ANTHROPIC_BASE_URL",
    )
    allow_simulated_api: bool = _setting(
        bool,
        False,
        "Let calls with an API key be answered by the simulated model where no model key is set. "
        "For demonstrations: the answers are marked, but they are not a model's.",
        env="CLOUTAGENT_ALLOW_SIMULATED_API",
    )
    simulated_pace: float = _setting(
        float, 40.0, "How fast the simulated model speaks; 0 is at once.", unit="words per second", minimum=0
    )
    price_overrides: Mapping[str, Mapping[str, float]] = _setting(
        dict,
        {},
        "Prices that stand instead of the built-in tables, and prices of models that those do not know: "
        '`{"<model>": {"input": 3, "output": 15}}`, on wish with `cache_read` (else a tenth of `input`), '
        "`cache_write_5m` (else 1.25 times) and `cache_write_1h` (else twice). As a variable: the same JSON.",
        env="CLOUTAGENT_PRICE_OVERRIDES",
        unit="US dollars per million tokens",
    )
    backup_enabled: bool = _setting(
        bool,
        True,
        "Make a backup of all projects each night at 02:00, seven of them kept.",
        env="BACKUP_ENABLED",
    )
    backups_keep_manual: int = _setting(
        int,
        30,
        "Most backups kept of those made on demand; the oldest go when a new one is made. 0: all. Download "
        "what you want to keep for longer.",
        env="CLOUTAGENT_BACKUPS_KEEP_MANUAL",
        minimum=0,
    )
    max_concurrent: int = _setting(
        int,
        3,
        "Most executions of one project that run at once; a project may ask for fewer.",
        env="MAX_CONCURRENT_EXECUTIONS",
        minimum=1,
    )
    max_running: int = _setting(int, 16, "Most executions that run at once in the whole server.", minimum=1)
    stop_grace_s: float = _setting(
        float, 5.0, "How long running executions may go on when the server stops.", unit="seconds", minimum=0
    )
    max_streams: int = _setting(int, 100, "Most event streams open at once.", minimum=1)
    heartbeat_s: float = _setting(
        float, 15.0, "Time between the comments that keep a quiet stream open.", unit="seconds", minimum=0.1
    )
    rate_limit: int = _setting(
        int, 100, "Most requests of one address with an API key.", unit="requests per minute", minimum=1
    )
    failed_auth_limit: int = _setting(
        int, 20, "Most failed authentications of one address.", unit="failures per minute", minimum=1
    )
    versions_keep: int = _setting(
        int,
        1000,
        "Most versions kept of one project; the oldest go when a new one is made. 0: all. The newest, the "
        "published one, labelled ones and those that unfinished executions run always stay.",
        minimum=0,
    )
    versions_max_age_days: int = _setting(
        int, 0, "Age at which versions go, with the same exceptions. 0: never.", unit="days", minimum=0
    )
    retention_h: float = _setting(
        float,
        168.0,
        "How long executions are kept after their end, with their logs, workspaces and files; afterwards the "
        "ledger keeps a summary. 0: for ever. Pinned ones stay, and those of experiments.",
        env="CLOUTAGENT_RETENTION_H",
        unit="hours",
        minimum=0,
    )
    max_body_mb: float = _setting(float, 10.0, "Largest JSON body of a request.", unit="MB", minimum=0.001)
    allow_origins: tuple[str, ...] = _setting(
        tuple,
        (),
        "Web origins that may call the API-key routes from a browser, exactly as browsers send them.",
    )
    isolation: str = _setting(
        str,
        "auto",
        "Sandbox (bubblewrap) around commands, hooks, MCP servers and kernels: `auto` where it works, with a "
        "warning in each execution where not; `require` runs none of them without; `off` never.",
        env="CLOUTAGENT_ISOLATION",
        choices=("auto", "require", "off"),
    )
    isolation_readable: tuple[str, ...] = _setting(
        tuple,
        (),
        "Folders that isolated commands may read though they lie in a home folder: programs and libraries "
        "installed there.",
        env="CLOUTAGENT_ISOLATION_READABLE",
    )
    command_memory_mb: int = _setting(
        int,
        0,
        "Memory at which a command is stopped, with all it started. 0: three quarters of the machine's.",
        unit="MB",
        minimum=0,
    )
    workspace_limit_mb: int = _setting(
        int,
        20_480,
        "Size of an execution's working folder at which a command is stopped.",
        unit="MB",
        minimum=1,
    )
    otlp_endpoint: str | None = _setting(
        str,
        None,
        "OpenTelemetry collector that spans, metrics and logs go to, by OTLP over HTTP: "
        "`http://host:4318`. Empty: nothing is sent, or loaded for it.",
        env="OTEL_EXPORTER_OTLP_ENDPOINT",
        alias="OTEL_ENDPOINT",
    )
    logs_level: str = _setting(
        str,
        "INFO",
        "Least level of lines in the structured log (`logs/` in the data folder).",
        env="LOG_LEVEL",
        choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    )
    logs_max_mb: float = _setting(
        float, 64.0, "Largest size of a day's log file; what follows that day is left out.", unit="MB",
        minimum=0.001,
    )  # fmt: skip
    web_fetch_allow: tuple[str, ...] = _setting(
        tuple,
        (),
        "Hosts that `web_fetch` may reach though they are not on the public internet: names, `*.suffix`, "
        "addresses or networks, each with `:port` if only that is meant.",
        env="CLOUTAGENT_WEB_FETCH_ALLOW",
    )
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Where each value came from; names that are missing have their default."""

    @classmethod
    def rows(cls) -> list[Row]:
        """The table, in the order of the documentation."""
        found = []
        for item in fields(cls):
            if item.name == "sources":
                continue
            more = dict(item.metadata)
            default = more.pop("default", item.default)
            found.append(Row(name=item.name, default=default, **more))
        return found

    @classmethod
    def from_environment(cls, env: Mapping[str, str], **overrides: Any) -> Settings:
        """Settings from `overrides` (they win; None counts as not given), then `env`, then defaults.

        Raises `SettingError` for a value that cannot be taken and TypeError for an
        override that is no setting. `env` is read only for the variables of the table.
        """
        values: dict[str, Any] = {}
        sources: dict[str, Source] = {}
        rows = cls.rows()
        if unknown := set(overrides) - {row.name for row in rows}:
            raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
        for row in rows:
            given = overrides.get(row.name)
            if given is not None:
                values[row.name], sources[row.name] = _checked(row, given, row.name), "setting"
            else:
                for variable in filter(None, (row.env, row.alias)):
                    if text := env.get(variable, "").strip():
                        values[row.name] = _checked(row, text, variable)
                        sources[row.name] = "environment"
                        break
        if not values.get("data_dir", Path()).parts:
            values["data_dir"] = _default_data_dir(env)
        _outside(values["data_dir"], values.get("encryption_key_file"))
        return cls(**values, sources=sources)

    @property
    def key_file(self) -> Path:
        """Where the keys of secrets lie: `encryption_key_file`, or beside the data folder."""
        if self.encryption_key_file is not None:
            return self.encryption_key_file
        name = f"{self.data_dir.name.strip('.') or 'cloutagent'}.keys"
        return Path(os.path.normpath(self.data_dir / ".." / name))

    def source(self, name: str) -> Source:
        """Where the value of `name` came from."""
        return self.sources.get(name, "default")


OTHER_VARIABLES: Mapping[str, str] = {
    "PORT": "Port that JupyterLab listens on in the container image; 3000 where it is not set. Elsewhere the "
    "port is Jupyter's own setting (`ServerApp.port`).",
}
"""Variables that are no settings of the extension, and what they do."""


def _outside(data_dir: Path, key_file: Path | None) -> None:
    """A key in the folder that it opens would travel with every copy of it."""
    if key_file is None:
        return
    if Path(os.path.abspath(key_file)).is_relative_to(os.path.abspath(data_dir)):  # noqa: PTH100
        raise SettingError(
            "encryption_key_file lies inside the data folder, so that each copy of the data would hold what "
            "opens it. Choose a place outside."
        )


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    return words[str(value).strip().lower()]


def _words(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    return tuple(item.strip().rstrip("/") for item in items if item.strip())


_PRICE_NAMES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def _prices(value: Any) -> dict[str, dict[str, float]]:
    """Prices by model, each complete; raises ValueError and its kin for anything else."""
    given = json.loads(value) if isinstance(value, str) else value
    found = {}
    for model, prices in dict(given).items():
        if not isinstance(model, str) or not model or set(prices) - set(_PRICE_NAMES):
            raise ValueError
        if any(isinstance(price, bool) for price in prices.values()):
            raise ValueError
        numbers = {name: float(price) for name, price in prices.items()}
        if not all(0 <= number < math.inf for number in numbers.values()):
            raise ValueError
        base = numbers["input"]
        found[model] = {
            "output": numbers["output"],
            "cache_read": base * 0.1,
            "cache_write_5m": base * 1.25,
            "cache_write_1h": base * 2,
            **numbers,
        }
    return found


def _whole(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


_READERS: dict[type, tuple[Callable[[Any], Any], str]] = {
    Path: (lambda value: Path(value).expanduser(), "a folder"),
    str: (str, "text"),
    bool: (_boolean, "true or false"),
    int: (_whole, "a whole number"),
    float: (float, "a number"),
    dict: (_prices, 'prices by model, as {"<model>": {"input": 3, "output": 15}}'),
    tuple: (_words, "words, separated by commas"),
}


def _checked(row: Row, value: Any, where: str) -> Any:
    """`value` in the row's type; `where` is the name a person used for it."""
    read, takes = _READERS[row.type]
    if row.choices:
        takes = "one of " + ", ".join(row.choices)
    if row.minimum is not None:
        takes += f" of at least {row.minimum:g}"
    try:
        result = read(value)
        if row.choices:  # whatever their case
            result = next((each for each in row.choices if each.lower() == str(result).lower()), result)
        if row.minimum is not None and not result >= row.minimum:
            raise ValueError
        if row.choices and result not in row.choices:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        shown = "what was given" if row.secret else repr(value)
        raise SettingError(f"{where} takes {takes}, not {shown}.") from None
    return result


def _default_data_dir(env: Mapping[str, str]) -> Path:
    """`cloutagent` in Jupyter's data folder; Jupyter's own rule where `env` does not name that folder."""
    if folder := env.get("JUPYTER_DATA_DIR", "").strip():
        return Path(folder).expanduser() / "cloutagent"
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "cloutagent"
