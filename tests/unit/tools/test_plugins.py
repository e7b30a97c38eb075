"""Tools of installed packages: found by their metadata, loaded when used, broken without harm."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloutagent_ext.engine import plan
from cloutagent_ext.engine.tools import registry
from cloutagent_ext.schema.project import Agent, Definition

from .conftest import Box

MODULE = '''
    """What a package brings."""
    import pathlib
    pathlib.Path(__file__).with_name("imported").touch()

    def word_count(text: str, unique: bool = False) -> int:
        """Count the words of a text."""
        words = text.split()
        return len(set(words)) if unique else len(words)

    async def where(context) -> str:
        """Say in which agent it runs."""
        return context.agent

    class Shout:
        description = "Say it loud."
        input_schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        read_only = True
        default_permission = "allow"
        touches = "Nothing."
        lock = "voice"

        async def run(self, arguments, context):
            if arguments["text"] == "fail":
                raise ValueError("hoarse")
            return arguments["text"].upper()

    class Nameless:
        input_schema = {"type": "object"}
        async def run(self, arguments, context):
            return ""

    class Odd:
        description = "Odd."
        input_schema = {"type": "object", "properties": {"a": {"type": "no such type"}}}
        async def run(self, arguments, context):
            return ""
'''
ENTRIES = """[cloutagent.tools]
word_count = acme_tools:word_count
where = acme_tools:where
shout = acme_tools:Shout
nameless = acme_tools:Nameless
odd = acme_tools:Odd
missing = acme_tools:NotThere
gone = acme_gone:Tool
bash = acme_tools:Shout
"bad name" = acme_tools:Shout
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real distribution `acme-tools` on the path, as pip would have installed it."""
    site = tmp_path / "site"
    info = site / "acme_tools-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_tools.py").write_text(textwrap.dedent(MODULE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("acme_tools", None)


def test_names_are_known_without_importing_anything(package: Path) -> None:
    names = registry.all_names()
    assert {"word_count", "shout", "gone", "missing"} <= names
    assert "bad name" not in names
    assert not (package / "imported").exists()


def test_they_are_listed_with_the_package_that_brings_them(package: Path) -> None:
    rows = {row.name: row for row in registry.rows()}
    assert rows["bash"].source == "builtin", "no package takes a built-in name"
    assert rows["word_count"].source == rows["shout"].source == "acme-tools"
    assert rows["word_count"].description == "Count the words of a text."
    assert rows["word_count"].default_permission == "ask"
    assert (rows["shout"].default_permission, rows["shout"].read_only) == ("allow", True)
    assert not {"nameless", "odd", "missing", "gone"} & set(rows)


async def test_functions_and_classes_run(package: Path, make_box: Callable[..., Box]) -> None:
    box = make_box()
    async with box.toolbox:
        await box.toolbox.add_brought({"word_count", "where", "shout", "gone", "never heard of"})
        assert await box.text("word_count", text="a b a") == "3"
        assert await box.text("word_count", text="a b a", unique=True) == "2"
        assert await box.text("where", agent="scout#1") == "scout#1"
        assert await box.text("shout", text="hello") == "HELLO"
        assert "gone" not in box.toolbox.tools
        schema = box.toolbox.tools["word_count"].input_schema
        assert (schema["required"], schema["additionalProperties"]) == (["text"], False)
        assert box.toolbox.tools["shout"].lock({}) == "acme-tools:voice"
        with pytest.raises(ValueError, match="hoarse"):  # dispatch makes a result of it, as of any defect
            await box.run("shout", text="fail")


def test_a_broken_one_is_a_finding_of_the_validation_and_harms_no_other(package: Path) -> None:
    agent = Agent(task="Do it.", tools=["shout", "gone", "missing", "nameless", "odd"])
    definition = Definition(name="A project", agent=agent)
    tools, broken = registry.brought(agent.tools)
    assert set(tools) == {"shout"}
    found = {problem.path: problem for problem in plan.broken_tools(definition, broken)}
    assert set(found) == {f"agent.tools.{index}" for index in (1, 2, 3, 4)}
    assert all((each.severity, each.code) == ("error", "TOOL_BROKEN") for each in found.values())
    said = {path: problem.message for path, problem in found.items()}
    assert "acme_gone" in said["agent.tools.1"]
    assert "NotThere" in said["agent.tools.2"]
    assert "no description" in said["agent.tools.3"]
    assert "no JSON schema" in said["agent.tools.4"]
    assert not [p for p in plan.validate(definition, tools=registry.all_names()) if p.code == "UNKNOWN_TOOL"]


async def test_nothing_is_imported_by_an_execution_that_uses_none(
    package: Path, make_box: Callable[..., Box]
) -> None:
    box = make_box()
    async with box.toolbox:
        await box.toolbox.add_brought({"bash", "view"})
    assert not (package / "imported").exists()
