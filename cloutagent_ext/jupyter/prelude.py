"""What a kernel of an execution runs before any code of a model.

The source of `prepare` is sent to the kernel (`kernel`): nothing but the standard library and what every
kernel of Python has, and each import inside. Code that comes later can undo all of it; what may not depend on
it is bounded on our side, too (`channels`).
"""


def prepare(piece: int, largest: int) -> None:
    """Make the kernel the reaper of what its code leaves behind, and bound what it sends.

    `piece`: characters of what is printed in one message, about. `largest`: characters of one result, or of
    one exception, that are shown; of a larger one only its size is said.
    """
    import ctypes
    import sys
    from collections.abc import Iterator
    from typing import Any

    from IPython import get_ipython

    shell: Any = get_ipython()

    if sys.platform == "linux":
        pr_set_child_subreaper = 36
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)

    def in_pieces() -> None:
        """ipykernel sends all that is printed in a fifth of a second as one message: gigabytes of a loop."""
        stream: Any = type(sys.stdout)
        schedule, flush_buffers = stream._schedule_flush, stream._flush_buffers

        def _schedule_flush(self: Any) -> None:
            schedule(self)
            with self._buffer_lock:
                unsent = sum(each.tell() for each in self._buffers.values())
            if unsent >= piece:
                self.flush()

        def _flush_buffers(self: Any) -> Iterator[tuple[Any, str]]:
            for parent, text in flush_buffers(self):
                # ipykernel hands each to itself through a pipe of 1,000: more at once would stand for ever.
                step = max(piece, len(text) // 200)
                for at in range(0, len(text), step):
                    yield parent, text[at : at + step]

        stream._schedule_flush, stream._flush_buffers = _schedule_flush, _flush_buffers

    def bound_results() -> None:
        def bounded(message: dict[str, Any]) -> dict[str, Any]:
            data = message["content"].get("data") or {}
            sizes = {kind: len(it if isinstance(it, str) else str(it)) for kind, it in data.items()}
            large = {kind: size for kind, size in sizes.items() if size > largest}
            for kind in large:
                del data[kind]
            if large and "text/plain" not in data:
                said = ", ".join(f"{kind} of {size:,} characters" for kind, size in large.items())
                data["text/plain"] = f"[{said}: more than the {largest:,} that are shown]"
            return message

        for way in (shell.displayhook, shell.display_pub):
            way.register_hook(bounded)

    def bound_exceptions() -> None:
        session = shell.kernel.session
        send = session.send

        def sent(to: Any, kind: Any, content: Any = None, *more: Any, **named: Any) -> Any:
            if kind in ("error", "execute_reply") and content and "ename" in content:
                texts = [content["evalue"], *content["traceback"]]
                size = sum(map(len, texts))
                if size > largest:
                    said = f"[an exception of {size:,} characters: more than the {largest:,} that are shown]"
                    evalue, *lines = (text[:1000] for text in texts)
                    content = {**content, "evalue": f"{evalue} {said}", "traceback": [*lines, said]}
            return send(to, kind, content, *more, **named)

        session.send = sent

    in_pieces()
    bound_results()
    bound_exceptions()
