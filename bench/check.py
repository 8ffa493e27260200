"""Whether a server answers a profile rightly, and what exactly it answers: the load generator compares every byte."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import Any

from profiles import Ask, Profile
from rivals import Rival
from server import START_TIMEOUT, Refused

TIMEOUT = 10.0
ZEROS = bytes(1 << 20)


@dataclass(frozen=True)
class Answer:
    status: int
    encoding: str
    raw: bytes

    @property
    def body(self) -> bytes:
        match self.encoding:
            case "":
                return self.raw
            case "gzip":
                return gzip.decompress(self.raw)
            case "br":
                import brotli  # of the environment "tools"

                decoded: bytes = brotli.decompress(self.raw)
                return decoded
        raise Refused(f"answered with the encoding {self.encoding}, which nobody asked for")

    def same(self, other: Answer) -> bool:
        """Whether both are the same bytes, but for the time that a gzip file was made at (RFC 1952 section 2.3.1)."""
        if self.encoding != other.encoding:
            return False
        if self.encoding == "gzip":
            return self.raw[:4] == other.raw[:4] and self.raw[8:] == other.raw[8:]
        return self.raw == other.raw


class Client:
    """One connection, opened anew when the server closes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None

    def ask(self, wire: bytes, fill: int, method: str) -> Answer:
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(wire)
        while fill > 0:
            self.socket.sendall(ZEROS[:fill])
            fill -= len(ZEROS)
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        answer = Answer(response.status, response.getheader("Content-Encoding", ""), response.read())
        if response.will_close:
            self.close()
        return answer

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def _wrong(a: Ask, rival: Rival, got: Answer) -> str | None:
    right = rival.invalid if a.status == 422 else (a.status,)
    if got.status not in right:
        return f"answered {got.status}, not {right[0]}: {got.raw[:200]!r}"
    if a.status >= 400 or a.answer is None:
        return None
    body: Any = got.body
    if isinstance(a.answer, str):
        body = body.decode()
    elif not isinstance(a.answer, bytes):
        body = json.loads(body)
    return None if body == a.answer else f"answered {str(body)[:200]}"


def plan(rival: Rival, profile: Profile, port: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Asks every question twice, compares what comes with what must come, and writes down the bytes for the load
    generator. What differs from one time to the next is compared here only, as is an error's body."""
    client = Client(port)
    written, notes = [], set()
    wait_until_ready(client, profile.asks[0], rival)
    for a in profile.asks:
        wire = a.wire(rival.paths)
        answers = []
        for _ in range(2):
            try:
                got = client.ask(wire, a.fill, a.method)
            except (OSError, http.client.HTTPException) as e:
                raise Refused(f"{a.method} {a.path} was not answered: {type(e).__name__} {e}") from None
            if why := _wrong(a, rival, got):
                raise Refused(f"{a.method} {a.path} {why}")
            answers.append(got)
        first, second = answers
        exact = a.status < 400 and first.same(second)
        if a.status < 400 and not exact:
            notes.add("bodies differ from time to time: compared before and after only")
        if first.encoding:
            notes.add(f"encoding {first.encoding}")
        written.append(
            {
                "head": base64.b64encode(wire).decode(),
                "fill": a.fill,
                "status": first.status,
                "body": base64.b64encode(first.raw).decode() if exact else None,
                "empty": not exact and not first.raw,
                "gzip": first.encoding == "gzip",
            }
        )
    client.close()
    return written, sorted(notes)


def wait_until_ready(client: Client, first: Ask, rival: Rival) -> None:
    """A server may take connections before its application can answer."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            if client.ask(first.wire(rival.paths), first.fill, first.method).status not in (502, 503):
                return
        except (OSError, http.client.HTTPException):
            client.close()
        if time.monotonic() > deadline:
            raise Refused("took connections, but did not answer in time")
        time.sleep(0.05)
