"""The profiles as Litestar handlers. It answers 400 or 404 where others answer 422."""

import asyncio
import os
from typing import Annotated

import msgspec
from items import answer
from litestar import Litestar, MediaType, Request, get, post
from litestar.config.compression import CompressionConfig
from litestar.exceptions import ValidationException
from litestar.params import Parameter
from litestar.static_files import create_static_files_router


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


@get("/baseline11", media_type=MediaType.TEXT)
async def baseline(a: int, b: int) -> str:
    return str(a + b)


@post("/baseline11", media_type=MediaType.TEXT, status_code=200)
async def baseline_post(request: Request, a: int, b: int) -> str:
    try:
        return str(a + b + int(await request.body()))
    except ValueError:
        raise ValidationException("the body must be an integer") from None


@get("/pipeline", media_type=MediaType.TEXT)
async def pipeline() -> str:
    return "ok"


@get("/json/{count:int}")
async def json_profile(count: int, m: int = 1) -> dict:
    return answer(count, m)


@get("/users/{id:int}")
async def get_user(
    id: int,
    q: str = "",
    limit: int = 10,
    tenant: Annotated[str, Parameter(header="X-Tenant")] = "none",
) -> dict:
    return {"id": id, "q": q, "limit": limit, "tenant": tenant, "active": True}


@post("/users")
async def create_user(data: NewUser) -> NewUser:
    return data


@post("/upload", media_type=MediaType.TEXT, status_code=200, request_max_body_size=None)
async def upload(request: Request) -> str:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return str(size)


@get("/sleep", media_type=MediaType.TEXT)
async def sleep() -> str:
    await asyncio.sleep(0.01)
    return "ok"


@get("/small/{id:int}")
async def small(id: int) -> dict:
    return {"id": id}


@get("/plaintext", media_type=MediaType.TEXT)
async def plaintext() -> str:
    return "Hello, World!"


compression = CompressionConfig(backend="gzip", minimum_size=256, gzip_compress_level=5)
app = Litestar(
    [
        *(baseline, baseline_post, pipeline, json_profile, get_user, create_user, upload, sleep, small, plaintext),
        create_static_files_router(path="/static", directories=[os.environ["BENCH_STATIC"]]),
    ],
    compression_config=compression if "BENCH_COMPRESS" in os.environ else None,
    openapi_config=None,
)
