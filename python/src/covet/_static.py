"""Directories whose files the engine serves, without a worker."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["StaticFiles", "declare_static"]


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """A directory and how it is served; the fields are those that the engine knows."""

    path: str
    dir: str
    index: str
    listing: bool
    fallback: str
    dotfiles: bool
    follow_symlinks: bool
    precompressed: bool
    cache_control: str
    immutable: bool
    file: str
    line: int

    def described(self, prefix: str) -> dict[str, Any]:
        """What the engine is told."""
        return {**asdict(self), "path": (prefix + self.path).rstrip("/") or "/"}


def declare_static(path: str, directory: str | os.PathLike[str], file: str, line: int, **options: Any) -> StaticFiles:
    """Checks a declaration; a relative directory starts at that of the file it is written in.

    Whether it is there is found by the engine, which says so when it starts.
    """
    if not path.startswith("/") or "//" in path or re.search(r"[{}?#%\\\s]", path):
        raise ValueError(f"the path of static files is plain and starts with '/', not {path!r}")
    where = os.path.join(os.path.dirname(os.path.abspath(file)), os.fspath(directory))
    return StaticFiles(path=path, dir=os.path.abspath(where), file=file, line=line, **options)
