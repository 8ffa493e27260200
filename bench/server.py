"""A rival that runs: started, waited for, and ended with everything that it started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rivals import HERE, STATIC, Rival, Setting

START_TIMEOUT = 20.0
STOP_TIMEOUT = 10.0
HURRY_TIMEOUT = 1.0
"""When the harness is interrupted."""
PR_SET_PDEATHSIG = 1


class Refused(Exception):
    """A server did not start, or gave an answer that is not right."""


@dataclass(frozen=True)
class Running:
    port: int
    pid: int


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def raise_limits() -> int:
    """Allows as many open files as the machine gives; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        if os.geteuid() == 0 and hard < 250_000:
            resource.setrlimit(resource.RLIMIT_NOFILE, (250_000, 250_000))
            return 250_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard > 0 else soft


_prctl = ctypes.CDLL(None).prctl


def die_with_harness() -> None:
    """Runs in the child: a harness that is killed leaves nothing behind."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Ends a session and whatever is left in it."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(rival: Rival, compress: bool = False, workers: int = 1) -> Iterator[Running]:
    """A rival that takes connections."""
    port = free_port()
    variables = {**os.environ, "BENCH_STATIC": str(STATIC), "BENCH_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    if compress:
        variables["BENCH_COMPRESS"] = "1"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        server = subprocess.Popen(
            rival.command(Setting(port, Path(folder), workers, compress)),
            cwd=HERE / "apps",
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_harness,
        )
        patience = STOP_TIMEOUT
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not _listens(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise Refused(f"did not start: {output.read().decode(errors='replace')[-1500:]}")
                time.sleep(0.05)
            yield Running(port, server.pid)
        except (KeyboardInterrupt, SystemExit):
            patience = HURRY_TIMEOUT
            raise
        finally:
            end(server, patience)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False
