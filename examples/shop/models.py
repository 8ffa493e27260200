"""What the shop's API takes and gives."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated
from uuid import UUID

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Email = Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=200)]
Price = Annotated[Decimal, msgspec.Meta(description="in euros")]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=99)]


class Category(Enum):
    BOOKS = "books"
    GAMES = "games"
    TOOLS = "tools"


class NewProduct(msgspec.Struct, forbid_unknown_fields=True):
    """A product as a client describes it."""

    name: Name
    price: Price
    category: Category
    stock: Annotated[int, msgspec.Meta(ge=0)] = 0


class Product(msgspec.Struct):
    """A product on the shelf."""

    id: int
    name: str
    price: Decimal
    category: Category
    stock: int


@dataclass
class Item:
    """How many of a product."""

    quantity: Quantity


@dataclass
class Cart:
    """What a client is about to order: quantities by product."""

    id: int
    items: dict[int, int] = field(default_factory=dict)


class NewOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The wish to order a cart."""

    cart_id: int
    email: Email


class Order(msgspec.Struct):
    """An order that was placed."""

    id: UUID
    email: str
    placed: datetime
    total: Decimal
    items: dict[int, int]
