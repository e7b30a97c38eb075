"""Looks into references.bib: what is there, and what the papers of one theme found together.

    python library.py summary
    python library.py theme spacing

Prints a table for people, and as its last line the same as JSON. Standard library only.
"""

import json
import math
import re
import sys
from collections import Counter
from pathlib import Path

ENTRY = re.compile(r"@\w+\{(?P<key>[^,]+),(?P<fields>.*?)\n\}", re.DOTALL)
FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*?)\},?\s*$", re.MULTILINE | re.DOTALL)
EFFECT = re.compile(r"d = (-?[\d.]+) \(95 % CI (-?[\d.]+) to (-?[\d.]+)\)")
PEOPLE = re.compile(r"([\d,]+) (?:students|adults|pupils)")
LARGEST = 2.0
"""Effects beyond this are set aside: nothing in this field is that strong."""


def entries():
    """Every entry, in the order of the file."""
    text = Path("references.bib").read_text()
    for match in ENTRY.finditer(text):
        yield {"key": match["key"], **dict(FIELD.findall(match["fields"]))}


def once(found):
    """Entries without those whose DOI came before."""
    seen = set()
    for entry in found:
        if entry.get("doi") not in seen:
            seen.add(entry.get("doi"))
            yield entry


def summary():
    every = list(entries())
    papers = list(once(every))
    years = sorted(int(paper["year"]) for paper in papers if paper.get("year"))
    words = Counter(word.strip() for paper in papers for word in paper["keywords"].split(","))
    rows = [f"| {word} | {count} |" for word, count in words.most_common()]
    print("\n".join(["| Keyword | Papers |", "| --- | ---: |", *rows]))
    return {
        "entries": len(every),
        "papers": len(papers),
        "twice": len(every) - len(papers),
        "no_abstract": sum(not paper.get("abstract") for paper in papers),
        "no_year": sum(not paper.get("year") for paper in papers),
        "from": years[0],
        "to": years[-1],
    }


def theme(word):
    papers = [paper for paper in once(entries()) if word in paper["keywords"]]
    rows, odd = [], []
    for paper in papers:
        effect, people = EFFECT.search(paper.get("abstract", "")), PEOPLE.search(paper.get("abstract", ""))
        if effect and people:
            size, low, high = map(float, effect.groups())
            row = (size, low, high, int(people[1].replace(",", "")), paper)
            (odd if abs(size) > LARGEST else rows).append(row)
    # Each study counts by how sure it is: the inverse of its variance (fixed effect).
    weights = [1 / ((high - low) / (2 * 1.96)) ** 2 for _, low, high, _, _ in rows]
    mean = sum(weight * row[0] for weight, row in zip(weights, rows, strict=True)) / sum(weights)
    error = 1.96 / math.sqrt(sum(weights))
    rows.sort(key=lambda row: -row[3])
    table = ["| Paper | People | Effect d (95 %) |", "| --- | ---: | ---: |"] + [
        f"| {paper['author'].split(',')[0]} ({paper.get('year', 'no year')}) | {people} | "
        f"{size:.2f} ({low:.2f} to {high:.2f}) |"
        for size, low, high, people, paper in rows
    ]
    print("\n".join(table))
    return {
        "theme": word,
        "papers": len(papers),
        "used": len(rows),
        "without_effect": len(papers) - len(rows) - len(odd),
        "odd": ", ".join(paper["key"] for *_, paper in odd) or "none",
        "people": f"{sum(row[3] for row in rows):,}",
        "mean": f"{mean:.2f}",
        "interval": f"{mean - error:.2f} to {mean + error:.2f}",
        "verdict": "zero lies outside the interval" if mean - error > 0 else "zero lies inside the interval",
        "largest": rows[0][4]["title"],
        "table": "\n".join(table),
    }


if __name__ == "__main__":
    command, *rest = sys.argv[1:] or ["summary"]
    print(json.dumps(theme(rest[0]) if command == "theme" else summary()))
