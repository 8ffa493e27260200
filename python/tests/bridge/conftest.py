"""Tests of the extension. They need it built: see csrc/README.md."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["asyncio", "uvloop"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both ways to serve the rings: inside the selector, and by a reader on another loop."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    return str(request.param)
