"""Settings: one table, explicit sources, errors that name what to mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloutagent_ext.settings import SettingError, Settings


def test_a_setting_wins_over_the_environment_which_wins_over_the_default(tmp_path: Path) -> None:
    env = {"ANTHROPIC_API_KEY": "from-env", "MAX_CONCURRENT_EXECUTIONS": " 2 "}
    by_env = Settings.from_environment(env, data_dir=tmp_path)
    assert (by_env.api_key, by_env.max_concurrent, by_env.max_running) == ("from-env", 2, 16)
    assert [by_env.source(name) for name in ("api_key", "max_running")] == ["environment", "default"]
    given = Settings.from_environment(env, data_dir=tmp_path, api_key="given", max_concurrent=5)
    assert (given.api_key, given.max_concurrent, given.source("api_key")) == ("given", 5, "setting")


def test_only_the_environment_that_was_handed_in_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "ANTHROPIC_API_KEY", "the machine's own")
    assert Settings.from_environment({}, data_dir=tmp_path).api_key is None


@pytest.mark.parametrize("text", ["abc", "0", "-1", "2.5", "1e99", "nan"])
def test_a_value_that_cannot_be_taken_is_named_with_its_variable(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="MAX_CONCURRENT_EXECUTIONS takes a whole number of at least 1"):
        Settings.from_environment({"MAX_CONCURRENT_EXECUTIONS": text}, data_dir=tmp_path)


def test_prices_are_completed_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    text = '{"llama3": {"input": 1, "output": 2, "cache_read": 0.5}}'
    settings = Settings.from_environment({"CLOUTAGENT_PRICE_OVERRIDES": text}, data_dir=tmp_path)
    assert settings.price_overrides["llama3"] == {
        "input": 1,
        "output": 2,
        "cache_read": 0.5,
        "cache_write_5m": 1.25,
        "cache_write_1h": 2,
    }
    assert Settings.from_environment({}, data_dir=tmp_path).price_overrides == {}
    for wrong in (
        {"m": {"input": 1}},
        {"m": {"input": 1, "output": -1}},
        {"m": {"input": 1, "output": 2, "per": 3}},
        {"m": {"input": True, "output": 2}},
        {"m": 3},
        "nonsense",
        "[1]",
    ):
        with pytest.raises(SettingError, match="price_overrides takes prices by model"):
            Settings.from_environment({}, data_dir=tmp_path, price_overrides=wrong)


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    assert "secret-key" not in repr(
        Settings.from_environment({"ANTHROPIC_API_KEY": "secret-key"}, data_dir=tmp_path)
    )


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="max_concurent"):
        Settings.from_environment({}, max_concurent=3)


def test_jupyters_data_folder_is_the_default_place() -> None:
    settings = Settings.from_environment({"JUPYTER_DATA_DIR": "/somewhere/jupyter"})
    assert settings.data_dir == Path("/somewhere/jupyter/cloutagent")


def test_every_setting_says_what_it_does() -> None:
    rows = Settings.rows()
    assert all(row.help.endswith(".") for row in rows)
    assert {row.name for row in rows} == {name for name in Settings.__dataclass_fields__ if name != "sources"}


def test_keys_of_secrets_lie_beside_the_data_folder_and_never_inside(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert Settings.from_environment({}, data_dir=data_dir).key_file == tmp_path / "data.keys"
    assert Settings.from_environment({}, data_dir=Path()).key_file.name == "cloutagent.keys"
    for inside in (data_dir / "keys", data_dir / "projects" / ".." / "keys", data_dir):
        with pytest.raises(SettingError, match="inside the data folder"):
            Settings.from_environment({}, data_dir=data_dir, encryption_key_file=inside)
    given = Settings.from_environment({"ENCRYPTION_KEY": "ab" * 32}, data_dir=data_dir)
    assert "abab" not in repr(given)
