"""A basket of things to buy."""

from .pricing import with_tax

FREE_SHIPPING_FROM = 50_00
SHIPPING = 4_90


class Basket:
    """What somebody is about to buy; prices in cents."""

    def __init__(self, items=[]):
        self.items = items

    def add(self, name, price_cents, count=1):
        self.items.append((name, price_cents, count))

    def goods(self):
        return sum(price * count for _, price, count in self.items)

    def shipping(self):
        """Nothing from 50.00 on."""
        return 0 if self.goods() > FREE_SHIPPING_FROM else SHIPPING

    def total(self, tax_rate):
        return with_tax(self.goods(), tax_rate) + self.shipping()
