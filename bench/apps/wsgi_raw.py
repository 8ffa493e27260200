"""The profiles as a bare WSGI application."""

import time
from http import HTTPStatus

from asgi_raw import TEXT, route

LINES = {s.value: f"{s.value} {s.phrase}" for s in HTTPStatus}
PIECE = 64 << 10


def app(environ, start_response):
    path = environ["PATH_INFO"]
    source = environ["wsgi.input"]
    if path == "/upload":
        size = 0
        while piece := source.read(PIECE):
            size += len(piece)
        status, out, content = 200, TEXT, str(size).encode()
    elif path == "/sleep":
        time.sleep(0.01)
        status, out, content = 200, TEXT, b"ok"
    else:
        body = source.read() if environ["REQUEST_METHOD"] == "POST" else b""
        tenant = environ.get("HTTP_X_TENANT")
        headers = [(b"x-tenant", tenant.encode())] if tenant else []
        status, out, content = route(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, body)
    headers = [(k.decode(), v.decode()) for k, v in out]
    start_response(LINES[status], [*headers, ("Content-Length", str(len(content)))])
    return [content]
