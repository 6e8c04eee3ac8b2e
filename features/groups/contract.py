"""What a feature group declares, and how it is computed.

A group is one module in this folder that defines ``GROUP``. Its ``query`` is handed an
`~shortcast.features.asof.AsOf` view and returns SQL; facts come only from ``view.known``,
so nothing that became known at or after the as-of date can reach a feature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shortcast.features.asof import AsOf
from shortcast.features.groups.units import UnitName, in_words


@dataclass(frozen=True)
class Feature:
    """One feature of the panel.

    Parameters
    ----------
    name : str
        Column name; a unit stands in it (``_months``, ``_usd``, ``_share``).
    type : {'DOUBLE', 'BIGINT', 'BOOLEAN', 'VARCHAR'}
        DuckDB type; VARCHAR is a category.
    label : str
        A short phrase for readers: 'recalls of this drug in the last 12 months'. No unit
        stands in it: the value that follows brings its own.
    missing : str
        What a null means ('' where it is never null): not published, not covered by the
        source, source not yet available, not matched.
    monotone : {-1, 0, 1}
        The sign of the association where it is sure: 1 if more can only mean more risk.
    unit : str
        One of `shortcast.features.groups.units.UNITS`; '' for truth values and categories.
        It says how the value is put to readers.
    source : str
        The public record that it rests on, for readers; '' where it is that of its group.
    """

    name: str
    type: Literal["DOUBLE", "BIGINT", "BOOLEAN", "VARCHAR"]
    label: str
    missing: str = ""
    monotone: Literal[-1, 0, 1] = 0
    unit: UnitName = ""
    source: str = ""

    def phrase(self, value: object) -> str:
        """Say a value to a reader, with its unit; where it is unknown, with the reason.

        Parameters
        ----------
        value : object
            As in the panel; None or NaN for a missing one.

        Returns
        -------
        str
            'share of its makers' other drugs in shortage: 17 %'.
        """
        said = f"{self.label}: {in_words(value, self.unit)}"
        is_missing = value is None or value != value
        return f"{said} ({self.missing})" if is_missing and self.missing else said


def shortened(column: str, length: int) -> str:
    """Return SQL of a text cut to a length, with an ellipsis where it was longer.

    Parameters
    ----------
    column : str
        SQL of the text.
    length : int
        Characters at most.
    """
    return (
        f"CASE WHEN length({column}) > {length:d} "
        f"THEN rtrim(left({column}, {length - 1:d}), ' ,.;') || '…' ELSE {column} END"
    )


@dataclass(frozen=True)
class Group:
    """A group of features that rest on the same records.

    Parameters
    ----------
    name : str
        The module's name.
    title : str
        What readers see: 'Shortage history'.
    features : tuple of Feature
        The columns, in panel order.
    query : callable
        ``query(view) -> str``: SQL with ``drug_id``, ``as_of`` and the features; at most
        one row for each drug and date. Drugs it leaves out get ``default`` values.
    defaults : dict of str to object
        Value for drugs that the query leaves out (0 for counts); null where not named.
    evidence : callable or None
        ``evidence(view) -> str``: SQL with ``drug_id``, ``as_of``, ``event_date``,
        ``known_from``, ``summary`` (one phrase), ``source`` (source name), ``source_file``
        and ``source_row``: the public rows that the group's features rest on; where it has
        ``is_telling``, those for which it is true are shown before newer ones.
    prepare : callable or None
        ``prepare(view)``: makes temporary tables that the query reads.
    source : str
        The public records that its features rest on, for readers: 'FDA drug shortage list'.
    """

    name: str
    title: str
    features: tuple[Feature, ...]
    query: Callable[[AsOf], str]
    defaults: dict[str, object]
    evidence: Callable[[AsOf], str] | None = None
    prepare: Callable[[AsOf], None] | None = None
    source: str = ""
