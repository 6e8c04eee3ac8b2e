"""The reviewed tables beside this file: small CSVs whose every row says why and from where."""

from __future__ import annotations

import csv
from importlib.resources import files

from shortcast.errors import ShortcastError


class IdentityError(ShortcastError):
    """A name, a form group or a reviewed table cannot be used as it stands."""


def read_table(name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of one reviewed table.

    Parameters
    ----------
    name : str
        File name without ``.csv``.
    columns : tuple of str
        Columns the caller needs; ``reason`` and ``source`` are always demanded as well.

    Returns
    -------
    list of dict
        One dict a row, in file order, values stripped.

    Raises
    ------
    IdentityError
        If a column is missing, or a row has no reason or no source.
    """
    path = files("shortcast.features.identity").joinpath(f"{name}.csv")
    with path.open(encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        absent = {*columns, "reason", "source"} - set(reader.fieldnames or ())
        if absent:
            raise IdentityError(
                f"identity table {name}.csv lacks the column(s) {', '.join(sorted(absent))}: "
                "restore the file as shipped."
            )
        rows = []
        for number, raw in enumerate(reader, start=2):
            row = {key: (value or "").strip() for key, value in raw.items() if key is not None}
            if not (row["reason"] and row["source"]):
                raise IdentityError(
                    f"identity table {name}.csv, line {number}: a row needs a reason and a "
                    "source; fill them in."
                )
            rows.append(row)
    return rows
