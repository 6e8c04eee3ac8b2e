"""Feature groups, one file each; the registry finds them by their ``GROUP``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from shortcast.features.groups.contract import Feature, Group

__all__ = ["Feature", "Group", "features", "registry"]


@lru_cache(maxsize=1)
def registry() -> dict[str, Group]:
    """Return every group of this folder by name, in alphabetical order.

    Returns
    -------
    dict of str to Group
        Groups whose module defines ``GROUP``.
    """
    found: dict[str, Group] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        group = getattr(importlib.import_module(f"{__name__}.{module.name}"), "GROUP", None)
        if isinstance(group, Group):
            found[group.name] = group
    return found


def features() -> dict[str, Feature]:
    """Return every feature by name, in panel order.

    Returns
    -------
    dict of str to Feature
        All features of all groups.
    """
    return {f.name: f for group in registry().values() for f in group.features}
