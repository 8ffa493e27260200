"""An engine in Python for tests: one region, real rings, real doorbells. Offsets are read from csrc/layout_gen.h, so a
change of the layout that one side has not followed fails here."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import select
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADER = Path(__file__).parents[2] / "csrc" / "layout_gen.h"
L: dict[str, int] = {
    name: int(value.rstrip("UL"), 0)
    for name, value in re.findall(r"#define COVET_(\w+)\s+(-?(?:0x[0-9a-f]+|\d+)(?:ULL)?)\b", HEADER.read_text())
}
HOT = re.search(r"HOT_NAMES \{(.*)\}", HEADER.read_text())
HOT_NAMES = re.findall(r'"([^"]*)"', HOT.group(1)) if HOT else []
METHODS = ["", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]


def padded(frame: bytes | bytearray) -> bytes:
    n = (len(frame) + 7) & ~7
    out = bytearray(frame) + bytes(n - len(frame))
    struct.pack_into("<I", out, L["LENGTH"], n)
    return bytes(out)


def request_frame(
    route: int = 0,
    *,
    slot: int = 0,
    generation: int = 1,
    method: str = "GET",
    path: str = "/",
    params: Sequence[str] = (),
    query: str | bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    follows: bool = False,
    flags: int = 0,
    length: int | None = None,
) -> bytes:
    """A REQUEST; params are texts that appear in path, in order."""
    raw_query = query.encode() if isinstance(query, str) else query
    f = bytearray(L["REQUEST_SIZE"])
    f[L["TYPE"]] = L["TYPE_REQUEST"]
    f[L["FLAGS"]] = flags | (L["FLAG_BODY_FOLLOWS"] if follows else 0)
    struct.pack_into("<HII", f, L["ROUTE"], route, slot, generation)
    f[L["REQUEST_METHOD"]] = METHODS.index(method) if method in METHODS else 0
    f[L["REQUEST_VERSION"]] = 11
    fields = list(headers)
    struct.pack_into("<HH", f, L["REQUEST_FIELD_COUNT"], len(fields), len(params))
    struct.pack_into("<q", f, L["REQUEST_CONTENT_LENGTH"], len(body) if length is None else length)
    f[L["REQUEST_ID"] : L["REQUEST_ID"] + 16] = bytes(range(16))
    f[L["REQUEST_REMOTE_ADDR"] : L["REQUEST_REMOTE_ADDR"] + 4] = bytes([127, 0, 0, 1])
    f[L["REQUEST_LOCAL_ADDR"] : L["REQUEST_LOCAL_ADDR"] + 4] = bytes([127, 0, 0, 1])
    struct.pack_into("<HHB", f, L["REQUEST_REMOTE_PORT"], 40000, 8000, 4)

    def put(text: bytes) -> tuple[int, int]:
        at = len(f)
        f.extend(text)
        return at, len(text)

    def span(name: str, text: bytes) -> int:
        at, n = put(text)
        struct.pack_into("<II", f, L[name], at, n)
        return at

    span("REQUEST_METHOD_NAME", method.encode())
    span("REQUEST_TARGET", path.encode() + (b"?" + raw_query if raw_query else b""))
    path_at = span("REQUEST_PATH", path.encode())
    span("REQUEST_QUERY", raw_query)
    span("REQUEST_AUTHORITY", b"example.test")
    span("REQUEST_BODY", body)
    names = [(put(n.encode("latin-1")), put(v.encode("latin-1"))) for n, v in fields]
    f.extend(bytes(-len(f) % 8))
    struct.pack_into("<I", f, L["REQUEST_FIELDS"], len(f))
    for (a, b), (c, d) in names:
        f.extend(struct.pack("<IIII", a, b, c, d))
    struct.pack_into("<I", f, L["REQUEST_PARAMS"], len(f))
    cursor = 0
    for value in params:
        cursor = path.encode().index(value.encode(), cursor)
        f.extend(struct.pack("<II", path_at + cursor, len(value.encode())))
        cursor += len(value.encode())
    lower = [n.lower() for n, _ in fields]
    for i, name in enumerate(HOT_NAMES):
        struct.pack_into("<H", f, L["REQUEST_HOT"] + 2 * i, lower.index(name) if name in lower else L["NO_FIELD"])
    return padded(f)


def signal_frame(kind: str, value: int, *, slot: int = 0, generation: int = 1) -> bytes:
    f = bytearray(L["SIGNAL_SIZE"])
    f[L["TYPE"]] = L[f"TYPE_{kind}"]
    struct.pack_into("<II", f, L["SLOT"], slot, generation)
    struct.pack_into("<I", f, L["BYTES"], value)
    return padded(f)


def body_end_frame(trailers: Iterable[tuple[str, str]], *, slot: int = 0, generation: int = 1) -> bytes:
    """A BODYEND with a trailer section."""
    fields = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in trailers]
    block = b"".join(struct.pack("<II", len(n), len(v)) + n + v for n, v in fields)
    f = bytearray(L["BODY_END_SIZE"])
    f[L["TYPE"]] = L["TYPE_BODY_END"]
    struct.pack_into("<II", f, L["SLOT"], slot, generation)
    struct.pack_into("<H", f, L["BODY_END_FIELD_COUNT"], len(fields))
    struct.pack_into("<II", f, L["BODY_END_FIELDS"], len(f), len(block))
    return padded(f + block)


def body_frame(data: bytes, *, slot: int = 0, generation: int = 1) -> bytes:
    f = bytearray(L["PIECE_DATA"])
    f[L["TYPE"]] = L["TYPE_BODY"]
    struct.pack_into("<II", f, L["SLOT"], slot, generation)
    struct.pack_into("<I", f, L["PIECE_LENGTH"], len(data))
    return padded(f + data)


TYPES = {v: k[5:] for k, v in L.items() if k.startswith("TYPE_")}


@dataclass
class Answer:
    """A frame from the worker, parsed with every offset checked."""

    type: str
    flags: int
    slot: int
    generation: int
    status: int = 0
    content: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    length: int = -1
    value: int = 0
    code: str = ""
    message: str = ""
    details: bytes = b""

    @property
    def final(self) -> bool:
        return self.type in ("RESPONSE", "ERROR", "END", "CANCELLED")


def _span(f: bytes, at: int) -> bytes:
    off, n = struct.unpack_from("<II", f, at)
    assert off + n <= len(f), "a span outside of its frame"
    return f[off : off + n]


def _fields(f: bytes, at: int, count: int) -> list[tuple[str, str]]:
    data, out = _span(f, at), []
    for _ in range(count):
        n, v = struct.unpack_from("<II", data)
        assert 8 + n + v <= len(data)
        out.append((data[8 : 8 + n].decode("latin-1"), data[8 + n : 8 + n + v].decode("latin-1")))
        data = data[8 + n + v :]
    assert not data
    return out


def parse(f: bytes) -> Answer:
    slot, generation = struct.unpack_from("<II", f, L["SLOT"])
    a = Answer(TYPES[f[L["TYPE"]]], f[L["FLAGS"]], slot, generation)
    if a.type in ("RESPONSE", "START", "INFORM"):
        a.status, a.content = struct.unpack_from("<HB", f, L["RESPONSE_STATUS"])
        (count,) = struct.unpack_from("<H", f, L["RESPONSE_FIELD_COUNT"])
        a.fields = _fields(f, L["RESPONSE_FIELDS"], count)
        (a.length,) = struct.unpack_from("<q", f, L["RESPONSE_LENGTH"])
        if a.type == "RESPONSE":
            a.body = _span(f, L["RESPONSE_BODY"])
    elif a.type == "CHUNK":
        (n,) = struct.unpack_from("<I", f, L["PIECE_LENGTH"])
        assert n <= min(len(f) - L["PIECE_DATA"], L["MAX_CHUNK"])
        a.body = f[L["PIECE_DATA"] : L["PIECE_DATA"] + n]
    elif a.type == "ERROR":
        a.status, count = struct.unpack_from("<HH", f, L["ERROR_STATUS"])
        a.code = _span(f, L["ERROR_CODE"]).decode()
        a.message = _span(f, L["ERROR_MESSAGE"]).decode()
        a.details = _span(f, L["ERROR_DETAILS"])
        a.fields = _fields(f, L["ERROR_FIELDS"], count)
    elif a.type == "END" and len(f) >= L["END_SIZE"]:
        (count,) = struct.unpack_from("<H", f, L["END_FIELD_COUNT"])
        a.fields = _fields(f, L["END_FIELDS"], count)
    elif a.type == "WANT":
        (a.value,) = struct.unpack_from("<I", f, L["BYTES"])
    return a


class FakeEngine:
    """The engine's end of a region."""

    def __init__(self, *, loops: int = 1, request_bytes: int = 1 << 20, answer_bytes: int = 1 << 20) -> None:
        self.loops, self.request_bytes, self.answer_bytes = loops, request_bytes, answer_bytes
        self.start = 4096 + 4096 * (1 + loops * 512 // 4096)
        size = self.start + loops * (request_bytes + answer_bytes)
        self.fd = os.memfd_create("covet-test")
        os.ftruncate(self.fd, size)
        self.map = mmap.mmap(self.fd, size)
        struct.pack_into(
            "<QIIIII", self.map, 0, L["MAGIC"], L["VERSION"], loops, request_bytes, answer_bytes, self.start
        )
        # One store or load each: struct.pack_into would write zeros first, and the other side would see them.
        self.q, self.i = memoryview(self.map).cast("Q"), memoryview(self.map).cast("I")
        self.doorbell = os.eventfd(0, os.EFD_CLOEXEC)
        self.bells = [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(loops)]

    def close(self) -> None:
        self.q.release()
        self.i.release()
        self.map.close()
        for fd in (self.fd, self.doorbell, *self.bells):
            os.close(fd)

    def u64(self, at: int) -> int:
        return self.q[at // 8]

    def u32(self, at: int) -> int:
        return self.i[at // 4]

    def control(self, loop: int, name: str) -> int:
        return 4096 + 512 * loop + L[f"CONTROL_{name}"]

    def _data(self, loop: int) -> int:
        return self.start + loop * (self.request_bytes + self.answer_bytes)

    def put(self, *frames: bytes, loop: int = 0, ring: bool = True) -> None:
        at = self.control(loop, "REQUEST_TAIL")
        tail = self.u64(at)
        for frame in frames:
            used = tail - self.u64(self.control(loop, "REQUEST_HEAD"))
            assert used + len(frame) <= self.request_bytes, "the request ring is full"
            place = tail % self.request_bytes
            first = min(len(frame), self.request_bytes - place)
            base = self._data(loop)
            self.map[base + place : base + place + first] = frame[:first]
            self.map[base : base + len(frame) - first] = frame[first:]
            tail += len(frame)
        self.q[at // 8] = tail
        if ring and self.u32(L["REGION_ASLEEP"]):
            self.i[L["REGION_ASLEEP"] // 4] = 0
            os.eventfd_write(self.doorbell, 1)

    def take(self, loop: int = 0, *, most: int = 1 << 30) -> list[Answer]:
        """The frames that are there."""
        answers: list[Answer] = []
        head_at = self.control(loop, "ANSWER_HEAD")
        base = self._data(loop) + self.request_bytes
        while len(answers) < most:
            head, tail = self.u64(head_at), self.u64(self.control(loop, "ANSWER_TAIL"))
            assert tail - head <= self.answer_bytes
            if tail == head:
                break
            place = head % self.answer_bytes
            (n,) = struct.unpack_from("<I", self.map, base + place)
            assert n % 8 == 0
            assert 16 <= n <= tail - head
            first = min(n, self.answer_bytes - place)
            f = self.map[base + place : base + place + first] + self.map[base : base + n - first]
            answers.append(parse(f))
            self.q[head_at // 8] = head + n
        starved = self.control(loop, "STARVED")
        if self.u32(starved):
            self.i[starved // 4] = 0
            if self.u32(L["REGION_ASLEEP"]):
                self.i[L["REGION_ASLEEP"] // 4] = 0
            os.eventfd_write(self.doorbell, 1)
        return answers

    def wait(self, loop: int = 0, *, seconds: float = 10) -> list[Answer]:
        """Blocks until there are frames, as an I/O loop does: asleep, look again, poll. For a worker elsewhere."""
        deadline = time.monotonic() + seconds
        asleep = self.control(loop, "ASLEEP")
        while not (answers := self.take(loop)):
            self.i[asleep // 4] = 1
            if self.u64(self.control(loop, "ANSWER_TAIL")) == self.u64(self.control(loop, "ANSWER_HEAD")):
                left = deadline - time.monotonic()
                assert left > 0, "no answer came"
                select.select([self.bells[loop]], [], [], left)
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self.bells[loop])
            self.i[asleep // 4] = 0
        return answers


def only(answers: list[Answer]) -> Answer:
    assert len(answers) == 1, answers
    return answers[0]


__all__: Any = ["Answer", "FakeEngine", "L", "body_frame", "only", "padded", "parse", "request_frame", "signal_frame"]
