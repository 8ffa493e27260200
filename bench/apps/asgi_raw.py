"""The profiles as a bare ASGI application: no framework, the least that an ASGI server can be asked to run.

The validation that the typed profile wants is written by hand here.
"""

import asyncio
import json
from urllib.parse import parse_qs

from items import answer

JSON = [(b"content-type", b"application/json")]
TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
FIELDS = {
    "name": str,
    "email": str,
    "age": int,
    "city": str,
    "country": str,
    "phone": str,
    "newsletter": bool,
    "score": (int, float),
    "tags": list,
}


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def baseline(query, body):
    try:
        args = parse_qs(query)
        total = int(args["a"][0]) + int(args["b"][0]) + (int(body) if body else 0)
    except (KeyError, ValueError):
        return 422, JSON, b'{"error":"query"}'
    return 200, TEXT, str(total).encode()


def get_user(last, query, headers):
    try:
        id = int(last)
        args = parse_qs(query)
        limit = int(args.get("limit", ["10"])[0])
    except ValueError:
        return 422, JSON, b'{"error":"path.id"}'
    tenant = next((v.decode() for k, v in headers if k == b"x-tenant"), "none")
    user = {"id": id, "q": args.get("q", [""])[0], "limit": limit, "tenant": tenant, "active": True}
    return 200, JSON, dumps(user)


def create_user(body):
    try:
        user = json.loads(body)
    except ValueError:
        return 422, JSON, b'{"error":"body"}'
    for name, kind in FIELDS.items():
        if not isinstance(user.get(name), kind):
            return 422, JSON, dumps({"error": f"body.{name}"})
    if not 0 <= user["age"] <= 150:
        return 422, JSON, b'{"error":"body.age"}'
    user.setdefault("referrer", None)
    return 201, JSON, dumps(user)


def route(method, path, query, headers, body):
    """Everything but /sleep and /upload, which wait."""
    if path == "/baseline11":
        return baseline(query, body)
    if path == "/pipeline":
        return 200, TEXT, b"ok"
    if path == "/plaintext":
        return 200, TEXT, b"Hello, World!"
    if path.startswith("/json/"):
        try:
            m = int(parse_qs(query).get("m", ["1"])[0])
            return 200, JSON, dumps(answer(int(path[6:]), m))
        except ValueError:
            return 422, JSON, b'{"error":"count"}'
    if path.startswith("/small/"):
        try:
            return 200, JSON, dumps({"id": int(path[7:])})
        except ValueError:
            return 422, JSON, b'{"error":"path.id"}'
    if path.startswith("/users/"):
        return get_user(path[7:], query, headers)
    if path == "/users" and method == "POST":
        return create_user(body)
    return 404, JSON, b'{"error":"not found"}'


async def pieces(receive):
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    body = b""
    if path == "/upload":
        size = 0
        async for piece in pieces(receive):
            size += len(piece)
        status, headers, content = 200, TEXT, str(size).encode()
    elif path == "/sleep":
        await asyncio.sleep(0.01)
        status, headers, content = 200, TEXT, b"ok"
    else:
        if scope["method"] == "POST":
            body = b"".join([piece async for piece in pieces(receive)])
        query = scope["query_string"].decode()
        status, headers, content = route(scope["method"], path, query, scope["headers"], body)
    headers = [*headers, (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
