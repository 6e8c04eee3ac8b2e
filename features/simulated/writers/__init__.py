"""The made-up market in the official file formats, as dated snapshots ``SOURCE/AS_OF/FILE``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shortcast.features.simulated.world import World
from shortcast.features.simulated.writers import (
    abroad,
    conduct,
    prices,
    products,
    recalls,
    shortages,
)
from shortcast.features.simulated.writers._words import Words

__all__ = ["write_records"]


def write_records(
    world: World, out: Path, *, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Write what the sources published of a market.

    Parameters
    ----------
    world : World
        The market.
    out : Path
        Folder that gets ``SOURCE/AS_OF/SIMULATED-...``.
    progress : callable
        Told one line for each family of sources.
    """
    words = Words.of(world)
    progress("records: the shortage list")
    shortages.write_html(world, out, words)
    shortages.write_lists(world, out, words)
    progress("records: products")
    shelf = products.Shelf.of(world, words)
    products.write_ndc(world, out, shelf)
    products.write_openfda_ndc(world, out, shelf)
    products.write_drugsatfda(world, out, shelf)
    products.write_orange_book(world, out, shelf)
    progress("records: recalls, inspections, letters, sites")
    recalls.write_enforcement(world, out, words)
    recalls.write_dashboard(world, out, words)
    conduct.write_inspections(world, out, words)
    conduct.write_citations(world, out)
    conduct.write_refusals(world, out, words)
    conduct.write_actions(world, out, words)
    conduct.write_letters(world, out)
    conduct.write_483s(world, out)
    conduct.write_establishments(world, out, words)
    progress("records: prices and spending")
    prices.write_nadac(world, out, words)
    prices.write_asp(world, out, words)
    prices.write_partb(world, out, words)
    prices.write_partd(world, out, words)
    progress("records: Canada and England")
    abroad.write_canada(world, out, words)
    abroad.write_england(world, out, words)
