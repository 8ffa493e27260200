"""The header fields of a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from covet._fields import Fields, pairs_of

__all__ = ["Headers"]


class Headers(Mapping[str, str]):
    """Header fields by name, without regard to case, in the order received.

    A lookup gives the first value of a name, ``get_list`` all of them, ``multi_items`` every field. Immutable.
    """

    __slots__ = ("_fields", "_first")

    def __init__(self, fields: Fields = ()) -> None:
        self._fields = [(name.lower(), value) for name, value in pairs_of(fields)]
        self._first: dict[str, str] = {}
        for name, value in self._fields:
            self._first.setdefault(name, value)

    @classmethod
    def from_raw(cls, raw: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Fields as they came; bytes are read as Latin-1, which loses nothing (RFC 9110 section 5.5)."""
        return cls((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)

    def __getitem__(self, name: str, /) -> str:
        return self._first[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._first)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(tuple(self._fields))

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"

    def get_list(self, name: str, /) -> list[str]:
        """All values of the name, in order; empty when there is none."""
        name = name.lower()
        return [value for key, value in self._fields if key == name]

    def multi_items(self) -> list[tuple[str, str]]:
        """Every field, names in lower case, in order."""
        return list(self._fields)
