"""Make the scenario of the "Sales analyst" starter project: what the simulated model plays.

A scenario decides the order of steps and nothing else: its code really runs in a kernel,
and each `{{result.<name>.<key>}}` in its words is filled from what a tool really gave
back. It is written here, where code is readable, and stored as JSON.

    python scripts/make_sales_scenario.py [FOLDER]
"""
# ruff: noqa: E501 - the words of a scenario are prose; broken lines would be harder to read

from __future__ import annotations

from scenario import Turn, as_json, call, write

CLEAN = """\
import json
import pandas as pd

raw = pd.read_csv("{{file}}", dtype=str, keep_default_na=False)
data = raw.apply(lambda column: column.str.strip())

# Words: one spelling each; a region nobody wrote down stays visible as Unknown.
for column in ("region", "product", "channel"):
    data[column] = data[column].str.capitalize()
data["region"] = data["region"].replace({"": "Unknown", "-": "Unknown", "N/a": "Unknown"})

# Dates: ISO, day first with dots, month first with slashes; others do not exist.
days = pd.to_datetime(data["date"], format="%Y-%m-%d", errors="coerce")
for style in ("%d.%m.%Y", "%m/%d/%Y"):
    days = days.fillna(pd.to_datetime(data["date"], format=style, errors="coerce"))
data["date"] = days

# Numbers: thousands separators and currency signs go.
for column in ("units", "unit_price"):
    data[column] = pd.to_numeric(data[column].str.replace("[$,]", "", regex=True), errors="coerce")

once = data.drop_duplicates("order_id")
priced = once.dropna(subset=["units", "unit_price"])
usual = priced.groupby("product")["unit_price"].transform("median")
odd = priced["unit_price"] > 5 * usual
orders = priced[~odd].copy()
orders["revenue"] = orders["units"] * orders["unit_price"]
orders.to_csv("clean.csv", index=False)

returns = orders[orders["units"] < 0]
gross = orders.loc[orders["units"] > 0, "revenue"].sum()
regions = orders.groupby("region").agg(
    orders=("order_id", "size"), revenue=("revenue", "sum"), mean=("revenue", "mean")
).sort_values("revenue", ascending=False)
regions["share"] = regions["revenue"] / regions["revenue"].sum()
months = orders.dropna(subset=["date"]).groupby(orders["date"].dt.strftime("%Y-%m"))["revenue"].sum()
display(regions.round(2))

known = regions.drop(index="Unknown", errors="ignore")


def usd(amount):
    return f"{amount:,.2f} USD"  # a dollar sign would start a formula in Markdown


table = ["| Region | Orders | Net revenue (USD) | Share | Per order (USD) |", "| --- | ---: | ---: | ---: | ---: |"]
table += [
    f"| {name} | {row.orders:,.0f} | {row.revenue:,.2f} | {row.share:.1%} | {row['mean']:,.2f} |"
    for name, row in regions.iterrows()
]
print(json.dumps({
    "rows": f"{len(raw):,}",
    "duplicates": len(data) - len(once),
    "no_price": len(once) - len(priced),
    "odd_prices": int(odd.sum()),
    "odd_orders": ", ".join(priced.loc[odd, "order_id"]),
    "no_date": int(orders["date"].isna().sum()),
    "no_region": int((orders["region"] == "Unknown").sum()),
    "used": f"{len(orders):,}",
    "net": usd(orders['revenue'].sum()),
    "gross": usd(gross),
    "returns": len(returns),
    "returned": usd(-returns['revenue'].sum()),
    "return_rate": f"{-returns['revenue'].sum() / gross:.1%}",
    "leader": known.index[0],
    "leader_net": usd(known['revenue'].iloc[0]),
    "leader_share": f"{known['share'].iloc[0]:.1%}",
    "second": known.index[1],
    "best_month": months.idxmax(),
    "best_month_net": usd(months.max()),
    "worst_month": months.idxmin(),
    "worst_month_net": usd(months.min()),
    "table": "\\n".join(table),
}))
"""

CHART = """\
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(2, 3), layout="constrained")
bars = left.barh(regions.index[::-1], regions["revenue"][::-1] / 1000, color="#1976d2")
left.bar_label(bars, fmt="%.0f", padding=3)
left.set(title="Net revenue by region", xlabel="thousand US dollars")
left.margins(x=0.15)
right.plot(months.index, months / 1000, marker="o", color="#1976d2")
right.set(title="Net revenue by month", ylabel="thousand US dollars", ylim=(0, None))
right.tick_params(axis="x", rotation=45)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
figure.savefig("chart.png", dpi=150)
plt.show()
"""

BOOTSTRAP = """\
import json
import numpy as np
import pandas as pd

orders = pd.read_csv("clean.csv")
rng = np.random.default_rng(7)
RESAMPLES = 2_000

totals = orders[orders["region"] != "Unknown"].groupby("region")["revenue"].sum().sort_values(ascending=False)
means = {}
for region in totals.index:
    values = orders.loc[orders["region"] == region, "revenue"].to_numpy()
    means[region] = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
low_high = {region: np.quantile(draws, (0.025, 0.975)) for region, draws in means.items()}

first, second = totals.index[:2]
ahead = float((means[first] > means[second]).mean())
low, high = np.quantile(means[first] - means[second], (0.025, 0.975))


def span(least, most):
    return f"{least:,.2f} to {most:,.2f}"


table = ["| Region | Mean per order (USD), 95 % interval |", "| --- | ---: |"]
table += [f"| {region} | {span(least, most)} |" for region, (least, most) in low_high.items()]
print(json.dumps({
    "resamples": f"{RESAMPLES:,}",
    "first": first,
    "second": second,
    "ahead": f"{ahead:.1%}",
    "difference": f"{span(low, high)} USD",
    "verdict": f"Per order, {first} minus {second} is {span(low, high)} USD (95 %): " + (
        "zero is inside, so these data do not show that orders differ."
        if low <= 0 <= high else "zero is outside, so orders do differ."
    ),
    "table": "\\n".join(table),
}))
"""

QUESTION = """\
The cleaned orders are in clean.csv: one row per order, columns region and revenue (US dollars, returns are \
negative). By total revenue {{result.figures.leader}} leads and {{result.figures.second}} follows. How certain is \
the mean revenue per order of each region? Give a 95 % bootstrap confidence interval by region, leave out \
the region Unknown, and say whether the first two differ. End with one line of JSON."""

REPORT = """\
# Sales report: {{topic}}

Net revenue is **{{result.figures.net}}** from {{result.figures.used}} orders in `{{file}}`. {{result.figures.leader}} \
leads with {{result.figures.leader_net}} ({{result.figures.leader_share}}), {{result.figures.second}} follows. \
Customers sent back {{result.figures.returned}} in {{result.figures.returns}} returns, {{result.figures.return_rate}} \
of the gross revenue of {{result.figures.gross}}.

{{result.figures.table}}

The best month was {{result.figures.best_month}} ({{result.figures.best_month_net}}), the weakest \
{{result.figures.worst_month}} ({{result.figures.worst_month_net}}).

![Net revenue by region and by month](chart.png)

## How certain is this?

{{result.certainty.verdict}} Bootstrap with {{result.certainty.resamples}} resamples by the statistician; \
{{result.certainty.first}} has the higher mean in {{result.certainty.ahead}} of them.

{{result.certainty.table}}

## What was cleaned

| What | Rows | What happened |
| --- | ---: | --- |
| read from the file | {{result.figures.rows}} | |
| order exported twice | {{result.figures.duplicates}} | kept once |
| no price | {{result.figures.no_price}} | set aside |
| price over five times the product's median | {{result.figures.odd_prices}} | set aside: {{result.figures.odd_orders}} |
| date that does not exist | {{result.figures.no_date}} | in the totals, in no month |
| no region | {{result.figures.no_region}} | in the totals, shown as Unknown |
| **used** | {{result.figures.used}} | saved as `clean.csv` |

Returns (negative units) reduce the revenue. Revenue is units times unit price, in US dollars.
"""

SUMMARY = """\
**{{result.figures.leader}} leads**: {{result.figures.leader_net}} of {{result.figures.net}} net revenue \
({{result.figures.leader_share}}), before {{result.figures.second}}. The best month was \
{{result.figures.best_month}} with {{result.figures.best_month_net}}; returns cost {{result.figures.returned}} \
({{result.figures.return_rate}} of gross). {{result.certainty.verdict}}

These figures stand on {{result.figures.used}} of {{result.figures.rows}} rows: {{result.figures.duplicates}} were \
exported twice, {{result.figures.no_price}} had no price and {{result.figures.odd_prices}} had an impossible one \
({{result.figures.odd_orders}}); {{result.figures.no_region}} orders name no region.

The report is in `report.md`, the chart in `chart.png`, the cleaned rows in `clean.csv`."""


def agents() -> dict[str, list[Turn]]:
    """The turns of both agents, in order."""
    main = [
        {
            "thinking": "I do not know this file yet. Before any number, its size, its header and some rows.",
            "text": "I look at `{{file}}` before I compute anything.",
            "tools": [call("bash", "size", command='wc -l "{{file}}" && head -n 8 "{{file}}"')],
        },
        {
            "thinking": "The beginning of an export is rarely like the rest. I want to see the middle too, and search "
            "for what usually goes wrong: several spellings, amounts with separators.",
            "text": "I check the middle as well, and search for the usual trouble: spellings and separators.",
            "tools": [
                call("view", "middle", path="{{file}}", view_range=[1850, 1862]),
                call("grep", "separators", pattern='"[$]?[0-9]{2,},[0-9]{3}', path="{{file}}"),
                call(
                    "bash",
                    "dirt",
                    command="cut -d, -f3 \"{{file}}\" | tr 'A-Z' 'a-z' | tr -d ' ' | sort | uniq -c | sort -rn",
                ),
            ],
        },
        {
            "thinking": "Rules that I can state in one sentence each: one row per order; prices that cannot be read, or "
            "are over five times the median of their product, are set aside and counted; nothing is guessed.",
            "text": "Now I clean the rows by rules I can name, and compute the figures.",
            "tools": [call("python", "figures", code=CLEAN)],
        },
        {
            "text": "The figures are there. A picture of them, by region and by month:",
            "tools": [call("python", "chart", code=CHART)],
        },
        {
            "thinking": "{{result.figures.leader}} is ahead in total. Whether an order is worth more there is another "
            "question, and one for the statistician.",
            "text": "{{result.figures.leader}} leads by revenue. I ask the statistician how certain that is per order.",
            "tools": [call("agent__statistician", "certainty", prompt=QUESTION)],
        },
        {
            "text": "I write the report from these results.",
            "tools": [call("file_create", "report", path="report.md", content=REPORT)],
        },
        {
            "text": "I read it once more, and look for a place that stayed empty.",
            "tools": [
                call("view", "read", path="report.md"),
                call(
                    "bash",
                    "gaps",
                    command="grep -c 'no value' report.md || ls -l report.md chart.png clean.csv",
                ),
            ],
        },
        {"text": SUMMARY},
    ]
    statistician = [
        {
            "text": "I look at the rows first.",
            "tools": [call("view", "rows", path="clean.csv", view_range=[1, 6])],
        },
        {
            "thinking": "Order values are skewed, so a bootstrap of the mean rather than a normal approximation.",
            "text": "Order values are rarely normal, so I use a bootstrap.",
            "tools": [call("python", "bootstrap", code=BOOTSTRAP)],
        },
        {
            "text": "{{result.bootstrap.verdict}} 95 % bootstrap intervals of the mean revenue per order, "
            "{{result.bootstrap.resamples}} resamples:\n\n{{result.bootstrap.table}}\n\n"
            "{{result.bootstrap.first}} has the higher mean in {{result.bootstrap.ahead}} of the resamples.\n\n"
            "{{result.bootstrap}}"
        },
    ]
    return {"main": main, "statistician": statistician}


def files() -> dict[str, str]:
    """What is made for the project, path → text."""
    return {"scenario.json": as_json(agents())}


if __name__ == "__main__":
    write("sales-analyst", files())
