"""Chance of the writers, and the faults that real records have: all drawn from the seed."""

from __future__ import annotations

import zlib
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shortcast.features.simulated.world import World

#: Rows, or postings, that are so.
MISSPELT, LATE, FLICKERS, TWICE, BROKEN = 0.007, 0.015, 0.003, 0.004, 0.001


def dice(world: World, *what: str | date) -> np.random.Generator:
    """Return a source of chance for one purpose.

    Parameters
    ----------
    world : World
        Its seed decides.
    what : str or date
        The purpose: whatever else is drawn elsewhere, what this one draws stays.

    Returns
    -------
    Generator
    """
    name = " ".join(str(part) for part in what)
    return np.random.default_rng([world.parameters.seed, zlib.crc32(name.encode())])


def some(rng: np.random.Generator, size: int, rate: float) -> NDArray[np.bool_]:
    """Choose each of ``size`` things with a probability."""
    return rng.random(size) < rate


def misspelt(names: pd.Series, which: NDArray[np.bool_], rng: np.random.Generator) -> pd.Series:
    """Swap two letters inside the first word of some names.

    Parameters
    ----------
    names : Series of str
        Names of four letters and more.
    which : array of bool
        Names to spoil.
    rng : Generator
        Source of chance.

    Returns
    -------
    Series of str
    """
    at = rng.integers(1, 4, len(names))
    spoilt = names.copy()
    for place in (1, 2, 3):
        mine = which & (at == place)
        text = names[mine]
        spoilt[mine] = (
            text.str[:place]
            + text.str[place + 1 : place + 2]
            + text.str[place : place + 1]
            + text.str[place + 2 :]
        )
    return spoilt


def with_broken(lines: list[str], broken: list[str], rng: np.random.Generator) -> list[str]:
    """Put broken lines among good ones, never at the end.

    Parameters
    ----------
    lines, broken : list of str
        Good and broken records.
    rng : Generator
        Source of chance.

    Returns
    -------
    list of str
    """
    if not lines:
        return lines
    found = list(lines)
    for line in broken:
        found.insert(int(rng.integers(len(found))), line)
    return found


def how_many(rng: np.random.Generator, rows: int, rate: float = BROKEN) -> int:
    """Draw the number of broken rows of a file."""
    return int(rng.binomial(rows, rate)) if rows > 1 else 0
