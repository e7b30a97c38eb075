"""The ledger: one row per execution in SQLite, with what it spent by time, agent, model and tool.

Derived: each row is an execution's log, added up (`executions.account`), or what
`departed` kept of one whose files are gone. Lists, metrics and the retention ask it, so
that none of them has to read logs; a damaged one is set aside and written again.

Rooms: `book` (the file), `entry` (rows), `departed` (executions without files), `figures`
(sums of a window), `keeping` (the async face, and when what is written).
"""

from .keeping import Ledger

__all__ = ["Ledger"]
