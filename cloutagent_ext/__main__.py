"""`python -m cloutagent_ext` is `jupyter cloutagent`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
