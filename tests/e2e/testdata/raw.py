"""Handlers for the conversations of raw_test.go."""

import asyncio

from covet import App, Request, Response, Unauthorized

app = App(title="raw")

CLOSED = []


@app.get("/users/{id}")
async def user(id: int):
    return {"id": id}


@app.get("/names/{name}")
async def name(name: str):
    return name


@app.get("/slow")
async def slow(tag: str):
    await asyncio.sleep(0.02)
    return tag


@app.get("/pieces")
async def pieces(tag: str):
    async def body():
        for i in range(3):
            yield f"{tag}{i};"
            await asyncio.sleep(0)

    return body()


@app.get("/endless")
async def endless():
    async def body():
        try:
            while True:
                yield b"y" * 4096
        finally:
            CLOSED.append(1)

    return body()


@app.get("/closed")
async def closed():
    return len(CLOSED)


@app.get("/error")
async def error():
    raise RuntimeError("the secret is 42")


@app.get("/exit")
async def leave():
    raise SystemExit("the secret is 43")


@app.get("/reset", status_code=205)
async def reset():
    return "none of this"


@app.get("/forge")
async def forge(name: str, value: str):
    response = Response(b"x")
    response.headers.append((name, value))  # past the check of add_header
    return response


@app.get("/status")
async def status(code: int):
    response = Response(b"x")
    response.status = code
    return response


@app.post("/echo")
async def echo(request: Request):
    return await request.body()


@app.post("/count")
async def count(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return str(size)


@app.post("/reject")
async def reject():
    raise Unauthorized("go away")
