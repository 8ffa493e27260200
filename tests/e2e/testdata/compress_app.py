"""Handlers whose bodies are coded on their way."""

import asyncio
import zlib

from covet import App, PlainTextResponse, Request, Response, StreamingResponse

app = App(title="codings")


def rows(n: int) -> list[dict[str, object]]:
    return [{"id": i, "name": f"row {i}", "price": i * 7919 % 1000} for i in range(n)]


@app.get("/json")
async def get_json(n: int = 100):
    return rows(n)


@app.get("/tag")
async def tag():
    return PlainTextResponse("tagged " * 1000, headers={"ETag": '"abc"', "Accept-Ranges": "bytes"})


@app.get("/plain")
async def opted_out():
    return PlainTextResponse("plain " * 1000, headers={"Content-Encoding": "identity"})


@app.get("/image")
async def image():
    return Response(b"\x89PNG" * 1000, media_type="image/png")


@app.get("/stream")
async def stream(pieces: int = 100):
    async def body():
        for i in range(pieces):
            yield f"piece {i} of {pieces}\n".encode() * 20

    return StreamingResponse(body(), media_type="text/plain")


GO_ON = asyncio.Queue()


@app.post("/go-on")
async def go_on():
    GO_ON.put_nowait(None)


@app.get("/events")
async def events():
    async def body():
        for i in range(10):
            yield f"data: event {i}\n\n".encode()
            await GO_ON.get()

    return StreamingResponse(body(), media_type="text/event-stream")


@app.post("/body")
async def body(request: Request):
    data = await request.body()
    return {"bytes": len(data), "crc": zlib.crc32(data), "fields": [k for k, _ in request.headers.items()]}


@app.post("/upload")
async def upload(request: Request):
    size = crc = 0
    async for piece in request.stream():
        size += len(piece)
        crc = zlib.crc32(piece, crc)
    return {"bytes": size, "crc": crc}
