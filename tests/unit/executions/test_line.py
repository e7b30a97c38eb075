"""The line: who starts next."""

from __future__ import annotations

from collections import Counter

from cloutagent_ext.executions.line import AGE_S, Line


def line(*waiting: tuple[str, str, int, float]) -> Line:
    made = Line()
    for name, project, priority, now in waiting:
        made.add(name, project, priority=priority, now=now, patience_s=300)
    return made


def drain(made: Line, now: float, *, limit: int = 100) -> list[str]:
    running: Counter[str] = Counter()
    order = []
    while chosen := made.next(now, running, lambda _: limit):
        order.append(chosen)
        made.remove(chosen)
    return order


def test_first_come_first_served_within_a_priority() -> None:
    made = line(("a", "p", 0, 0), ("b", "p", 0, 1), ("c", "p", 0, 2))
    assert made.order("p", 3) == drain(made, 3) == ["a", "b", "c"]


def test_a_person_goes_before_a_program_until_the_program_has_aged() -> None:
    made = line(("key", "p", 1, 0), ("panel", "p", 0, 30))
    assert made.order("p", AGE_S - 0.1) == ["panel", "key"]
    assert made.order("p", AGE_S) == ["key", "panel"]
    assert made.next_change(1) == AGE_S


def test_a_project_with_many_does_not_hold_up_another() -> None:
    made = line(*[(f"a{n}", "a", 0, n) for n in range(5)], ("b0", "b", 0, 9))
    assert made.next(10, Counter(a=2), lambda _: 3) == "b0"


def test_a_full_project_is_passed_over() -> None:
    made = line(("a", "full", 0, 0), ("b", "free", 0, 1))
    assert made.next(2, Counter(full=3), lambda _: 3) == "b"
    assert made.next(2, Counter(full=3, free=3), lambda _: 3) is None


def test_patience_ends_and_is_known_beforehand() -> None:
    made = line(("a", "p", 0, 0), ("b", "p", 0, 100))
    assert made.next_change(50) == 300
    assert made.overdue(299) == []
    assert made.overdue(300) == ["a"]
    made.remove("a")
    assert made.next_change(300) == 400
