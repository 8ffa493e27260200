"""A place for what an application or a request carries along."""

from __future__ import annotations

from typing import Any

__all__ = ["State"]


class State:
    """Attributes of your own: ``app.state.pool = …``, ``request.state.user = …``."""

    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> Any:
        # Reached only for what is not there; present for type checkers, which then allow any attribute.
        raise AttributeError(f"nothing was stored in the state as {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def __repr__(self) -> str:
        return f"State({', '.join(self.__dict__)})"
