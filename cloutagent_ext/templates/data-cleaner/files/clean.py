"""Cleans survey.csv by the rules in rules.json, and says what each rule touched.

    python clean.py profile    what is in the file, column by column
    python clean.py apply      writes clean.csv, and prints the counts as its last line, as JSON

A rule is one of:
    {"column": "country", "do": "spell", "as": {"Germany": ["GER", "Deutschland"]}}
    {"column": "age", "do": "range", "least": 16, "most": 110}
    {"column": "height", "do": "centimetres"}
    {"do": "once", "by": "respondent"}
A value that a rule cannot read becomes empty, and is counted. Standard library only.
"""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

INCH = 2.54


def rows():
    with Path("survey.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def number(text):
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def profile():
    data = rows()
    found = {}
    for column in data[0]:
        values = [row[column] for row in data]
        numbers = [value for value in map(number, values) if value is not None]
        different = len(set(values) - {""})
        print(f"{column}: {different} different, {values.count('')} empty")
        if len(numbers) > len(values) / 2:
            print(
                f"  numbers from {min(numbers):g} to {max(numbers):g}, {len(values) - len(numbers)} are none"
            )
        else:
            print(
                "  "
                + ", ".join(
                    f"{value or '(empty)'} ({count})" for value, count in Counter(values).most_common(14)
                )
            )
        found[column] = {"different": different, "empty": values.count("")}
    respondents = [row["respondent"] for row in data]
    return {"rows": len(data), "twice": len(data) - len(set(respondents)), **found}


def centimetres(text):
    """A height as people write it: 178, 1.78, 1,78 m, 5'10\"."""
    text = text.strip().lower().replace(",", ".")
    if "'" in text:
        feet, _, inches = text.replace('"', "").partition("'")
        value = (
            (int(feet) * 12 + int(inches or 0)) * INCH
            if feet.isdigit() and (inches or "0").isdigit()
            else None
        )
    else:
        value = number(text.removesuffix("cm").removesuffix("m").strip())
        if value is not None and value < 3:
            value *= 100
    return None if value is None or not 100 <= value <= 230 else round(value)


def apply(rules):
    data, touched, emptied = rows(), Counter(), Counter()
    read = len(data)
    for rule in rules:
        column, do = rule.get("column"), rule["do"]
        label = f"{do} {column or rule['by']}"
        if do == "once":
            kept = {row[rule["by"]]: row for row in reversed(data)}
            touched[label] = len(data) - len(kept)
            data = [row for row in data if kept[row[rule["by"]]] is row]
            continue
        spellings = {
            word.lower(): right for right, words in rule.get("as", {}).items() for word in [*words, right]
        }
        for row in data:
            before = row[column]
            if do == "spell":
                row[column] = spellings.get(before.strip().lower(), before.strip())
            elif do == "centimetres":
                value = centimetres(before)
                row[column] = "" if value is None else str(value)
            elif do == "range":
                value = number(before)
                row[column] = (
                    before.strip() if value is not None and rule["least"] <= value <= rule["most"] else ""
                )
            else:
                sys.exit(f"rules.json: there is no rule called {do!r}")
            touched[label] += row[column] != before
            emptied[label] += bool(before.strip()) and not row[column]
    with Path("clean.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, data[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(data)
    table = ["| Rule | Values changed | Set empty |", "| --- | ---: | ---: |"]
    table += [f"| {name} | {count} | {emptied[name]} |" for name, count in touched.items()]
    print("\n".join(table))
    ages = [value for value in (number(row["age"]) for row in data) if value is not None]
    heights = [value for value in (number(row["height"]) for row in data) if value is not None]
    return {
        "rules": len(rules),
        "read": read,
        "kept": len(data),
        "changed": sum(touched.values()),
        "emptied": sum(emptied.values()),
        "countries": len({row["country"] for row in data if row["country"]}),
        "age": f"{sum(ages) / len(ages):.1f} years on average, {min(ages):g} to {max(ages):g}",
        "height": f"{sum(heights) / len(heights):.1f} on average, {min(heights):g} to {max(heights):g}",
        "table": "\n".join(table),
    }


if __name__ == "__main__":
    command = sys.argv[1] if len(sys.argv) > 1 else "profile"
    print(json.dumps(apply(json.loads(Path("rules.json").read_text())) if command == "apply" else profile()))
