"""A request with the members that the extension gives it, for tests that need no engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from covet._plan import RoutePlan
from covet._query import QueryParams
from covet._request import RequestMembers


class BridgeMembers:
    def __init__(
        self,
        plan: RoutePlan,
        *,
        method: str = "GET",
        path: str = "/",
        query: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        params: Sequence[str] = (),
        body: bytes = b"",
    ) -> None:
        self.plan = plan
        self.method = method
        self.scheme = "https"
        self.http_version = "1.1"
        self.path = path
        self.raw_path = path.encode()
        self.query_string = query
        self.authority = "shop.example:8443"
        self.request_id = "0" * 32
        self.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        self.raw_path_params = tuple(params)
        self.content = body
        self.bodies_read = 0

    @property
    def client(self) -> tuple[str, int] | None:
        return ("192.0.2.7", 4711)

    def header(self, name: str, /) -> str | None:
        return next((v.decode("latin-1") for n, v in self.raw_headers if n == name.encode()), None)

    def query_values(self, name: str, /) -> list[str]:
        return QueryParams(self.query_string).get_list(name)

    async def body(self) -> bytes:
        self.bodies_read += 1
        return self.content

    async def stream(self) -> AsyncIterator[bytes]:
        yield self.content


class FakeRequest(RequestMembers, BridgeMembers):
    """The logic of ``covet.Request`` over plain values."""


def fake(plan: RoutePlan, **members: Any) -> Any:
    return FakeRequest(plan, **members)
