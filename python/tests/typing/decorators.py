"""Checked by the type checkers, never run: what a user's code looks like to them."""

from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from covet import Address, App, Headers, HTTPError, JSONResponse, NotFound, QueryParams, Request, Response, Router

app = App(title="typing")
router = Router(prefix="/users")
app.include_router(router, prefix="/v1")


@app.get("/{id}")
async def get_user(id: int) -> dict[str, int]:
    return {"id": id}


@router.post("", status_code=201)
def add_user(request: Request, name: str) -> Response:
    assert_type(request.headers, Headers)
    assert_type(request.query, QueryParams)
    assert_type(request.client, Address | None)
    assert_type(request.app, App)
    return JSONResponse({"name": name})


@app.exception_handler(HTTPError)
async def on_error(request: Request, error: HTTPError) -> Response:
    return JSONResponse(error.message, error.status)


@app.on_startup
def start() -> None: ...


# The decorators give the function back as it is.
checked: Callable[[int], Coroutine[Any, Any, dict[str, int]]] = get_user
assert_type(start(), None)


async def call() -> None:
    assert_type(await get_user(1), dict[str, int])
    assert_type(await get_user(id=1), dict[str, int])
    await get_user("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def raises() -> None:
    raise NotFound("nothing", details={"id": 1}, headers={"X-A": "b"})
