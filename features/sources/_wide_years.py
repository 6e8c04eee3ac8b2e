"""Tables with the figures of several years side by side, one row a thing and year."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from shortcast.features.sources.contract import SourceError
from shortcast.features.sources.tables import require


def years_below(
    frame: pd.DataFrame, names: Mapping[str, str], figures: Mapping[str, str], file: str
) -> pd.DataFrame:
    """Put the years of a table below each other.

    Parameters
    ----------
    frame : DataFrame
        Text, with ``source_row``; the column of a figure and year is ``FIGURE_2023``.
    names : mapping of str to str
        Columns that name a row, and what they shall be called.
    figures : mapping of str to str
        Figures, and what they shall be called.
    file : str
        Name of the file, for errors.

    Returns
    -------
    DataFrame
        The columns of ``names`` and ``figures``, ``year`` as text, and ``source_row``. A year in
        which all figures of a row are blank has no row.

    Raises
    ------
    SourceError
        If a column is missing.
    """
    require(frame.columns, list(names), file)
    found = {re.fullmatch(r".+_(\d{4})", str(column)) for column in frame.columns}
    years = sorted({match[1] for match in found if match and match[0][:-5] in figures})
    if not years:
        raise SourceError(
            f"{file} has no column of figures and year such as {next(iter(figures))}_2023; fetch "
            "it again, or mend the reader if the source has changed its format."
        )
    parts = []
    for year in years:
        columns = {f"{figure}_{year}": name for figure, name in figures.items()}
        require(frame.columns, list(columns), file)
        part = frame[[*names, *columns, "source_row"]].rename(columns={**names, **columns})
        part = part[(part[list(columns.values())] != "").any(axis="columns")]
        parts.append(part.assign(year=year))
    below = pd.concat(parts, ignore_index=True)
    return below.sort_values("source_row", kind="stable", ignore_index=True)
