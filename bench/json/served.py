"""The same documents through the server: CPU of the worker a request, own encoder beside orjson and msgspec.

As an application (``served:app``) it has a route for each way and document; as a program it starts ``bin/covet`` with
one worker, loads the routes in turn with wrk and reads the CPU time of the worker before and after:

    python served.py ../../bin/covet [--rounds N] [--seconds S]
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import orjson
from corpora import documents

from covet import App, Response
from covet._render import known

NAMES = ("small", "items5", "items50", "twitter10k", "prices", "struct20", "rows20")
TICK = os.sysconf("SC_CLK_TCK")

app = App(title="served")


def _routes(name: str, value: Any) -> None:
    encode = msgspec.json.Encoder(enc_hook=known).encode

    async def covet() -> Any:
        return value

    async def by_orjson() -> Response:
        return Response(orjson.dumps(value, known), media_type="application/json")

    async def by_msgspec() -> Response:
        return Response(encode(value), media_type="application/json")

    for way, handler in (("covet", covet), ("orjson", by_orjson), ("msgspec", by_msgspec)):
        app.get(f"/{way}/{name}", name=f"{way}-{name}")(handler)


for _name, _value in documents().items():
    if _name in NAMES:
        _routes(_name, _value)


def _worker_of(engine: int) -> int:
    """The worker: the child of the engine with the highest id."""
    found = subprocess.run(["pgrep", "-P", str(engine)], capture_output=True, text=True, check=True).stdout.split()
    return max(map(int, found))


def _cpu(pid: int) -> tuple[int, int]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def _load(url: str, seconds: int, pid: int) -> tuple[float, float]:
    user, system = _cpu(pid)
    text = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}", url], capture_output=True, text=True, check=True
    ).stdout
    count = re.search(r"(\d+) requests in", text)
    if count is None or "Non-2xx" in text:
        raise SystemExit(text)
    after = _cpu(pid)
    scale = 1e6 / TICK / int(count[1])
    return (after[0] - user + after[1] - system) * scale, (after[0] - user) * scale


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1)
    options = parser.parse_args()
    port = _port()
    here = Path(__file__).resolve().parent
    command = [options.binary.resolve(), "run", "served:app", "--workers", "1", "--port", str(port)]
    with subprocess.Popen(
        [*map(str, command), "--python", sys.executable], cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            base = f"http://127.0.0.1:{port}"
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"{base}/covet/small").close()
                    break
                except OSError:
                    time.sleep(0.1)
            worker = _worker_of(server.pid)
            print("| document | covet | orjson | msgspec |\n|---|---:|---:|---:|")
            for name in NAMES:
                runs: dict[str, list[tuple[float, float]]] = {way: [] for way in ("covet", "orjson", "msgspec")}
                for _ in range(options.rounds):
                    for way, list_ in runs.items():
                        list_.append(_load(f"{base}/{way}/{name}", options.seconds, worker))
                cells = []
                for list_ in runs.values():
                    total, user = (statistics.median(column) for column in zip(*list_, strict=True))
                    least, most = min(t for t, _ in list_), max(t for t, _ in list_)
                    cells.append(f" {total:.1f} ({least:.1f} to {most:.1f}), user {user:.1f} |")
                print(f"| {name} |", *cells, sep="", flush=True)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
