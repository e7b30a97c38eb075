"""The tree of errors: what its docstring draws is what the classes say."""

from __future__ import annotations

import re

from cloutagent_ext import errors


def tree(kind: type[errors.CloutError]) -> list[type[errors.CloutError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in tree(child))]


def test_the_drawing_names_every_class_with_its_status() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+)\s+(\d{3}|---)", errors.__doc__ or ""))
    real = {kind.__name__: kind for kind in tree(errors.CloutError)[1:] if kind.__module__ == errors.__name__}
    assert set(drawn) == set(real)
    for name, status in drawn.items():
        # `---`: the client raises it, no route answers it.
        assert status in ("---", str(int(real[name].status))), name


def test_an_error_that_must_be_retried_later_says_when() -> None:
    for kind in tree(errors.CloutError):
        if kind.status in (429, 503) and kind is not errors.Unreachable:
            assert kind.retry_after_s, kind
