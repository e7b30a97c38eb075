"""Query arguments into their model. Not here: the models (`schema.query`).

JupyterLab appends a bare timestamp to every address (to get past caches), and Jupyter
takes its token and a few switches there: those are not ours and are left alone.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Union, get_args, get_origin

from pydantic import ValidationError

from ..errors import InvalidRequest
from ..schema.base import Model, invalid_request

_JUPYTERS = frozenset({"token", "_xsrf", "no_track_activity"})


def read(arguments: Mapping[str, Sequence[bytes]], model: type[Model]) -> Model:
    """`arguments` as `model`; raises `InvalidRequest` that names each wrong one."""
    values: dict[str, object] = {}
    for name, raw in arguments.items():
        if name in _JUPYTERS or name.isdecimal():
            continue
        if name not in model.model_fields:
            known = ", ".join(f"`{field}`" for field in model.model_fields) or "no arguments"
            raise InvalidRequest(f"Unknown query argument `{name[:100]}`; this address takes {known}.")
        values[name] = _values(name, raw, many=_is_list(model.model_fields[name].annotation))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid_request(error, "The query") from None


def _values(name: str, raw: Sequence[bytes], *, many: bool) -> object:
    try:
        texts = [value.decode("utf-8") for value in raw]
    except UnicodeDecodeError:
        raise InvalidRequest(f"The query argument `{name}` is not valid UTF-8.") from None
    if many:
        return texts
    if len(texts) > 1:
        raise InvalidRequest(f"The query argument `{name}` stands more than once.")
    return texts[0]


def _is_list(annotation: object) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_is_list(part) for part in get_args(annotation))
    return get_origin(annotation) is list
