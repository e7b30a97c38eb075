"""The child processes of `standalone`: commands, and Python code whose variables stay."""

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

# ---------------------------------------------------------------- commands and code


class Shell:
    """Commands in the working folder; the folder that a command ends in is where the next one begins."""

    def __init__(self) -> None:
        self.folder, self.lock = str(Path.cwd()), threading.Lock()

    def run(self, arguments: dict[str, Any]) -> str:
        with self.lock, tempfile.NamedTemporaryFile("r") as ended:
            command = f"trap 'pwd > {ended.name}' EXIT\n{arguments['command']}"
            limit = arguments.get("timeout_s", 120)
            try:
                done = subprocess.run(
                    ["bash", "-c", command],
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=limit,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise ValueError(f"stopped after {limit} s") from error
            self.folder = ended.read().strip() or self.folder
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            raise ValueError(f"{text}\n[exit code {done.returncode}]".lstrip("\n"))
        return text or "[no output]"


WORKER = """
import ast, contextlib, io, json, os, sys, traceback
names, answers = {"__name__": "__main__"}, os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what programs print that it starts is not an answer
for line in sys.stdin:
    out, ok = io.StringIO(), True
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            tree = ast.parse(json.loads(line))
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "<cell>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last else None
            if value is not None:
                print(repr(value))
        except BaseException:
            ok = False
            traceback.print_exc()
    answers.write(json.dumps([ok, out.getvalue()]) + chr(10))
    answers.flush()
"""


class Python:
    """Code in one child process whose variables stay; what it prints and its last value come back."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[str] | None = None
        self.lock = threading.Lock()

    def run(self, arguments: dict[str, Any]) -> str:
        with self.lock:
            if self.child is None or self.child.poll() is not None:
                pipe = subprocess.PIPE
                self.child = subprocess.Popen(
                    [sys.executable, "-c", WORKER], stdin=pipe, stdout=pipe, text=True
                )
            child = self.child
            watch = threading.Timer(arguments.get("timeout_s", 120), child.kill)
            watch.start()
            try:
                assert child.stdin is not None
                assert child.stdout is not None
                child.stdin.write(json.dumps(arguments["code"]) + "\n")
                child.stdin.flush()
                line = child.stdout.readline()
            finally:
                watch.cancel()
        if not line:
            raise ValueError(
                "the Python process ended: all variables are gone; the next call starts a fresh one"
            )
        ok, text = json.loads(line)
        if not ok:
            raise ValueError(text)
        return str(text) or "[ran, and showed nothing]"

    def close(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.communicate()
