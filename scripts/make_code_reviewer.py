"""Make the scenario of the "Code reviewer" starter project: what the simulated model plays.

The code under review, its tests and the hooks are ordinary files of the template.

    python scripts/make_code_reviewer.py [FOLDER]
"""
# ruff: noqa: E501 - the words of a scenario are prose; broken lines would be harder to read

from __future__ import annotations

from scenario import Turn, as_json, call, write

REPORT = """\
# Review of `{{folder}}`

Before: {{result.before.failed}} of {{result.before.run}} tests failed ({{result.before.names}}). \
After: {{result.after.failed}} failed, {{result.after.verdict}}.

## What was wrong

| Where | What | Mended by |
| --- | --- | --- |
| `pricing.in_steps` | each discount began again from the full price, so only the last one counted | going on from the price so far |
| `pricing.with_tax` | cut off fractions of a cent instead of rounding | `round` |
| `Basket.__init__` | a list as default value is made once, so all baskets shared it | a new list for each |
| `Basket.shipping` | the limit itself was not free, though the sentence above it says so | `>=` |

## The whole change

```diff
{{result.change}}
```

What each step did stands in `audit.jsonl`, written by a hook.
"""

SUMMARY = """\
Four mistakes in `{{folder}}`, all mended: {{result.before.failed}} of {{result.before.run}} tests failed before, \
{{result.after.failed}} fail now ({{result.after.verdict}}). Discounts now add up one after the other, tax is rounded, \
baskets share nothing, and shipping is free from the limit on.

The guard refused one command on the way: it would have deleted a folder. The review is in `review.md`."""


def agents() -> dict[str, list[Turn]]:
    """The turns of the agent, in order."""
    main = [
        {
            "thinking": "Read before judging: what is there, and what its own tests say.",
            "text": "I look at the code and let its own tests speak first. A copy goes aside, to compare with later.",
            "tools": [
                call("glob", "there", pattern="{{folder}}/**/*.py"),
                call("bash", "copy", command="cp -r {{folder}} before"),
                call("bash", "before", command="python check.py"),
            ],
        },
        {
            "text": "{{result.before.failed}} of {{result.before.run}} tests fail: {{result.before.names}}. I read the places.",
            "tools": [
                call("view", "pricing", path="{{folder}}/pricing.py"),
                call("view", "basket", path="{{folder}}/basket.py"),
                call("grep", "defaults", pattern="def .*=\\[\\]", path="{{folder}}"),
            ],
        },
        {
            "thinking": "All four have a small, certain cause. One edit each, nothing else touched.",
            "text": "Four mistakes with four small causes. I mend each on its own.",
            "tools": [
                call(
                    "str_replace",
                    "steps",
                    path="{{folder}}/pricing.py",
                    old_str="        price = discounted(price_cents, percent)",
                    new_str="        price = discounted(price, percent)",
                ),
                call(
                    "str_replace",
                    "tax",
                    path="{{folder}}/pricing.py",
                    old_str="    return int(price_cents * (1 + rate))",
                    new_str="    return round(price_cents * (1 + rate))",
                ),
                call(
                    "str_replace",
                    "shared",
                    path="{{folder}}/basket.py",
                    old_str="    def __init__(self, items=[]):\n        self.items = items",
                    new_str="    def __init__(self, items=()):\n        self.items = list(items)",
                ),
                call(
                    "str_replace",
                    "limit",
                    path="{{folder}}/basket.py",
                    old_str="self.goods() > FREE_SHIPPING_FROM",
                    new_str="self.goods() >= FREE_SHIPPING_FROM",
                ),
            ],
        },
        {
            "text": "Do the tests agree, and what is the whole change?",
            "tools": [
                call("bash", "after", command="python check.py"),
                call("bash", "change", command="diff -ru before {{folder}} || true"),
            ],
        },
        {
            "thinking": "The copy is no longer needed. Deleting a folder is what the guard watches for; I see what it says.",
            "text": "I tidy up the copy.",
            "tools": [call("bash", "tidy", command="rm -rf before")],
        },
        {
            "text": "The guard does not let a review delete folders, so the copy stays. I write the review.",
            "tools": [call("file_create", "review", path="review.md", content=REPORT)],
        },
        {"text": SUMMARY},
    ]
    return {"main": main}


def files() -> dict[str, str]:
    """What is made for the project, path → text."""
    return {"scenario.json": as_json(agents())}


if __name__ == "__main__":
    write("code-reviewer", files())
