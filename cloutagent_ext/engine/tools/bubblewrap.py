"""What bubblewrap is told, and whether it works on this machine.

The child's file system is the machine's own, read-only, with empty folders laid over
what is nobody's business (homes, /tmp, /run, the operator's `secret` paths), and over
those again what the child was given. Own namespaces for processes, IPC, host name,
user ids and, without `network`, the network, where only its own loopback exists. No
capabilities, no new privileges, no terminal.

Not here: who is started in it (`isolation`, `room`). Not covered: the kernel's own
defects, unix sockets outside /run, /tmp and homes, and, with the network on, everything
that listens on this machine.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import site
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROBE_S = 10
_HERE = Path(__file__).parent
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev", "/proc", "/sys", "/boot")
"""Never hidden as a whole: programs need them."""
_PASSWORDS = ("shadow", "shadow-", "gshadow", "gshadow-", "sudoers", "sudoers.d", "ssh", "ssl/private")
"""Below /etc: closed to others, but a server that runs as root could read them."""
_KERNEL = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "driver", "mtrr")
"""Below /proc: what a root without capabilities could still write to."""
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - hidden, not used
_HIDE, _READ, _WRITE, _SECRET, _OWN_READ = range(5)


@dataclass(frozen=True)
class View:
    """What a child sees and may change. Paths need not exist; those that do not are left out."""

    own: tuple[Path, ...]
    """The execution's own folders, also where they lie in a secret one."""
    own_read: tuple[Path, ...] = ()
    """Likewise, to be read only."""
    write: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    """Hidden besides the usual; what is named in `read` and `write` shows through."""
    secret: tuple[Path, ...] = ()
    """Hidden, and nothing that is named shows through."""
    network: bool = False
    tmp: Path | None = None
    """Folder that is the child's /tmp; None: one in memory."""


_problems: dict[str, str | None] = {}
_trying = threading.Lock()


def problem(program: str = "bwrap") -> str | None:
    """Why `program` cannot isolate anything here; None where it can. Blocks; tried once per process."""
    with _trying:
        if program not in _problems:
            _problems[program] = _try(program)
        return _problems[program]


def _try(program: str) -> str | None:
    """Start a real sandbox, as children get it, and look from the inside whether it is one."""
    if sys.platform != "linux":
        return "there is no Linux"
    found = shutil.which(program)
    if found is None:
        return "bubblewrap is not installed (`apt-get install bubblewrap`)"
    with tempfile.TemporaryDirectory(prefix="cloutagent-probe-") as folder:
        look = 'read -r pid _ </proc/self/stat && [ "$pid" -lt 10 ] && touch here && ! touch /usr/here'
        view = View(own=(Path(folder),))
        argv = [*arguments(program, view, ["--die-with-parent"]), "/bin/sh", "-c", look]
        try:
            ran = subprocess.run(
                argv, cwd=folder, env={"PATH": os.defpath}, stdin=subprocess.DEVNULL,
                capture_output=True, timeout=PROBE_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not start: {error}"
        if ran.returncode != 0 or not Path(folder, "here").exists():
            said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
            return f"bubblewrap does not work: {said[0] if said else f'exit code {ran.returncode}'}"
    return None


def arguments(program: str, view: View, options: Sequence[str] = ()) -> list[str]:
    """Everything before the command itself. Blocks: it looks up real paths."""
    found = shutil.which(program) or program
    argv = [os.path.abspath(found), "--unshare-all", "--unshare-user", "--cap-drop", "ALL", "--new-session"]  # noqa: PTH100
    if view.network:
        argv.append("--share-net")
    argv += [*options, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    if os.getuid() == 0:
        # Root writes kernel settings by owning the files, without any capability: `core_pattern` alone
        # would be a way out of the sandbox.
        for name in _KERNEL:
            argv += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    for mount in _mounts(view):
        argv += mount
    return [*argv, "--"]


def _mounts(view: View) -> list[list[str]]:
    """In the order in which they have to be made: what is deeper later."""
    made: dict[tuple[str, int], list[str]] = {}

    def add(path: Path | str, kind: int) -> None:
        real = os.path.realpath(path)
        if not os.path.exists(real):  # noqa: PTH110
            return
        if kind in (_READ, _WRITE, _OWN_READ):
            made[real, kind] = ["--bind" if kind == _WRITE else "--ro-bind", real, real]
        elif os.path.isdir(real):  # noqa: PTH112
            made[real, kind] = ["--tmpfs", real]
        else:
            made[real, kind] = ["--ro-bind", "/dev/null", real]

    secret = [os.path.realpath(path) for path in view.secret]
    hidden = [*_homes(), *(os.path.realpath(path) for path in view.hidden)]
    hidden = [path for path in hidden if path != "/" and not _beneath(path, _SYSTEM)]
    hidden += ["/run", *_TEMPORARY]
    for top in hidden:
        add(top, _HIDE)
    for name in _PASSWORDS:
        add(f"/etc/{name}", _SECRET)
    for top in secret:
        if top != "/":
            add(top, _SECRET)
    seen = [*_programs(hidden), *_resolver(view), *(p for p in view.read if not _inside(p, secret))]
    for path in seen:
        add(path, _READ)
    write = [path for path in view.write if not _inside(path, secret)]
    for path in (*write, *view.own):
        add(path, _WRITE)
    for path in view.own_read:
        add(path, _OWN_READ)
    if view.tmp is not None:
        for top in _TEMPORARY:
            made[os.path.realpath(top), _HIDE] = ["--bind", str(view.tmp), os.path.realpath(top)]
    # What a path in use goes through may be a link in a folder that is now empty.
    links = _links([*seen, *write, *view.own], hidden)
    rows = [((real.count("/"), kind), mount) for (real, kind), mount in made.items()]
    rows += [((link.count("/"), _READ), ["--symlink", target, link]) for link, target in links.items()]
    return [mount for _, mount in sorted(rows, key=lambda row: row[0])]


def _homes() -> list[str]:
    mine = []
    with contextlib.suppress(KeyError):  # a container's user may have no name
        mine.append(pwd.getpwuid(os.getuid()).pw_dir)
    mine += ["/home", "/root", os.environ.get("HOME") or "/root"]
    return sorted({os.path.realpath(path) for path in mine})


def _programs(hidden: Sequence[str]) -> Iterable[Path]:
    """What commands need though it may lie in a home: the interpreter the server runs on, its libraries."""
    yield from (Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix))
    if site.ENABLE_USER_SITE and (base := site.USER_BASE):
        yield from (Path(base, "bin"), Path(site.getusersitepackages()))
    for name in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if name.startswith("/") and not any(_beneath(top, [os.path.realpath(name)]) for top in hidden):
            yield Path(name)  # `~/.local/bin`; never a whole home, or a folder above one
    yield _HERE


def _resolver(view: View) -> Iterable[Path]:
    if view.network:
        yield Path("/etc/resolv.conf")


def _links(paths: Iterable[Path], hidden: Sequence[str]) -> dict[str, str]:
    """Symbolic links on the way to `paths` that hidden folders would take away, with their targets."""
    found: dict[str, str] = {}
    for path in paths:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100
        for part in (*reversed(absolute.parents), absolute):
            if part.is_symlink() and _beneath(str(part), hidden):
                found[str(part)] = os.path.realpath(part)
                break
    return found


def _beneath(path: str, tops: Iterable[str]) -> bool:
    return any(path == top or path.startswith(top.rstrip("/") + "/") for top in tops)


def _inside(path: Path, secret: Sequence[str]) -> bool:
    return _beneath(os.path.realpath(path), secret)
