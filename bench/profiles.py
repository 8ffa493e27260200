"""What is asked: the requests of each profile, in the order they are sent, and the answer that each must get."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "apps"))
import files
from items import answer


@dataclass(frozen=True)
class Ask:
    path: str
    status: int = 200
    answer: Any = None
    """The JSON value, the text (str) or the content (bytes) of the body; None for error answers, whose form is each
    server's own."""
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    fill: int = 0
    """The length of a body of zeros."""
    chunked: bool = False

    def wire(self, replace: tuple[tuple[str, str], ...] = ()) -> bytes:
        """The request as it is sent, but for the zeros of fill."""
        path = self.path
        for old, new in replace:
            path = path.replace(old, new)
        lines = [f"{self.method} {path} HTTP/1.1", "Host: bench.test"]
        lines += [f"{k}: {v}" for k, v in self.headers.items()]
        body = (self.body or "").encode()
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif self.body is not None or self.fill:
            lines.append(f"Content-Length: {len(body) + self.fill}")
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Profile:
    name: str
    asks: list[Ask]
    connections: tuple[int, ...] = (64,)
    depth: int = 1
    """Requests sent at once on a connection."""
    per_connection: int = 0
    """Requests after which the client closes the connection; 0: never."""
    rated: bool = False
    """Measured at a fixed arrival rate, too."""
    compress: bool = False
    """The server is started with response compression on."""
    fresh: bool = False
    """The server is started anew for it: its memory is looked at."""
    idle: bool = False


def _users() -> list[Ask]:
    """POST and GET in turn; of twenty requests, two are refused: one by its path, one by its body."""
    asks = []
    for i in range(20):
        user = {
            "name": f"Ada Lovelace {i}",
            "email": f"ada{i}@example.test",
            "age": 20 + i,
            "city": "London",
            "country": "GB",
            "phone": "+44 20 7946 0000",
            "newsletter": i % 2 == 0,
            "score": 4.5 + i,
            "tags": ["early", "friend"],
            "referrer": None,
        }
        kind = {"Content-Type": "application/json"}
        if i == 9:
            asks.append(Ask("/users/x?q=ada&limit=5", 422))
        elif i == 18:
            asks.append(Ask("/users", 422, None, "POST", kind, json.dumps({**user, "age": 200})))
        elif i % 2 == 0:
            asks.append(Ask("/users", 201, user, "POST", kind, json.dumps(user)))
        else:
            found = {"id": i, "q": "ada", "limit": i + 5, "tenant": "acme", "active": True}
            asks.append(Ask(f"/users/{i}?q=ada&limit={i + 5}", 200, found, headers={"X-Tenant": "acme"}))
    return asks


SUM = "/baseline11?a=13&b=42"
BASELINE = [
    Ask(SUM, 200, "55"),
    Ask(SUM, 200, "75", "POST", {"Content-Type": "text/plain"}, "20"),
    Ask(SUM, 200, "55"),
    Ask(SUM, 200, "75", "POST", {"Content-Type": "text/plain"}, "20", chunked=True),
]
JSON_SIZES = ((1, 3), (5, 7), (10, 2), (15, 5), (25, 4), (40, 8), (50, 6))
UPLOADS = (500_000, 1_000_000, 5_000_000, 20_000_000)
ENCODED = {"Accept-Encoding": "gzip, br"}
IDLE = (10_000,)

PROFILES = [
    Profile("baseline", BASELINE, (64, 256), rated=True),
    Profile("pipelined", [Ask("/pipeline", 200, "ok")], depth=16),
    Profile("limited-conn", BASELINE, per_connection=10),
    Profile("json", [Ask(f"/json/{n}?m={m}", 200, answer(n, m)) for n, m in JSON_SIZES], rated=True),
    Profile("typed", _users(), rated=True),
    Profile("small", [Ask("/small/42", 200, {"id": 42})], (1, 64)),
    Profile("static", [Ask(f"/static/{name}", 200, data, headers=ENCODED) for name, data in files.contents().items()]),
    Profile("sleep", [Ask("/sleep", 200, "ok")], (512,)),
    Profile("plaintext", [Ask("/plaintext", 200, "Hello, World!")], (1, 64)),
    Profile("notfound", [Ask("/nothing/here", 404)]),
    Profile(
        "json-comp",
        [Ask(f"/json/{n}?m={m}", 200, answer(n, m), headers=ENCODED) for n, m in JSON_SIZES],
        compress=True,
    ),
    Profile(
        "upload",
        [Ask("/upload", 200, str(n), "POST", {"Content-Type": "application/octet-stream"}, fill=n) for n in UPLOADS],
        (16,),
        fresh=True,
    ),
    Profile("idle", [Ask(SUM, 200, "55")], IDLE, fresh=True, idle=True),
]

# What a name on the command line may stand for besides one profile.
GROUPS = {
    "engine": ("plaintext", "static", "notfound"),
    "targets": ("json", "typed", "plaintext", "idle"),
    "quick": ("baseline", "json", "typed", "plaintext"),
}
