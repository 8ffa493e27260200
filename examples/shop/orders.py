"""/orders"""

from uuid import UUID

from models import NewOrder, Order
from products import shop

from covet import Conflict, JSONResponse, NotFound, Request, Response, Router

router = Router(prefix="/orders")


@router.post("")
async def place_order(request: Request, order: NewOrder) -> Response:
    store = shop(request)
    if order.cart_id not in store.carts:
        raise NotFound(f"there is no cart {order.cart_id}")
    if not store.carts[order.cart_id].items:
        raise Conflict("the cart is empty")
    placed = store.place_order(order.cart_id, order.email)
    location = request.app.url_path_for("get_order", id=placed.id)
    return JSONResponse(placed, status_code=201, headers={"Location": location})


@router.get("/{id}")
async def get_order(request: Request, id: UUID) -> Order:
    try:
        return shop(request).orders[id]
    except KeyError:
        raise NotFound(f"there is no order {id}") from None
