"""Two panels, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb


@dataclass(frozen=True)
class Difference:
    """One column in which two panels differ.

    Attributes
    ----------
    column : str
        Name of the column; ``rows`` where a panel has rows that the other lacks.
    cells : int
        Number of differing cells.
    drug_id : str
        Drug of the first of them, by date and drug.
    as_of : date
        Its date.
    true, false : str
        The value from the records, and that from the falsified copy.
    """

    column: str
    cells: int
    drug_id: str
    as_of: date
    true: str
    false: str

    def sentence(self, month: str) -> str:
        """Return the difference in words, for a falsification from ``month`` on.

        Parameters
        ----------
        month : str
            T, as ``YYYY-MM``.

        Returns
        -------
        str
        """
        where = f"{self.drug_id} at {self.as_of}"
        if self.column == "rows":
            return (
                f"T = {month}: {self.cells:,} rows stand in one panel only, the first is {where} "
                f"(records: {self.true}, falsified copy: {self.false})"
            )
        return (
            f"T = {month}: {self.column} differs in {self.cells:,} rows, the first is {where}: "
            f"{self.true} from the records, {self.false} from the falsified copy"
        )


def compare_panels(true: Path, false: Path, first: date, last: date) -> list[Difference]:
    """Compare the rows of two panels from one as-of date to another.

    Parameters
    ----------
    true, false : Path
        Parquet files with ``drug_id``, ``as_of`` and the same other columns.
    first, last : date
        As-of dates, both included.

    Returns
    -------
    list of Difference
        One for each column in which any cell differs, rows that stand in one panel only
        first; empty when all is the same. A missing value equals a missing value only.

    Raises
    ------
    ValueError
        If the panels have different columns.
    """
    with duckdb.connect() as connection:
        names = []
        for side, path in (("t", true), ("f", false)):
            connection.execute(
                f"CREATE TABLE {side} AS SELECT * FROM read_parquet('{path}') "
                "WHERE as_of BETWEEN ? AND ?",
                [first, last],
            )
            names.append([row[0] for row in connection.execute(f"DESCRIBE {side}").fetchall()])
        if names[0] != names[1]:
            raise ValueError("The two panels do not have the same columns.")
        found = _rows_of_one(connection)
        columns = [name for name in names[0] if name not in ("drug_id", "as_of")]
        counts = connection.execute(
            "SELECT "
            + ", ".join(f'count_if(t."{name}" IS DISTINCT FROM f."{name}")' for name in columns)
            + " FROM t JOIN f USING (drug_id, as_of)"
        ).fetchone()
        assert counts is not None
        for name, count in zip(columns, counts, strict=True):
            if count:
                row = connection.execute(
                    f"""
                    SELECT drug_id, as_of, coalesce(t."{name}"::VARCHAR, 'missing'),
                           coalesce(f."{name}"::VARCHAR, 'missing')
                    FROM t JOIN f USING (drug_id, as_of)
                    WHERE t."{name}" IS DISTINCT FROM f."{name}"
                    ORDER BY as_of, drug_id
                    LIMIT 1
                    """
                ).fetchone()
                assert row is not None
                found.append(Difference(name, int(count), *row))
    return found


def _rows_of_one(connection: duckdb.DuckDBPyConnection) -> list[Difference]:
    """Return the rows that only one of the panels has, as one difference."""
    rows = connection.execute(
        """
        SELECT drug_id, as_of, in_true, in_false, count(*) OVER () AS rows
        FROM (
            SELECT drug_id, as_of, count(t.at_risk IS NULL OR TRUE) AS in_true, 0 AS in_false
            FROM t ANTI JOIN f USING (drug_id, as_of) GROUP BY ALL
            UNION ALL
            SELECT drug_id, as_of, 0, count(*)
            FROM f ANTI JOIN t USING (drug_id, as_of) GROUP BY ALL
        )
        ORDER BY as_of, drug_id
        LIMIT 1
        """
    ).fetchall()
    return [
        Difference(
            "rows", int(count), drug, day, "a row" if true else "none", "a row" if false else "none"
        )
        for drug, day, true, false, count in rows
    ]
