"""Farhand's collector: keeps what laptops say, judges it, explains it."""

__version__ = "0.1.0"
