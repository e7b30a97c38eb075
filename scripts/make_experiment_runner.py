"""Make the data and the scenario of the "Experiment runner" starter project: the same bytes each time.

Invented measurements of three kinds of seed that overlap on purpose, so that no method is perfect and the
difference between methods is a question worth asking.

    python scripts/make_experiment_runner.py [FOLDER]
"""
# ruff: noqa: E501 - the words of a scenario are prose; broken lines would be harder to read

from __future__ import annotations

import csv
import io
import random

from scenario import Turn, as_json, call, write

SEED = 20261125
EACH = 70
# Kind → mean and spread of length, width, weight and gloss.
KINDS = {
    "oat": ((9.4, 0.9), (2.9, 0.4), (34.0, 4.5), (0.42, 0.09)),
    "rye": ((8.3, 0.9), (2.7, 0.4), (31.0, 4.5), (0.55, 0.09)),
    "spelt": ((8.9, 0.9), (3.5, 0.4), (37.5, 4.5), (0.50, 0.09)),
}


def measurements() -> str:
    """The whole CSV file."""
    rng = random.Random(SEED)  # noqa: S311 - reproducible, not secret
    rows = []
    for kind, ((length, dl), (width, dw), (weight, dm), (gloss, dg)) in KINDS.items():
        for _ in range(EACH):
            size = rng.gauss(0, 0.5)  # a big seed is big in everything
            rows.append(
                (
                    f"{rng.gauss(length, dl) + size:.2f}",
                    f"{rng.gauss(width, dw) + 0.3 * size:.2f}",
                    f"{rng.gauss(weight, dm) + 3 * size:.1f}",
                    f"{min(1, max(0, rng.gauss(gloss, dg))):.2f}",
                    kind,
                )
            )
    rng.shuffle(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("length_mm", "width_mm", "weight_mg", "gloss", "kind"))
    writer.writerows(rows)
    return out.getvalue()


LOAD = """\
import json
import numpy as np
import pandas as pd

data = pd.read_csv("{{file}}")
features = data.drop(columns="kind").to_numpy(float)
kinds, labels = np.unique(data["kind"], return_inverse=True)
display(data.groupby("kind").agg(["mean", "std"]).round(2))
print(json.dumps({
    "rows": len(data), "kinds": ", ".join(kinds), "features": features.shape[1], "missing": int(data.isna().sum().sum()),
}))
"""

METHODS = """\
def nearest_centre(train, truth, test):
    centres = np.array([train[truth == kind].mean(axis=0) for kind in range(len(kinds))])
    return np.linalg.norm(test[:, None] - centres, axis=2).argmin(axis=1)


def nearest_neighbours(train, truth, test, k=7):
    near = np.linalg.norm(test[:, None] - train, axis=2).argsort(axis=1)[:, :k]
    return np.array([np.bincount(truth[row], minlength=len(kinds)).argmax() for row in near])


def logistic_regression(train, truth, test, steps=300, rate=0.5, penalty=1e-3):
    with_one = np.c_[train, np.ones(len(train))]
    weights, wanted = np.zeros((with_one.shape[1], len(kinds))), np.eye(len(kinds))[truth]
    for _ in range(steps):
        scores = with_one @ weights
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        weights -= rate * (with_one.T @ (chances - wanted) / len(train) + penalty * weights)
    return (np.c_[test, np.ones(len(test))] @ weights).argmax(axis=1)


methods = {
    "nearest centre": nearest_centre,
    "nearest neighbours": nearest_neighbours,
    "logistic regression": logistic_regression,
}
"""

RUN = """\
REPEATS = int("{{repeats}}")
rows = []
for repeat in range(REPEATS):
    order = np.random.default_rng(repeat).permutation(len(labels))  # the same split for every method
    test, train = order[: len(order) // 4], order[len(order) // 4 :]
    middle, spread = features[train].mean(axis=0), features[train].std(axis=0)
    scaled = (features - middle) / spread  # by the training rows alone
    for name, method in methods.items():
        said = method(scaled[train], labels[train], scaled[test])
        rows.append({"repeat": repeat, "method": name, "accuracy": float((said == labels[test]).mean())})
results = pd.DataFrame(rows)
results.to_csv("results.csv", index=False)
table = results.pivot(index="repeat", columns="method", values="accuracy")
display(table.describe().loc[["mean", "std", "min", "max"]].round(3))
print(json.dumps({"repeats": REPEATS, "tests": len(test), "best": table.mean().idxmax()}))
"""

COMPARE = """\
import matplotlib.pyplot as plt

rng = np.random.default_rng(11)
draws = rng.integers(0, len(table), (4_000, len(table)))
means = {name: table[name].to_numpy()[draws].mean(axis=1) for name in table}
order = table.mean().sort_values(ascending=False).index
first, second = order[:2]
gap = means[first] - means[second]  # paired: both on the same splits
low, high = np.quantile(gap, (0.025, 0.975))

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for place, name in enumerate(order[::-1]):
    axes.plot(table[name], [place] * len(table), "o", alpha=0.35, color="#1976d2")
    axes.plot(np.quantile(means[name], (0.025, 0.975)), [place] * 2, lw=4, color="#0d47a1", solid_capstyle="round")
axes.set_yticks(range(len(order)), order[::-1])
axes.set(xlabel="accuracy on rows that were not trained on", title="Each dot one split; bar: 95 % interval of the mean")
axes.spines[["top", "right"]].set_visible(False)
figure.savefig("accuracy.png", dpi=150)
plt.show()

answer = {
    "best": first,
    "accuracy": {name: round(float(table[name].mean()), 4) for name in order},
    "difference": {
        "between": [first, second], "mean": round(float(gap.mean()), 4),
        "low": round(float(low), 4), "high": round(float(high), 4),
    },
    "conclusion": f"{first} is ahead of {second} by {gap.mean():.1%} on average ({low:.1%} to {high:.1%}): " + (
        "the splits show a difference." if low > 0 else "the splits show no difference that is sure."
    ),
    "splits": len(table),
}
"""

ANSWER = "print(json.dumps(answer))"


def agents() -> dict[str, list[Turn]]:
    """The turns of the agent, in order."""
    main = [
        {
            "thinking": "Rows, kinds, missing values: what an experiment stands on.",
            "text": "I load the measurements into the kernel and look at them.",
            "tools": [call("python", "data", code=LOAD)],
        },
        {
            "text": "{{result.data.rows}} rows, {{result.data.features}} features, kinds {{result.data.kinds}}. Three methods, "
            "from simple to less simple, in plain numpy.",
            "tools": [call("python", "methods", code=METHODS)],
        },
        {
            "thinking": "The same splits for each method, scaling by the training rows alone: else the comparison is unfair.",
            "text": "Now {{repeats}} random splits, the same for each method.",
            "tools": [call("python", "run", code=RUN)],
        },
        {
            "text": "{{result.run.best}} is ahead on average. Whether that is sure is a question for paired differences.",
            "tools": [call("python", "chart", code=COMPARE)],
        },
        {
            "text": "The answer as data, from the kernel.",
            "tools": [call("python", "answer", code=ANSWER)],
        },
        {"text": "{{result.answer}}"},
    ]
    return {"main": main}


def files() -> dict[str, str]:
    """What is made for the project, path → text."""
    return {"seeds.csv": measurements(), "scenario.json": as_json(agents())}


if __name__ == "__main__":
    write("experiment-runner", files())
