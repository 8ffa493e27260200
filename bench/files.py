"""The files of the static profile: twenty, of 1 KB to 300 KB, the same everywhere, with their compressed siblings."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 56, 72, 96, 128, 160, 200, 250, 300)
"""Kilobytes."""
KINDS = ("js", "css", "json", "svg", "png")
WORDS = (
    *("const", "return", "margin", "padding", "function", "color", "item", "value"),
    *("width", "price", "rating", "path", "stroke", "fill", "import"),
)


def contents() -> dict[str, bytes]:
    made = {}
    for i, size in enumerate(SIZES):
        kind = KINDS[i % len(KINDS)]
        source = random.Random(i)
        if kind == "png":
            data = source.randbytes(size * 1000)
        else:
            words = []
            length = 0
            while length < size * 1000:
                word = source.choice(WORDS) + str(source.randrange(1000)) + source.choice(" \n;{}()")
                words.append(word)
                length += len(word)
            data = "".join(words).encode()[: size * 1000]
        made[f"file{i:02}.{kind}"] = data
    return made


def write(folder: Path) -> None:
    """Writes the files, and .gz and .br beside those that compress."""
    import brotli  # of the environment "tools"

    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents().items():
        (folder / name).write_bytes(data)
        if not name.endswith(".png"):
            (folder / f"{name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
            (folder / f"{name}.br").write_bytes(brotli.compress(data))
