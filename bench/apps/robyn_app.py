"""The profiles as Robyn handlers, pydantic where a body is validated. Robyn gives a handler the whole body."""

import asyncio
import os
import sys
from typing import Annotated

from items import answer
from pydantic import BaseModel, Field, ValidationError
from robyn import Request, Response, Robyn, jsonify

app = Robyn(__file__)
app.serve_directory(route="/static", directory_path=os.environ["BENCH_STATIC"])
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


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


def text(value):
    return Response(200, TEXT, value)


def refused(field):
    return Response(422, JSON, jsonify({"error": field}))


@app.get("/baseline11")
async def baseline(request: Request):
    try:
        q = request.query_params
        return text(str(int(q.get("a", "")) + int(q.get("b", ""))))
    except ValueError:
        return refused("query")


@app.post("/baseline11")
async def baseline_post(request: Request):
    try:
        q = request.query_params
        return text(str(int(q.get("a", "")) + int(q.get("b", "")) + int(request.body)))
    except ValueError:
        return refused("query")


@app.get("/pipeline")
async def pipeline():
    return text("ok")


@app.get("/plaintext")
async def plaintext():
    return text("Hello, World!")


@app.get("/sleep")
async def sleep():
    await asyncio.sleep(0.01)
    return text("ok")


@app.get("/json/:count")
async def json_profile(request: Request):
    try:
        count, m = int(request.path_params["count"]), int(request.query_params.get("m", "1"))
    except ValueError:
        return refused("count")
    return Response(200, JSON, jsonify(answer(count, m)))


@app.get("/users/:id")
async def get_user(request: Request):
    q = request.query_params
    try:
        id, limit = int(request.path_params["id"]), int(q.get("limit", "10"))
    except ValueError:
        return refused("path.id")
    tenant = request.headers.get("x-tenant") or "none"
    user = {"id": id, "q": q.get("q", ""), "limit": limit, "tenant": tenant, "active": True}
    return Response(200, JSON, jsonify(user))


@app.post("/users")
async def create_user(request: Request):
    try:
        user = NewUser.model_validate_json(request.body)
    except ValidationError as e:
        return Response(422, JSON, e.json())
    return Response(201, JSON, user.model_dump_json())


@app.post("/upload")
async def upload(request: Request):
    return text(str(len(request.body)))


@app.get("/small/:id")
async def small(request: Request):
    return Response(200, JSON, jsonify({"id": int(request.path_params["id"])}))


if __name__ == "__main__":
    # The first argument is Robyn's own: it reads the command line itself.
    app.start(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), _check_port=False)
    sys.exit(0)
