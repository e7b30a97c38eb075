"""One ceiling on money for all executions that name the same batch, in whatever process they run.

A file for each batch under the data folder: its ceiling, and for each execution what it has
spent and what its calls on their way hold. Every change is made under the file's lock and
is on disk before the call it is for goes out, so that a death never under-counts: what a
dead process held counts as spent. Not here: what a call can cost (`engine.budget`).

Batches of calls with a key are their project's own; those of Jupyter users are the server's.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from .. import durable, filelocks
from ..engine.ports import EndExecution
from ..errors import Conflict, InvalidRequest, UnreadableFile
from ..schema.execution import Batch, Spec

_log = logging.getLogger(__name__)

FOLDER = "batches"
_OWNERS = "owners"
_LOOK_AGAIN_S = 0.5
"""How often an execution that waits looks what others have given back."""
_KEPT_S = 90 * 24 * 3600
"""Age of its last change after which a batch is forgotten."""
_EPSILON = 1e-9

T = TypeVar("T")


class Batches:
    """The batches of one data folder, as this process takes part in them."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._owner: tuple[str, int] | None = None
        self._naming = threading.Lock()

    async def open(self, batch: Batch, scope: str) -> None:
        """Make the batch if it is new. Raises InvalidRequest where it has another ceiling."""
        await asyncio.to_thread(self._open, batch, scope)

    def join(self, spec: Spec) -> Share | None:
        """The part that an execution takes; None where it names no batch, or costs nothing."""
        if spec.batch is None or spec.simulated:
            return None
        return Share(self, self._file(spec.batch.id, scope_of(spec)), spec.batch, spec.execution_id)

    def owner(self) -> str:
        """The name under which this process holds money: a lock that is free once it is dead. Blocking."""
        with self._naming:  # each execution holds in a thread of its own
            while self._owner is None:
                name = uuid.uuid4().hex
                path = self._folder / _OWNERS / name
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                fcntl.flock(fd, fcntl.LOCK_EX)
                if path.exists():
                    self._owner = (name, fd)
                else:  # taken for a dead one's and removed, between the open and the lock
                    os.close(fd)
            return self._owner[0]

    def close(self) -> None:
        """This process holds nothing any more. Blocking."""
        if self._owner is not None:
            name, fd = self._owner
            self._owner = None
            with contextlib.suppress(FileNotFoundError):
                (self._folder / _OWNERS / name).unlink()
            os.close(fd)

    def alive(self, owner: str) -> bool:
        """Whether the process that holds under this name still lives. Blocking."""
        if self._owner is not None and owner == self._owner[0]:
            return True
        with _if_dead(self._folder / _OWNERS / owner) as dead:
            return not dead

    def _file(self, id: str, scope: str) -> Path:
        digest = hashlib.sha256(f"{scope}\n{id}".encode()).hexdigest()[:32]
        return self._folder / f"{digest}.json"

    def _open(self, batch: Batch, scope: str) -> None:
        path = self._file(batch.id, scope)
        durable.make_folder(self._folder)
        durable.make_folder(self._folder / _OWNERS)
        with changed(path) as content:
            if not content:
                self._forget_old_ones()
                content.update(id=batch.id, scope=scope, max_cost_usd=batch.max_cost_usd, executions={})
            elif abs(content["max_cost_usd"] - batch.max_cost_usd) > _EPSILON:
                there = content["max_cost_usd"]
                raise InvalidRequest(
                    f"The batch {batch.id!r} has a ceiling of ${there:g}: name the same one, or a new batch.",
                    fields=[{"path": "batch.max_cost_usd", "message": f"is ${there:g} for this batch"}],
                )

    def _forget_old_ones(self) -> None:
        for path in self._folder.glob("*.json"):
            if _is_old(path):
                # Who holds its lock changes it just now. Who waits for the lock sees that the file of it is
                # gone, and makes another one.
                with contextlib.suppress(Conflict), filelocks.locked(lock := _lock(path), timeout_s=0):
                    if _is_old(path):
                        durable.remove(path)
                        lock.unlink(missing_ok=True)
        for path in (self._folder / _OWNERS).iterdir():
            _bury(path)


class Share:
    """One execution's part of a batch (`ports.Ceiling`). `close` it when the execution has ended."""

    def __init__(self, batches: Batches, path: Path, batch: Batch, execution_id: str) -> None:
        self._batches = batches
        self._path = path
        self._batch = batch
        self._execution_id = execution_id
        self._pending: set[asyncio.Task[None]] = set()
        self._owed: list[tuple[float, float]] = []
        """What calls held and cost that is not in the file yet; a write that fails leaves it to the next."""
        self._writing = threading.Lock()

    async def hold(self, dollars: float, *, least: float) -> float:
        """See `ports.Ceiling.hold`."""
        while True:
            got, others, spent = await self._in_thread(lambda: self._hold(dollars, least))
            if got is not None:
                return got
            if others <= _EPSILON:
                raise EndExecution(
                    "COST_LIMIT_EXCEEDED",
                    f"The next model call could cost ${least:.4f}, but of the ${self._batch.max_cost_usd:g} "
                    f"that the batch {self._batch.id} has for all its executions ${spent:.4f} are spent.",
                    batch=self._batch.id,
                    max_cost_usd=self._batch.max_cost_usd,
                    spent_usd=spent,
                )
            await asyncio.sleep(_LOOK_AGAIN_S)

    def settle(self, held: float, spent: float) -> None:
        """See `ports.Ceiling.settle`. Until it is written, the batch counts what was held."""
        self._owed.append((held, spent))
        task = asyncio.get_running_loop().create_task(self._in_thread(self._settle))
        self._pending.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("What a call of %s cost is not in its batch yet: %s", self._execution_id, error)

    async def close(self) -> None:
        """Write what is still to be written; raises what writing it raises, and holds it until then."""
        while self._pending:
            await asyncio.gather(*self._pending, return_exceptions=True)
        await self._in_thread(self._let_go)

    async def _in_thread(self, change: Callable[[], T]) -> T:
        """`change()` in a thread, to its end even where the caller is cancelled."""
        task = asyncio.ensure_future(asyncio.to_thread(change))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    # ------------------------------------------------------------ in a thread

    def _hold(self, dollars: float, least: float) -> tuple[float | None, float, float]:
        """What was set aside (or None), what living executions hold, and what is spent."""
        with changed(self._path) as content:
            if not content:
                raise EndExecution(
                    "COST_LIMIT_EXCEEDED", f"The batch {self._batch.id} is gone: name a new one."
                )
            self._count_the_dead(content)
            entries = content["executions"].values()
            spent = sum(entry["spent"] for entry in entries)
            held = sum(entry["held"] for entry in entries)
            left = content["max_cost_usd"] - spent - held
            if left + _EPSILON < least:
                return None, held, spent
            got = min(dollars, max(left, least))
            mine = content["executions"].setdefault(
                self._execution_id, {"spent": 0.0, "held": 0.0, "owner": ""}
            )
            mine["held"] += got
            mine["owner"] = self._batches.owner()
            return got, held, spent

    def _let_go(self) -> None:
        """Nothing is on its way any more: what a cancelled call had just set aside goes back too."""
        self._settle()
        with changed(self._path) as content:
            mine = content.get("executions", {}).get(self._execution_id)
            if mine is not None and mine["owner"] == self._batches.owner():
                mine["held"] = 0.0

    def _settle(self) -> None:
        with self._writing:
            if not (owed := list(self._owed)):
                return  # another one has written it along
            with changed(self._path) as content:
                if content:
                    mine = content["executions"].setdefault(
                        self._execution_id, {"spent": 0.0, "held": 0.0, "owner": ""}
                    )
                    mine["held"] = max(0.0, mine["held"] - sum(held for held, _ in owed))
                    mine["spent"] += sum(spent for _, spent in owed)
            del self._owed[: len(owed)]

    def _count_the_dead(self, content: dict[str, Any]) -> None:
        """What dead processes held counts as spent: nobody saw what became of those calls."""
        for entry in content["executions"].values():
            if entry["held"] > 0 and not self._batches.alive(entry["owner"]):
                entry["spent"] += entry["held"]
                entry["held"] = 0.0


@contextlib.contextmanager
def _if_dead(owner: Path) -> Iterator[bool]:
    """Whether nobody lives who holds under this file; inside the block nobody begins to. Blocking."""
    try:
        fd = os.open(owner, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            dead = True
        except BlockingIOError:
            dead = False
        yield dead
    finally:
        os.close(fd)


def _bury(owner: Path) -> None:
    """Remove the name of a process that is dead: locked, so that nobody is just taking it."""
    with _if_dead(owner) as dead:
        if dead:
            owner.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - _KEPT_S
    except FileNotFoundError:
        return False


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")


def scope_of(spec: Spec) -> str:
    """Whose batches an execution may share."""
    return f"project {spec.project_id}" if spec.origin == "key" else "server"


@contextlib.contextmanager
def changed(path: Path) -> Iterator[dict[str, Any]]:
    """The content of a batch's file under its lock; what it is at the end is on disk afterwards. Blocking."""
    with filelocks.locked(_lock(path)):
        try:
            before = path.read_bytes()
        except FileNotFoundError:
            before = b""
        try:
            content: dict[str, Any] = json.loads(before) if before else {}
        except ValueError as error:
            raise UnreadableFile(
                f"The batch file {path.name} cannot be read ({error}). Move it away, and name a new batch."
            ) from error
        yield content
        after = json.dumps(content, indent=1, sort_keys=True).encode() if content else b""
        if after != before:
            durable.atomic_write(path, after)
