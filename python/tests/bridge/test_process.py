"""``python -m covet._worker`` as the engine starts it: descriptors, messages, exit statuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from engine import FakeEngine, L, request_frame

SRC = Path(__file__).parents[2] / "src"

APP = """
import asyncio, time
from contextlib import asynccontextmanager
from covet import App

log = []

@asynccontextmanager
async def lifespan(app):
    print("up", flush=True)
    yield
    print("down", flush=True)

app = App(title="T", lifespan=lifespan)

@app.get("/users/{id}")
async def get_user(id: int):
    return {"id": id}

@app.get("/slow")
async def slow(seconds: float):
    await asyncio.sleep(seconds)
    return "slept"

@app.get("/thread")
def thread():
    return "thread"

@app.get("/block")
async def block():
    time.sleep(30)

@app.get("/stream")
async def stream():
    yield "a"
    yield "b"

class nested:
    app = app

not_an_app = 5
"""


class Worker:
    """A worker process and its engine."""

    def __init__(self, tmp_path: Path, source: str = APP, target: str = "shop:app", **keys: Any) -> None:
        (tmp_path / "shop.py").write_text(textwrap.dedent(source))
        self.engine = FakeEngine()
        mine, theirs = socket.socketpair()
        mine.settimeout(15)
        e = self.engine
        wanted = [theirs.fileno(), e.fd, e.doorbell, *e.bells]
        # Far from the numbers they are to get, so that no dup2 overwrites one that is still needed.
        high = [os.dup(fd) for fd in wanted]
        base = max(high) + 40
        high2 = [os.dup2(fd, base + i) for i, fd in enumerate(high)]

        def place() -> None:
            for i, fd in enumerate(high2):
                os.dup2(fd, 3 + i)

        settings = {
            "target": target,
            "dir": str(tmp_path),
            "loops": 1,
            "credit": 16,
            "threads": 2,
            "loop": "asyncio",
            **keys,
        }
        env = {**os.environ, "COVET_WORKER": json.dumps(settings), "PYTHONPATH": str(SRC)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "covet._worker"],
            env=env,
            preexec_fn=place,
            pass_fds=[3, 4, 5, 6],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for fd in (*high, *high2):
            os.close(fd)
        theirs.close()
        self.socket = mine
        self.lines = mine.makefile("r")

    def message(self) -> Any:
        line = self.lines.readline()
        assert line, self.process.communicate(timeout=10)
        return json.loads(line)

    def expect(self, *kinds: str) -> Any:
        for kind in kinds:
            m = self.message()
            assert m["type"] == kind, m
        return m

    def send(self, kind: str, **keys: Any) -> None:
        self.socket.sendall(json.dumps({"type": kind, **keys}).encode() + b"\n")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=15)
        return self.process.returncode, out, err

    def close(self) -> None:
        self.lines.close()
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.engine.close()


@pytest.fixture
def start(tmp_path: Path) -> Any:
    workers: list[Worker] = []

    def make(*args: Any, **keys: Any) -> Worker:
        workers.append(Worker(tmp_path, *args, **keys))
        return workers[-1]

    yield make
    for w in workers:
        w.close()


def test_a_whole_life(start: Any, kind: str) -> None:
    w = start(loop=kind, spin_us=20, sched_batch=True)
    hello = w.expect("hello")
    assert (hello["pid"], hello["layout"], hello["loop"]) == (w.process.pid, L["VERSION"], kind)
    routes = w.expect("routes")
    assert (routes["title"], [r["mode"] for r in routes["routes"]]) == (
        "T",
        ["async", "async", "sync", "async", "async_iterator"],
    )
    assert routes["routes"][0]["path"] == "/users/{id}"
    w.expect("ready")
    e = w.engine
    for n in range(50):
        e.put(request_frame(0, path=f"/users/{n}", params=[str(n)]))
        (a,) = e.wait()
        assert json.loads(a.body) == {"id": n}
    e.put(request_frame(0, path="/users/x", params=["x"]))
    (a,) = e.wait()
    assert (a.status, json.loads(a.details)[0]["field"]) == (422, "path.id")
    e.put(request_frame(2))
    assert e.wait()[0].body == b"thread"
    e.put(request_frame(4))
    found = e.wait()
    while not found[-1].final:
        found += e.wait()
    assert b"".join(a.body for a in found) == b"ab"
    # SIGTERM is the engine's affair; a drain lets the slow one end.
    e.put(request_frame(1, query="seconds=0.2"))
    w.process.send_signal(signal.SIGTERM)
    w.process.send_signal(signal.SIGINT)
    w.send("drain", grace=10)
    assert e.wait()[0].body == b"slept"
    w.expect("drained")
    assert w.end() == (0, "up\ndown\n", "")


def test_a_drain_cancels_after_its_grace(start: Any) -> None:
    w = start()
    w.expect("hello", "routes", "ready")
    w.engine.put(request_frame(1, query="seconds=60"))
    w.send("drain", grace=0.05)
    assert w.engine.wait()[0].status == 503
    w.expect("drained")
    assert w.end()[:2] == (0, "up\ndown\n")


@pytest.mark.parametrize("how", ["stop", "eof"])
def test_stop_and_the_end_of_the_channel(start: Any, how: str) -> None:
    w = start()
    w.expect("hello", "routes", "ready")
    if how == "stop":
        w.send("stop")
    else:
        w.socket.shutdown(socket.SHUT_WR)
    assert w.end() == (0, "up\ndown\n", "")
    assert w.lines.readline() == ""


def test_describe(start: Any) -> None:
    w = start(describe=True)
    w.expect("hello", "routes")
    assert w.end() == (0, "", "")


def test_stacks_of_a_blocked_worker(start: Any) -> None:
    w = start()
    w.expect("hello", "routes", "ready")
    e = w.engine
    e.put(request_frame(3, slot=6))
    while not (e.u64(L["REGION_BUSY_SINCE"]) and e.u32(L["REGION_BUSY_SLOT"]) == 6):
        assert w.process.poll() is None
    w.process.send_signal(signal.SIGUSR1)
    assert w.process.stderr is not None
    text = ""
    while "in block" not in text:
        text += w.process.stderr.readline()


@pytest.mark.parametrize(
    ("source", "keys", "stage", "message", "hint"),
    [
        (APP, {"target": "nowhere:app"}, "import", "no module named 'nowhere'", "module:attribute"),
        (APP, {"target": "no/such.py:app"}, "import", "does not exist", "check the path"),
        (APP, {"target": "shop:ap"}, "lookup", "shop has no attribute 'ap'", "did you mean shop:app?"),
        (APP, {"target": "shop:not_an_app"}, "lookup", "is a int, not a covet App", "app = App()"),
        (
            "import nonexistent_dependency",
            {},
            "import",
            "needs the module 'nonexistent_dependency'",
            "pip install nonexistent_dependency",
        ),
        ("x = (1,\ny = 2", {}, "import", "syntax error in", ""),
        ("def f():\n    raise KeyError('boom')\nf()", {}, "import", "importing shop raised KeyError: 'boom'", ""),
        ("raise SystemExit(3)", {}, "import", "importing shop raised SystemExit", ""),
        (
            "from covet import App\napp = App()\n@app.get('/{id}')\nasync def f(other): ...",
            {},
            "routes",
            "",
            "",
        ),
        (
            "from contextlib import asynccontextmanager\nfrom covet import App\n@asynccontextmanager\n"
            "async def ls(a):\n    raise OSError('no database')\n    yield\napp = App(lifespan=ls)",
            {},
            "lifespan",
            "the lifespan raised OSError: no database",
            "",
        ),
        (APP, {"loops": 3}, "bridge", "", "reinstall"),
    ],
)
def test_starts_that_fail(start: Any, source: str, keys: dict[str, Any], stage: str, message: str, hint: str) -> None:
    w = start(source, **keys)
    m = w.message()
    while m["type"] in ("hello", "routes"):
        m = w.message()
    assert (m["type"], m["stage"]) == ("failed", stage)
    assert message in m["message"]
    assert hint in m["hint"]
    code, _, err = w.end()
    assert code == 1
    assert "Traceback" not in err
    if "syntax" in message:
        assert "shop.py:" in m["message"]
    if "boom" in message:
        assert "shop.py:2" in m["message"]
        assert "_worker" not in m["traceback"]


@pytest.mark.parametrize("target", ["shop.py:app", "./shop.py", "shop:nested.app", "shop"])
def test_forms_of_the_target(start: Any, target: str) -> None:
    w = start(target=target, describe=True)
    w.expect("hello", "routes")
    assert w.end()[0] == 0


def test_without_an_engine() -> None:
    env = {k: v for k, v in os.environ.items() if k != "COVET_WORKER"} | {"PYTHONPATH": str(SRC)}
    r = subprocess.run([sys.executable, "-m", "covet._worker"], env=env, capture_output=True, text=True, timeout=20)
    assert r.returncode == 2
    assert "covet run" in r.stderr
    r = subprocess.run(
        [sys.executable, "-m", "covet._worker"],
        env={**env, "COVET_WORKER": "{"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert r.returncode == 2
    assert "Traceback" not in r.stderr


TASKS = """
import anyio, asyncio, threading
from contextlib import asynccontextmanager
from covet import App

@asynccontextmanager
async def lifespan(app):
    async with anyio.create_task_group() as group, asyncio.timeout(None):
        group.start_soon(anyio.sleep_forever)
        yield
        group.cancel_scope.cancel()
    print("down", flush=True)

app = App(lifespan=lifespan)

@app.get("/")
async def thread():
    return await asyncio.to_thread(lambda: threading.current_thread().name)
"""


@pytest.mark.parametrize("how", ["drain", "stop"])
def test_a_lifespan_with_task_groups_and_cancel_scopes(start: Any, how: str) -> None:
    """They must be left in the Task that has entered them."""
    w = start(TASKS)
    w.expect("hello", "routes", "ready")
    w.engine.put(request_frame())
    (a,) = w.engine.wait()
    assert a.body.startswith(b"covet-")
    w.send(how, grace=1)
    if how == "drain":
        w.expect("drained")
    code, out, err = w.end()
    assert (code, out.split(), err) == (0, ["down"], "")
