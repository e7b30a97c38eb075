"""What tests put in the place of a module that is slow to import says the same as that one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator, FormatChecker

ADDRESSES = {
    "uri": ("http://host/a?b#c", "http://ho st/"),
    "uri-reference": ("../a", "http://ho st/"),
    "iri": ("http://hôst/ä", "//hôst/ä"),
    "iri-reference": ("../ä", "a b"),
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_addresses_are_held_to_the_same_rules(kind: str) -> None:
    good, bad = ADDRESSES[kind]
    checker = FormatChecker((kind,))
    schema = Draft202012Validator({"format": kind}, format_checker=checker)
    assert (schema.is_valid(good), schema.is_valid(bad)) == (True, False)


def test_what_tests_start_builds_no_parsers_for_them() -> None:
    told = "import sys, jsonschema; sys.exit('rfc3987_syntax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", told]).returncode == 0
