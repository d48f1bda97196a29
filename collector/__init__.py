"""Farhand's collector: keeps what laptops say, judges it, explains it."""

from agent import __version__

__all__ = ["__version__"]
