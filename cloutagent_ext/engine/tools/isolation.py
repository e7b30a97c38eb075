"""How a command is started: the one place where a sandbox goes around it.

Today there is none: a command runs as the server's own user, sees the machine's files
and network, and can look at other processes of that user. `NOT_ISOLATED` says so in
every execution that starts a command or a kernel. Process groups, limits, an allow-list
environment and the supervisor bound what it can leave behind, not what it can see.
"""

from __future__ import annotations

from collections.abc import Sequence

NOT_ISOLATED = (
    "Commands and kernels of this execution run as the server's own user, without a sandbox: they can read "
    "what that user can read and reach the network. Their environment holds none of the server's keys."
)

MAX_PROCESSES = 1024
"""Most processes that one command may have at a time, all its descendants counted."""
MAX_OUTPUT_BYTES = 100 * 1024 * 1024
"""Output at which a command is stopped."""
LIMITS = {
    "RLIMIT_CORE": 0,  # a core dump of 1 GB helps nobody here
    "RLIMIT_FSIZE": 8 * 1024**3,  # bytes of one file: keeps a runaway writer from filling the disk at once
}
"""Limits of every command, as names of `resource`. No memory limit: address space is no measure of it."""


def command_argv(argv: Sequence[str]) -> list[str]:
    """`argv` as it is really started; a sandbox's own arguments would go before it."""
    return list(argv)
