"""/carts"""

from models import Cart, Item
from products import shop

from covet import NotFound, Request, Router

router = Router(prefix="/carts")


@router.post("", status_code=201)
async def open_cart(request: Request) -> Cart:
    return shop(request).open_cart()


@router.get("/{id}")
async def get_cart(request: Request, id: int) -> Cart:
    try:
        return shop(request).carts[id]
    except KeyError:
        raise NotFound(f"there is no cart {id}") from None


@router.put("/{id}/items/{product_id}")
async def put_item(request: Request, id: int, product_id: int, item: Item) -> Cart:
    try:
        return shop(request).put_item(id, product_id, item.quantity)
    except KeyError:
        raise NotFound("there is no such cart or no such product") from None


@router.delete("/{id}/items/{product_id}")
async def remove_item(request: Request, id: int, product_id: int) -> None:
    try:
        del shop(request).carts[id].items[product_id]
    except KeyError:
        raise NotFound("there is no such item") from None
