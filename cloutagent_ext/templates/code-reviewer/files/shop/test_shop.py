import unittest

from shop.basket import Basket
from shop.pricing import discounted, in_steps, with_tax


class Prices(unittest.TestCase):
    def test_a_discount_takes_its_part(self):
        self.assertEqual(discounted(80_00, 25), 60_00)

    def test_discounts_come_one_after_the_other(self):
        self.assertEqual(in_steps(100_00, 10, 50), 45_00)

    def test_tax_is_rounded_to_the_nearest_cent(self):
        self.assertEqual(with_tax(9_99, 0.19), 11_89)


class Baskets(unittest.TestCase):
    def test_two_baskets_share_nothing(self):
        first, second = Basket(), Basket()
        first.add("lamp", 39_90)
        self.assertEqual(second.goods(), 0)

    def test_shipping_is_free_from_the_limit_on(self):
        basket = Basket([("chair", 25_00, 2)])
        self.assertEqual(basket.shipping(), 0)

    def test_a_small_basket_pays_for_shipping(self):
        self.assertEqual(Basket([("cable", 11_50, 1)]).total(0.0), 16_40)


if __name__ == "__main__":
    unittest.main()
