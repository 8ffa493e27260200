"""What is asked: the requests of each profile, in the order they are sent, and the answer that each must get."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "apps"))
from items import answer


@dataclass(frozen=True)
class Ask:
    path: str
    status: int = 200
    answer: Any = None
    """The JSON value (or the text) of the body; None for error answers, whose form is each server's own."""
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass(frozen=True)
class Profile:
    name: str
    side: str
    asks: list[Ask]
    connections: tuple[int, ...] = (64,)

    @property
    def refused(self) -> float:
        """The share of requests that must be answered with an error."""
        return sum(a.status >= 400 for a in self.asks) / len(self.asks)

    def write(self, path: Path, replace: tuple[tuple[str, str], ...] = ()) -> None:
        """Writes the rotation for load/requests.lua."""
        blocks = []
        for a in self.asks:
            where = a.path
            for old, new in replace:
                where = where.replace(old, new)
            lines = [f"{a.method} {where} {a.status}", "Host: bench.test"]
            lines += [f"{k}: {v}" for k, v in a.headers.items()]
            blocks.append("\n".join([*lines, "", a.body or "-"]))
        path.write_text("\n".join(blocks) + "\n")


def _user(i: int) -> dict[str, Any]:
    return {
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


def _typed() -> list[Ask]:
    asks = []
    for i in range(20):
        wrong = i % 10 == 9
        if i % 2 == 0:
            user = _user(i)
            asks.append(
                Ask(
                    "/users",
                    201,
                    user,
                    "POST",
                    {"Content-Type": "application/json"},
                    json.dumps(user),
                )
            )
        elif wrong:
            asks.append(Ask("/users/x?q=ada&limit=5", 422))
        else:
            asks.append(
                Ask(
                    f"/users/{i}?q=ada&limit={i + 5}",
                    200,
                    {
                        "id": i,
                        "q": "ada",
                        "limit": i + 5,
                        "tenant": "acme",
                        "active": True,
                    },
                    headers={"X-Tenant": "acme"},
                )
            )
    return asks


JSON_SIZES = ((1, 3), (5, 7), (10, 2), (15, 5), (25, 4), (40, 8), (50, 6))

PROFILES = [
    Profile(
        "json",
        "python",
        [Ask(f"/json/{n}?m={m}", 200, answer(n, m)) for n, m in JSON_SIZES],
    ),
    Profile("typed", "python", _typed()),
    Profile("small", "python", [Ask("/small/42", 200, {"id": 42})], (1, 64)),
    Profile("plaintext", "go", [Ask("/plaintext", 200, "Hello, World!")], (1, 64)),
]
