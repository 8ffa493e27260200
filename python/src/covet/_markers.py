"""Where an argument comes from, written into its annotation: ``Annotated[int, Query(ge=1)]``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Body", "Cookie", "Header", "Marker", "Path", "Query"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the markers for text have in common."""

    alias: str | None = None
    """The name in the request, where it is not the parameter's."""
    gt: float | None = None
    """Greater than: numbers."""
    ge: float | None = None
    """Greater than or equal: numbers."""
    lt: float | None = None
    """Less than: numbers."""
    le: float | None = None
    """Less than or equal: numbers."""
    min_length: int | None = None
    """At least so many characters: str."""
    max_length: int | None = None
    """At most so many characters: str."""
    pattern: str | None = None
    """A regular expression that is found somewhere in the text: str. Anchor it with ``^`` and ``$``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path(Marker):
    """A path parameter. Needed only for constraints: parameters named in the path come from there anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Marker):
    """A query parameter. Needed only for an alias or constraints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Marker):
    """A header field: the parameter's name with hyphens for underscores, unless ``alias`` says otherwise."""

    convert_underscores: bool = True
    """Whether underscores of the parameter's name become hyphens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie(Marker):
    """A cookie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The request body: JSON decoded to the annotated type, or for ``bytes`` the body as it is.

    Needed only for types that would be query parameters otherwise, and for ``bytes``.
    """

    embed: bool = False
    """Whether the value is below a key of the parameter's name, as it is when there are several body parameters."""
    alias: str | None = None
    """The key, where it is not the parameter's name."""
