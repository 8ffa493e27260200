"""Installs what the rivals run in: an environment of its own for each, with pinned versions, and the Go programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

import files
from rivals import BUILT, ENVS, HERE, STATIC, Rival

CADDY = "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def environment(name: str) -> None:
    """An environment is kept until its pins change."""
    pins = HERE / "requirements" / f"{name}.txt"
    stamp = ENVS / name / ".pins"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return
    say(f"installing {name} …")
    shutil.rmtree(ENVS / name, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(ENVS / name)], check=True)
    pip = [str(ENVS / name / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-r", str(pins)], check=True)
    stamp.write_text(pins.read_text())


def tools() -> None:
    """The harness's own: brotli, to make siblings of files and to check what servers compress."""
    environment("tools")
    for site in (ENVS / "tools" / "lib").glob("python*/site-packages"):
        if str(site) not in sys.path:
            sys.path.append(str(site))
    if not (STATIC / "file00.js.br").exists():
        files.write(STATIC)


def apt(program: str, package: str) -> bool:
    """Whether the program is there; it is installed when this may be done."""
    if shutil.which(program):
        return True
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    say(f"installing {package} …")
    done = subprocess.run(
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", package],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0 and shutil.which(program) is not None


def go(*packages: str) -> str | None:
    """Builds programs of bench/go; the compiler's words when that fails."""
    BUILT.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["go", "build", "-o", f"{BUILT}/", *packages],
        cwd=HERE / "go",
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode else None


def caddy() -> str | None:
    if (BUILT / "caddy").exists():
        return None
    say("building caddy (some minutes, once) …")
    BUILT.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["go", "install", CADDY],
        env={**os.environ, "GOBIN": str(BUILT), "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip()[-400:] if done.returncode else None


def prepare(rivals: Iterable[Rival]) -> dict[str, str]:
    """Installs what the rivals need; returns why, for each that cannot be had."""
    tools()
    missing: dict[str, str] = {}
    if error := go("./load"):
        sys.exit(f"the load generator cannot be built: {error}")
    failed: dict[str, str] = {}
    for r in rivals:
        if r.env and r.env not in failed:
            try:
                environment(r.env)
            except subprocess.CalledProcessError as e:
                failed[r.env] = f"installing {r.env} failed with status {e.returncode}"
        if r.env in failed:
            missing[r.name] = failed[r.env]
        if r.tool == "caddy":
            why = caddy()
        elif r.tool == "nginx":
            there = apt("nginx", "nginx-light")
            why = None if there else "nginx is not installed; on Debian: apt-get install nginx-light"
        elif r.tool:
            why = go(f"./{r.tool}")
        else:
            why = None
        if why:
            missing[r.name] = why
    return missing
