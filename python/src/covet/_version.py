"""The version of the package, which is the engine's."""

__all__ = ["__version__"]

__version__ = "0.1.0"
