"""Header fields on their way out: what may be in a name and in a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, cast

__all__ = ["TOKEN", "Fields", "check_field", "check_fields", "check_trailers", "pairs_of"]

Fields = Mapping[str, str] | Iterable[tuple[str, str]]
"""Names and values as callers give them: a mapping, or pairs where names repeat."""

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token of RFC 9110 section 5.6.2: names of fields, methods, cookies."""

# RFC 9110 section 5.5: CR, LF and NUL in a value are dangerous; other controls except HTAB are invalid.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def check_field(name: str, value: str) -> tuple[str, str]:
    """Returns the field, or raises ValueError when it would end the field early or forge another one."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header field")
    if _FORBIDDEN.search(value):
        raise ValueError(f"the value of the header field {name} has a control character: {value!r}")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"the value of the header field {name} is not Latin-1: {value!r}") from None
    # Outer whitespace is not part of a value.
    return name, value.strip(" \t")


def pairs_of(fields: Fields) -> list[tuple[str, str]]:
    """The pairs of either form."""
    if isinstance(fields, Mapping):
        return list(cast("Mapping[str, str]", fields).items())
    return list(fields)


def check_fields(headers: Fields | None) -> list[tuple[str, str]]:
    """The fields of a mapping or of pairs, each checked."""
    return [] if headers is None else [check_field(name, value) for name, value in pairs_of(headers)]


# RFC 9110 section 6.5.1: what must be known before the content. The engine keeps the same list.
_NO_TRAILERS: Final = frozenset(
    [
        "te",
        "via",
        "host",
        "range",
        "cookie",
        "expect",
        "pragma",
        "origin",
        "trailer",
        "upgrade",
        "forwarded",
        "x-real-ip",
        "connection",
        "keep-alive",
        "set-cookie",
        "transfer-encoding",
        "authorization",
        "proxy-authorization",
        "proxy-authenticate",
        "www-authenticate",
        "proxy-connection",
        "cache-control",
        "max-forwards",
        "age",
        "date",
        "vary",
        "allow",
        "server",
        "expires",
        "location",
        "retry-after",
    ]
)


def check_trailers(trailers: Fields | None) -> list[tuple[str, str]]:
    """The trailer fields of a mapping or of pairs, each checked; ValueError for one that may not follow a body."""
    fields = check_fields(trailers)
    for name, _ in fields:
        lower = name.lower()
        if lower in _NO_TRAILERS or lower.startswith(("content-", "if-", "x-forwarded-")):
            raise ValueError(f"{name} may not stand behind the body, as a trailer field")
    return fields
