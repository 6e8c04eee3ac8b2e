"""A made-up drug market whose true risks are known, in which nothing names a real drug or firm."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
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

    _require_empty(out)
    folder = out.resolve()
    # A folder that something is mounted on cannot be put in another's place.
    mounted = folder.is_mount()
    beside = folder if mounted else folder.parent
    beside.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=beside))
    try:
        progress(f"simulate: {parameters.drugs:,} drugs, {parameters.years} years")
        world = simulate(parameters)
        write_records(world, aside, progress=progress)
        progress("records: the truth")
        world.truth.write(aside / TRUTH)
        (aside / ABOUT).write_text(_about(parameters), encoding="utf-8", newline="\n")
        aside.chmod(0o777 & ~_umask())
        _require_empty(out, aside)
        if mounted:
            for path in aside.iterdir():
                os.replace(path, folder / path.name)
        else:
            os.replace(aside, folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise ShortcastError(
            f"{out} was filled by another run meanwhile, so nothing was written; name another "
            "folder."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return out


def _require_empty(out: Path, aside: Path | None = None) -> None:
    """Refuse a folder that holds something other than our own work."""
    if out.exists() and (not out.is_dir() or any(path != aside for path in _inside(out))):
        raise ShortcastError(
            f"{out} holds something already; name a folder that is empty or not there yet."
        )


def _inside(folder: Path) -> list[Path]:
    return list(folder.resolve().iterdir())


def _umask() -> int:
    """Return which rights new files do not get; a folder of `tempfile` is its owner's alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
