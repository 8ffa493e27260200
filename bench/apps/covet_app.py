"""The profiles as CovetPy handlers."""

import asyncio
from typing import Annotated

import msgspec
from items import answer

from covet import App, Header, Request, ValidationError

app = App(title="bench")


class NewUser(msgspec.Struct):
    name: str
    email: str
    age: Annotated[int, msgspec.Meta(ge=0, le=150)]
    city: str
    country: str
    phone: str
    newsletter: bool
    score: float
    tags: list[str]
    referrer: str | None = None


@app.get("/baseline11")
async def baseline(a: int, b: int) -> str:
    return str(a + b)


@app.post("/baseline11")
async def baseline_post(request: Request, a: int, b: int) -> str:
    try:
        return str(a + b + int(await request.body()))
    except ValueError:
        raise ValidationError("the body must be an integer") from None


@app.get("/pipeline")
async def pipeline() -> str:
    return "ok"


@app.get("/json/{count}")
async def json_profile(count: int, m: int = 1):
    return answer(count, m)


@app.get("/users/{id}")
async def get_user(id: int, q: str = "", limit: int = 10, x_tenant: Annotated[str, Header()] = "none"):
    return {"id": id, "q": q, "limit": limit, "tenant": x_tenant, "active": True}


@app.post("/users", status_code=201)
async def create_user(user: NewUser) -> NewUser:
    return user


@app.post("/upload")
async def upload(request: Request) -> str:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return str(size)


@app.get("/sleep")
async def sleep() -> str:
    await asyncio.sleep(0.01)
    return "ok"


@app.get("/small/{id}")
async def small(id: int):
    return {"id": id}


@app.get("/plaintext")
async def plaintext():
    return "Hello, World!"
