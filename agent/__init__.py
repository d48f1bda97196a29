"""Farhand's agent: measures on the laptop, judges nothing."""

__version__ = "0.1.0"
