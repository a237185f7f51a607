"""The compiled part of the package."""

from heartwire._native import repod as repod

__version__: str
