"""Trailers both ways and early hints, for trailers_test.go."""

import asyncio
import hashlib

from covet import App, Request, StreamingResponse

app = App(title="trailers")


@app.post("/read")
async def read(request: Request):
    before = dict(request.trailers)
    body = await request.body()
    return {
        "size": len(body),
        "before": before,
        "trailers": dict(request.trailers),
        "header": request.headers.get("sum"),
    }


@app.post("/stream-read")
async def stream_read(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return {"size": size, "trailers": dict(request.trailers)}


@app.get("/fixed")
async def fixed():
    return StreamingResponse([b"one", b"two"], trailers={"X-Fixed": "1"})


@app.get("/computed")
async def computed():
    digest = hashlib.sha256()

    async def body():
        for _ in range(20):
            piece = b"x" * 30_000
            digest.update(piece)
            yield piece

    async def trailers():
        await asyncio.sleep(0)
        return {"X-Digest": digest.hexdigest()}

    return StreamingResponse(body(), headers={"Trailer": "X-Digest"}, trailers=trailers)


@app.get("/bad")
async def bad():
    return StreamingResponse([b"one"], trailers=lambda: {"Content-Length": "3"})


@app.get("/hints")
async def hints(request: Request):
    request.early_hints("</a.css>; rel=preload", "</b.css>")
    await asyncio.sleep(0.01)
    return "final"


@app.get("/hints-at-once")
async def hints_at_once(request: Request):
    request.early_hints("</a.css>")
    return "final"
