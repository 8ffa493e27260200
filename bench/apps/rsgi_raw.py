"""The profiles as a bare RSGI application, Granian's own interface."""

from asgi_raw import route


async def app(scope, protocol):
    body = await protocol() if scope.method == "POST" else b""
    headers = ((k.encode(), v.encode()) for k, v in scope.headers.items())
    status, out, content = route(scope.method, scope.path, scope.query_string, headers, body)
    protocol.response_bytes(status, [(k.decode(), v.decode()) for k, v in out], content)
