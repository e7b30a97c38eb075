"""Make the survey and the scenario of the "Data cleaner" starter project: the same bytes each time.

An invented survey, as forms give it: countries in many spellings, heights in metres, centimetres and feet,
ages that cannot be, and people who sent the form twice. The cleaner itself (clean.py) and the first rules
(rules.json) are ordinary files of the template.

    python scripts/make_data_cleaner.py [FOLDER]
"""
# ruff: noqa: E501 - the words of a scenario are prose; broken lines would be harder to read

from __future__ import annotations

import csv
import io
import random

from scenario import Turn, as_json, call, write

SEED = 20261125
PEOPLE = 420
TWICE = 13
COUNTRIES = {
    "Germany": (0.34, ("Germany", "GERMANY", "Deutschland", "GER", "germany ")),
    "France": (0.26, ("France", "france", "FR", " France")),
    "Norway": (0.22, ("Norway", "Norge", "NORWAY", "NO")),
    "Spain": (0.18, ("Spain", "España", "spain", "ES ")),
}


def height(rng: random.Random) -> str:
    """A height as people write it."""
    centimetres = rng.gauss(172, 9.5)
    form = rng.random()
    if form < 0.62:
        return f"{centimetres:.0f}"
    if form < 0.78:
        return f"{centimetres / 100:.2f}"
    if form < 0.87:
        return f"{centimetres / 100:.2f} m".replace(".", ",")
    if form < 0.97:
        inches = round(centimetres / 2.54)
        return f"{inches // 12}'{inches % 12}\""
    return rng.choice(("", "tall", "1780"))


def survey() -> str:
    """The whole CSV file."""
    rng = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    rows = []
    for number in range(1, PEOPLE + 1):
        country = rng.choices(list(COUNTRIES), weights=[share for share, _ in COUNTRIES.values()])[0]
        rows.append(
            {
                "respondent": f"R{number:04d}",
                "country": rng.choice(COUNTRIES[country][1]) if rng.random() > 0.02 else "",
                "age": str(min(88, max(16, int(rng.gauss(41, 15))))),
                "height": height(rng),
                "satisfied": rng.choice(("1", "2", "3", "4", "4", "5", "5", "")),
            }
        )
    for row, wrong in zip(rng.sample(rows, 7), ("410", "-3", "0", "9999", "forty", "4", "223"), strict=True):
        row["age"] = wrong
    for row in rng.sample(rows, TWICE):
        rows.insert(rng.randrange(len(rows)), dict(row))
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


OLD_RULES = """\
  {"do": "once", "by": "respondent"}
]"""
NEW_RULES = """\
  {"do": "once", "by": "respondent"},
  {"column": "country", "do": "spell", "as": {
    "Germany": ["Deutschland", "GER"],
    "France": ["FR"],
    "Norway": ["Norge", "NO"],
    "Spain": ["España", "ES"]
  }},
  {"column": "age", "do": "range", "least": 16, "most": 110},
  {"column": "height", "do": "centimetres"}
]"""

REPORT = """\
# Cleaning `survey.csv`

{{result.cleaned.read}} rows read, {{result.cleaned.kept}} kept; {{result.cleaned.rules}} rules applied, \
{{result.cleaned.changed}} values changed, {{result.cleaned.emptied}} set empty because they could not be read.

{{result.cleaned.table}}

Afterwards: {{result.cleaned.countries}} spellings of countries, age {{result.cleaned.age}}, height \
{{result.cleaned.height}}.

Before, `country` had {{result.profile.country.different}} spellings, and {{result.profile.twice}} rows came from \
somebody who had sent the form already.

The rules that were applied are those in `rules.json`. A change of them asks a person first.
"""

SUMMARY = """\
`survey.csv` is cleaned by {{result.cleaned.rules}} rules: {{result.cleaned.kept}} of {{result.cleaned.read}} rows stay, \
{{result.cleaned.changed}} values changed, {{result.cleaned.emptied}} set empty. `country` went from \
{{result.profile.country.different}} spellings to {{result.cleaned.countries}}; height is {{result.cleaned.height}}.

The rules are in `rules.json`, the rows in `clean.csv`, what each rule did in `cleaning.md`."""


def agents() -> dict[str, list[Turn]]:
    """The turns of the agent, in order."""
    main = [
        {
            "thinking": "What is in the file, and which rules are there already?",
            "text": "I look at the survey, column by column, and at the rules there are.",
            "tools": [
                call("bash", "profile", command="python clean.py profile"),
                call("view", "rules", path="rules.json"),
            ],
        },
        {
            "thinking": "Countries in several spellings, heights in three units, ages that cannot be. Each gets a rule "
            "that a person can read. Changing the rules is theirs to allow.",
            "text": "`country` has {{result.profile.country.different}} spellings, heights come in several units, and some "
            "ages cannot be. I propose three more rules; they change what the survey says, so a person decides.",
            "tools": [
                call("str_replace", "proposal", path="rules.json", old_str=OLD_RULES, new_str=NEW_RULES)
            ],
        },
        {
            "text": "I apply the rules as they are now.",
            "tools": [call("bash", "cleaned", command="python clean.py apply")],
        },
        {
            "text": "I write down what each rule did.",
            "tools": [call("file_create", "report", path="cleaning.md", content=REPORT)],
        },
        {"text": SUMMARY},
    ]
    return {"main": main}


def files() -> dict[str, str]:
    """What is made for the project, path → text."""
    return {"survey.csv": survey(), "scenario.json": as_json(agents())}


if __name__ == "__main__":
    write("data-cleaner", files())
