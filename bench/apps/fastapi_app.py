"""The profiles as FastAPI handlers, written as its documentation writes them."""

import asyncio
import os
from typing import Annotated

from fastapi import Body, FastAPI, Header, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from items import answer
from pydantic import BaseModel, Field

app = FastAPI(title="bench")
if "BENCH_COMPRESS" in os.environ:
    app.add_middleware(GZipMiddleware, minimum_size=256, compresslevel=5)
app.mount("/static", StaticFiles(directory=os.environ["BENCH_STATIC"]))


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


@app.get("/baseline11", response_class=PlainTextResponse)
async def baseline(a: int, b: int):
    return str(a + b)


@app.post("/baseline11", response_class=PlainTextResponse)
async def baseline_post(a: int, b: int, n: Annotated[int, Body(media_type="text/plain")]):
    return str(a + b + n)


@app.get("/pipeline", response_class=PlainTextResponse)
async def pipeline():
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


@app.post("/upload", response_class=PlainTextResponse)
async def upload(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return str(size)


@app.get("/sleep", response_class=PlainTextResponse)
async def sleep():
    await asyncio.sleep(0.01)
    return "ok"


@app.get("/small/{id}")
async def small(id: int):
    return {"id": id}


@app.get("/plaintext", response_class=PlainTextResponse)
async def plaintext():
    return "Hello, World!"
