"""Packages as IT installs them."""
