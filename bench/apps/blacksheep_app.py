"""The profiles as BlackSheep handlers. It answers 400 where others answer 422."""

import asyncio
import os
from typing import Annotated

from blacksheep import Application, FromHeader, FromJSON, Request, get, post
from blacksheep.exceptions import BadRequest
from blacksheep.server.compression import GzipMiddleware
from blacksheep.server.responses import created, json, text
from items import answer
from pydantic import BaseModel, Field

app = Application()
app.serve_files(os.environ["BENCH_STATIC"], root_path="static", extensions={".js", ".css", ".json", ".svg", ".png"})
if "BENCH_COMPRESS" in os.environ:
    app.middlewares.append(GzipMiddleware(min_size=256, comp_level=5))


class NewUser(BaseModel):
    name: str
    email: str
    age: Annotated[int, Field(ge=0, le=150)]
    city: str
    country: str
    phone: str
    newsletter: bool
    score: float
    tags: list[str]
    referrer: str | None = None


class Tenant(FromHeader[str]):
    name = "X-Tenant"


@get("/baseline11")
async def baseline(a: int, b: int):
    return text(str(a + b))


@post("/baseline11")
async def baseline_post(request: Request, a: int, b: int):
    try:
        return text(str(a + b + int(await request.read() or b"")))
    except ValueError:
        raise BadRequest("the body must be an integer") from None


@get("/pipeline")
async def pipeline():
    return text("ok")


@get("/json/{count}")
async def json_profile(count: int, m: int = 1):
    return json(answer(count, m))


@get("/users/{id}")
async def get_user(id: int, tenant: Tenant | None, q: str = "", limit: int = 10):
    name = tenant.value if tenant else "none"
    return json({"id": id, "q": q, "limit": limit, "tenant": name, "active": True})


@post("/users")
async def create_user(user: FromJSON[NewUser]):
    return created(user.value)


@post("/upload")
async def upload(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return text(str(size))


@get("/sleep")
async def sleep():
    await asyncio.sleep(0.01)
    return text("ok")


@get("/small/{id}")
async def small(id: int):
    return json({"id": id})


@get("/plaintext")
async def plaintext():
    return text("Hello, World!")
