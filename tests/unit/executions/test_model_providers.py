"""Models of other packages: real entry points, found by `importlib.metadata` in a folder on the path."""

from __future__ import annotations

import importlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.errors import InvalidProject, PriceUnknown
from cloutagent_ext.schema.project import Definition, Limits, Subagent
from tests.support.messages_api import Call, MessagesApi, Say
from tests.unit.engine.test_attachments import png

from .conftest import Opens, agent

EXTENDING = Path(__file__).parents[3] / "docs" / "extending.md"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package on the path as pip does: a module, and a dist-info that names its entry points."""
    site, modules = tmp_path / "site", set[str]()
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def put(module: str, source: str, **entries: str) -> None:
        (site / f"{module}.py").write_text(source)
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(["[cloutagent.models]", *lines, ""]))
        modules.add(module)
        importlib.invalidate_caches()

    yield put
    for module in modules:
        sys.modules.pop(module, None)


def documented() -> str:
    """The example as the documentation shows it."""
    blocks = re.findall(r"```python\n(# acme_models\.py\n.*?)```", EXTENDING.read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def acme(model: str = "acme/small", **fields: Any) -> Definition:
    return Definition(name="Acme", agent=agent(model=model, task="Say it."), **fields)


async def test_the_documented_example_answers_and_is_paid_for(install: Install, open_office: Opens) -> None:
    install("acme_models", documented(), acme="acme_models:supplier")
    office = await open_office()
    project = str((await office.services.store.create(acme())).project.id)
    assert "acme_models" not in sys.modules  # nothing is imported before it is wanted
    await office.services.secrets.set(project, "ACME_KEY", "acme-1234567")
    state = await office.run(project)
    assert (state.status, state.error) == ("completed", None)
    assert state.result is not None
    assert (state.result.text, state.simulated, state.model) == ("Say it.", False, "acme/small")
    assert state.usage.output_tokens == 500
    assert state.total_cost_usd == pytest.approx((1000 * 2.0 + 500 * 4.0) / 1_000_000)
    row = next(row for row in office.services.models.models() if row.id == "acme/small")
    assert (row.name, row.context_window, row.price is not None) == ("Acme Small", 64_000, True)
    # A recording of it plays without the package's help.
    cassette = await office.executions.results.record(state.execution_id, tools=False)
    await office.services.secrets.delete(project, "ACME_KEY")
    assert (await office.run(project, replay=cassette)).status == "completed"


async def test_a_providers_failure_and_a_missing_secret_end_the_run_in_words(
    install: Install, open_office: Opens
) -> None:
    install("acme_models", documented(), acme="acme_models:supplier")
    office = await open_office()
    project = str((await office.services.store.create(acme())).project.id)
    without = await office.run(project)
    assert without.error is not None
    assert (without.error.code, without.error.details["kind"]) == ("MODEL_ERROR", "secret")
    assert "ACME_KEY" in without.error.message
    await office.services.secrets.set(project, "ACME_KEY", "wrong-1234567")
    refused = await office.run(project)
    assert refused.error is not None
    assert refused.error.message == "Acme does not accept the key."


@pytest.mark.parametrize("sees", [True, False])
async def test_a_providers_model_is_shown_pictures_where_it_says_that_it_takes_them(
    install: Install, open_office: Opens, sees: bool
) -> None:
    source = documented().replace('"Acme Small", ', f'"Acme Small", sees={sees}, ')
    kinds = '",".join(block["type"] for block in request["messages"][-1]["content"])'
    said = 'request["messages"][-1]["content"][0]["text"]'
    assert said in source
    install("acme_models", source.replace(said, kinds), acme="acme_models:supplier")
    office = await open_office()
    project = str((await office.services.store.create(acme())).project.id)
    await office.services.secrets.set(project, "ACME_KEY", "acme-1234567")
    upload = (await office.executions.inputs.keep(project, io.BytesIO(png()), len(png()))).upload_id
    state = await office.run(project, files=[{"path": "a.png", "upload_id": upload}])
    assert state.result is not None, state.error
    assert state.result.text == ("image,text,text" if sees else "text,text")


BROKEN = {
    "raises when imported": ("raise RuntimeError('no licence here')", "broken:supplier"),
    "is not there": ("", "broken:nobody"),
    "gives nothing": ("def supplier(): return None", "broken:supplier"),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_provider_is_a_finding_of_its_project_and_nobody_elses(
    install: Install, open_office: Opens, how: str
) -> None:
    source, entry = BROKEN[how]
    install("broken", source, broken=entry)
    office = await open_office()
    definition = acme("broken/small", subagents=[Subagent(id="s", name="S", model="broken/other")])
    project = str((await office.services.store.create(definition)).project.id)
    found = (await office.executions.validate(definition, project)).problems
    places = {(each.node, each.path) for each in found if each.code == "MODEL_PROVIDER"}
    assert places == {("agent", "agent.model"), ("subagent:s", "subagents.0.model")}
    with pytest.raises(InvalidProject, match="broken"):
        await office.accept(project)
    other = await office.project({"text": "Hello."})
    assert (await office.run(other)).status == "completed"
    await office.services.models.suppliers.load(None)
    assert all(not row.id.startswith("broken/") for row in office.services.models.models())


MISBEHAVED = """
class Model:
    def __init__(self, name, secret): self.name, self.secret = name, secret
    async def count_tokens(self, request): raise ValueError("never")
    async def stream(self, request):
        key = await self.secret("ACME_KEY")
        if self.name == "raises": raise ValueError(f"bad key {key}")
        if self.name == "odd": yield "text"
        yield {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}
class Supplier:
    def models(self): return []
    def model(self, name, secret): return Model(name, secret)
    async def close(self): raise RuntimeError("will not close")
def supplier(): return Supplier()
"""


@pytest.mark.parametrize(("model", "kind"), [("raises", "provider"), ("odd", "malformed")])
async def test_a_misbehaving_provider_fails_its_run_without_showing_a_secret(
    install: Install, open_office: Opens, model: str, kind: str
) -> None:
    install("acme_models", MISBEHAVED, acme="acme_models:supplier")
    office = await open_office()
    limits = Limits(max_cost_usd=None)
    project = str((await office.services.store.create(acme(f"acme/{model}", limits=limits))).project.id)
    await office.services.secrets.set(project, "ACME_KEY", "acme-secret-value")
    state = await office.run(project)
    assert state.error is not None
    assert (state.error.code, state.error.details["kind"]) == ("MODEL_ERROR", kind)
    assert "acme-secret-value" not in state.model_dump_json()


async def test_a_money_limit_without_a_price_is_refused(install: Install, open_office: Opens) -> None:
    install("acme_models", MISBEHAVED, acme="acme_models:supplier")
    office = await open_office()
    project = str((await office.services.store.create(acme("acme/unlisted"))).project.id)
    with pytest.raises(PriceUnknown, match="acme/unlisted"):
        await office.accept(project)


async def test_agents_of_one_project_may_use_models_of_both_kinds(
    install: Install, open_office: Opens
) -> None:
    install("acme_models", documented(), acme="acme_models:supplier")
    script = [Call("agent__echo", {"prompt": "Repeat this."}), Say("It said so.")]
    async with MessagesApi(script, api_key="test-key") as api:
        office = await open_office(api_key="test-key", base_url=api.url)
        echo = Subagent(id="echo", name="Echo", model="acme/small")
        both = Definition(name="Both", agent=agent(), subagents=[echo])
        project = str((await office.services.store.create(both)).project.id)
        await office.services.secrets.set(project, "ACME_KEY", "acme-1234567")
        state = await office.run(project)
        assert (state.status, state.error) == ("completed", None)
        assert len(api.requests) == 2
        assert api.requests[1]["messages"][-1]["content"][0]["content"][0]["text"] == "Repeat this."


async def test_a_slash_without_a_provider_is_a_gateways_own_name(open_office: Opens) -> None:
    async with MessagesApi([Say("Yes.")], api_key="test-key") as api:
        office = await open_office(api_key="test-key", base_url=api.url)
        project = str((await office.services.store.create(acme("vendor/model"))).project.id)
        state = await office.run(project)
        assert state.status == "completed"
        assert api.requests[0]["model"] == "vendor/model"
