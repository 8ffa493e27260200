"""Cookies: read from requests, written to responses (RFC 6265bis)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal

from covet._fields import TOKEN

__all__ = ["Cookies", "SameSite", "set_cookie_value"]

SameSite = Literal["strict", "lax", "none"]
"""Whether a cookie is sent with requests from other sites."""

# RFC 6265bis section 4.1.1: cookie-octet is US-ASCII without controls, space, DQUOTE, comma, semicolon and backslash.
_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")
# Section 4.1.1: an attribute's value is any CHAR except controls and ";".
_ATTRIBUTE: Final = re.compile(r"[ -:<-~]*")
# Section 5.6: user agents drop a cookie whose name and value together are longer.
_MAX_PAIR: Final = 4096


class Cookies(Mapping[str, str]):
    """The cookies of a request by name. Immutable.

    Of several with one name the first is kept: user agents send those of the longest path first (RFC 6265bis
    section 5.8.3), so a cookie set for a parent path cannot hide a more specific one.
    """

    __slots__ = ("_values",)

    def __init__(self, headers: Iterable[str] | str = ()) -> None:
        """Parses the values of ``Cookie`` fields."""
        self._values: dict[str, str] = {}
        for header in (headers,) if isinstance(headers, str) else headers:
            for pair in header.split(";"):
                name, equals, value = pair.partition("=")
                name, value = name.strip(" \t"), value.strip(" \t")
                if not equals or not name:
                    continue
                if len(value) > 1 and value[0] == value[-1] == '"':
                    value = value[1:-1]
                self._values.setdefault(name, value)

    def __getitem__(self, name: str, /) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # Values are secrets more often than not, and representations end up in logs.
        return f"Cookies({', '.join(self._values)})"


def set_cookie_value(
    name: str,
    value: str,
    *,
    max_age: int | None,
    expires: datetime | None,
    path: str | None,
    domain: str | None,
    secure: bool,
    httponly: bool,
    samesite: SameSite | None,
    partitioned: bool,
) -> str:
    """The value of a ``Set-Cookie`` field; ValueError for what user agents would refuse or misread."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a cookie")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of the cookie {name} has characters that cookies cannot carry: encode it first")
    if len(name) + len(value) > _MAX_PAIR:
        raise ValueError(f"the cookie {name} is over {_MAX_PAIR} bytes")
    parts = [f"{name}={value}"]
    if max_age is not None:
        parts.append(f"Max-Age={int(max_age)}")
    if expires is not None:
        if expires.tzinfo is None:
            raise ValueError(f"expires of the cookie {name} has no time zone")
        parts.append(f"Expires={format_datetime(expires.astimezone(UTC), usegmt=True)}")
    for attribute, text in (("Path", path), ("Domain", domain)):
        if text is not None:
            if not _ATTRIBUTE.fullmatch(text):
                raise ValueError(
                    f"{attribute.lower()} of the cookie {name} has a character that cannot be there: {text!r}"
                )
            parts.append(f"{attribute}={text}")
    if samesite not in (None, "strict", "lax", "none"):
        raise ValueError(f"samesite of the cookie {name} is strict, lax or none, not {samesite!r}")
    # Section 5.7: without these a user agent ignores the whole cookie.
    lower = name.lower()
    if not secure:
        if samesite == "none":
            raise ValueError(f"the cookie {name} has samesite none: it needs secure")
        if partitioned:
            raise ValueError(f"the cookie {name} is partitioned: it needs secure")
        if lower.startswith(("__secure-", "__host-")):
            raise ValueError(f"the cookie {name} has a prefix that needs secure")
    if lower.startswith("__host-") and (path != "/" or domain is not None):
        raise ValueError(f"the cookie {name} has a prefix that needs path / and no domain")
    if secure:
        parts.append("Secure")
    if httponly:
        parts.append("HttpOnly")
    if samesite is not None:
        parts.append(f"SameSite={samesite.capitalize()}")
    if partitioned:
        parts.append("Partitioned")
    return "; ".join(parts)
