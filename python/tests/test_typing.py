"""The package and a user's code under the type checkers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command",
    [
        ["mypy", "--strict", "--warn-unused-ignores", "--package", "covet"],
        ["mypy", "--strict", "--warn-unused-ignores", "tests/typing/decorators.py"],
        ["pyright", "--pythonpath", sys.executable],
    ],
    ids=["mypy package", "mypy user", "pyright"],
)
def test_type_checkers(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
