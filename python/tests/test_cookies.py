"""Cookies (RFC 6265bis)."""

from __future__ import annotations

from typing import Any

import pytest

from covet import Cookies, Response


def written(name: str = "a", value: str = "b", **attributes: Any) -> str:
    response = Response()
    response.set_cookie(name, value, **{"samesite": None, "path": None, **attributes})
    return dict(response.headers)["Set-Cookie"]


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1; a=2", {"a": "1"}),
        (" a = 1 ;b", {"a": "1"}),
        ("=__Host-a=evil; b=1", {"b": "1"}),
        ('a="b c"; d="', {"a": "b c", "d": '"'}),
        (";;; ;a=b=c", {"a": "b=c"}),
        ("", {}),
    ],
)
def test_read(header: str, cookies: dict[str, str]) -> None:
    assert dict(Cookies(header)) == cookies


def test_reading_is_bounded() -> None:
    assert len(Cookies("; ".join(f"c{i}=1" for i in range(100_000)))) == 1000
    assert len(Cookies([f"c{i}=1" for i in range(100_000)])) == 1000


def test_written() -> None:
    assert written() == "a=b"
    assert written(max_age=10**9) == "a=b; Max-Age=34560000"
    assert written(path="/x y", domain=".Example.com") == "a=b; Path=/x y; Domain=.Example.com"
    assert written("__Host-Http-a", "b", path="/", secure=True, httponly=True).endswith("Secure; HttpOnly")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a;b"},
        {"value": "b c"},
        {"value": "b\r\nx: y"},
        {"value": "x" * 4096},
        {"path": "x"},
        {"path": "/;x"},
        {"path": "/" + "x" * 1024},
        {"domain": "a b"},
        {"domain": "."},
        {"domain": "a-"},
        {"samesite": "none"},
        {"partitioned": True},
        {"name": "__sEcUrE-a"},
        {"name": "__Host-a", "secure": True},
        {"name": "__Host-a", "secure": True, "path": "/", "domain": "a"},
        {"name": "__Http-a", "secure": True},
    ],
)
def test_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cookie"):
        written(**wrong)


@pytest.mark.parametrize("name", ["__Host-a", "__Secure-a", "__Http-a", "__Host-Http-a", "a"])
def test_deleted(name: str) -> None:
    response = Response()
    response.delete_cookie(name)
    value = dict(response.headers)["Set-Cookie"]
    assert value.startswith(f"{name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/")
    assert ("Secure" in value.split("; ")) == (name != "a")
