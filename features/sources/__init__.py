"""Public sources, one file each; the registry finds them by their ``SOURCE``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from shortcast.features.sources.contract import (
    Column,
    Reading,
    Source,
    SourceError,
    Table,
)
from shortcast.features.sources.fetching import Fetching

__all__ = ["Column", "Fetching", "Reading", "Source", "SourceError", "Table", "registry"]


@lru_cache(maxsize=1)
def registry() -> dict[str, Source]:
    """Return every source of this folder by name, in alphabetical order.

    Returns
    -------
    dict of str to Source
        Sources whose module defines ``SOURCE``.
    """
    found: dict[str, Source] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        source = getattr(importlib.import_module(f"{__name__}.{module.name}"), "SOURCE", None)
        if isinstance(source, Source):
            found[source.name] = source
    return found
