"""The profiles as CovetPy handlers."""

from typing import Annotated

import msgspec
from items import answer

from covet import App, Header

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


@app.get("/json/{count}")
async def json_profile(count: int, m: int = 1):
    return answer(count, m)


@app.get("/users/{id}")
async def get_user(id: int, q: str = "", limit: int = 10, x_tenant: Annotated[str, Header()] = "none"):
    return {"id": id, "q": q, "limit": limit, "tenant": x_tenant, "active": True}


@app.post("/users", status_code=201)
async def create_user(user: NewUser) -> NewUser:
    return user


@app.get("/small/{id}")
async def small(id: int):
    return {"id": id}


@app.get("/plaintext")
async def plaintext():
    return "Hello, World!"
