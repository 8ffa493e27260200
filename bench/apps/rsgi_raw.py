"""The profiles as a bare RSGI application, Granian's own interface."""

import asyncio

from asgi_raw import TEXT, route


async def app(scope, protocol):
    if scope.path == "/upload":
        size = 0
        async for piece in protocol:
            size += len(piece)
        status, out, content = 200, TEXT, str(size).encode()
    elif scope.path == "/sleep":
        await asyncio.sleep(0.01)
        status, out, content = 200, TEXT, b"ok"
    else:
        body = await protocol() if scope.method == "POST" else b""
        headers = ((k.encode(), v.encode()) for k, v in scope.headers.items())
        status, out, content = route(scope.method, scope.path, scope.query_string, headers, body)
    protocol.response_bytes(status, [(k.decode(), v.decode()) for k, v in out], content)
