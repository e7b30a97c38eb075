"""Make the sales file of the "Sales analyst" starter project: the same bytes each time.

A year of orders of an invented shop, with the dirt that real exports have: missing and
misspelled regions, three date formats and a few dates that do not exist, rows that were
exported twice, returns with negative units, stray blanks and capitals, thousands
separators and currency signs, missing prices, and one price somebody typed without its
decimal point. Not here: how the dirt is cleaned (the agent does that).

    python scripts/make_sales_csv.py [TARGET]
"""

from __future__ import annotations

import csv
import io
import random
import sys
from datetime import date, timedelta
from pathlib import Path

SEED = 20261122
ORDERS = 3_110
EXPORTED_TWICE = 92
"""Rows that appear a second time, not always written the same way."""
FIRST_DAY = date(2025, 10, 1)
DAYS = 365
HEADER = ("order_id", "date", "region", "product", "channel", "units", "unit_price")

# Product → list price in US dollars, typical units per order, share of orders.
PRODUCTS = {
    "Desk lamp": (39.90, 9, 0.26),
    "Office chair": (189.00, 4, 0.22),
    "Standing desk": (1_149.00, 2, 0.14),
    "Monitor arm": (84.50, 6, 0.20),
    "Cable set": (11.50, 40, 0.18),
}
# Region → share of orders, factor on units.
REGIONS = {"North": (0.31, 1.00), "South": (0.27, 1.16), "East": (0.18, 0.92), "West": (0.24, 1.04)}
CHANNELS = {"web": 0.58, "store": 0.27, "partner": 0.15}
MISSING_REGION = ("", "", "n/a", "N/A", "-", "unknown")
NO_SUCH_DATE = ("2026-02-30", "31.06.2026", "", "13/25/2026")


def pick(rng: random.Random, shares: dict[str, float]) -> str:
    """One key, by its share."""
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def season(day: date) -> float:
    """How busy the shop is: a peak before Christmas, a lull in summer."""
    return {11: 1.45, 12: 1.6, 7: 0.75, 8: 0.8}.get(day.month, 1.0)


def write_date(rng: random.Random, day: date) -> str:
    """ISO mostly, else day first with dots or month first with slashes."""
    style = rng.choices(("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"), weights=(0.72, 0.16, 0.12))[0]
    return day.strftime(style)


def roughen(rng: random.Random, text: str) -> str:
    """The same word as people type it."""
    change = rng.random()
    if change < 0.05:
        return text.upper()
    if change < 0.10:
        return text.lower()
    if change < 0.14:
        return f" {text}"
    if change < 0.18:
        return f"{text}  "
    return text


def write_number(rng: random.Random, value: float, *, money: bool) -> str:
    """With thousands separators from 1,000 on; money sometimes with its sign."""
    text = f"{value:,.2f}" if money else f"{value:,.0f}"
    return f"${text}" if money and rng.random() < 0.06 else text


def order(rng: random.Random, number: int, day: date) -> dict[str, str]:
    """One order line, dirt included."""
    region = pick(rng, {name: share for name, (share, _) in REGIONS.items()})
    product = pick(rng, {name: share for name, (_, _, share) in PRODUCTS.items()})
    list_price, typical, _ = PRODUCTS[product]
    units = max(1, round(rng.gammavariate(2.2, typical / 2.2) * REGIONS[region][1]))
    if rng.random() < 0.01:
        units *= 50  # a company furnishes a building
    if rng.random() < 0.034:
        units = -max(1, units // 3)  # a return
    price = round(list_price * rng.choice((1.0, 1.0, 1.0, 0.95, 0.9)), 2)
    if rng.random() < 0.02:
        region = rng.choice(MISSING_REGION)
    return {
        "order_id": f"SO-{number:05d}",
        "date": write_date(rng, day),
        "region": roughen(rng, region),
        "product": roughen(rng, product),
        "channel": roughen(rng, pick(rng, CHANNELS)),
        "units": write_number(rng, units, money=False),
        "unit_price": write_number(rng, price, money=True),
    }


def rows() -> list[dict[str, str]]:
    """Every row of the file, in its order."""
    rng = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    days = [FIRST_DAY + timedelta(days=offset) for offset in range(DAYS)]
    chosen = sorted(rng.choices(days, weights=[season(day) for day in days], k=ORDERS))
    orders = [order(rng, 10_001 + place, day) for place, day in enumerate(chosen)]

    for row in rng.sample(orders, 9):
        row["unit_price"] = ""
    for row, wrong in zip(rng.sample(orders, len(NO_SUCH_DATE)), NO_SUCH_DATE, strict=True):
        row["date"] = wrong
    typo = next(
        row
        for row in orders[1_800:]
        if row["product"].strip().lower() == "office chair" and row["unit_price"]
    )
    typo["unit_price"] = "18,900.00"
    typo["units"] = "12"

    for row in rng.sample(orders, EXPORTED_TWICE):
        copy = dict(row)
        if rng.random() < 0.5:
            copy["region"] = f"{copy['region'].strip().lower()} "
        later = min(len(orders), orders.index(row) + rng.randint(1, 60))
        orders.insert(later, copy)
    return orders


def text() -> str:
    """The whole file."""
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return out.getvalue()


def main() -> None:
    default = Path(__file__).parent.parent / "cloutagent_ext/templates/sales-analyst/files/sales.csv"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    target.write_bytes(text().encode())


if __name__ == "__main__":
    main()
