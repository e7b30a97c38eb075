"""Bytes of strangers, thrown at what reads them: `targets` says at what, `__main__` how it is steered.

`make test` throws a few hundred (`tests/security/test_fuzz.py`), `make nightly` lets Atheris search.
"""
