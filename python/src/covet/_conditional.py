"""Conditional requests (RFC 9110 section 13): what a client has already, and what it wants to change."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from covet._errors import PreconditionFailed
from covet._response import Response

__all__ = ["answer_conditions"]

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
# One element of a list: empty ones count as nothing (section 5.6.1).
_ELEMENT: Final = re.compile(r'[ \t,]*(?:((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)|$)')
# The three forms of an HTTP-date (section 5.6.7); package email takes much more.
_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [\d ]\d \d\d:\d\d:\d\d \d{4}"
)


def answer_conditions(
    method: str, fields: Iterable[tuple[bytes, bytes]], etag: str | None, last_modified: datetime | None
) -> Response | None:
    """The 304 for a request, or None where it is to be answered as usual; PreconditionFailed for 412."""
    if etag is not None and not _TAG.fullmatch(etag):
        raise ValueError(f"an entity tag has double quotes, as in '\"v1\"' or 'W/\"v1\"', not {etag!r}")
    if last_modified is not None and last_modified.tzinfo is None:
        raise ValueError("last_modified needs a time zone")
    modified = None if last_modified is None else last_modified.astimezone(UTC).replace(microsecond=0)
    found: dict[str, list[str]] = {}
    for name, value in fields:
        if name.startswith(b"if-"):
            found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    if not found:
        return None
    exists = etag is not None or modified is not None
    reads = method in ("GET", "HEAD")
    # The order is that of section 13.2.2.
    if "if-match" in found:
        if not _matches(found["if-match"], etag, exists=exists, strong=True):
            raise PreconditionFailed
    elif modified is not None and (since := _date(found.get("if-unmodified-since"))) and modified > since:
        raise PreconditionFailed
    if "if-none-match" in found:
        if not _matches(found["if-none-match"], etag, exists=exists, strong=False):
            return None
        if not reads:
            raise PreconditionFailed
    else:
        since = _date(found.get("if-modified-since"))
        if not reads or modified is None or since is None or modified > since:
            return None
    response = Response(b"", 304)
    if etag is not None:
        response.set_header("ETag", etag)
    if modified is not None and modified <= datetime.now(UTC):
        response.set_header("Last-Modified", format_datetime(modified, usegmt=True))
    return response


def _matches(lists: list[str], etag: str | None, *, exists: bool, strong: bool) -> bool:
    """Whether a list of tags names the current one; nothing counts from the first mistake on."""
    for text in lists:
        if text == "*":
            if exists:
                return True
            continue
        at = 0
        while at < len(text) and (found := _ELEMENT.match(text, at)):
            tag = found[1]
            if tag is not None and etag is not None:
                weak = tag.startswith("W/") or etag.startswith("W/")
                if tag.removeprefix("W/") == etag.removeprefix("W/") and not (strong and weak):
                    return True
            at = found.end()
    return False


def _date(values: list[str] | None) -> datetime | None:
    # Several dates are none (section 13.1.3).
    if values is None or len(values) != 1 or not _DATE.fullmatch(values[0]):
        return None
    try:
        date = parsedate_to_datetime(values[0]).replace(tzinfo=UTC)
    except ValueError:
        return None
    if "-" in values[0]:
        # Two digits more than 50 years ahead mean the past (section 5.6.7).
        now = datetime.now(UTC).year
        year = now - now % 100 + date.year % 100
        year = year - 100 if year > now + 50 else year + 100 if year <= now - 50 else year
        try:
            date = date.replace(year=year)
        except ValueError:
            return None
    return date
