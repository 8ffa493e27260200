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
# Section 4.1.1: an attribute's value is any CHAR except controls and ";"; section 5.6.4: a path that does not begin
# with a slash is ignored.
_PATH: Final = re.compile(r"/[ -:<-~]*")
# Section 5.6: user agents drop a cookie whose name and value together are longer.
_MAX_PAIR: Final = 4096
# Section 5.6: and ignore an attribute whose value is longer.
_MAX_ATTRIBUTE: Final = 1024
# Section 5.5: they cap Max-Age and Expires at 400 days: more says nothing.
_MAX_AGE: Final = 400 * 24 * 3600
# Section 4.1.2.3: a host name, ASCII as it goes into DNS; a leading dot is ignored.
_DOMAIN: Final = re.compile(r"\.?[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?")
# A request may have more; who sends so many is no browser (they keep some 200 for a site), and is not served by them.
_MAX_COOKIES: Final = 1000


class Cookies(Mapping[str, str]):
    """The cookies of a request by name. Immutable.

    Of several with one name the first is kept: user agents send those of the longest path first (RFC 6265bis
    section 5.8.3), so a cookie set for a parent path cannot hide a more specific one.

    Pairs without a name or a ``=`` are skipped: a cookie without a name could otherwise pose as one with a prefix
    (section 5.7). One pair of double quotes around a value is taken off, as other servers do. At most 1,000 are read.
    """

    __slots__ = ("_values",)

    def __init__(self, headers: Iterable[str] | str = ()) -> None:
        """Parses the values of ``Cookie`` fields."""
        self._values: dict[str, str] = {}
        for header in (headers,) if isinstance(headers, str) else headers:
            for pair in header.split(";", _MAX_COOKIES)[:_MAX_COOKIES]:
                if len(self._values) >= _MAX_COOKIES:
                    return
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
        parts.append(f"Max-Age={min(int(max_age), _MAX_AGE)}")
    if expires is not None:
        if expires.tzinfo is None:
            raise ValueError(f"expires of the cookie {name} has no time zone")
        parts.append(f"Expires={format_datetime(expires.astimezone(UTC), usegmt=True)}")
    for attribute, text, shape in (("Path", path, _PATH), ("Domain", domain, _DOMAIN)):
        if text is not None:
            if len(text) > _MAX_ATTRIBUTE:
                raise ValueError(f"{attribute.lower()} of the cookie {name} is over {_MAX_ATTRIBUTE} bytes")
            if not shape.fullmatch(text):
                raise ValueError(f"{attribute.lower()} of the cookie {name} cannot be that: {text!r}")
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
    if lower.startswith(("__http-", "__host-http-")) and not (httponly and secure):
        raise ValueError(f"the cookie {name} has a prefix that needs secure and httponly")
    if secure:
        parts.append("Secure")
    if httponly:
        parts.append("HttpOnly")
    if samesite is not None:
        parts.append(f"SameSite={samesite.capitalize()}")
    if partitioned:
        parts.append("Partitioned")
    return "; ".join(parts)
