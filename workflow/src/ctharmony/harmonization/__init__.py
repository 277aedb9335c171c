"""Transport of a scan to the reference scanner, and the baselines beside it.

For notebooks: `Harmonizer.load(folder)(volume, spacing, site)`. This package computes and never
touches disk, so `Harmonizer` is defined in `ctharmony.harmonizer`, which reads the folder; it is
reached from here for convenience.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "Harmonizer":
        return import_module("ctharmony.harmonizer").Harmonizer
    raise AttributeError(f"module {__name__} has no attribute {name}")
