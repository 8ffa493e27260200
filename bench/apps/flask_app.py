"""The profiles as Flask views (WSGI), pydantic where a body is validated."""

import os
import time
from typing import Annotated

from flask import Flask, Response, request
from flask_compress import Compress
from items import answer
from pydantic import BaseModel, Field, ValidationError

app = Flask(__name__, static_folder=os.environ["BENCH_STATIC"], static_url_path="/static")
if "BENCH_COMPRESS" in os.environ:
    app.config.update(COMPRESS_ALGORITHM=["br", "gzip"], COMPRESS_MIN_SIZE=256, COMPRESS_LEVEL=5)
    Compress(app)


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
    return Response(value, mimetype="text/plain")


@app.errorhandler(ValueError)
def refused(error):
    return {"error": str(error)}, 422


@app.errorhandler(ValidationError)
def invalid(error):
    return Response(error.json(), 422, mimetype="application/json")


@app.route("/baseline11", methods=["GET", "POST"])
def baseline():
    total = int(request.args["a"]) + int(request.args["b"])
    if request.method == "POST":
        total += int(request.get_data())
    return text(str(total))


@app.get("/pipeline")
def pipeline():
    return text("ok")


@app.get("/plaintext")
def plaintext():
    return text("Hello, World!")


@app.get("/sleep")
def sleep():
    time.sleep(0.01)
    return text("ok")


@app.get("/json/<int:count>")
def json_profile(count):
    return answer(count, int(request.args.get("m", 1)))


@app.get("/users/<id>")
def get_user(id):
    return {
        "id": int(id),
        "q": request.args.get("q", ""),
        "limit": int(request.args.get("limit", 10)),
        "tenant": request.headers.get("X-Tenant", "none"),
        "active": True,
    }


@app.post("/users")
def create_user():
    user = NewUser.model_validate_json(request.get_data())
    return Response(user.model_dump_json(), 201, mimetype="application/json")


@app.post("/upload")
def upload():
    size = 0
    while piece := request.stream.read(64 << 10):
        size += len(piece)
    return text(str(size))


@app.get("/small/<int:id>")
def small(id):
    return {"id": id}
