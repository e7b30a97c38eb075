"""Make the library and the scenario of the "Literature scout" starter project: the same bytes each time.

The library is a BibTeX file of invented papers on one question, with what real libraries have: entries
that came twice, abstracts that are missing, a year that is missing, and one result too good to be true.

    python scripts/make_literature_scout.py [FOLDER]
"""
# ruff: noqa: E501 - the words of a scenario are prose; broken lines would be harder to read

from __future__ import annotations

import json
import random

from scenario import Turn, as_json, call, write

SEED = 20261125
PAPERS = 48
TWICE = 5
"""Entries that somebody imported a second time under another key."""
HEAD = "% Invented for a demonstration: none of these papers exists.\n\n"

SURNAMES = (
    "Abara", "Bergmo", "Castellan", "Dvorsk", "Ekwall", "Farrago", "Gildea", "Hartwick", "Ilves", "Jarosz",
    "Kessling", "Lindqvar", "Morvan", "Nakata", "Oyelar", "Pretorin", "Quillon", "Rasmund", "Soltani", "Tverd",
    "Ueland", "Vasko", "Wendorf", "Yilmar", "Zanetto",
)  # fmt: skip
JOURNALS = ("Invented Journal of Learning", "Imaginary Cognition", "Annals of Made-up Memory")
# Theme → true effect, share of papers, what its titles say.
THEMES = {
    "spacing": (0.42, 0.36, ("Spacing tests over weeks", "When to test again", "Gaps between tests")),
    "feedback": (0.61, 0.36, ("Feedback after testing", "Correct answers at once", "Delayed feedback")),
    "transfer": (0.12, 0.28, ("From facts to problems", "Testing and far transfer", "Does recall transfer")),
}
PLACES = (("students", 1.0), ("pupils", 0.85), ("adults", 1.1))


def paper(rng: random.Random, number: int) -> dict[str, str]:
    """One entry; its effect scatters around its theme's true one, less so the more people took part."""
    theme = rng.choices(list(THEMES), weights=[share for _, share, _ in THEMES.values()])[0]
    true, _, titles = THEMES[theme]
    who, factor = rng.choice(PLACES)
    people = int(rng.lognormvariate(4.6, 0.6)) + 20
    error = 2 / people**0.5
    size = rng.gauss(true * factor, error)
    year = rng.randint(2006, 2025)
    first = rng.choice(SURNAMES)
    return {
        "key": f"{first.lower()}{year}{theme}{number}",
        "author": f"{first}, {rng.choice('ABCDEFGHKLMNPRSTV')}. and {rng.choice(SURNAMES)}, {rng.choice('ABCDEFGHKLMNPRSTV')}.",
        "title": f"{rng.choice(titles)}: {rng.choice(('a field study', 'a laboratory experiment', 'evidence from a course', 'a replication'))}",
        "journal": rng.choice(JOURNALS),
        "year": str(year),
        "doi": f"10.0000/invented.{number:04d}",
        "keywords": f"retrieval practice, {theme}",
        "abstract": (
            f"We compared taking a test with reading again in {people:,} {who} and measured recall "
            f"{rng.choice((2, 7, 14, 30))} days later. Those who were tested recalled more, "
            f"d = {size:.2f} (95 % CI {size - 1.96 * error:.2f} to {size + 1.96 * error:.2f})."
            if size > 0
            else f"We compared taking a test with reading again in {people:,} {who}. Testing did not help, "
            f"d = {size:.2f} (95 % CI {size - 1.96 * error:.2f} to {size + 1.96 * error:.2f})."
        ),
    }


def library() -> str:
    """The whole BibTeX file."""
    rng = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    papers = [paper(rng, number) for number in range(1, PAPERS + 1)]
    for entry in rng.sample(papers, 3):
        del entry["abstract"]
    rng.choice(papers).pop("year")
    odd = next(entry for entry in papers if "feedback" in entry["keywords"] and "abstract" in entry)
    odd["abstract"] = (
        "We compared taking a test with reading again in 9 students. Those who were tested recalled "
        "everything, d = 4.10 (95 % CI 1.90 to 6.30)."
    )
    for entry in rng.sample(papers, TWICE):
        papers.insert(rng.randrange(len(papers)), {**entry, "key": f"{entry['key']}a"})
    return HEAD + "\n".join(map(bibtex, papers))


def bibtex(entry: dict[str, str]) -> str:
    fields = ",\n".join(f"  {name} = {{{value}}}" for name, value in entry.items() if name != "key")
    return f"@article{{{entry['key']},\n{fields}\n}}\n"


def reading(theme: str) -> str:
    """What one reader is asked."""
    return (
        f"Read what references.bib says about the theme {theme}: how many papers, how many people, how large the "
        "effect is and how sure, and what looks odd. library.py adds the studies up. Answer in a short paragraph "
        "with a table, and end with one line of JSON.\n" + json.dumps({"theme": theme})
    )


REPORT = """\
# {{question}}

As of {{result.now.datetime}} ({{result.now.timezone}}), {{result.library.papers}} papers from \
{{result.library.from}} to {{result.library.to}}.

| Theme | Papers with an effect | People | Mean effect d | 95 % interval |
| --- | ---: | ---: | ---: | ---: |
| Feedback | {{result.feedback.used}} | {{result.feedback.people}} | {{result.feedback.mean}} | {{result.feedback.interval}} |
| Spacing | {{result.spacing.used}} | {{result.spacing.people}} | {{result.spacing.mean}} | {{result.spacing.interval}} |
| Transfer | {{result.transfer.used}} | {{result.transfer.people}} | {{result.transfer.mean}} | {{result.transfer.interval}} |

- Feedback: {{result.feedback.verdict}}. Largest study: *{{result.feedback.largest}}*.
- Spacing: {{result.spacing.verdict}}. Largest study: *{{result.spacing.largest}}*.
- Transfer: {{result.transfer.verdict}}. Largest study: *{{result.transfer.largest}}*.

## What each reader found

### Feedback

{{result.feedback.table}}

### Spacing

{{result.spacing.table}}

### Transfer

{{result.transfer.table}}

## What to be careful with

{{result.library.twice}} entries were in the library twice and count once; {{result.library.no_abstract}} have no \
abstract and {{result.library.no_year}} no year. Set aside as too strong to be true: {{result.feedback.odd}}.

Means are weighted by the inverse of each study's variance (a fixed effect): they take for granted that all studies of \
a theme measure the same thing. The papers are invented.
"""

SUMMARY = """\
**{{question}}** {{result.library.papers}} papers, read by theme. With feedback: d = {{result.feedback.mean}} \
({{result.feedback.interval}}), {{result.feedback.people}} people. With tests spaced out: d = {{result.spacing.mean}} \
({{result.spacing.interval}}). Transfer to new problems: d = {{result.transfer.mean}} ({{result.transfer.interval}}), \
{{result.transfer.verdict}}.

One result was set aside as too strong to be true ({{result.feedback.odd}}). The papers are invented. Everything is in \
`reading.md`."""


def agents() -> dict[str, list[Turn]]:
    """The turns of both agents, in order."""
    main = [
        {
            "thinking": "First what the library holds, and the date, since a review is as of a day.",
            "text": "I look at what the library holds, and ask the time server for the date of this review.",
            "tools": [
                call("bash", "library", command="python library.py summary"),
                call("mcp__time__get_current_time", "now", timezone="{{timezone}}"),
            ],
        },
        {
            "thinking": "Three themes that do not need each other: three readers side by side.",
            "text": "Three themes, three readers, side by side.",
            "tools": [
                call("agent__reader", theme, prompt=reading(theme))
                for theme in ("feedback", "spacing", "transfer")
            ],
        },
        {
            "text": "All three are back. I put them together.",
            "tools": [call("file_create", "report", path="reading.md", content=REPORT)],
        },
        {"text": SUMMARY},
    ]
    reader = [
        {
            "text": "I look at the entries of my theme first.",
            "tools": [
                call("grep", "entries", pattern="keywords = .*{{prompt.theme}}", path="references.bib")
            ],
        },
        {
            "text": "Now the studies together.",
            "tools": [call("bash", "sum", command="python library.py theme {{prompt.theme}}")],
        },
        {
            "text": "On {{result.sum.theme}}, {{result.sum.used}} papers with {{result.sum.people}} people report an effect: "
            "d = {{result.sum.mean}} on average ({{result.sum.interval}}), so {{result.sum.verdict}}. Set aside: "
            "{{result.sum.odd}}.\n\n{{result.sum}}"
        },
    ]
    return {"main": main, "reader": reader}


def files() -> dict[str, str]:
    """What is made for the project, path → text."""
    return {"references.bib": library(), "scenario.json": as_json(agents())}


if __name__ == "__main__":
    write("literature-scout", files())
