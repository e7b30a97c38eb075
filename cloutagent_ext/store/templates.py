"""Starter projects that come with the package: `templates/{id}/template.json` and `files/`.

`template.json` is a definition as PUT takes it. Read-only. Not here: making a project from one
(`store.projects.create` takes what `load` gives).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from pydantic import ValidationError

from ..errors import NotFound
from ..schema.admin import TemplateRow
from ..schema.project import Definition
from . import project_files
from .jsonfiles import invalid, load_object

FOLDER = Path(__file__).parent.parent / "templates"
_FILE = "template.json"
_FIRST = ("sales-analyst", "literature-scout", "code-reviewer", "data-cleaner", "experiment-runner")
"""What a newcomer should see first, in this order; others follow by id."""
_ID = re.compile(r"[a-z0-9-]{1,64}")


class Templates:
    """The starter projects in `folder`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    def list(self) -> list[TemplateRow]:
        """All templates in the order to show them. Blocks: call it in a thread."""
        ids = [path.parent.name for path in self._folder.glob(f"*/{_FILE}")]
        ids.sort(key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
        rows = []
        for template in ids:
            definition = self._definition(template)
            rows.append(
                TemplateRow(
                    id=template,
                    name=definition.name,
                    description=definition.description,
                    definition=definition,
                )
            )
        return rows

    async def load(self, template: str) -> tuple[Definition, dict[str, bytes]]:
        """Definition and files (path → bytes) of one template. Raises `NotFound`."""
        return await asyncio.to_thread(self._load, template)

    def _load(self, template: str) -> tuple[Definition, dict[str, bytes]]:
        definition = self._definition(template)
        root = self._folder / template / project_files.FOLDER
        return definition, {path: project_files.read(root, path)[0] for path, _ in project_files.walk(root)}

    def _definition(self, template: str) -> Definition:
        path = self._folder / template / _FILE
        if not _ID.fullmatch(template) or not path.is_file():
            raise NotFound(f"There is no template {template[:80]!r}. GET templates lists them.")
        data = path.read_bytes()
        try:
            return Definition.model_validate(load_object(f"{template}/{_FILE}", data))
        except ValidationError as error:
            raise invalid(f"{template}/{_FILE}", data, error) from None
