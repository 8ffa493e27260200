"""The shop's state and the rules that keep it right. In memory: gone with the worker."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from models import Cart, Category, NewProduct, Order, Product


class OutOfStock(Exception):
    """There is less of a product than wanted."""

    def __init__(self, product: Product, wanted: int) -> None:
        super().__init__(f"{wanted} of {product.name!r} wanted, {product.stock} in stock")
        self.product = product
        self.wanted = wanted


class DuplicateName(Exception):
    """Another product has the name already."""


# No method awaits: on the event loop each runs as one step, so no lock is needed.
class Store:
    """Products, carts and orders. Lookups raise KeyError for what does not exist."""

    MAX_CARTS = 10_000

    def __init__(self) -> None:
        self.products: dict[int, Product] = {}
        self.carts: dict[int, Cart] = {}
        self.orders: dict[UUID, Order] = {}
        self._product_ids = itertools.count(1)
        self._cart_ids = itertools.count(1)

    def add_product(self, new: NewProduct) -> Product:
        if any(product.name == new.name for product in self.products.values()):
            raise DuplicateName(new.name)
        product = Product(next(self._product_ids), new.name, new.price, new.category, new.stock)
        self.products[product.id] = product
        return product

    def find_products(self, category: Category | None, text: str, limit: int) -> list[Product]:
        found = (
            product
            for product in self.products.values()
            if (category is None or product.category is category) and text.lower() in product.name.lower()
        )
        return list(itertools.islice(found, limit))

    def open_cart(self) -> Cart:
        cart = Cart(next(self._cart_ids))
        self.carts[cart.id] = cart
        if len(self.carts) > self.MAX_CARTS:
            # Abandoned carts must not fill the memory: the oldest goes.
            del self.carts[next(iter(self.carts))]
        return cart

    def put_item(self, cart_id: int, product_id: int, quantity: int) -> Cart:
        cart, product = self.carts[cart_id], self.products[product_id]
        if quantity > product.stock:
            raise OutOfStock(product, quantity)
        cart.items[product_id] = quantity
        return cart

    def place_order(self, cart_id: int, email: str) -> Order:
        cart = self.carts[cart_id]
        # Look at everything before anything is changed.
        for product_id, quantity in cart.items.items():
            if quantity > self.products[product_id].stock:
                raise OutOfStock(self.products[product_id], quantity)
        total = Decimal()
        for product_id, quantity in cart.items.items():
            product = self.products[product_id]
            product.stock -= quantity
            total += quantity * product.price
        order = Order(uuid4(), email, datetime.now(UTC), total, dict(cart.items))
        self.orders[order.id] = order
        del self.carts[cart_id]
        return order


def with_goods() -> Store:
    """A store with something to sell."""
    store = Store()
    for name, price, category, stock in (
        ("The Art of Computer Programming", "189.00", Category.BOOKS, 3),
        ("A Pattern Language", "58.50", Category.BOOKS, 7),
        ("Chess set", "34.90", Category.GAMES, 12),
        ("Go board", "79.00", Category.GAMES, 5),
        ("Screwdriver", "9.95", Category.TOOLS, 40),
    ):
        store.add_product(NewProduct(name, Decimal(price), category, stock))
    return store
