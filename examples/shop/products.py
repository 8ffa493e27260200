"""/products"""

import csv
import io
from collections.abc import Iterator
from typing import Annotated

from models import Category, NewProduct, Product
from store import DuplicateName, Store

from covet import (
    Conflict,
    NotFound,
    Query,
    Request,
    Response,
    Router,
    StreamingResponse,
)

router = Router(prefix="/products")


def shop(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


@router.get("")
async def list_products(
    request: Request,
    category: Category | None = None,
    q: Annotated[str, Query(max_length=50)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[Product]:
    return shop(request).find_products(category, q, limit)


@router.post("", status_code=201)
async def add_product(request: Request, product: NewProduct) -> Product:
    try:
        return shop(request).add_product(product)
    except DuplicateName as e:
        raise Conflict(f"there is a product {e} already") from e


@router.get("/export")
def export(request: Request) -> Response:
    """A plain function: it runs in the thread pool, and the rows leave while they are made."""

    def rows() -> Iterator[str]:
        yield line("id", "name", "price", "stock")
        for product in list(shop(request).products.values()):
            yield line(product.id, product.name, product.price, product.stock)

    headers = {"Content-Disposition": 'attachment; filename="products.csv"'}
    return StreamingResponse(rows(), headers=headers, media_type="text/csv")


def line(*cells: object) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


@router.get("/{id}")
async def get_product(request: Request, id: int) -> Product:
    try:
        return shop(request).products[id]
    except KeyError:
        raise NotFound(f"there is no product {id}") from None
