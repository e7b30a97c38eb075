"""The small process above one command: nothing that the command starts can outlive it unseen.

Runs as `python -I -S supervisor.py`: standard library, `watches` and `outputs` only. It makes
itself the reaper of orphans (PR_SET_CHILD_SUBREAPER), so whatever the command does to
get away (`setsid`, double fork, `env -i`, ignoring TERM), it stays a descendant of this
process. Everything is ended (TERM, a grace, KILL until no child
is left) when the owner hangs up, when the owner's process dies, at the time limit, at
the output limit, and when there are too many processes, too much memory or disk.

Its standard input is a socket to the owner:
    → one line of JSON, the request (`main` shows the fields)
    ← one line of JSON when the command itself has exited (or, where the request allows that, has
      said `{"async": true}` in its first line), then its output as raw bytes
    ← end of file when the last descendant is gone
A server that is spoken to through pipes of its own (`stdio`, descriptors that this
process has inherited) runs in the same way: its output is then nobody's business here.
What the command left running goes on until the owner hangs up; its output is thrown
away, so that it neither blocks nor dies of a closed pipe.

Not here: what is run and how its output is shown (`commands`, `shell`). Not covered:
a command that kills this very process with SIGKILL takes only the command itself with
it (PR_SET_PDEATHSIG); `processes.end_all` finds the rest by its marker.
"""

# ruff: noqa: PTH100, PTH120, PTH123
# Start-up counts: pathlib, or typing, would take as long as all the rest.
from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from . import outputs, watches
else:
    # Behind the standard library: no file of this folder ever stands for a module of that.
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import outputs
    import watches

TERM_GRACE_S = 1.0
"""How long a process may tidy up after TERM; a cancel must be over within 5 s."""
KILL_GIVE_UP_S = 30.0
"""A process that KILL does not end sits in the kernel (a dead network mount); waiting longer helps nobody."""
WATCH_S = 0.5
"""How often the processes are counted."""
BURST_S = 0.1
"""How often it is looked whether they may have become many at once, which costs almost nothing."""
ALONE = os.getppid() == 1 and watches.is_warden(1)
"""Whether this is a sandbox of our own, where nobody else's processes are."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


# ---------------------------------------------------------------- the tree below


def send(pids: Iterable[int], *signals: int) -> None:
    for pid in pids:
        for number in signals:
            with contextlib.suppress(OSError):
                os.kill(pid, number)


def reap(statuses: dict[int, int]) -> bool:
    """Collect the dead into `statuses`; whether any child is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        statuses[pid] = status


def end_everything(statuses: dict[int, int], grace_s: float = TERM_GRACE_S) -> None:
    """TERM, a grace, then KILL until nothing is left. Frozen first: a fork bomb cannot outrun that."""
    send(watches.descendants(), signal.SIGTERM, signal.SIGCONT)
    patience = time.monotonic() + grace_s
    while time.monotonic() < patience:
        if not reap(statuses):
            return
        time.sleep(0.01)
    patience = time.monotonic() + KILL_GIVE_UP_S
    while reap(statuses) and time.monotonic() < patience:
        frozen: set[int] = set()
        for _ in range(100):
            moving = set(watches.descendants()) - frozen
            if not moving:
                break
            send(moving, signal.SIGSTOP)
            frozen |= moving
        send(watches.descendants(), signal.SIGKILL)
        time.sleep(0.01)


def overused(request: dict[str, Any], disk: watches.Disk) -> str:
    """What there is too much of, or `exit`."""
    living = watches.descendants()
    if len(living) > request["max_processes"]:
        return "processes"
    if watches.memory(living) > request["max_memory"]:
        return "memory"
    return "disk" if disk.full() else "exit"


def names_of(pids: Iterable[int]) -> list[tuple[int, str]]:
    """`[pid, command line]` of those that live (no zombies), at most 20."""
    shown: list[tuple[int, str]] = []
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if line := file.read(300).replace(b"\0", b" ").strip():
                shown.append((pid, line.decode("utf-8", "replace")[:200]))
    return shown[:20]


# ---------------------------------------------------------------- the command


def start(request: dict[str, Any], output: int, errors: int, report: int) -> tuple[int | None, str]:
    """Fork and exec; `(pid, "")`, or `(None, why not)`."""
    problem_read, problem_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(request, output, errors, report)
        except BaseException as error:
            os.write(problem_write, f"{request['argv'][0]}: {error}".encode("utf-8", "replace")[:4000])
        finally:
            os._exit(127)
    os.close(problem_write)
    problem = os.read(problem_read, 4096).decode("utf-8", "replace")
    os.close(problem_read)
    return (None, problem) if problem else (pid, "")


def become(request: dict[str, Any], output: int, errors: int, report: int) -> None:
    """In the child: the command itself. Returns only by raising."""
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and exec would pass that on
    for name, value in request["limits"].items():
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")  # short of memory, the command goes before the server does
    try:
        os.chdir(request["cwd"])
    except OSError:
        os.chdir(request["fallback"])
    if request["stdin"]:
        os.dup2(given(request["stdin"].encode("utf-8", "replace")), 0)
    for descriptor, taken in enumerate(request.get("stdio") or (0, output, errors)):
        os.dup2(taken, descriptor)
    for taken in request.get("stdio") or ():
        os.set_inheritable(taken, False)  # only as 0, 1 and 2
    if request["report_fd"]:
        os.dup2(report, request["report_fd"])
    os.execvpe(request["argv"][0], request["argv"], os.environ)  # noqa: S606


def given(data: bytes) -> int:
    """A descriptor to read `data` from: memory, not a pipe, so a command that never reads blocks nobody."""
    descriptor = os.memfd_create("stdin")
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


BEAT_S = 2.0
"""Most seconds between two signs of life of a command that goes on writing."""


def hand_over(control: int, answer: dict[str, Any], *parts: bytes) -> bool:
    """Send the answer and its `parts` (head, tail, errors); whether the owner is still there."""
    sizes = [len(part) for part in parts]
    data = json.dumps({**answer, "parts": sizes}).encode() + b"\n" + b"".join(parts)
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(control, view) :]
    except OSError:
        return False
    return True


def read_request(control: int) -> Any:
    data = b""
    while not data.endswith(b"\n"):
        piece = os.read(control, outputs.READ_BYTES)
        if not piece:
            sys.exit(0)
        data += piece
    return json.loads(data)


def said(control: int) -> bytes:
    """The owner says nothing but good-bye; a byte before it means that there is no time."""
    try:
        return os.read(control, 1)
    except OSError:
        return b""  # it died, and what we had answered was never read


def main() -> None:
    """Request: `argv`, `cwd`, `fallback` (cwd if that one is gone), `timeout_s`, `max_output`,
    `max_processes`, `max_memory` (bytes of all together), `disk` and `max_disk` (a folder and the
    bytes that it may hold), `limits` (names of `resource` → value), `report_fd` (0, or a descriptor
    on which the command may report up to 4 KiB about itself), `stdin` (text), `kept` (bytes of output
    handed over), `apart` (standard error by itself), `may_go_on` (an answer as soon as it says so),
    `stdio` (three inherited descriptors for the command's input, output and errors, which are then
    not kept here), `grace_s` (seconds between TERM and KILL when the owner hangs up)."""
    control = os.dup(0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    owner = os.pidfd_open(os.getppid())
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    told_to_stop: list[bool] = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Handlers rather than SIG_IGN: exec resets those, the command gets the defaults.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: told_to_stop.append(True))

    request = read_request(control)
    output_read, output_write = os.pipe()
    errors_read, errors_write = os.pipe()
    report_read, report_write = os.pipe()
    for descriptor in (output_read, errors_read, report_read):
        os.set_blocking(descriptor, False)
    apart = request["apart"]
    leader, problem = start(request, output_write, errors_write if apart else output_write, report_write)
    for descriptor in (output_write, errors_write, report_write):
        os.close(descriptor)
    for descriptor in request.get("stdio") or ():
        os.close(descriptor)  # or the owner would never see the command's own end of a pipe close
    if leader is None:
        hand_over(control, {"problem": problem})
        return

    output, errors = (outputs.Output(pipe, request["kept"]) for pipe in (output_read, errors_read))
    reading = [output, errors] if apart else [output]
    disk = watches.Disk(request["disk"], request["max_disk"])
    poller = select.poll()
    for descriptor in (control, owner, wake_read, *(each.pipe for each in reading)):
        poller.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + request["timeout_s"]
    watch, burst = time.monotonic() + WATCH_S, 0.0
    usual = watches.tasks()
    statuses: dict[int, int] = {}
    answered, why, beat = False, "exit", 0.0
    while True:
        now = time.monotonic()
        until = min(watch, burst) if answered else min(watch, burst, deadline)
        ready = {descriptor for descriptor, _ in poller.poll(max(0, until - now) * 1000)}
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
        for each in reading:
            if each.pipe in ready:
                if each.read() and not answered and time.monotonic() >= beat:
                    beat = time.monotonic() + BEAT_S
                    with contextlib.suppress(OSError):
                        os.write(control, b"\n")  # it lives
                if answered:
                    each.forget()
                if not each.open:
                    poller.unregister(each.pipe)
        if control in ready or owner in ready:
            hurried = control in ready and said(control) != b""
            end_everything(statuses, TERM_GRACE_S if hurried else request.get("grace_s", TERM_GRACE_S))
            return
        any_left = reap(statuses)
        if time.monotonic() >= burst:
            burst = time.monotonic() + BURST_S
            if watches.tasks() - usual > request["max_processes"]:
                watch, usual = 0.0, watches.tasks()
        if time.monotonic() >= watch:
            watch = time.monotonic() + WATCH_S
            if any_left:
                why = overused(request, disk)
        if told_to_stop:
            why = "killed"
        elif not answered and leader not in statuses:
            if time.monotonic() >= deadline:
                why = "timeout"
            elif output.total + errors.total > request["max_output"]:
                why = "output"
        if why != "exit":
            if why == "processes" and ALONE:
                with contextlib.suppress(OSError):
                    os.kill(-1, signal.SIGKILL)  # all of the sandbox but this and process 1, in one step
            # Too many processes get no grace: they would use it to make more.
            end_everything(statuses, 0.0 if why == "processes" else TERM_GRACE_S)
            any_left = False
        elif not answered and request["may_go_on"] and output.says_async():
            why = "async"
        if not answered and (leader in statuses or why != "exit"):
            for each in reading:
                each.drain()
            report = b""
            with contextlib.suppress(BlockingIOError):
                report = os.read(report_read, 4096 + 1)
            status = statuses.get(leader)
            answer = {
                "why": why,
                "exit": None if status is None else os.waitstatus_to_exitcode(status),
                "total": output.total,
                "errors_total": errors.total,
                "report": os.fsdecode(report) if report.endswith(b"\n") else "",
                "left": names_of(watches.descendants()) if any_left else [],
            }
            if not hand_over(control, answer, bytes(output.head), bytes(output.tail), bytes(errors.head)):
                end_everything(statuses)
                return
            answered, why = True, "exit"
        if not any_left:
            return


if __name__ == "__main__":
    try:
        main()
    finally:
        # Whatever went wrong here, also what nobody thought of: nothing stays behind.
        end_everything({})
