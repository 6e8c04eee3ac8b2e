"""A made-up drug market whose true risks are known, in which nothing names a real drug or firm."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shortcast import __version__
from shortcast.errors import ShortcastError
from shortcast.features.kind import PREFIX

if TYPE_CHECKING:
    from shortcast.features.simulated.parameters import Parameters

#: Names of the files beside the sources' folders.
TRUTH, ABOUT = f"{PREFIX}truth.parquet", f"{PREFIX}README.txt"


def records(
    parameters: Parameters,
    out: Path,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Simulate a market and write its records, in the official file formats.

    Parameters
    ----------
    parameters : Parameters
        Size, seed and rates.
    out : Path
        Folder to write, which must be empty or not there yet. It gets
        ``SOURCE/AS_OF/SIMULATED-...``, the true hazards (`TRUTH`) and what it is (`ABOUT`).
    progress : callable
        Told one line for each step.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ShortcastError
        If the folder holds something already.
    """
    # The machinery is loaded when it is used: the command line imports this module for its names.
    from shortcast.features.simulated.world import simulate
    from shortcast.features.simulated.writers import write_records

    out = out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ShortcastError(
            f"{out} holds something already; name a folder that is empty or not there yet."
        )
    aside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        progress(f"simulate: {parameters.drugs:,} drugs, {parameters.years} years")
        world = simulate(parameters)
        write_records(world, aside, progress=progress)
        progress("records: the truth")
        world.truth.write(aside / TRUTH)
        (aside / ABOUT).write_text(_about(parameters), encoding="utf-8", newline="\n")
        if out.exists():
            out.rmdir()
        os.replace(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return out


def _about(parameters: Parameters) -> str:
    """Say what the folder is, in plain words."""
    rates = "\n".join(f"{name} = {value}" for name, value in vars(parameters).items())
    return f"""SIMULATED RECORDS: NOTHING IN THIS FOLDER IS REAL.

Drugs, firms, plants, shortages, recalls, inspections and prices are made up by a simulation, and
so are all names: none is that of a real drug or firm. The files have the formats in which public
bodies publish such records; no public body has anything to do with them. They serve to see
shortcast at work, and to test it where the true risks are known. Never use them for a decision
about a medicine, a firm or a patient.

SOURCE/AS_OF/SIMULATED-...  what each source had published by that day; 'shortcast import' takes
                            this folder as it is.
{TRUTH}     the true hazard of every drug at the first of every month: the probability
                            that a new shortage is posted within 1, 3, 6 and 12 months. Its
                            drug_id is that of shortcast's own tables.

Made by shortcast {__version__} with:

{rates}

The same parameters make the same bytes again.
"""
