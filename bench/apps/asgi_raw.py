"""The profiles as a bare ASGI application: no framework, the least that an ASGI server can be asked to run.

The validation that the typed profile wants is written by hand here.
"""

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


def route(method, path, query, headers, body):
    if path == "/plaintext":
        return 200, TEXT, b"Hello, World!"
    if path.startswith("/json/"):
        m = int(parse_qs(query).get("m", ["1"])[0])
        return 200, JSON, dumps(answer(int(path[6:]), m))
    if path.startswith("/small/"):
        try:
            return 200, JSON, dumps({"id": int(path[7:])})
        except ValueError:
            return 422, JSON, b'{"error":"path.id"}'
    if path.startswith("/users/"):
        try:
            id = int(path[7:])
        except ValueError:
            return 422, JSON, b'{"error":"path.id"}'
        args = parse_qs(query)
        tenant = next((v.decode() for k, v in headers if k == b"x-tenant"), "none")
        return (
            200,
            JSON,
            dumps(
                {
                    "id": id,
                    "q": args.get("q", [""])[0],
                    "limit": int(args.get("limit", ["10"])[0]),
                    "tenant": tenant,
                    "active": True,
                }
            ),
        )
    if path == "/users" and method == "POST":
        user = json.loads(body)
        for name, kind in FIELDS.items():
            if not isinstance(user.get(name), kind):
                return 422, JSON, dumps({"error": f"body.{name}"})
        if not 0 <= user["age"] <= 150:
            return 422, JSON, b'{"error":"body.age"}'
        user.setdefault("referrer", None)
        return 201, JSON, dumps(user)
    return 404, JSON, b'{"error":"not found"}'


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b""
    if scope["method"] == "POST":
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    status, headers, content = route(
        scope["method"],
        scope["path"],
        scope["query_string"].decode(),
        scope["headers"],
        body,
    )
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", str(len(content)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": content})
