"""Builds the C extension; everything else is in pyproject.toml."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

here = Path(__file__).parent
flags = [
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
    "-fvisibility=hidden",
]
if os.environ.get("COVET_WERROR"):
    flags.append("-Werror")
link: list[str] = []
sanitize = os.environ.get("COVET_SANITIZE", "")
if sanitize:  # such as "address" or "address,undefined": see csrc/README.md
    flags += [f"-fsanitize={sanitize}", "-fno-omit-frame-pointer", "-O1", "-g"]
    link += [f"-fsanitize={sanitize}"]
else:
    flags.append("-O3")
if sys.platform == "win32":
    raise SystemExit("CovetPy workers need shared memory by descriptor: Linux or macOS")

setup(
    ext_modules=[
        Extension(
            "covet._bridge",
            sources=sorted(str(p.relative_to(here)) for p in (here / "csrc").glob("*.c")),
            depends=sorted(str(p.relative_to(here)) for p in (here / "csrc").glob("*.h")),
            extra_compile_args=flags,
            extra_link_args=link,
        )
    ]
)
