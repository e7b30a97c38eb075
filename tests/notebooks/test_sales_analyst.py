"""The starter project does its job on its real file: the report's figures are right, computed anew here.

What is recomputed below uses none of the project's code: plain Python on the same file.
"""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
from base64 import b64decode
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from cloutagent_ext.client import Client, Run, pieces
from cloutagent_ext.client.picture import Picture
from cloutagent_ext.errors import ExecutionFailed, UnknownVariable
from tests.support.live_server import LiveServer

SALES = Path(__file__).parents[2] / "cloutagent_ext/templates/sales-analyst/files/sales.csv"
UNKNOWN = {"", "-", "n/a", "unknown"}


@pytest.fixture(scope="module")
def run(client: Client) -> Run:
    """One run on the simulated model, which really calls the tools."""
    started = client["Sales analyst"].run()
    assert started.wait(90).status == "completed"
    return started


@pytest.fixture(scope="module")
def report(run: Run) -> str:
    return run.download("report.md").decode()


def moment(text: str) -> datetime | None:
    for style in ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"):
        try:
            return datetime.strptime(text.strip(), style)
        except ValueError:
            continue
    return None


def number(text: str) -> float:
    return float(text.strip().replace("$", "").replace(",", ""))


@pytest.fixture(scope="module")
def orders() -> dict[str, Any]:
    """What the rules of the report give."""
    with SALES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    once: dict[str, dict[str, str]] = {}
    for row in rows:
        once.setdefault(row["order_id"], row)
    priced = [row for row in once.values() if row["unit_price"].strip()]
    prices = defaultdict(list)
    for row in priced:
        prices[row["product"].strip().lower()].append(number(row["unit_price"]))
    usual = {product: statistics.median(found) for product, found in prices.items()}
    odd = [r for r in priced if number(r["unit_price"]) > 5 * usual[r["product"].strip().lower()]]
    used = [row for row in priced if row not in odd]
    by_region: dict[str, list[float]] = defaultdict(list)
    by_month: dict[str, float] = defaultdict(float)
    for row in used:
        revenue = number(row["units"]) * number(row["unit_price"])
        region = row["region"].strip().lower()
        by_region["Unknown" if region in UNKNOWN else region.capitalize()].append(revenue)
        if day := moment(row["date"]):
            by_month[day.strftime("%Y-%m")] += revenue
    return {
        "rows": rows, "once": once, "priced": priced, "odd": odd, "used": used, "by_region": by_region,
        "by_month": by_month, "no_date": [row for row in used if moment(row["date"]) is None],
    }  # fmt: skip


def table(report: str, header: str) -> dict[str, list[str]]:
    """Rows of the Markdown table that begins with `header`, by their first cell."""
    after = report[report.index(header) :].splitlines()[2:]
    found = {}
    for line in after:
        if not line.startswith("|"):
            break
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[first.strip("*")] = cells
    return found


def test_revenue_by_region_is_right_to_the_cent(report: str, orders: dict[str, Any]) -> None:
    shown = table(report, "| Region | Orders |")
    total = sum(sum(values) for values in orders["by_region"].values())
    assert set(shown) == set(orders["by_region"])
    for region, values in orders["by_region"].items():
        revenue = sum(values)
        assert shown[region] == [
            f"{len(values):,}", f"{revenue:,.2f}", f"{revenue / total:.1%}", f"{revenue / len(values):,.2f}",
        ]  # fmt: skip
    assert list(shown) == sorted(shown, key=lambda name: -sum(orders["by_region"][name]))


def test_totals_returns_and_months_are_right(report: str, orders: dict[str, Any]) -> None:
    values = [value for region in orders["by_region"].values() for value in region]
    back = -sum(value for value in values if value < 0)
    gross = sum(value for value in values if value > 0)
    assert f"**{sum(values):,.2f} USD** from {len(values):,} orders" in report
    count = sum(value < 0 for value in values)
    assert f"{back:,.2f} USD in {count} returns, {back / gross:.1%}" in report
    assert f"{gross:,.2f} USD" in report
    months = orders["by_month"]
    best, worst = max(months, key=months.__getitem__), min(months, key=months.__getitem__)
    assert f"The best month was {best} ({months[best]:,.2f} USD)" in report
    assert f"the weakest {worst} ({months[worst]:,.2f} USD)" in report


def test_the_counts_of_what_was_cleaned_are_right(report: str, orders: dict[str, Any]) -> None:
    cleaned = {what: cells[0] for what, cells in table(report, "| What | Rows |").items()}
    assert cleaned == {
        "read from the file": f"{len(orders['rows']):,}",
        "order exported twice": str(len(orders["rows"]) - len(orders["once"])),
        "no price": str(len(orders["once"]) - len(orders["priced"])),
        "price over five times the product's median": str(len(orders["odd"])),
        "date that does not exist": str(len(orders["no_date"])),
        "no region": str(len(orders["by_region"]["Unknown"])),
        "used": f"{len(orders['used']):,}",
    }
    assert orders["odd"][0]["order_id"] in report


def test_the_statisticians_intervals_agree_with_theory(report: str, orders: dict[str, Any]) -> None:
    shown = table(report, "| Region | Mean per order (USD), 95 % interval |")
    assert set(shown) == set(orders["by_region"]) - {"Unknown"}
    for region, (text,) in shown.items():
        values = orders["by_region"][region]
        mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
        low, high = (number(part) for part in text.split(" to "))
        assert low < mean < high
        # The bootstrap's width is near the normal one; skewed data shift it a little.
        assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_every_figure_of_the_answer_stands_in_the_report(run: Run, report: str) -> None:
    figures = re.findall(r"\d[\d,.]*\d|\d", run.result.text)
    assert len(figures) > 10
    assert [figure for figure in figures if figure not in report] == []


def test_nothing_was_left_empty_or_went_wrong(run: Run, report: str) -> None:
    assert "[no value" not in report + run.result.text
    assert [e.tool for e in run if e.type == "tool_result" and e.is_error] == []
    assert {"bash", "view", "grep", "python", "file_create", "agent__statistician"} <= {
        e.tool for e in run if e.type == "tool_call"
    }


def test_the_chart_and_the_clean_rows_are_there(run: Run, orders: dict[str, Any]) -> None:
    assert run.download("chart.png").startswith(b"\x89PNG")
    clean = list(csv.DictReader(io.StringIO(run.download("clean.csv").decode())))
    assert len(clean) == len(orders["used"])
    pictures = [p for e in run if e.type == "tool_result" for p in e.output if p.type == "image"]
    assert run.download(pictures[0].path).startswith(b"\x89PNG")


def test_the_notebooks_monitor_shows_its_limits_its_tree_its_pictures_and_its_tables(run: Run) -> None:
    picture = Picture(run.id, "Sales analyst")
    for event in run:
        picture.apply(event)
    page = BeautifulSoup(pieces.page(picture, run.download, 0.0, live=False), "html.parser")
    labels = [bar["aria-label"] for bar in page.select("[role=progressbar]")]
    used = [re.fullmatch(r"(\w+): \d+ % of \S.*", label) for label in labels]
    assert {found[1] for found in used if found} == {"cost", "tokens", "time"}, labels
    [asked] = [one for one in page.select("details") if _title(one) == "agent__statistician"]
    assert "python" in {_title(one) for one in asked.select("details")}, "what it did stands inside of it"
    [chart] = page.select("img")
    kind, _, data = chart["src"].partition(",")
    assert (kind, b64decode(data)) == ("data:image/png;base64", run.download(_chart(run)))
    tables = [frame for frame in page.select("iframe") if "<td" in frame["srcdoc"]]
    assert tables, "a table is shown as one"
    may = [frame.get_attribute_list("sandbox") for frame in page.select("iframe[sandbox]")]
    assert len(may) == len(page.select("iframe")), "each in a frame of its own"
    assert not any("".join(each) for each in may), "that runs nothing"


def _title(details: Tag) -> str:
    found = details.select_one("summary > code")
    return found.text if found else ""


def _chart(run: Run) -> str:
    return next(
        part.path for e in run if e.type == "tool_result" for part in e.output if part.type == "image"
    )


def test_it_says_that_it_is_a_simulation(run: Run) -> None:
    assert run.state.simulated
    assert run.state.origin == "notebook"
    assert any(e.type == "warning" and e.code == "SIMULATED" for e in run)


def test_another_file_gives_other_figures(client: Client, tmp_path: Path) -> None:
    """The scenario holds no figure: half of the rows, other totals."""
    lines = SALES.read_text().splitlines()
    project = client["Sales analyst"]
    project.write_file("half.csv", "\n".join(lines[:1600]) + "\n")
    other = project.run(file="half.csv")
    assert f"of {1599:,} rows" in other.result.text


def test_a_wrong_variable_is_named_before_anything_starts(client: Client, server: LiveServer) -> None:
    before = len(client.executions(limit=100))
    with pytest.raises(UnknownVariable, match=r"'fil'.*file, topic"):
        client["Sales analyst"].run(fil="x")
    assert len(client.executions(limit=100)) == before


def test_a_money_limit_ends_it_with_its_code(client: Client) -> None:
    run = client["Sales analyst"].run(limits={"max_cost_usd": 0.001})
    with pytest.raises(ExecutionFailed) as caught:
        _ = run.result
    assert caught.value.error_code == "COST_LIMIT_EXCEEDED"


def test_the_stream_of_a_running_execution_ends_with_it(client: Client) -> None:
    run = client["Sales analyst"].run()
    ids = [event.id for event in run]
    assert ids == list(range(1, len(ids) + 1))
