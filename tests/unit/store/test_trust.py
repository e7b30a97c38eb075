"""Nothing of a project that came from elsewhere is started before a person has agreed to it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from cloutagent_ext.errors import NotTrusted, Unavailable
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.stored import Stored
from tests.support.definitions import whole


async def trusted(store: ProjectStore, pid: str) -> bool:
    """As GET says it; the list and the check before a start must say the same."""
    says = (await store.read(pid)).project.trusted
    rows = {str(row.id): row.trusted for row in (await store.list()).items}
    assert rows[pid] == says
    try:
        await store.check_trust(pid)
    except NotTrusted:
        assert not says
    else:
        assert says
    return says


async def refusal(store: ProjectStore, pid: str, version: int | None = None) -> dict[str, object]:
    with pytest.raises(NotTrusted) as caught:
        await store.check_trust(pid, version=version)
    return caught.value.details


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


async def guarded(store: ProjectStore, *, trust: bool = True, **changes: object) -> str:
    stored = await store.create(
        whole(**changes),
        files={"guard.py": b"ok", "lib/helper.py": b"ok", "sales.csv": b"1"},
        trusted=trust,
    )
    return str(stored.project.id)


async def test_what_a_person_makes_and_saves_here_is_trusted(store: ProjectStore, pid: str) -> None:
    assert await trusted(store, pid)
    definition = whole()
    definition.hooks[0].action.command.append("--strict")  # type: ignore[union-attr]
    await store.save(pid, definition)
    assert await trusted(store, pid)
    await store.save(pid, whole(mcps=[]), draft=True)
    assert await trusted(store, pid)
    await store.write_file(pid, "guard.py", b"print()")
    assert await trusted(store, pid)
    await store.delete_file(pid, "guard.py")
    assert await trusted(store, pid)


HAND_EDITS = {
    "a hook's command": lambda folder: edit(
        folder / "hooks/guard.json", action={"type": "command", "command": ["sh"]}
    ),
    "a hook's address": lambda folder: edit(
        folder / "hooks/audit.json", action={"type": "http", "url": "http://evil.example/"}
    ),
    "a hook's env": lambda folder: edit(folder / "hooks/guard.json", env={"LD_PRELOAD": "x.so"}),
    "a new hook": lambda folder: (folder / "hooks/new.json").write_text(
        '{"event": "Stop", "action": {"type": "command", "command": ["x"]}}'
    ),
    "an MCP server's command": lambda folder: (folder / "mcps/mcp-config.json").write_text(
        (folder / "mcps/mcp-config.json").read_text().replace("mcp-server-time", "sh")
    ),
    "an MCP server's address": lambda folder: (folder / "mcps/mcp-config.json").write_text(
        (folder / "mcps/mcp-config.json").read_text().replace("example.org", "evil.example")
    ),
    "a hook's script": lambda folder: (folder / "files/guard.py").write_text("evil"),
    "a module beside it": lambda folder: (folder / "files/lib/helper.py").write_text("evil"),
    "a new script": lambda folder: (folder / "files/sitecustomize.py").write_text("evil"),
}


@pytest.mark.parametrize("what", HAND_EDITS)
async def test_a_change_on_the_disk_of_what_runs_asks_a_person_again(
    store: ProjectStore, data_dir: Path, what: str
) -> None:
    pid = await guarded(store)
    assert await trusted(store, pid)
    HAND_EDITS[what](data_dir / "projects" / pid)
    assert not await trusted(store, pid)
    shown = await refusal(store, pid)
    confirmed = await store.confirm_trust(pid, str(shown["hash"]))
    assert confirmed.project.trusted
    assert await trusted(store, pid)


async def test_other_changes_on_the_disk_ask_nobody(store: ProjectStore, data_dir: Path) -> None:
    pid = await guarded(store)
    folder = data_dir / "projects" / pid
    (folder / "prompts/main-prompt.txt").write_text("other\n")
    (folder / "files/sales.csv").write_text("2")
    (folder / "files/scenario.json").write_text("{}")
    assert await trusted(store, pid)


async def test_a_save_of_an_untrusted_project_does_not_trust_what_it_did_not_bring(
    store: ProjectStore,
) -> None:
    pid = await guarded(store, trust=False)
    assert not await trusted(store, pid)
    await store.save(pid, whole(description="only this"))
    await store.write_file(pid, "guard.py", b"mine")
    assert not await trusted(store, pid)


async def test_a_project_that_starts_nothing_has_nothing_to_trust(store: ProjectStore) -> None:
    pid = await guarded(store, trust=False, hooks=[], mcps=[])
    assert await trusted(store, pid)
    definition = whole()
    for part in (*definition.hooks, *definition.mcps):
        part.enabled = False
    off = str((await store.create(definition, trusted=False)).project.id)
    assert await trusted(store, off)


async def test_switching_a_hook_on_by_hand_asks(store: ProjectStore, data_dir: Path) -> None:
    definition = whole(mcps=[])
    for hook in definition.hooks:
        hook.enabled = False
    pid = str((await store.create(definition, trusted=False)).project.id)
    edit(data_dir / "projects" / pid / "hooks/guard.json", enabled=True)
    assert not await trusted(store, pid)


async def test_the_refusal_shows_exactly_what_would_run_and_no_value(store: ProjectStore) -> None:
    definition = whole()
    definition.hooks[0].env = {"TOKEN": "s3cret"}
    definition.mcps[1].headers = {"Authorization": "s3cret"}
    stored = await store.create(definition, files={"guard.py": b"ok", "sales.csv": b"1"}, trusted=False)
    shown = await refusal(store, str(stored.project.id))
    run = shown["would_run"]
    assert isinstance(run, dict)
    assert [(hook["id"], hook.get("command"), hook.get("url"), hook["env"]) for hook in run["hooks"]] == [
        ("guard", ["python", "guard.py"], None, ["TOKEN"]),
        ("audit", None, "http://127.0.0.1/", []),
    ]
    assert [(mcp["id"], mcp["command"], mcp["url"], mcp["headers"]) for mcp in run["mcps"]] == [
        ("time", "mcp-server-time", None, []),
        ("docs", None, "https://example.org/mcp", ["Authorization"]),
    ]
    assert [script["path"] for script in run["scripts"]] == ["guard.py"]
    assert "s3cret" not in json.dumps(shown)


async def test_a_stale_hash_is_refused_with_what_would_run_now(store: ProjectStore, data_dir: Path) -> None:
    pid = await guarded(store, trust=False)
    script = data_dir / "projects" / pid / "files/guard.py"
    script.write_text("as it was shown")
    before = await refusal(store, pid)
    script.write_text("changed after it was shown")
    with pytest.raises(NotTrusted) as caught:
        await store.confirm_trust(pid, str(before["hash"]))
    assert caught.value.details["hash"] != before["hash"]
    assert not await trusted(store, pid)


async def test_a_hash_agreed_to_while_the_disk_changed_trusts_the_version_it_was_shown_for_alone(
    store: ProjectStore, data_dir: Path
) -> None:
    pid = await guarded(store, trust=False)
    shown = await refusal(store, pid, version=1)
    (data_dir / "projects" / pid / "files/guard.py").write_text("changed after it was shown")
    assert not (await store.confirm_trust(pid, str(shown["hash"]))).project.trusted
    await store.check_trust(pid, version=1)
    assert not await trusted(store, pid)


async def test_trust_does_not_travel_with_a_folder(
    store: ProjectStore, stored: Stored, data_dir: Path, tmp_path: Path
) -> None:
    """Neither to another server nor to another project: `metadata.json` may come by git."""
    source = data_dir / "projects" / str(stored.project.id)
    elsewhere = ProjectStore(tmp_path / "elsewhere")
    await elsewhere.open()
    shutil.copytree(source, tmp_path / "elsewhere/projects" / source.name)
    assert not await trusted(elsewhere, source.name)
    twin = str(uuid4())
    shutil.copytree(source, data_dir / "projects" / twin)
    assert not await trusted(store, twin)
    assert await trusted(store, source.name)


async def test_an_agreement_written_by_hand_counts_for_nothing(store: ProjectStore, data_dir: Path) -> None:
    pid = await guarded(store, trust=False)
    shown = await refusal(store, pid)
    edit(data_dir / "projects" / pid / "metadata.json", trust=[shown["hash"], str(shown["hash"])[:32], "ä"])
    assert not await trusted(store, pid)


async def test_trust_is_judged_for_the_version_that_runs(store: ProjectStore, data_dir: Path) -> None:
    pid = await guarded(store)
    folder = data_dir / "projects" / pid
    (folder / "files/guard.py").write_text("evil")
    await store.freeze(pid)  # captured, not started
    await store.check_trust(pid, version=1)
    shown = await refusal(store, pid, version=2)
    assert shown["version"] == 2
    await store.restore(pid, 1)
    assert await trusted(store, pid)  # what was agreed to before
    await store.restore(pid, 2)
    assert not await trusted(store, pid)
    await store.restore(pid, 1)
    await store.confirm_trust(pid, str(shown["hash"]))  # a version's, while another state is saved
    await store.check_trust(pid, version=2)


async def test_giving_trust_makes_no_version_and_leaves_the_etag(store: ProjectStore) -> None:
    pid = await guarded(store, trust=False)
    before = await store.read(pid)
    after = await store.confirm_trust(pid, str((await refusal(store, pid))["hash"]))
    assert (after.etag, after.project.version) == (before.etag, 1)
    assert (await store.freeze(pid))[1] == 1


async def test_without_its_key_nothing_is_trusted_and_a_new_start_asks_again(
    store: ProjectStore, pid: str, data_dir: Path
) -> None:
    (data_dir / "trust.key").write_text("damaged")
    again = ProjectStore(data_dir)
    await again.open()
    assert not await trusted(again, pid)
    with pytest.raises(Unavailable, match=r"trust\.key"):
        await again.confirm_trust(pid, str((await refusal(again, pid))["hash"]))
    (data_dir / "trust.key").unlink()
    third = ProjectStore(data_dir)
    await third.open()
    assert (data_dir / "trust.key").stat().st_mode & 0o777 == 0o600
    await third.confirm_trust(pid, str((await refusal(third, pid))["hash"]))
    assert await trusted(third, pid)
