"""A new execution's first files, on the disk before anybody is told of it. Not here: its checks, its log."""

from __future__ import annotations

from pathlib import Path

from .. import durable
from ..errors import Conflict
from ..schema.execution import Spec
from . import records
from .log import EventLog
from .owner import Owner


def place(folder: Path, spec: Spec) -> tuple[Owner, EventLog]:
    """Make the folder of a new execution, owned, with its `spec.json` and empty log on the disk. Blocking."""
    durable.make_folder(folder.parent)
    with durable.Batch() as batch:
        batch.mkdir(folder)
        owner = Owner.take(folder)
        if owner is None:
            raise Conflict("Another process owns a new execution; try again.")
        try:
            batch.write(folder / records.SPEC, spec.model_dump_json(indent=1).encode())
            log = EventLog.new(folder)
            batch.sync()
        except BaseException:
            owner.release(finished=True)
            records.remove(folder)
            raise
    return owner, log
