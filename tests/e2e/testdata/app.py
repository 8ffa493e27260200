"""Handlers that do what handlers do wrong, and some that do it right, for the tests of the whole server."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

from covet import App, NotFound, Request

STATE = {"started": False}


@asynccontextmanager
async def lifespan(app):
    STATE["started"] = True
    yield


app = App(title="faults", lifespan=lifespan)


@app.get("/users/{id}")
async def user(id: int):
    return {"id": id, "pid": os.getpid()}


@app.get("/started")
async def started():
    return STATE


@app.get("/pid")
async def pid():
    return {"pid": os.getpid()}


@app.get("/slow")
async def slow(ms: int = 100):
    await asyncio.sleep(ms / 1000)
    return {"pid": os.getpid()}


@app.get("/block")
async def block(ms: int):
    time.sleep(ms / 1000)
    return {"pid": os.getpid()}


@app.get("/sync")
def sync(ms: int = 0):
    time.sleep(ms / 1000)
    return {"pid": os.getpid()}


@app.post("/upload")
async def upload(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return {"bytes": size}


@app.post("/echo")
async def echo(request: Request):
    return await request.body()


@app.post("/slow-post")
async def slow_post(ms: int = 100):
    await asyncio.sleep(ms / 1000)
    return {"pid": os.getpid()}


@app.get("/crash")
async def crash():
    os._exit(3)


@app.get("/error")
async def error():
    raise RuntimeError("the secret is 42")


@app.get("/missing")
async def missing():
    raise NotFound("no such thing")


@app.get("/unserializable")
async def unserializable():
    return {"items": [{"ok": 1}, {"bad": object()}]}


@app.get("/stream")
async def stream(pieces: int = 10, size: int = 1000):
    async def body():
        for _ in range(pieces):
            yield b"x" * size

    return body()


@app.get("/broken-stream")
async def broken_stream():
    async def body():
        yield b"x" * 1000
        raise RuntimeError("in the middle")

    return body()


CANCELLED = []


@app.get("/cancelled")
async def cancelled():
    return CANCELLED


@app.get("/wait")
async def wait(name: str):
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        CANCELLED.append(name)
        raise
