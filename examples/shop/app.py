"""A small shop: try it with ``covet run examples/shop/app.py:app --workers 1``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import carts
import orders
import products
from store import OutOfStock, with_goods

from covet import App, Conflict, HTMLResponse, Request


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    app.state.store = with_goods()
    yield
    app.state.store = None


app = App(title="Shop", version="1.0.0", lifespan=lifespan)
app.include_router(products.router)
app.include_router(carts.router)
app.include_router(orders.router)


@app.exception_handler(OutOfStock)
def out_of_stock(request: Request, error: OutOfStock) -> Conflict:
    details = {
        "product": error.product.id,
        "wanted": error.wanted,
        "stock": error.product.stock,
    }
    return Conflict("there is not enough in stock", code="out_of_stock", details=details)


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Shop</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
code, pre { background: #8881; border-radius: 4px; padding: .1em .3em }
pre { padding: .8em; overflow-x: auto }
</style>
<h1>Shop</h1>
<p>An example of <b>CovetPy</b>: Python handlers behind an engine in Go. Things to try:</p>
<ul>
<li><a href="/products">/products</a>, <a href="/products?category=books&amp;limit=1">only books, at most one</a>
<li><a href="/products/1">/products/1</a>
<li><a href="/products/99">/products/99</a>: 404
<li><a href="/products/x">/products/x</a>: 422, which says what is wrong
<li><a href="/products?limit=0">/products?limit=0</a>: 422 by a constraint
<li><a href="/products/export">/products/export</a>: a CSV file, streamed
</ul>
<pre>
curl -X POST localhost:8000/carts
curl -X PUT localhost:8000/carts/1/items/1 -H 'Content-Type: application/json' -d '{"quantity": 2}'
curl -X POST localhost:8000/orders -H 'Content-Type: application/json' \\
     -d '{"cart_id": 1, "email": "ada@example.com"}'
</pre>
</html>
"""


@app.get("/")
async def index() -> HTMLResponse:
    return HTMLResponse(PAGE)


if __name__ == "__main__":
    app.run(workers=1)
