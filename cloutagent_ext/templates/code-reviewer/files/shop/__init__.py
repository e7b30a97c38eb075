"""A small shop: prices with discounts, and a basket that knows its shipping."""
