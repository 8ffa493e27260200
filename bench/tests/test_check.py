"""A wrong answer does not count: the checks against a server that answers what a test wants."""

import base64
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from check import Answer, plan
from profiles import PROFILES, Ask, Profile
from rivals import RIVALS, Rival
from server import Refused

Answers = Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], int]]:
    servers = []

    def start(answers: Answers) -> int:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, content = answers(self.command, self.path, body)
                self.send_response(status)
                for k, v in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(k, v)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = reply

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    yield start
    for s in servers:
        s.shutdown()
        s.server_close()


RIVAL = Rival("someone", "Go", lambda _: [], frozenset({"p"}))


def asks(*list_of: Ask) -> Profile:
    return Profile("p", list(list_of))


def test_right_answers_are_written_down(serve: Callable[[Answers], int]) -> None:
    port = serve(lambda *_: (200, {}, b'{"a": 1}'))
    written, notes = plan(RIVAL, asks(Ask("/", 200, {"a": 1})), port)
    assert base64.b64decode(written[0]["body"]) == b'{"a": 1}'
    assert not notes


@pytest.mark.parametrize(
    ("ask", "status", "headers", "body", "why"),
    [
        (Ask("/", 200, "ok"), 500, {}, b"ok", "answered 500, not 200"),
        (Ask("/", 200, "ok"), 200, {}, b"no", "answered no"),
        (Ask("/", 200, {"a": 1}), 200, {}, b'{"a": 2}', "answered"),
        (Ask("/", 200, "ok"), 200, {"Content-Encoding": "zstd"}, b"ok", "encoding zstd"),
        (Ask("/", 422), 400, {}, b"{}", "answered 400, not 422"),
    ],
)
def test_wrong_answers(
    serve: Callable[[Answers], int], ask: Ask, status: int, headers: dict[str, str], body: bytes, why: str
) -> None:
    port = serve(lambda *_: (status, headers, body))
    with pytest.raises(Refused, match=why):
        plan(RIVAL, asks(ask), port)


def test_bodies_that_differ_are_not_compared_later(serve: Callable[[Answers], int]) -> None:
    turns = iter(range(100))
    port = serve(lambda *_: (200, {}, json.dumps({"a": 1}, indent=next(turns)).encode()))
    written, notes = plan(RIVAL, asks(Ask("/", 200, {"a": 1})), port)
    assert written[0]["body"] is None
    assert notes == ["bodies differ from time to time: compared before and after only"]


def test_the_time_in_gzip_does_not_matter() -> None:
    one, two = (Answer(200, "gzip", gzip.compress(b"x", mtime=t)) for t in (1, 2))
    other = Answer(200, "gzip", gzip.compress(b"y", mtime=1))
    assert one.same(two)
    assert not one.same(other)


def test_requests_on_the_wire() -> None:
    assert Ask("/a", method="POST", body="20", chunked=True).wire((("/a", "/b"),)) == (
        b"POST /b HTTP/1.1\r\nHost: bench.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n20\r\n0\r\n\r\n"
    )
    assert b"Content-Length: 500\r\n\r\n" in Ask("/a", method="POST", fill=500).wire()
    assert Ask("/a").wire() == b"GET /a HTTP/1.1\r\nHost: bench.test\r\n\r\n"


def test_every_rival_can_do_what_exists() -> None:
    names = {p.name for p in PROFILES}
    for r in RIVALS:
        assert r.can <= names
        assert r.can
    assert len({r.name for r in RIVALS}) == len(RIVALS)
