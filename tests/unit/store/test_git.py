"""What `docs/git.md` says about projects under git, with the real one."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.errors import NotTrusted, UnreadableFile
from cloutagent_ext.schema.canvas import UiPatch
from cloutagent_ext.store.keyring import KeyRing
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import Secrets
from tests.support.definitions import whole

Git = Callable[..., str]


@pytest.fixture
def git(folder: Path, tmp_path: Path) -> Git:
    """git in the project's folder, without anybody's configuration."""
    env = {
        **{name: os.environ[name] for name in ("PATH",) if name in os.environ},
        **{f"GIT_{who}_{what}": "ann" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        **{"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
async def repository(store: ProjectStore, pid: str, folder: Path, data_dir: Path, git: Git) -> Git:
    """The project with a secret, a key's file and an execution, all of it committed."""
    secrets = Secrets(data_dir / "projects", KeyRing("ab" * 32, data_dir.parent / "none.keys"))
    await secrets.set(pid, "TOKEN", "a secret value")
    (folder / "keys.json").write_text("{}")
    (folder / "executions/one").mkdir(parents=True)
    (folder / "executions/one/events.jsonl").write_text("{}\n")
    await asyncio.to_thread(_commit, git, "init", "-q")
    return git


def _commit(git: Git, *first: str) -> None:
    if first:
        git(*first)
    git("add", "-A")
    git("commit", "-q", "-m", "x")


async def changed(git: Git) -> set[str]:
    return {
        line[3:] for line in (await asyncio.to_thread(git, "status", "--porcelain", "-uall")).splitlines()
    }


async def test_secrets_keys_and_executions_are_never_committed(repository: Git) -> None:
    held = set((await asyncio.to_thread(repository, "ls-files")).splitlines())
    assert {"metadata.json", "prompts/main-prompt.txt", "files/data/sales.csv"} <= held
    top = {path.split("/")[0] for path in held}
    assert top == {
        *(".gitignore", ".ui", "agent.config.json", "files", "hooks", "mcps", "metadata.json"),
        *("prompts", "subagents", "versions"),
    }
    assert ".ui/ui-config.json" not in held


async def test_only_what_changed_shows_as_changed(store: ProjectStore, pid: str, repository: Git) -> None:
    await store.save(pid, whole())
    await store.patch_ui(pid, UiPatch(snap=False))
    assert await changed(repository) == set()
    await store.save(pid, whole(agent={**whole().agent.model_dump(), "system_prompt": "Another"}))
    touched = {path for path in await changed(repository) if not path.startswith("versions/")}
    assert touched == {"metadata.json", "prompts/main-prompt.txt"}


async def test_a_checkout_is_seen_and_loses_no_version(
    store: ProjectStore, pid: str, folder: Path, repository: Git
) -> None:
    await store.save(pid, whole(description="Later"))
    await asyncio.to_thread(_commit, repository)
    await asyncio.to_thread(repository, "checkout", "-q", "HEAD~1", "--", "metadata.json", "prompts")
    assert (await store.read(pid)).project.description == whole().description
    # Version 1 holds exactly this already; the next number is none that was given before.
    assert (await store.save(pid, whole(description="Saved over it"))).project.version == 3
    (folder / "prompts/main-prompt.txt").write_text("By hand\n")
    assert (await store.save(pid, whole(description="Again"))).project.version == 5
    rows = {row.version: row.author for row in (await store.list_versions(pid)).items}
    assert rows == {5: None, 4: "disk", 3: None, 2: None, 1: None}
    assert (await store.read_version(pid, 4)).definition.agent.system_prompt == "By hand"


async def test_a_conflict_marker_protects_the_project_until_it_is_mended(
    store: ProjectStore, pid: str, folder: Path, repository: Git
) -> None:
    path = folder / "agent.config.json"
    whole_text = path.read_text()
    path.write_text(whole_text.replace("{\n", "{\n<<<<<<< HEAD\n", 1))
    with pytest.raises(UnreadableFile) as caught:
        await store.read(pid)
    assert (caught.value.details["file"], caught.value.details["line"]) == ("agent.config.json", 2)
    with pytest.raises(UnreadableFile):
        await store.save(pid, whole(description="New"))
    await asyncio.to_thread(repository, "checkout", "-q", "--", "agent.config.json")
    assert (await store.save(pid, whole(description="New"))).project.description == "New"


async def test_a_clone_without_versions_opens_under_a_new_id_and_starts_nothing_by_itself(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path, repository: Git
) -> None:
    await store.check_trust(pid)
    (folder / "files/run.sh").write_text("#!/bin/sh\n")
    (folder / "files/run.sh").chmod(0o755)
    (folder / ".gitignore").write_text((folder / ".gitignore").read_text() + "versions/\n")
    await asyncio.to_thread(repository, "rm", "-q", "-r", "--cached", "versions")
    await asyncio.to_thread(_commit, repository)
    other = str(uuid.uuid4())
    await asyncio.to_thread(repository, "clone", "-q", ".", str(data_dir / "projects" / other))
    clone = data_dir / "projects" / other
    project = (await store.read(other)).project
    assert (project.name, project.trusted) == (whole().name, False)
    with pytest.raises(NotTrusted) as caught:
        await store.check_trust(other)
    assert not (clone / "versions").exists()
    assert os.access(clone / "files/run.sh", os.X_OK)
    await store.freeze(other)
    assert [row.author for row in (await store.list_versions(other)).items] == ["disk"]
    await store.confirm_trust(other, caught.value.details["hash"])
    await store.check_trust(other)
    await asyncio.to_thread(shutil.rmtree, clone / ".git")
