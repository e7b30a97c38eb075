"""What earlier sittings of an execution left, folded from its journal and its log, to go on from.

Pure. The journal is the truth about what was done and said; what the log has told its
readers is in `told`. An execution that begins from
another one (a resume of one that has ended, a fork, a continuation) has that one's
records in front of its own, closed by an `origin` record, and a log of its own.

Not here: how the files are read (`executions.journal`), and how a conversation goes on
(`conversation`, `dispatch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..schema.approvals import Preview
from ..schema.base import JsonObject
from ..schema.execution import Usage
from .asking import NOBODY, Decision
from .assembly import Reply
from .remembered import Held, PastCall, PastConversation, PastQuestion, Spent
from .told import Told

Record = Mapping[str, Any]


@dataclass
class Past:
    """Empty for an execution that begins."""

    conversations: dict[str, PastConversation] = field(default_factory=dict)
    """By span."""
    calls: dict[str, PastCall] = field(default_factory=dict)
    """By the call's span, `<turn>/<call id>`."""
    questions: dict[str, PastQuestion] = field(default_factory=dict)
    """By the call's span (and the number of a later one about it), in the order they were asked."""
    spent: list[Spent] = field(default_factory=list)
    """Calls of this execution."""
    carried: list[Spent] = field(default_factory=list)
    """Calls of the execution that this one resumes: they count against its limits, not as its own."""
    carried_s: float = 0.0
    """Running time of that one."""
    kept: dict[str, JsonObject] = field(default_factory=dict)
    """What tools wanted to find again, by agent."""
    prompt_due: bool = False
    """It began from another execution, with a prompt that no hook has seen yet."""
    first_files: list[str] = field(default_factory=list)
    """Files that its first message shows, where another execution has begun with them."""
    attach: list[str] | None = None
    """It began from another execution, and files were not shown to the model since: those of that one
    which the service had kept for it, and its own."""
    kept_files: dict[str, str] = field(default_factory=dict)
    """Ids with the model's service of files that it keeps for this execution, by path."""
    stopped: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Agent → why a hook ended the execution in a step of it, that hook, and the event."""
    tools_used: set[str] = field(default_factory=set)
    """Tools that were started, whatever came of it."""
    told: Told = field(default_factory=Told)
    ran_s: float = 0.0
    """Running time of this execution so far."""
    _open: dict[str, Held] = field(default_factory=dict)
    _lost: list[Held] = field(default_factory=list)
    _over: set[str] = field(default_factory=set)
    """Spans of turns whose reply is in the journal."""

    @classmethod
    def of(cls, records: Iterable[Record], events: Iterable[Record] = ()) -> Past:
        """Fold a journal and a log. Unknown kinds of a later version are passed over."""
        past = cls()
        for record in records:
            past.record(record)
        for event in events:
            past.told.event(event)
        return past

    def __bool__(self) -> bool:
        return bool(self.conversations or self.told.begun)

    # ------------------------------------------------------------ what is asked of it

    def call(self, span: str) -> PastCall | None:
        """The call at `span`, if it had come so far that anything was recorded."""
        return self.calls.get(span)

    def question(self, span: str) -> PastQuestion | None:
        """What was asked about the call at `span`, answered or not."""
        return self.questions.get(span)

    def instance(self, call_span: str, subagent: str) -> str | None:
        """Name of the instance that the delegation at `call_span` had begun with."""
        prefix = f"{call_span}/{subagent}#"
        for span in (*self.conversations, *self.told.begun):
            if span.startswith(prefix) and "/" not in span[len(prefix) :]:
                return span.rpartition("/")[2]
        return None

    def instances(self) -> dict[str, int]:
        """How many instances of each subagent there were."""
        most: dict[str, int] = {}
        for span in (*self.conversations, *self.told.begun):
            name, mark, number = span.rpartition("/")[2].rpartition("#")
            if mark and number.isdecimal():
                most[name] = max(most.get(name, 0), int(number))
        return most

    def held(self, span: str = "main") -> list[Held]:
        """Reservations below `span` that were open when a sitting ended."""
        return [each for each in (*self._lost, *self._open.values()) if _below(each.span, span)]

    @property
    def unsettled_usd(self) -> float:
        """Most that calls may have cost whose end was not seen."""
        return sum(each.cost for each in self.held())

    def spent_below(self, span: str) -> list[Spent]:
        return [each for each in self.spent if _below(each.span, span)]

    def carried_below(self, span: str) -> list[Spent]:
        return [each for each in self.carried if _below(each.span, span)]

    def is_void(self, span: str) -> bool:
        """Whether the log shows a beginning of the turn at `span` that nothing came of."""
        return span in self.told.void and span not in self._over

    def given_up(self) -> PastQuestion | None:
        """A silent call for which a person wanted it all to end, which has not happened."""
        for each in self.questions.values():
            said = each.decision
            if each.again and said is not None and not said.allow and said.by != NOBODY:
                call = self.calls.get(each.span)
                if call is None or (call.result is None and call.ended is None):
                    return each
        return None

    # ------------------------------------------------------------ the journal

    def record(self, record: Record) -> None:
        """Take the next record of the journal."""
        if fold := _FOLDS.get(record["kind"]):
            fold(self, record)

    def _conversation(self, record: Record) -> None:
        span = record["span"]
        self.conversations[span] = PastConversation(
            record["agent"], span, record["request"], [record["message"]]
        )
        if record["agent"] == "main":
            self.attach = None

    def _frozen(self, record: Record) -> None:
        self.conversations[record["span"]].request = record["request"]

    def _segment(self, record: Record) -> None:
        talk = self._talk(record)
        talk.messages = list(record["messages"])
        talk.last = talk.counted = None
        if record.get("by") != "retelling":
            return
        talk.turns, talk.last_span = _number(record["span"]), record["span"]
        if talk.messages[-1]["role"] == "assistant":
            content = talk.messages[-1]["content"]
            uses = any(block.get("type") == "tool_use" for block in content)
            talk.last = Reply(content, "tool_use" if uses else "pause_turn", None, {})

    def _assistant(self, record: Record) -> None:
        talk = self._talk(record)
        reply = Reply(
            content=record["content"],
            stop_reason=record["stop_reason"],
            stop_details=record.get("stop_details"),
            usage=record["usage"],
            message_id=record.get("message_id"),
            cost=record.get("cost_usd"),
        )
        talk.messages.append({"role": "assistant", "content": reply.content})
        talk.counted = (len(talk.messages), reply.usage)
        if talk.last is not None and talk.last.stop_reason in _PAUSES:
            talk.pauses += 1
        talk.last, talk.last_span = reply, record["span"]
        talk.turns = max(talk.turns, _number(record["span"]))
        talk.text = reply.text or talk.text
        self._over.add(record["span"])

    def _user(self, record: Record) -> None:
        talk = self._talk(record)
        talk.messages.append(record["message"])
        talk.repairs += record.get("why") == "repair"
        talk.sent_back += record.get("why") == "hook"
        if talk.last is not None and talk.last.stop_reason == "tool_use":
            talk.pauses = 0
        talk.last = None
        if talk.agent == "main":
            self.attach = None

    def _model_call(self, record: Record) -> None:
        span = record["span"]
        if (lost := self._open.pop(span, None)) is not None:
            self._lost.append(lost)
        self._open[span] = Held(span, record.get("held_usd") or 0.0, record.get("held_tokens") or 0)
        if (talk := self._find(span)) is not None and record.get("asked"):
            if record.get("purpose", "turn") != "turn":
                return
            talk.room = record["asked"]
            talk.turns = max(talk.turns, _number(span) - 1)

    def _settled(self, record: Record) -> None:
        span, cost = record["span"], record["cost_usd"]
        self._open.pop(span, None)
        if record["usage"] is None:
            return
        spent = Spent(record["agent"], span, Usage(**record["usage"]), cost)
        self.spent.append(spent)
        if (talk := self._find(span)) is not None:
            talk.usage = talk.usage + spent.usage
            talk.cost = None if talk.cost is None or cost is None else talk.cost + cost

    def _tool_started(self, record: Record) -> None:
        call = self._call(record)
        call.started = True
        call.tool, call.arguments = record["tool"], record["arguments"]
        call.read_only = record["read_only"]
        self.tools_used.add(record["tool"])

    def _tool_ended(self, record: Record) -> None:
        call = self._call(record)
        call.ended, call.duration_ms = record["output"], record["duration_ms"]
        if kept := record.get("kept"):
            self.kept.setdefault(record["agent"], {}).update(kept)

    def _prompt_passed(self, record: Record) -> None:
        self.prompt_due = False

    def _attached(self, record: Record) -> None:
        talk = self._talk(record)
        message = talk.messages[-1]
        talk.messages[-1] = {**message, "content": [*message["content"], *record["blocks"]]}
        self.attach = None

    def _file_kept(self, record: Record) -> None:
        self.kept_files[record["path"]] = record["file_id"]

    def _hook_stop(self, record: Record) -> None:
        self.stopped.setdefault(record["agent"], (record["message"], record["hook"], record["on"]))

    def _tool_done(self, record: Record) -> None:
        call = self._call(record)
        call.result = record["result"]
        call.added = record.get("added") or []
        call.output, call.duration_ms = record["output"], record["duration_ms"]
        if kept := record.get("kept"):
            self.kept.setdefault(record["agent"], {}).update(kept)

    def _approval_asked(self, record: Record) -> None:
        names = ("call_id", "tool", "arguments", "agent", "agent_id", "schema", "reason")
        key, again = record["call_span"], record.get("again", 0)
        self.questions[key] = PastQuestion(
            **{name: record[name] for name in names}, span=record.get("of", key), again=again
        )
        if (preview := record.get("preview")) is not None:
            self.questions[key].preview = Preview.model_validate(preview)

    def _approval_waited(self, record: Record) -> None:
        if (asked := self.questions.get(record["call_span"])) is not None:
            asked.waited_s = record["waited_s"]

    def _approval(self, record: Record) -> None:
        if (asked := self.questions.get(record["call_span"])) is not None:
            allow, by = record["allow"], record["by"]
            asked.decision = Decision(allow, by, record["message"], record["arguments"])

    def _origin(self, record: Record) -> None:
        """All so far was another execution's; that somebody goes on from it overrules its hooks' stop."""
        self.stopped.clear()
        self.questions = {key: each for key, each in self.questions.items() if not each.again}
        self.prompt_due = True
        self.first_files = list(record.get("first_files", ()))
        self.attach, self.kept_files = list(record.get("files", ())), {}
        if record["how"] == "resumed":
            self.carried += self.spent
            self.carried_s = record["ran_s"]
        else:
            self.carried, self.carried_s = [], 0.0
            self._lost, self._open = [], {}
        self.spent = []
        self.kept = {agent: dict(kept) for agent, kept in record.get("kept", {}).items()}
        self.tools_used |= set(record.get("tools_used", ()))
        for talk in self.conversations.values():
            talk.usage, talk.cost = Usage(), 0.0
            if record["how"] != "resumed":
                talk.turns_before = talk.turns

    def _talk(self, record: Record) -> PastConversation:
        found = self.conversations.get(record["span"]) or self._find(record["span"])
        if found is None:
            raise KeyError(f"no conversation at {record['span']}")
        return found

    def _find(self, turn_span: str) -> PastConversation | None:
        """The conversation that a turn belongs to."""
        return self.conversations.get(turn_span.rpartition("/")[0])

    def _call(self, record: Record) -> PastCall:
        return self.calls.setdefault(f"{record['span']}/{record['call_id']}", PastCall())


_FOLDS = {
    "conversation": Past._conversation,
    "frozen": Past._frozen,
    "segment": Past._segment,
    "assistant": Past._assistant,
    "user": Past._user,
    "approval_asked": Past._approval_asked,
    "approval_waited": Past._approval_waited,
    "approval": Past._approval,
    "model_call": Past._model_call,
    "settled": Past._settled,
    "tool_started": Past._tool_started,
    "tool_ended": Past._tool_ended,
    "tool_done": Past._tool_done,
    "hook_stop": Past._hook_stop,
    "attached": Past._attached,
    "file_kept": Past._file_kept,
    "prompt_passed": Past._prompt_passed,
    "origin": Past._origin,
}


_PAUSES = ("pause_turn", "compaction")


def _below(span: str, of: str) -> bool:
    return span.startswith(f"{of}/") or span == of


def _number(turn_span: str) -> int:
    number = turn_span.rpartition("/")[2]
    return int(number) if number.isdecimal() else 0
