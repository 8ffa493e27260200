"""The query of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from covet._fields import Fields, pairs_of

__all__ = ["MAX_PARAMETERS", "QueryParams"]

MAX_PARAMETERS: Final = 1000
"""How many a request may have. The engine bounds the length of the target; this bounds what is made of it."""


class QueryParams(Mapping[str, str]):
    """Query parameters by name, decoded.

    A lookup gives the last value of a name, as typed parameters do; ``get_list`` gives all of them. Immutable.
    """

    __slots__ = ("_last", "_pairs")

    def __init__(self, query: str | bytes | Fields = ()) -> None:
        if isinstance(query, bytes):
            query = query.decode("latin-1")
        if isinstance(query, str):
            # Who makes it of a request's query has counted: see MAX_PARAMETERS.
            self._pairs = parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="replace")
        else:
            self._pairs = pairs_of(query)
        self._last = dict(self._pairs)

    def __getitem__(self, name: str, /) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._last)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QueryParams) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(tuple(self._pairs))

    def __repr__(self) -> str:
        return f"QueryParams({str(self)!r})"

    def __str__(self) -> str:
        """The query, encoded again."""
        return urlencode(self._pairs)

    def get_list(self, name: str, /) -> list[str]:
        """All values of the name, in order; empty when there is none."""
        return [value for key, value in self._pairs if key == name]

    def multi_items(self) -> list[tuple[str, str]]:
        """Every pair, in order."""
        return list(self._pairs)
