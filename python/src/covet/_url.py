"""Where a request went and whom it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["URL", "Address"]


class Address(NamedTuple):
    """One end of a connection."""

    host: str
    """An IP address in text form."""
    port: int


@dataclass(frozen=True, slots=True)
class URL:
    """The URL of a request, put together from scheme, authority and target. ``str(url)`` is the whole."""

    scheme: str
    netloc: str
    """Host and port as the client wrote them."""
    path: str
    """As received, still percent-encoded."""
    query: str
    """As received, without the question mark."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}{'?' + self.query if self.query else ''}"

    @property
    def hostname(self) -> str:
        """The host in lower case, without port and without the brackets of an IPv6 address."""
        return self._split()[0].lower()

    @property
    def port(self) -> int | None:
        """The port if the client wrote one."""
        return self._split()[1]

    def _split(self) -> tuple[str, int | None]:
        if self.netloc.startswith("["):
            host, _, rest = self.netloc[1:].partition("]")
            port = rest.removeprefix(":")
        else:
            host, _, port = self.netloc.partition(":")
        return host, int(port) if port.isascii() and port.isdigit() else None
