"""Prices in cents, so that no sum is off by a fraction."""


def discounted(price_cents, percent):
    """The price after a discount of `percent` (0 to 100)."""
    return price_cents - price_cents * percent // 100


def in_steps(price_cents, *percents):
    """The price after several discounts, one after the other."""
    price = price_cents
    for percent in percents:
        price = discounted(price_cents, percent)
    return price


def with_tax(price_cents, rate):
    """The price with tax, rounded to the nearest cent."""
    return int(price_cents * (1 + rate))
