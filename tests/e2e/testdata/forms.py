"""Handlers for forms_test.go."""

import asyncio
import os

from covet import App, Request, Response, UploadFile

app = App(title="forms")


def described(form):
    return [
        [name, {"filename": v.filename, "type": v.content_type, "size": v.size, "disk": v.on_disk}]
        if isinstance(v, UploadFile)
        else [name, v]
        for name, v in form.multi_items()
    ]


async def checksum(upload):
    total = 0
    while chunk := await upload.read(1 << 20):
        total += sum(memoryview(chunk)[:16]) + len(chunk)
    return total


def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


@app.post("/form")
async def form(request: Request):
    return described(await request.form())


@app.post("/sync")
def sync(request: Request):
    form = request.form_sync(max_fields=3)
    files = [v.file.read(5).hex() for _, v in form.multi_items() if isinstance(v, UploadFile)]
    return {"form": described(form), "begin": files}


@app.post("/upload")
async def upload(request: Request):
    form = await request.form()
    return {"form": described(form), "sum": await checksum(form["file"]), "peak": peak(), "pid": os.getpid()}


@app.post("/fail")
async def fail(request: Request):
    await request.form()
    raise RuntimeError("after the form")


@app.post("/hold")
async def hold(request: Request):
    await request.form()
    await asyncio.sleep(3600)


@app.post("/parts")
async def parts(request: Request):
    seen = []
    async for part in request.multipart():
        size = 0
        async for chunk in part:
            size += len(chunk)
        seen.append([part.name, part.filename, size])
    return {"parts": seen, "peak": peak()}


@app.post("/skip")
async def skip(request: Request):
    return [part.name async for part in request.multipart()]


@app.get("/query")
async def query(request: Request):
    return len(request.query)


@app.get("/cookies")
async def cookies(request: Request):
    response = Response("ok")
    response.set_cookie("__Host-sid", request.cookies.get("a", "none"), secure=True, httponly=True, max_age=10**9)
    response.delete_cookie("__Secure-old")
    return response


@app.get("/pid")
async def pid():
    return os.getpid()
