"""The profiles as Falcon resources (ASGI). It leaves validation of bodies to the application: msgspec here."""

import asyncio
import os
from typing import Annotated

import falcon
import falcon.asgi
import msgspec
from items import answer


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


def whole(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise falcon.HTTPUnprocessableEntity(title="not an integer") from None


class Baseline:
    async def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = str(req.get_param_as_int("a", required=True) + req.get_param_as_int("b", required=True))

    async def on_post(self, req, resp):
        n = whole((await req.stream.read()).decode())
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = str(req.get_param_as_int("a", required=True) + req.get_param_as_int("b", required=True) + n)


class Text:
    def __init__(self, text, wait=0.0):
        self.text, self.wait = text, wait

    async def on_get(self, req, resp):
        if self.wait:
            await asyncio.sleep(self.wait)
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = self.text


class Json:
    async def on_get(self, req, resp, count):
        resp.media = answer(whole(count), req.get_param_as_int("m", default=1))


class User:
    async def on_get(self, req, resp, id):
        resp.media = {
            "id": whole(id),
            "q": req.get_param("q", default=""),
            "limit": req.get_param_as_int("limit", default=10),
            "tenant": req.get_header("X-Tenant", default="none"),
            "active": True,
        }


class Users:
    async def on_post(self, req, resp):
        try:
            user = msgspec.json.decode(await req.stream.read(), type=NewUser)
        except msgspec.ValidationError as e:
            raise falcon.HTTPUnprocessableEntity(title=str(e)) from None
        resp.status = falcon.HTTP_201
        resp.content_type = falcon.MEDIA_JSON
        resp.data = msgspec.json.encode(user)


class Upload:
    async def on_post(self, req, resp):
        size = 0
        async for piece in req.stream:
            size += len(piece)
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = str(size)


class Small:
    async def on_get(self, req, resp, id):
        resp.media = {"id": whole(id)}


app = falcon.asgi.App()
app.add_route("/baseline11", Baseline())
app.add_route("/pipeline", Text("ok"))
app.add_route("/plaintext", Text("Hello, World!"))
app.add_route("/sleep", Text("ok", 0.01))
app.add_route("/json/{count}", Json())
app.add_route("/users/{id}", User())
app.add_route("/users", Users())
app.add_route("/upload", Upload())
app.add_route("/small/{id}", Small())
app.add_static_route("/static", os.environ["BENCH_STATIC"])
